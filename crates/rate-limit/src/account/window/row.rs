//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::slots::Slots;
use crate::account::Row;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};

const TAG: u8 = b'W';
const VERSION: u8 = 1;
/// More slots than any account has: a row that says so is none.
const MAX_SLOTS: usize = 1_024;

/// The row of a sliding window: at least what was charged, each until a time at which it could still be used or later.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Milliseconds since the Unix epoch, and how much could be used up to then, exclusive.
    charges: Vec<(u64, u64)>,
}

impl Stored {
    /// Returns the charges to start from. A row from a clock that was far ahead locks nobody out: whatever it says, what it
    /// charges can be used for one window at most.
    pub(super) fn slots(&self, per: u128, now: u128) -> Slots {
        let latest = now.saturating_add(per).saturating_add(CLOCK_TOLERANCE.as_nanos());
        let mut slots = Slots::new(per);
        for (end_ms, units) in &self.charges {
            let last = u128::from(*end_ms).saturating_mul(1_000_000).saturating_sub(1);
            slots.charge(*units, last.min(latest));
        }
        slots
    }
}

pub(super) fn decode(bytes: &[u8]) -> Option<Stored> {
    let [TAG, VERSION, rest @ ..] = bytes else { return None };
    let (stored, []) = postcard::take_from_bytes::<Stored>(rest).ok()? else { return None };
    (stored.charges.len() <= MAX_SLOTS).then_some(stored)
}

pub(super) fn encode(slots: &Slots, per: u128) -> Row {
    let charges = slots.iter().map(|slot| (milliseconds_up(slots.end(slot.index)), slot.units)).collect();
    let stored = Stored { charges };
    let last = stored.charges.last().map_or(0, |(end_ms, _)| *end_ms);
    let bytes = postcard::to_extend(&stored, vec![TAG, VERSION]).unwrap_or_default();
    // One slot and one window after the last charge, and what the clocks of two machines may differ by.
    let rounding = per.div_ceil(64).saturating_add(per).saturating_add(CLOCK_TOLERANCE.as_nanos());
    Row { bytes, forget_after_ms: last.saturating_add(milliseconds_up(rounding)) }
}
