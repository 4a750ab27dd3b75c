//! Permits that are out, with no name on them: so many until then.

/// At most so many expiries are told apart.
const MAX_EXPIRIES: usize = 8;

/// Permits by their expiry, in nanoseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Promises {
    // Invariant: in the order of expiry, and none of zero permits.
    by_expiry: Vec<(u128, u64)>,
}

impl Promises {
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u64)> {
        self.by_expiry.iter().copied()
    }

    pub(super) fn sum(&self) -> u64 {
        self.iter().fold(0, |sum, (_, permits)| sum.saturating_add(permits))
    }

    /// When the last of them expires, zero if there is none.
    pub(super) fn last(&self) -> u128 {
        self.by_expiry.last().map_or(0, |(until, _)| *until)
    }

    pub(super) fn add(&mut self, until: u128, permits: u64) {
        if permits == 0 {
            return;
        }
        let position = self.by_expiry.partition_point(|(other, _)| *other <= until);
        self.by_expiry.insert(position, (until, permits));
        if self.by_expiry.len() > MAX_EXPIRIES {
            // The first expire with the second.
            let (_, first) = self.by_expiry.remove(0);
            if let Some((_, second)) = self.by_expiry.first_mut() {
                *second = second.saturating_add(first);
            }
        }
    }

    /// Ends what expires up to `now`.
    pub(super) fn advance(&mut self, now: u128) {
        self.by_expiry.retain(|(until, _)| *until > now);
    }

    /// Takes out so many, if there are as many, and returns how many. Those that expire first: whose they are is not
    /// known, and what stays must last as long as anybody else's.
    pub(super) fn take(&mut self, permits: u64) -> u64 {
        let mut missing = permits;
        for (_, permits) in &mut self.by_expiry {
            let taken = missing.min(*permits);
            *permits = permits.saturating_sub(taken);
            missing = missing.saturating_sub(taken);
        }
        self.by_expiry.retain(|(_, permits)| *permits > 0);
        permits.saturating_sub(missing)
    }

    /// Returns whether at any time at least as many are promised here as there.
    pub(super) fn cover(&self, other: &Promises) -> bool {
        other.iter().all(|(time, _)| self.promised_until(time) >= other.promised_until(time))
    }

    fn promised_until(&self, time: u128) -> u64 {
        self.iter().filter(|(until, _)| *until >= time).fold(0, |sum, (_, permits)| sum.saturating_add(permits))
    }
}
