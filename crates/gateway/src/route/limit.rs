//! One limit: what it counts, how much it allows, and what happens when nobody can say.

use std::collections::BTreeMap;

use tidegate_rate_limit::{Accuracy, Allowance, Mode, WhenUnreachable};

use super::Cost;
use crate::source::{Ipv6Prefix, Source};

/// One `[[limit]]`.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The name in the file; clients see it in the RateLimit fields.
    pub name: String,
    /// What is counted apart from what.
    pub key: Vec<Source>,
    /// How many bits of an IPv6 address are one client, where the key or an override has the address.
    pub ipv6_prefix: Ipv6Prefix,
    /// How much.
    pub allowance: Allowance,
    /// Other numbers for some callers, in the order in which they are tried.
    pub overrides: Vec<Override>,
    /// What one request takes.
    pub cost: Cost,
    /// How exactly it holds over all isolates together.
    pub accuracy: Accuracy,
    /// The direction when the Durable Object does not answer.
    pub when_unreachable: WhenUnreachable,
    /// Whether it refuses at all.
    pub mode: Mode,
    /// For which share of the keys it refuses; for the others it only counts.
    pub enforce_percent: Percent,
}

/// Other numbers for the requests with certain values of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What is looked at.
    pub source: Source,
    /// What is allowed, by the value of the source. All of the limit's own kind.
    pub allowances: BTreeMap<String, Allowance>,
}

/// A share from 0 to 100 hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(
    // Invariant: what `Percent::new` checks.
    u8,
);

impl Percent {
    /// Everything.
    pub const ALL: Self = Self(100);

    /// Creates the share; `None` above 100.
    #[must_use]
    pub fn new(hundredths: u8) -> Option<Self> {
        (hundredths <= Self::ALL.0).then_some(Self(hundredths))
    }

    /// The number of hundredths.
    #[must_use]
    pub fn hundredths(self) -> u8 {
        self.0
    }
}

impl Limit {
    /// What is allowed to a request, given the values of its sources: the first override that names its value, else
    /// what the limit says. Also returns the source and the value that decided.
    pub fn allowance_for(&self, value: impl Fn(&Source) -> Option<String>) -> (&Allowance, Option<(&Source, &str)>) {
        let found = self.overrides.iter().find_map(|other| {
            let (value, allowance) = other.allowances.get_key_value(&value(&other.source)?)?;
            Some((allowance, Some((&other.source, value.as_str()))))
        });
        found.unwrap_or((&self.allowance, None))
    }

    /// Whether the limit refuses requests with this key, of which `digest` is a hash: the same keys at every edge, and
    /// those of a smaller share among those of a larger one.
    #[must_use]
    pub fn mode_for(&self, digest: &[u8]) -> Mode {
        // The share that is lost to the remainder of 2^32 / 100 is one in 40 million.
        let hash = digest.iter().take(4).fold(0_u32, |hash, byte| (hash << 8) | u32::from(*byte));
        let is_enforced = self.mode == Mode::Enforce && hash % 100 < u32::from(self.enforce_percent.0);
        if is_enforced { Mode::Enforce } else { Mode::Shadow }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_rate_limit::Rate;

    use super::*;

    fn rate(requests: u32) -> Allowance {
        Allowance::Rate(Rate::new(requests, Duration::from_secs(1), requests).unwrap())
    }

    fn limit(overrides: Vec<Override>) -> Limit {
        Limit {
            name: "limit".to_owned(),
            key: vec![Source::Ip],
            ipv6_prefix: Ipv6Prefix::default(),
            allowance: rate(1),
            overrides,
            cost: Cost::ONE,
            accuracy: Accuracy::Exact,
            when_unreachable: WhenUnreachable::Closed,
            mode: Mode::Enforce,
            enforce_percent: Percent::ALL,
        }
    }

    #[track_caller]
    fn check(values: &[(&Source, &str)], allowance: u32, by: Option<(&Source, &str)>) {
        let of = |source: &Source, allowances: &[(&str, u32)]| Override {
            source: source.clone(),
            allowances: allowances.iter().map(|(value, requests)| ((*value).to_owned(), rate(*requests))).collect(),
        };
        let plan = Source::Claim("plan".to_owned());
        let limit = limit(vec![of(&plan, &[("pro", 10), ("free", 2)]), of(&Source::Country, &[("DE", 5)])]);
        let value = |source: &Source| {
            values.iter().find(|(candidate, _)| *candidate == source).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(limit.allowance_for(value), (&rate(allowance), by));
    }

    #[test]
    fn the_first_override_that_names_the_value_wins() {
        let plan = Source::Claim("plan".to_owned());
        check(&[], 1, None);
        check(&[(&plan, "gold")], 1, None);
        check(&[(&plan, "pro")], 10, Some((&plan, "pro")));
        check(&[(&Source::Country, "DE"), (&plan, "free")], 2, Some((&plan, "free")));
        check(&[(&Source::Country, "DE"), (&plan, "gold")], 5, Some((&Source::Country, "DE")));
    }

    #[test]
    fn a_share_of_the_keys_is_enforced() {
        for (percent, enforced) in [(0, 0), (1, 1), (50, 50), (99, 99), (100, 100)] {
            let limit = Limit { enforce_percent: Percent::new(percent).unwrap(), ..limit(Vec::new()) };
            let keys = (0..100_u32).filter(|key| limit.mode_for(&key.to_be_bytes()) == Mode::Enforce);
            assert_eq!(keys.count(), enforced, "{percent}");
        }
        assert_eq!(Percent::new(101), None);
    }

    #[test]
    fn a_shadow_refuses_nobody() {
        let limit = Limit { mode: Mode::Shadow, ..limit(Vec::new()) };
        assert_eq!(limit.mode_for(&[0; 16]), Mode::Shadow);
    }
}
