//! What an operator sees of one key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::InvalidMessage;

/// The numbers of one key at one moment, in requests of cost one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// What was used and has not come back yet; what is lent counts as used.
    pub used: u64,
    /// What the object could grant at once.
    pub remaining: u64,
    /// What is out on loan, at most.
    pub lent: u64,
    /// How many isolates have a loan.
    pub holders: usize,
    /// How long until nothing counts as used, if nobody comes.
    pub resets_in: Duration,
}

impl Usage {
    /// Writes the message that the object sends.
    pub fn encode(&self) -> Vec<u8> {
        // Postcard fails only on types that it can't express. An empty message is refused by `decode`.
        postcard::to_extend(self, Vec::new()).unwrap_or_default()
    }

    /// Reads the message that an object sent.
    ///
    /// # Errors
    /// Bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Usage, InvalidMessage> {
        match postcard::take_from_bytes(bytes) {
            Ok((usage, [])) => Ok(usage),
            _ => Err(InvalidMessage::Malformed),
        }
    }
}
