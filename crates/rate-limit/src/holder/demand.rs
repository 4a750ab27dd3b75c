//! How much a limit is asked for lately.

/// Over how long demand is averaged: 2 seconds.
const TAU_MS: u64 = 2_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// A request of cost one weighs so much, so that decay does not round to nothing.
const ONE: u64 = 1 << 20;

/// An exponentially weighted moving average, in integers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    weight: u64,
    at: u64,
}

impl Demand {
    /// Counts a request, and returns the demand before it: what a random moment sees. To count the request itself would
    /// see a demand of half a request a second where one comes each hour.
    pub(super) fn note(&mut self, cost: u32, now: u64) -> u64 {
        self.decay(now);
        let before = self.per_second();
        self.weight = self.weight.saturating_add(u64::from(cost).saturating_mul(ONE)).min(u64::MAX / 2);
        before
    }

    /// Returns thousandths of a request of cost one, per second.
    fn per_second(&self) -> u64 {
        let weight = u128::from(self.weight).saturating_mul(1_000_000).checked_div(u128::from(ONE * TAU_MS));
        u64::try_from(weight.unwrap_or(0)).unwrap_or(u64::MAX)
    }

    fn decay(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.at) / NANOS_PER_MILLI;
        if elapsed == 0 {
            return;
        }
        self.at = now;
        let times = elapsed / TAU_MS;
        if times > 40 {
            self.weight = 0;
            return;
        }
        for _ in 0..times {
            // e^-1 = 0.3679
            self.weight = u64::try_from(u128::from(self.weight).saturating_mul(3_679) / 10_000).unwrap_or(0);
        }
        // e^-x is about 1 / (1 + x + x^2/2) for x below 1.
        let rest = elapsed % TAU_MS;
        let one = TAU_MS.saturating_mul(TAU_MS).saturating_mul(2);
        let more = rest.saturating_mul(TAU_MS).saturating_mul(2).saturating_add(rest.saturating_mul(rest));
        let decayed = u128::from(self.weight).saturating_mul(u128::from(one));
        let decayed = decayed.checked_div(u128::from(one.saturating_add(more))).unwrap_or(0);
        self.weight = u64::try_from(decayed).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// Sends one request every so many microseconds for 20 seconds and returns requests per second.
    fn steady(micros: u64) -> u64 {
        let (mut demand, mut now) = (Demand::default(), 0);
        while now < 20_000_000_000 {
            demand.note(1, now);
            now += micros * 1_000;
        }
        demand.per_second() / 1_000
    }

    #[test]
    fn a_steady_demand_is_measured_within_a_tenth() {
        for (micros, per_second) in [(100, 10_000), (1_000, 1_000), (3_000, 333), (10_000, 100), (100_000, 10)] {
            let measured = steady(micros);
            assert!(measured.abs_diff(per_second) <= per_second / 10 + 1, "{measured} for {per_second}");
        }
    }

    #[test]
    fn demand_is_forgotten() {
        let mut demand = Demand::default();
        assert_eq!(demand.note(1_000, 1), 0);
        let at_once = demand.per_second();
        assert_eq!(at_once, 500_000);
        demand.decay(2_000_000_001);
        assert!((170_000..200_000).contains(&demand.per_second()), "{}", demand.per_second());
        demand.decay(100_000_000_001);
        assert_eq!(demand.per_second(), 0);
    }
}
