//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::Span;
use crate::account::Row;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};

const TAG: u8 = b'Q';
const VERSION: u8 = 1;

/// The row of a quota: at most `used` was used of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) span: Span,
    pub(super) used: u64,
}

/// Windows begin at whole seconds.
#[derive(Serialize, Deserialize)]
struct Entry {
    start_ms: u64,
    end_ms: u64,
    used: u64,
}

pub(super) fn decode(bytes: &[u8]) -> Option<Stored> {
    let [TAG, VERSION, rest @ ..] = bytes else { return None };
    let (Entry { start_ms, end_ms, used }, []) = postcard::take_from_bytes(rest).ok()? else { return None };
    let [start, end] = [start_ms, end_ms].map(|milliseconds| u128::from(milliseconds).saturating_mul(1_000_000));
    (start < end).then_some(Stored { span: Span { start, end }, used })
}

pub(super) fn encode(Span { start, end }: Span, used: u64) -> Row {
    let entry = Entry { start_ms: milliseconds_up(start), end_ms: milliseconds_up(end), used };
    let bytes = postcard::to_extend(&entry, vec![TAG, VERSION]).unwrap_or_default();
    let forget_after = end.saturating_add(CLOCK_TOLERANCE.as_nanos());
    Row { bytes, forget_after_ms: milliseconds_up(forget_after) }
}
