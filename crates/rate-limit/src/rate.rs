//! How many requests in what time, and how many of them at once.

use std::num::NonZeroU64;
use std::time::Duration;

/// A limit's rate: `requests` in every `per`, of which `burst` may come at the same moment.
///
/// The emission interval is `per / requests`, rounded **up** to a whole nanosecond, so that rounding never admits a
/// request too many. The price is less than one nanosecond per request: the rate in force is smaller than the one
/// written by a share of less than `requests / per` in nanoseconds (1 in 142 million at 7 requests a second, 1 in 1,000
/// at a million a second, and never more than a half).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    // Invariant: what `Rate::new` checks.
    requests: u32,
    burst: u32,
    per: u64,
    emission_interval: NonZeroU64,
    fill_time: u64,
}

/// Why these numbers are not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRate {
    /// Zero requests: nothing would ever pass, and zero never means unlimited.
    #[error("`requests` must be at least 1")]
    NoRequests,
    /// Zero burst: not even one request would ever fit.
    #[error("`burst` must be at least 1")]
    NoBurst,
    /// The period is outside of [`Rate::MIN_PER`] and [`Rate::MAX_PER`].
    #[error("`per` must be from 1 millisecond to 366 days")]
    Per,
    /// More than one request per nanosecond.
    #[error("the rate is above one request per nanosecond")]
    TooFast,
    /// An empty bucket would take longer to fill than 2^64 nanoseconds (584 years).
    #[error("`burst` requests at this rate take longer than 584 years to come back")]
    FillTime,
}

impl Rate {
    /// The shortest period: a Worker's clock has milliseconds.
    pub const MIN_PER: Duration = Duration::from_millis(1);
    /// The longest period: a leap year.
    pub const MAX_PER: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// Creates the rate of `requests` per `per` with at most `burst` at once.
    ///
    /// # Errors
    /// Each variant of [`InvalidRate`] names the number that does not fit.
    pub fn new(requests: u32, per: Duration, burst: u32) -> Result<Rate, InvalidRate> {
        if requests == 0 {
            return Err(InvalidRate::NoRequests);
        }
        if burst == 0 {
            return Err(InvalidRate::NoBurst);
        }
        if per < Rate::MIN_PER || per > Rate::MAX_PER {
            return Err(InvalidRate::Per);
        }
        let per = u64::try_from(per.as_nanos()).map_err(|_| InvalidRate::Per)?;
        if per < u64::from(requests) {
            return Err(InvalidRate::TooFast);
        }
        let emission_interval = NonZeroU64::new(per.div_ceil(u64::from(requests))).ok_or(InvalidRate::TooFast)?;
        let fill_time = emission_interval.get().checked_mul(u64::from(burst)).ok_or(InvalidRate::FillTime)?;
        Ok(Rate { requests, burst, per, emission_interval, fill_time })
    }

    /// Returns how many requests pass in every [`per`](Rate::per) in the long run.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Returns the period of [`requests`](Rate::requests).
    pub fn per(&self) -> Duration {
        Duration::from_nanos(self.per)
    }

    /// Returns the most that may pass at the same moment.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Returns the time in which one request comes back: `per / requests`, rounded up to a nanosecond.
    pub fn emission_interval(&self) -> Duration {
        Duration::from_nanos(self.emission_interval.get())
    }

    /// Returns the time in which an empty bucket fills: `burst` emission intervals.
    ///
    /// This is GCRA's limit of conformance: after a request the TAT may be this far ahead of now, and no further.
    pub fn fill_time(&self) -> Duration {
        Duration::from_nanos(self.fill_time)
    }

    pub(crate) fn per_nanos(&self) -> u64 {
        self.per
    }

    pub(crate) fn interval_nanos(&self) -> NonZeroU64 {
        self.emission_interval
    }

    pub(crate) fn fill_nanos(&self) -> u64 {
        self.fill_time
    }

    /// Returns the nanoseconds by which a request of this cost moves the TAT.
    ///
    /// A cost up to the burst, which is all that a `Spend` can have, never saturates: it is at most the fill time.
    pub(crate) fn increment(&self, cost: u32) -> u64 {
        self.emission_interval.get().saturating_mul(u64::from(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Rate::MAX_PER;
    const NANOSECOND: Duration = Duration::from_nanos(1);

    #[track_caller]
    fn check(requests: u32, per: Duration, burst: u32, interval_and_fill: Result<(u64, u64), InvalidRate>) {
        let rate = Rate::new(requests, per, burst);
        assert_eq!(rate.map(|rate| (rate.interval_nanos().get(), rate.fill_nanos())), interval_and_fill);
    }

    #[test]
    fn zero_never_means_unlimited() {
        check(0, Duration::from_secs(1), 1, Err(InvalidRate::NoRequests));
        check(1, Duration::from_secs(1), 0, Err(InvalidRate::NoBurst));
        check(1, Duration::ZERO, 1, Err(InvalidRate::Per));
        check(1, Duration::from_secs(1), 1, Ok((1_000_000_000, 1_000_000_000)));
    }

    #[test]
    fn the_period_is_from_a_millisecond_to_a_leap_year() {
        check(1, Rate::MIN_PER - NANOSECOND, 1, Err(InvalidRate::Per));
        check(1, Rate::MIN_PER, 1, Ok((1_000_000, 1_000_000)));
        check(1, YEAR, 1, Ok((31_622_400_000_000_000, 31_622_400_000_000_000)));
        check(1, YEAR + NANOSECOND, 1, Err(InvalidRate::Per));
        check(1, Duration::MAX, 1, Err(InvalidRate::Per));
    }

    #[test]
    fn the_interval_is_rounded_up_so_that_the_rate_is_never_exceeded() {
        check(7, Duration::from_secs(1), 1, Ok((142_857_143, 142_857_143)));
        check(3, Duration::from_secs(1), 2, Ok((333_333_334, 666_666_668)));
        check(4, Duration::from_secs(1), 2, Ok((250_000_000, 500_000_000)));
    }

    #[test]
    fn an_interval_below_a_nanosecond_is_refused() {
        check(1_000_000, Rate::MIN_PER, 1, Ok((1, 1)));
        check(1_000_001, Rate::MIN_PER, 1, Err(InvalidRate::TooFast));
        check(u32::MAX, Duration::from_secs(4), 1, Err(InvalidRate::TooFast));
        check(u32::MAX, Duration::from_nanos(u64::from(u32::MAX)), u32::MAX, Ok((1, u64::from(u32::MAX))));
        check(u32::MAX, YEAR, u32::MAX, Ok((7_362_664, 7_362_664 * u64::from(u32::MAX))));
    }

    #[test]
    fn a_fill_time_that_does_not_fit_is_refused() {
        // 2^64 ns / 366 days = 583.3 bursts of one a year.
        check(1, YEAR, 583, Ok((31_622_400_000_000_000, 583 * 31_622_400_000_000_000)));
        check(1, YEAR, 584, Err(InvalidRate::FillTime));
        check(1, YEAR, u32::MAX, Err(InvalidRate::FillTime));
    }
}
