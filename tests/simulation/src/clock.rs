//! What a machine believes the time to be.

use std::time::Duration;

/// A moment: milliseconds of true time since the schedule began.
pub type Moment = u64;

/// How fast a clock may run wrong, in millionths. Two clocks differ by at most twice this, which is 1 %.
pub const MAX_DRIFT: u64 = 4_900;
/// How far a clock may be set back. An isolate that notices more drops what it holds, but it can only notice what it
/// reads.
pub const MAX_STEP_BACK: u64 = 50;

/// The clock of one machine: whole milliseconds, as the platform gives them.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Milliseconds since the Unix epoch at moment zero.
    base: i64,
    drift_ppm: i64,
}

impl Clock {
    /// Creates a clock that shows `base` milliseconds since the epoch at moment zero and is `drift_ppm` too fast.
    pub fn new(base: i64, drift_ppm: i64) -> Clock {
        Clock { base, drift_ppm }
    }

    /// Returns what the clock shows.
    pub fn read(&self, at: Moment) -> Duration {
        Duration::from_millis(self.millis(at))
    }

    /// Returns what the clock shows, in milliseconds since the epoch.
    pub fn millis(&self, at: Moment) -> u64 {
        let at = i64::try_from(at).unwrap();
        u64::try_from(self.base + at + (at * self.drift_ppm).div_euclid(1_000_000)).unwrap()
    }

    /// From now on the clock is as fast as true time.
    pub fn put_right(&mut self, at: Moment) {
        let shown = i64::try_from(self.millis(at)).unwrap();
        *self = Clock::new(shown - i64::try_from(at).unwrap(), 0);
    }

    /// Sets the clock, forward or back.
    pub fn step(&mut self, by: i64) {
        self.base += by;
    }
}
