use serde::{Deserialize, Serialize};
use std::fmt;

use super::stamp::Generation;
use super::target::Target;

/// The first byte of an encoded delta.
const VERSION: u8 = 1;

/// What an isolate has to learn: the latest purges of some targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// From where it goes on; 0: it is everything.
    pub(crate) from: u64,
    /// Up to where it goes.
    pub(crate) to: Generation,
    /// What was stored before this number must be validated: the log has forgotten what concerned it.
    pub(crate) floor: u64,
    pub(crate) purges: Vec<(Target, Purges)>,
}

/// The numbers of the latest purges of one target; 0: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purges {
    pub(crate) hard: u64,
    pub(crate) soft: u64,
}

impl Purges {
    pub(crate) fn latest(self) -> u64 {
        self.hard.max(self.soft)
    }
}

/// Why bytes are no [`Delta`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidDelta {
    /// The other side speaks a version that this one does not know.
    Version,
    /// The bytes end early, go on too long, or say something else.
    Malformed,
}

impl fmt::Display for InvalidDelta {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Version => "the purge log speaks another version",
            Self::Malformed => "the purge log's message is malformed",
        })
    }
}

impl std::error::Error for InvalidDelta {}

impl Delta {
    /// Up to where it goes.
    pub fn to(&self) -> Generation {
        self.to
    }

    /// The message between the Durable Object and an isolate.
    pub fn encode(&self) -> Vec<u8> {
        // Writing this structure into memory cannot fail; if it did, the message would be refused.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Another version, or bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidDelta> {
        match bytes.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
                Ok((delta, [])) => Ok(delta),
                _ => Err(InvalidDelta::Malformed),
            },
            Some(_) => Err(InvalidDelta::Version),
            None => Err(InvalidDelta::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_and_nothing_else_is_read() {
        let purges = vec![(Target::tag("a"), Purges { hard: 3, soft: 0 }), (Target::ALL, Purges { hard: 0, soft: 4 })];
        let delta = Delta { from: 1, to: Generation { log: 9, sequence: 4 }, floor: 2, purges };
        let bytes = delta.encode();
        assert_eq!(Delta::decode(&bytes), Ok(delta));
        assert_eq!(Delta::decode(&[]), Err(InvalidDelta::Malformed));
        assert_eq!(Delta::decode(&[&[2], &bytes[1..]].concat()), Err(InvalidDelta::Version));
        assert_eq!(Delta::decode(&bytes[..bytes.len() - 1]), Err(InvalidDelta::Malformed));
        assert_eq!(Delta::decode(&[&bytes[..], &[0]].concat()), Err(InvalidDelta::Malformed));
    }
}
