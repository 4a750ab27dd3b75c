//! How full a bucket is at a moment.

use crate::rate::Rate;

/// The whole of a rate, in shares of 2^-32.
pub(crate) const WHOLE: u64 = 1 << 32;

/// A level at a moment. It is negative while requests are owed that were admitted without asking.
///
/// `Ord` compares levels at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level {
    pub(super) units: i128,
    pub(super) at: u128,
}

impl Level {
    pub(super) fn full(rate: &Rate, at: u128) -> Level {
        Level { units: i128::from(rate.fill_nanos()), at }
    }

    /// Refills from the last moment until `now` at a share of the full rate, up to a capacity. Rounds down.
    pub(super) fn advance(&mut self, now: u128, share: u64, capacity: u64) {
        let elapsed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let refill = refill(elapsed, share);
        self.units = self.units.saturating_add(i128::try_from(refill).unwrap_or(i128::MAX));
        self.clip(capacity);
    }

    pub(super) fn clip(&mut self, capacity: u64) {
        self.units = self.units.min(i128::from(capacity));
    }

    /// Owes at most one capacity.
    pub(super) fn at_least(&mut self, capacity: u64) {
        self.units = self.units.max(i128::from(capacity).saturating_neg());
    }

    pub(super) fn holds(&self, price: u64) -> bool {
        self.units >= i128::from(price)
    }

    pub(super) fn debit(&mut self, price: u64) {
        self.units = self.units.saturating_sub(i128::from(price));
    }

    pub(super) fn credit(&mut self, price: u64) {
        self.units = self.units.saturating_add(i128::from(price));
    }

    /// Returns what can be taken.
    pub(super) fn units(&self) -> u64 {
        u64::try_from(self.units.max(0)).unwrap_or(u64::MAX)
    }

    /// Returns by how much the level is below a price.
    pub(super) fn missing(&self, price: u64) -> u128 {
        u128::try_from(i128::from(price).saturating_sub(self.units)).unwrap_or(0)
    }
}

/// Returns what a share of the rate gives in a time, rounded down.
pub(crate) fn refill(elapsed: u128, share: u64) -> u128 {
    elapsed.saturating_mul(u128::from(share)) >> 32
}
