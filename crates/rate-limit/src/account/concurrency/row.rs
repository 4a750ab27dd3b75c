//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::promises::Promises;
use super::{LONGEST_START_WITHIN, ROW_AHEAD, lifetime};
use crate::account::Row;
use crate::allowance::Concurrency;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};

const TAG: u8 = b'C';
const VERSION: u8 = 1;

/// More expiries than any account tells apart: a row that says so is none.
const MAX_EXPIRIES: usize = 64;

/// The row of requests in progress: at most so many permits are out, and until when.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// Milliseconds since the Unix epoch, and how many.
    by_expiry: Vec<(u64, u64)>,
}

/// A row from a clock that was far ahead locks nobody out for longer than a permit can live.
pub(super) fn decode(bytes: &[u8], now: u128) -> Option<Promises> {
    let [TAG, VERSION, rest @ ..] = bytes else { return None };
    let (Entry { by_expiry }, []) = postcard::take_from_bytes(rest).ok()? else { return None };
    if by_expiry.len() > MAX_EXPIRIES {
        return None;
    }
    let ahead = ROW_AHEAD.saturating_add(CLOCK_TOLERANCE.as_nanos());
    let longest = lifetime(Concurrency::MAX_TIMEOUT.as_nanos(), LONGEST_START_WITHIN);
    let latest = now.saturating_add(longest).saturating_add(ahead);
    let mut promises = Promises::default();
    for (until_ms, permits) in by_expiry {
        promises.add(u128::from(until_ms).saturating_mul(1_000_000).min(latest), permits);
    }
    Some(promises)
}

pub(super) fn encode(promises: &Promises) -> Row {
    let by_expiry = promises.iter().map(|(until, permits)| (milliseconds_up(until), permits)).collect();
    let bytes = postcard::to_extend(&Entry { by_expiry }, vec![TAG, VERSION]).unwrap_or_default();
    let forget_after = promises.last().saturating_add(CLOCK_TOLERANCE.as_nanos());
    Row { bytes, forget_after_ms: milliseconds_up(forget_after) }
}
