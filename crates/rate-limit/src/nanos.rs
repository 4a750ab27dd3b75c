//! Nanoseconds since the Unix epoch: `u128`, because every `Duration` fits, and so does every sum made with one.

use std::time::Duration;

const NANOS_PER_SEC: u128 = 1_000_000_000;
const NANOS_PER_MILLI: u128 = 1_000_000;

/// How far the clocks of two instances of an object may be apart. Machines agree to within milliseconds.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

pub(crate) fn duration(nanos: u128) -> Duration {
    // The remainder is below 10^9 and fits, so `Duration::new` carries nothing.
    let subsec = u32::try_from(nanos % NANOS_PER_SEC).unwrap_or(0);
    Duration::new(u64::try_from(nanos / NANOS_PER_SEC).unwrap_or(u64::MAX), subsec)
}

pub(crate) fn milliseconds_up(nanos: u128) -> u64 {
    u64::try_from(nanos.div_ceil(NANOS_PER_MILLI)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_count_is_a_duration() {
        for at in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(1_999_999_999), Duration::MAX] {
            assert_eq!(duration(at.as_nanos()), at);
        }
        assert_eq!(duration(u128::MAX).as_secs(), u64::MAX);
    }
}
