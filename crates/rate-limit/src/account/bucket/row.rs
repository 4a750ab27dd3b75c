//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::level::Level;
use crate::account::Row;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};
use crate::rate::Rate;

const TAG: u8 = b'R';
const VERSION: u8 = 1;

/// The row of a bucket: a level that it had at some moment, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    units: i128,
    at: u128,
}

impl Stored {
    /// Returns the level to start from. A row from a clock that was far ahead locks nobody out: time goes on from now, or
    /// from what clocks of two machines may differ by.
    pub(super) fn level(self, rate: &Rate, now: u128) -> Level {
        let fill = rate.fill_nanos();
        let mut level = Level { units: self.units, at: self.at.min(now.saturating_add(CLOCK_TOLERANCE.as_nanos())) };
        level.at_least(fill);
        level.clip(fill);
        level
    }
}

pub(super) fn decode(bytes: &[u8]) -> Option<Stored> {
    match bytes {
        [TAG, VERSION, rest @ ..] => postcard::from_bytes(rest).ok(),
        _ => None,
    }
}

pub(super) fn encode(level: &Level, rate: &Rate) -> Row {
    let bytes = vec![TAG, VERSION];
    let stored = Stored { units: level.units, at: level.at };
    let bytes = postcard::to_extend(&stored, bytes).unwrap_or_default();
    let full_at = level.at.saturating_add(level.missing(rate.fill_nanos()));
    let forget_after = full_at.saturating_add(CLOCK_TOLERANCE.as_nanos());
    Row { bytes, forget_after_ms: milliseconds_up(forget_after) }
}
