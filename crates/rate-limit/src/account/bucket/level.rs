//! How full a bucket is at a moment.

/// The whole of a rate, in shares of 2^-32.
pub(crate) const WHOLE: u64 = 1 << 32;

/// A level at a moment. It is negative while requests are owed that were admitted without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) units: i128,
    pub(super) at: u128,
}

impl Level {
    /// Refills from the last moment until `now` at a share of the full rate, up to a capacity. Rounds down. Returns what
    /// did not fit.
    pub(super) fn advance(&mut self, now: u128, share: u64, capacity: u64) -> u64 {
        let refill = refill(now.saturating_sub(self.at), share);
        self.at = self.at.max(now);
        self.units = self.units.saturating_add(i128::try_from(refill).unwrap_or(i128::MAX));
        let spilled = u128::try_from(self.units.saturating_sub(i128::from(capacity))).unwrap_or(0).min(refill);
        self.clip(capacity);
        u64::try_from(spilled).unwrap_or(u64::MAX)
    }

    pub(super) fn clip(&mut self, capacity: u64) {
        self.units = self.units.min(i128::from(capacity));
    }

    /// Owes at most one capacity.
    pub(super) fn owe_at_most(&mut self, capacity: u64) {
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

    /// Returns what fits between the level and a capacity.
    pub(super) fn room(&self, capacity: u64) -> u64 {
        u64::try_from(self.missing(capacity)).unwrap_or(u64::MAX)
    }
}

/// Returns what a share of the rate gives in a time, rounded down.
pub(crate) fn refill(elapsed: u128, share: u64) -> u128 {
    elapsed.saturating_mul(u128::from(share)) >> 32
}

/// Returns how long a share of the rate needs to give so many units, rounded up.
pub(super) fn time_for(units: u128, share: u64) -> u128 {
    units.saturating_mul(u128::from(WHOLE)).div_ceil(u128::from(share.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_refills_rounded_down_and_waits_rounded_up() {
        for (elapsed, share, gives) in [(10, WHOLE, 10), (10, WHOLE / 3, 3), (3, WHOLE / 3, 0), (7, 0, 0)] {
            assert_eq!(refill(elapsed, share), gives);
        }
        for (units, share) in [(1, WHOLE), (1, WHOLE / 3), (1_000, WHOLE / 7), (12_345, 1)] {
            let time = time_for(units, share);
            assert!(refill(time, share) >= units && refill(time - 1, share) < units);
        }
    }

    #[test]
    fn a_level_stands_still_before_its_own_moment() {
        let mut level = Level { units: 5, at: 100 };
        level.advance(50, WHOLE, 1_000);
        assert_eq!(level, Level { units: 5, at: 100 });
        level.advance(110, WHOLE, 1_000);
        assert_eq!(level, Level { units: 15, at: 110 });
        level.advance(5_000, WHOLE, 1_000);
        assert_eq!(level.units, 1_000);
    }
}
