use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Ask, Ended, Filled, Kept, Said};

/// The first byte of an encoded message. A deployment runs old and new code side by side for minutes: a message of
/// another version is refused, and the request goes on without the object.
const VERSION: u8 = 1;

/// What goes between an isolate and the Durable Object `Cache`, and into its rows, as bytes.
pub trait Message: Sized {
    /// Writes it.
    fn encode(&self) -> Vec<u8>;

    /// Reads it.
    ///
    /// # Errors
    /// Bytes that are not exactly one message of this version.
    fn decode(bytes: &[u8]) -> Result<Self, InvalidMessage>;
}

/// These bytes are not a message of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMessage;

impl fmt::Display for InvalidMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("no message about a fill, or one of another version")
    }
}

impl std::error::Error for InvalidMessage {}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Writing these structures into memory cannot fail; if it did, the message would be refused.
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidMessage> {
    match bytes.split_first() {
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            _ => Err(InvalidMessage),
        },
        _ => Err(InvalidMessage),
    }
}

/// Writes and reads a type as it is.
macro_rules! message {
    ($($name:ty),*) => {$(
        impl Message for $name {
            fn encode(&self) -> Vec<u8> {
                encode(self)
            }

            fn decode(bytes: &[u8]) -> Result<Self, InvalidMessage> {
                decode(bytes)
            }
        }
    )*};
}

message!(Ask, Said, Filled, Kept, Back);

/// A lease that is given back without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// The lease.
    pub lease: u64,
    /// Why.
    pub how: Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_and_nothing_else_is_read() {
        let back = Back { lease: u64::MAX, how: Ended::Failed };
        let bytes = back.encode();
        assert_eq!(Back::decode(&bytes), Ok(back));
        assert_eq!(Back::decode(&bytes[..bytes.len() - 1]), Err(InvalidMessage));
        assert_eq!(Back::decode(&[&bytes[..], &[0]].concat()), Err(InvalidMessage));
        assert_eq!(Back::decode(&[&[2], &bytes[1..]].concat()), Err(InvalidMessage));
        assert_eq!(Back::decode(&[]), Err(InvalidMessage));
    }
}
