//! An isolate's clock, which may go backwards.

use super::lease::GUARD;
use crate::mutation::{Mutation, makes};

/// What was read from the clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: u64,
    latest: u64,
    /// By how much it went backwards in small steps.
    lost: u64,
    /// How often it went backwards so far that nothing can be said about leases.
    pub(super) epoch: u64,
}

impl Clock {
    /// Returns the time, which never goes backwards within an epoch.
    ///
    /// While the clock is behind, time stands still, and leases last longer than they should. They end a guard early,
    /// so up to that much is nothing; beyond it, a new epoch begins, and everything lent before is lost.
    pub(super) fn read(&mut self, now: u64) -> u64 {
        self.lost = self.lost.saturating_add(self.last.saturating_sub(now));
        self.last = now;
        if self.lost > GUARD && !makes(Mutation::ClockBackIgnored) {
            self.lost = 0;
            self.latest = now;
            self.epoch = self.epoch.saturating_add(1);
        }
        self.latest = self.latest.max(now);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(readings: &[u64], times: &[u64], epochs: u64) {
        let mut clock = Clock::default();
        let read: Vec<u64> = readings.iter().map(|now| clock.read(*now)).collect();
        assert_eq!((&read[..], clock.epoch), (times, epochs));
    }

    #[test]
    fn a_small_step_back_stands_still_and_a_larger_one_starts_over() {
        check(&[100, 90, 110], &[100, 100, 110], 0);
        check(&[GUARD, 0, 1], &[GUARD, GUARD, GUARD], 0);
        check(&[GUARD + 1, 0, 1], &[GUARD + 1, 0, 1], 1);
    }

    #[test]
    fn small_steps_back_add_up() {
        let step = GUARD / 2;
        check(
            &[1_000 + step, 1_000, 1_000 + step, 1_000, 1_000 + step, 999],
            &[1_000 + step, 1_000 + step, 1_000 + step, 1_000 + step, 1_000 + step, 999],
            1,
        );
    }
}
