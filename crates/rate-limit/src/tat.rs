//! The theoretical arrival time, in memory and as the row that survives a restart.

use std::time::Duration;

use crate::rate::Rate;

const NANOS_PER_MILLI: u128 = 1_000_000;
const NANOS_PER_SEC: u128 = 1_000_000_000;

/// How far the clocks of two instances of an object may be apart. Machines agree to within milliseconds.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// A theoretical arrival time (TAT): when the bucket is full again, in nanoseconds since the Unix epoch.
///
/// `u128`, because every `Duration` fits, and so does every sum that a ledger makes with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tat(pub(crate) u128);

impl Tat {
    /// The TAT of a bucket that was never spent from.
    pub(crate) const FULL: Tat = Tat(0);

    /// Returns the TAT after a request of this cost at `now`.
    pub(crate) fn charged(self, rate: &Rate, cost: u32, now: u128) -> Tat {
        // A bucket that has been full for a while holds no more than a full one.
        Tat(self.0.max(now).saturating_add(u128::from(rate.increment(cost))))
    }

    /// Returns the nanoseconds by which the bucket is overdrawn, zero when this TAT conforms.
    pub(crate) fn overdrawn(self, rate: &Rate, now: u128) -> u128 {
        self.debt(now).saturating_sub(u128::from(rate.fill_nanos()))
    }

    /// Returns how many requests of cost one fit at `now`.
    pub(crate) fn remaining(self, rate: &Rate, now: u128) -> u32 {
        let unspent = u128::from(rate.fill_nanos()).saturating_sub(self.debt(now));
        let units = u64::try_from(unspent).unwrap_or(u64::MAX) / rate.interval_nanos();
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    fn debt(self, now: u128) -> u128 {
        self.0.saturating_sub(now)
    }
}

/// The TAT of one key as it is stored: whole milliseconds since the Unix epoch, rounded up.
///
/// A row says that nothing beyond it was admitted yet. Milliseconds are exact in a JavaScript number and in an SQLite
/// integer until the year 287,000, and rounding up costs a restart at most one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredTat(u64);

impl StoredTat {
    /// Reads a row back.
    pub fn from_millis(millis: u64) -> StoredTat {
        StoredTat(millis)
    }

    /// Returns what to store: milliseconds since the Unix epoch.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the latest row that says no more at `now` than a missing one: its bucket has been full for a minute.
    ///
    /// The object keeps its table small by deleting what is not after this. The minute is there because the next
    /// instance may run on a machine whose clock is behind, where the bucket is not full yet.
    pub fn forgettable(now: Duration) -> StoredTat {
        let millis = now.saturating_sub(CLOCK_TOLERANCE).as_millis();
        StoredTat(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    pub(crate) fn covering(tat: Tat) -> StoredTat {
        StoredTat(u64::try_from(tat.0.div_ceil(NANOS_PER_MILLI)).unwrap_or(u64::MAX))
    }

    pub(crate) fn tat(self) -> Tat {
        Tat(u128::from(self.0).saturating_mul(NANOS_PER_MILLI))
    }

    /// The most by which rounding up can exceed the real TAT, in nanoseconds.
    pub(crate) const ROUNDING: u128 = NANOS_PER_MILLI;
}

pub(crate) fn duration(nanos: u128) -> Duration {
    // The remainder is below 10^9 and fits, so `Duration::new` carries nothing.
    let subsec = u32::try_from(nanos % NANOS_PER_SEC).unwrap_or(0);
    Duration::new(u64::try_from(nanos / NANOS_PER_SEC).unwrap_or(u64::MAX), subsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_never_before_the_time_it_covers() {
        for (nanos, millis) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
            let stored = StoredTat::covering(Tat(nanos));
            assert_eq!(stored.as_millis(), millis);
            assert!(stored.tat() >= Tat(nanos));
            assert_eq!(StoredTat::from_millis(millis), stored);
        }
    }

    #[test]
    fn a_row_is_forgettable_a_minute_after_the_bucket_is_full() {
        let forgettable = StoredTat::forgettable(Duration::from_millis(100_000));
        assert!(StoredTat::from_millis(40_000) <= forgettable);
        assert!(StoredTat::from_millis(40_001) > forgettable);
        assert_eq!(StoredTat::forgettable(Duration::from_secs(1)), StoredTat::from_millis(0));
    }

    #[test]
    fn every_nanosecond_count_is_a_duration() {
        for at in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(1_999_999_999), Duration::MAX] {
            assert_eq!(duration(at.as_nanos()), at);
        }
        assert_eq!(duration(u128::MAX).as_secs(), u64::MAX);
    }
}
