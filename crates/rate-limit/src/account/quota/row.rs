//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::Span;
use crate::account::Row;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};

const TAG: u8 = b'Q';
const VERSION: u8 = 2;
/// Said nothing of what was out on loan.
const VERSION_BEFORE: u8 = 1;

/// The row of a quota: at most `used` was used of the window, and of that at most so much is out on loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) span: Span,
    pub(super) used: u64,
    pub(super) lent: Lent,
}

/// Windows begin at whole seconds.
#[derive(Serialize, Deserialize)]
struct Entry {
    start_ms: u64,
    end_ms: u64,
    used: u64,
}

/// What is out on loan: leases, and slices of the reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lent {
    pub(super) leases: u64,
    pub(super) slices: u64,
}

impl Lent {
    pub(super) fn sum(&self) -> u64 {
        self.leases.saturating_add(self.slices)
    }

    pub(super) fn covers(&self, other: &Lent) -> bool {
        self.leases >= other.leases && self.slices >= other.slices
    }
}

pub(super) fn decode(bytes: &[u8]) -> Option<Stored> {
    let [TAG, version @ (VERSION | VERSION_BEFORE), rest @ ..] = bytes else { return None };
    let (Entry { start_ms, end_ms, used }, rest) = postcard::take_from_bytes(rest).ok()?;
    let all = Lent { leases: used, slices: 0 };
    let (lent, []) = (if *version == VERSION { postcard::take_from_bytes(rest).ok()? } else { (all, rest) }) else {
        return None;
    };
    let [start, end] = [start_ms, end_ms].map(|milliseconds| u128::from(milliseconds).saturating_mul(1_000_000));
    (start < end).then_some(Stored { span: Span { start, end }, used, lent })
}

pub(super) fn encode(Stored { span: Span { start, end }, used, lent }: Stored) -> Row {
    let entry = Entry { start_ms: milliseconds_up(start), end_ms: milliseconds_up(end), used };
    let bytes = postcard::to_extend(&(entry, lent), vec![TAG, VERSION]).unwrap_or_default();
    let forget_after = end.saturating_add(CLOCK_TOLERANCE.as_nanos());
    Row { bytes, forget_after_ms: milliseconds_up(forget_after) }
}
