use std::time::Duration;

/// Shorter lifetimes are not refreshed ahead: the operator wrote them to be counted on.
const SHORTEST: Duration = Duration::from_secs(10);

/// At the earliest in the last tenth of the lifetime, so that the origin is asked a tenth more often at most.
const LAST_SHARE: u32 = 10;

/// Should a request that found a fresh response refresh it, after its reply? XFetch (Vattani, Chierichetti and
/// Lowenstein, VLDB 2015): yes when `cost * -ln(U)` is at least what is left of its life, for a random `U` between zero
/// and one. The more requests and the costlier the fetch, the earlier one of them says yes; a key that nobody asks for
/// expires. Keys that were filled at the same moment are not refreshed at the same moment, as each draws its own luck.
///
/// `cost` is what the fetch took, `random` are 64 random bits.
pub fn refresh_ahead(lifetime: Duration, left: Duration, cost: Duration, random: u64) -> bool {
    if lifetime < SHORTEST || left > lifetime.checked_div(LAST_SHARE).unwrap_or_default() {
        return false;
    }
    // 53 bits make an even number between 0 and 1; the half keeps it from being 0.
    let uniform = ((random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    cost.as_secs_f64() * -uniform.ln() >= left.as_secs_f64()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// How many of so many evenly drawn requests refresh.
    fn share(lifetime: Duration, left: Duration, cost: Duration) -> usize {
        (0..10_000_u64).filter(|draw| refresh_ahead(lifetime, left, cost, draw * (u64::MAX / 10_000))).count()
    }

    #[test]
    fn the_closer_the_end_the_more_likely() {
        let cost = Duration::from_secs(1);
        // P(-ln U >= left / cost) = e^-(left / cost).
        for (left, expected) in [(0, 10_000), (1, 3_679), (2, 1_353), (3, 498), (5, 67)] {
            let got = share(MINUTE, Duration::from_secs(left), cost);
            assert!(got.abs_diff(expected) <= 2, "{left} s before the end: {got}");
        }
    }

    #[test]
    fn never_before_the_last_tenth_and_never_for_short_lives() {
        let slow = Duration::from_secs(100);
        assert_eq!(share(MINUTE, Duration::from_millis(6_001), slow), 0);
        assert!(share(MINUTE, Duration::from_secs(6), slow) > 9_000);
        assert_eq!(share(Duration::from_millis(9_999), Duration::ZERO, slow), 0);
    }

    #[test]
    fn what_costs_nothing_is_not_fetched_ahead() {
        assert_eq!(share(MINUTE, Duration::from_millis(1), Duration::ZERO), 0);
    }
}
