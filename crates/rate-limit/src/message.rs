//! The messages between an isolate and the Durable Object, as bytes.
//!
//! One version byte, one byte with the number of entries, then the head and each entry in postcard. A deployment runs old
//! and new code side by side for minutes, so a form that changes gets a new version, and both ends keep reading the one
//! before. Decoding goes through the constructors: what was decoded is as valid as what was built here.

use serde::{Deserialize, Serialize};

use crate::allowance::{InvalidConcurrency, InvalidWindow};
use crate::rate::InvalidRate;

const VERSION: u8 = 2;

/// Why these bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The other side speaks a version that this one does not know.
    #[error("unknown message version {0}")]
    Version(u8),
    /// The bytes end early, go on too long, or say something else.
    #[error("malformed message")]
    Malformed,
    /// A rate that `Rate::new` refuses.
    #[error("a rate in the message is invalid: {0}")]
    Rate(#[from] InvalidRate),
    /// A window that `Window::new` refuses.
    #[error("a window in the message is invalid: {0}")]
    Window(#[from] InvalidWindow),
    /// A limit of requests in progress that `Concurrency::new` refuses.
    #[error("a limit of requests in progress in the message is invalid: {0}")]
    Concurrency(#[from] InvalidConcurrency),
    /// A quota's windows that do not follow each other.
    #[error("the windows of a quota in the message are not in order")]
    Windows,
    /// No limit, or more than `Want::MAX_LIMITS`.
    #[error("a request must have from 1 to 128 limits")]
    LimitCount,
    /// An empty key, or one that is too long.
    #[error("a limit's key must have from 1 to 1024 bytes")]
    KeyLength,
    /// A cost of zero, or one above the limit's capacity.
    #[error("a cost in the message can never pass")]
    Cost,
}

/// Writes a message. Postcard fails only on types that it can't express, and there are none here. If it did, the message
/// would be empty, which every decoder refuses.
pub(crate) fn encode(head: &impl Serialize, entries: impl ExactSizeIterator<Item = impl Serialize>) -> Vec<u8> {
    try_encode(head, entries).unwrap_or_default()
}

fn try_encode(head: &impl Serialize, entries: impl ExactSizeIterator<Item = impl Serialize>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(entries.len().saturating_mul(96).saturating_add(32));
    bytes.extend([VERSION, u8::try_from(entries.len()).ok()?]);
    bytes = postcard::to_extend(head, bytes).ok()?;
    for entry in entries {
        bytes = postcard::to_extend(&entry, bytes).ok()?;
    }
    Some(bytes)
}

pub(crate) fn open<'a, Head: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(Head, usize, &'a [u8]), InvalidMessage> {
    match bytes {
        [VERSION, count, rest @ ..] => {
            let mut rest = rest;
            let head = next(&mut rest)?;
            Ok((head, usize::from(*count), rest))
        }
        [VERSION] | [] => Err(InvalidMessage::Malformed),
        [version, ..] => Err(InvalidMessage::Version(*version)),
    }
}

pub(crate) fn next<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, InvalidMessage> {
    let (entry, after) = postcard::take_from_bytes(rest).map_err(|_| InvalidMessage::Malformed)?;
    *rest = after;
    Ok(entry)
}

pub(crate) fn close(rest: &[u8]) -> Result<(), InvalidMessage> {
    if rest.is_empty() { Ok(()) } else { Err(InvalidMessage::Malformed) }
}

#[cfg(test)]
mod tests;
