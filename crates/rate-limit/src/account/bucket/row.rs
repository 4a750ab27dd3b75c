//! What a restart starts from.

use serde::{Deserialize, Serialize};

use super::level::{Level, WHOLE};
use super::loans::Promise;
use crate::account::Row;
use crate::nanos::{CLOCK_TOLERANCE, milliseconds_up};
use crate::rate::Rate;

const TAG: u8 = b'R';
const VERSION: u8 = 2;
/// Covered no requests in advance.
const VERSION_BEFORE: u8 = 1;

/// A level that the bucket had at some moment, at least, and what was out on loan, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) level: Level,
    pub(super) lent: Promise,
    pub(super) reserve: Promise,
    pub(super) taken: Taken,
}

/// So much may be taken from a full bucket until then without another row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) units: u64,
    pub(super) until: u128,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    interval: u64,
    burst: u32,
    units: i128,
    at: u128,
    lent: (u64, u64, u128),
    reserve: (u64, u64, u128),
}

impl Stored {
    /// Brings the level to `now`, with what was lent out of the way for as long as it may be used. Returns what did not fit
    /// since the last of that came back.
    pub(super) fn advance(&mut self, now: u128, capacity: u64) -> u64 {
        loop {
            let live = [self.lent, self.reserve].into_iter().filter(|promise| *promise != Promise::default());
            let taken = Some(self.taken.until).filter(|until| *until > 0);
            let next = live.map(|promise| promise.until).chain(taken).min().filter(|next| *next <= now);
            let (share, own) = self.own(capacity);
            let spilled = self.level.advance(next.unwrap_or(now), share, own);
            let Some(next) = next else { return spilled };
            for promise in [&mut self.lent, &mut self.reserve] {
                if !promise.is_live(next) {
                    *promise = Promise::default();
                }
            }
            if self.taken.until <= next {
                self.taken = Taken::default();
            }
        }
    }

    fn own(&self, capacity: u64) -> (u64, u64) {
        let share = WHOLE.saturating_sub(self.lent.share).saturating_sub(self.reserve.share);
        let own = capacity.saturating_sub(self.lent.capacity).saturating_sub(self.reserve.capacity);
        (share, own.saturating_sub(self.taken.units))
    }

    pub(super) fn decode(bytes: &[u8], rate: &Rate) -> Option<Stored> {
        let [TAG, version @ (VERSION | VERSION_BEFORE), rest @ ..] = bytes else { return None };
        let (entry, rest) = postcard::take_from_bytes::<Entry>(rest).ok()?;
        let taken = if *version == VERSION { postcard::from_bytes(rest).ok()? } else { Taken::default() };
        let promise = |(share, capacity, until): (u64, u64, u128)| Promise { share, capacity, until };
        let mut stored = Stored {
            level: Level { units: entry.units, at: entry.at },
            lent: promise(entry.lent),
            reserve: promise(entry.reserve),
            taken,
        };
        let interval = rate.interval_nanos().get();
        if (entry.interval, entry.burst) != (interval, rate.burst()) {
            let old_fill = entry.interval.saturating_mul(u64::from(entry.burst));
            convert_level(&mut stored.level, (old_fill, entry.interval), (rate.fill_nanos(), interval));
            for promise in [&mut stored.lent, &mut stored.reserve] {
                promise.share = scale(promise.share, interval, entry.interval);
                promise.capacity = scale(promise.capacity, interval, entry.interval);
            }
            stored.taken.units = scale(stored.taken.units, interval, entry.interval);
        }
        Some(stored)
    }

    pub(super) fn encode(&self, rate: &Rate) -> Row {
        let entry = |promise: &Promise| (promise.share, promise.capacity, promise.until);
        let entry = Entry {
            interval: rate.interval_nanos().get(),
            burst: rate.burst(),
            units: self.level.units,
            at: self.level.at,
            lent: entry(&self.lent),
            reserve: entry(&self.reserve),
        };
        let bytes = postcard::to_extend(&(entry, self.taken), vec![TAG, VERSION]).unwrap_or_default();
        let mut settled = *self;
        let loans_end = self.level.at.max(self.lent.until).max(self.reserve.until).max(self.taken.until);
        settled.advance(loans_end, rate.fill_nanos());
        let full_at = loans_end.saturating_add(settled.level.missing(rate.fill_nanos()));
        Row { bytes, forget_after_ms: milliseconds_up(full_at.saturating_add(CLOCK_TOLERANCE.as_nanos())) }
    }
}

/// Keeps what was used, as a number of requests, when the numbers of the rate change.
pub(super) fn convert_level(level: &mut Level, old: (u64, u64), new: (u64, u64)) {
    let ((old_fill, old_interval), (new_fill, new_interval)) = (old, new);
    let used =
        level.missing(old_fill).saturating_mul(u128::from(new_interval)).div_ceil(u128::from(old_interval.max(1)));
    level.units = i128::from(new_fill).saturating_sub(i128::try_from(used).unwrap_or(i128::MAX));
}

/// Rounds up.
pub(super) fn scale(value: u64, new: u64, old: u64) -> u64 {
    let scaled = u128::from(value).saturating_mul(u128::from(new)).div_ceil(u128::from(old.max(1)));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
