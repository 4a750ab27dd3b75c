//! The messages between an isolate and the Durable Object, as bytes.
//!
//! One version byte, one byte with the number of entries, then each entry in postcard. A deployment runs old and new
//! code side by side for minutes, so a form that changes gets a new version, and both ends keep reading the one before.
//! Decoding goes through the constructors: what was decoded is as valid as what was built here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rate::{InvalidRate, Rate};
use crate::reply::{SpendReply, SpendVerdict};
use crate::request::{InvalidSpend, Spend, SpendRequest};

const VERSION: u8 = 1;

/// Why these bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSpendMessage {
    /// The other side speaks a version that this one does not know.
    #[error("unknown message version {0}")]
    Version(u8),
    /// The bytes end early, go on too long, or say something else.
    #[error("malformed message")]
    Malformed,
    /// A rate that `Rate::new` refuses.
    #[error("a rate in the message is invalid: {0}")]
    Rate(#[from] InvalidRate),
    /// A spend that `Spend::new` or `SpendRequest::new` refuses.
    #[error("a limit in the message is invalid: {0}")]
    Spend(#[from] InvalidSpend),
    /// The reply does not have one verdict for each limit that was asked about.
    #[error("the reply has another number of verdicts than the request has limits")]
    VerdictCount,
}

#[derive(Serialize, Deserialize)]
struct SpendEntry<'a> {
    key: &'a str,
    requests: u32,
    per_nanos: u64,
    burst: u32,
    cost: u32,
}

impl SpendRequest {
    /// Writes the message that asks a Durable Object.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.limits().iter().map(|spend| SpendEntry {
            key: spend.key(),
            requests: spend.rate().requests(),
            per_nanos: spend.rate().per_nanos(),
            burst: spend.rate().burst(),
            cost: spend.cost(),
        }))
    }

    /// Reads the message that an isolate sent.
    ///
    /// # Errors
    /// Whatever the constructors refuse, an unknown version, and bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<SpendRequest, InvalidSpendMessage> {
        let (count, mut rest) = open(bytes)?;
        // Refused before anything is allocated for it.
        if count > SpendRequest::MAX_LIMITS {
            return Err(InvalidSpend::LimitCount.into());
        }
        let mut limits = Vec::with_capacity(count);
        for _ in 0..count {
            let entry: SpendEntry<'_> = next(&mut rest)?;
            if entry.key.len() > Spend::MAX_KEY_BYTES {
                return Err(InvalidSpend::KeyLength.into());
            }
            let rate = Rate::new(entry.requests, Duration::from_nanos(entry.per_nanos), entry.burst)?;
            limits.push(Spend::new(entry.key, rate, entry.cost)?);
        }
        close(rest)?;
        Ok(SpendRequest::new(limits)?)
    }
}

impl SpendReply {
    /// Writes the message that answers an isolate.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.verdicts().iter())
    }

    /// Reads the answer to `request`.
    ///
    /// # Errors
    /// An unknown version, bytes that are not exactly one message, and a reply without a verdict for each of the
    /// request's limits: one that says less than it was asked must not pass for a permission.
    pub fn decode(bytes: &[u8], request: &SpendRequest) -> Result<SpendReply, InvalidSpendMessage> {
        let (count, mut rest) = open(bytes)?;
        if count != request.limits().len() {
            return Err(InvalidSpendMessage::VerdictCount);
        }
        let mut verdicts = Vec::with_capacity(count);
        for _ in 0..count {
            verdicts.push(next::<SpendVerdict>(&mut rest)?);
        }
        close(rest)?;
        Ok(SpendReply::new(verdicts))
    }
}

fn encode(entries: impl ExactSizeIterator<Item = impl Serialize>) -> Vec<u8> {
    // Postcard fails only on types that it can't express, and there are none here. If it did, the message would be
    // empty, which every decoder refuses.
    try_encode(entries).unwrap_or_default()
}

fn try_encode(entries: impl ExactSizeIterator<Item = impl Serialize>) -> Option<Vec<u8>> {
    let mut bytes = vec![VERSION, u8::try_from(entries.len()).ok()?];
    for entry in entries {
        bytes = postcard::to_extend(&entry, bytes).ok()?;
    }
    Some(bytes)
}

fn open(bytes: &[u8]) -> Result<(usize, &[u8]), InvalidSpendMessage> {
    match bytes {
        [VERSION, count, rest @ ..] => Ok((usize::from(*count), rest)),
        [VERSION] | [] => Err(InvalidSpendMessage::Malformed),
        [version, ..] => Err(InvalidSpendMessage::Version(*version)),
    }
}

fn next<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, InvalidSpendMessage> {
    let (entry, after) = postcard::take_from_bytes(rest).map_err(|_| InvalidSpendMessage::Malformed)?;
    *rest = after;
    Ok(entry)
}

fn close(rest: &[u8]) -> Result<(), InvalidSpendMessage> {
    if rest.is_empty() { Ok(()) } else { Err(InvalidSpendMessage::Malformed) }
}

#[cfg(test)]
mod tests;
