//! What a route's limits ask of a request, and where they are decided.

use std::collections::BTreeMap;

use tidegate_gateway::route::{Cost, Limit, RouteLimits, Serve};
use tidegate_gateway::source::Source;
use tidegate_rate_limit::{Accuracy, Allowance, Mode, Period, WhenUnreachable};

use super::in_words;
use super::policies::Known;

impl Known<'_> {
    /// Each limit, and then the object that all of them share.
    pub(super) fn limits(&self, limits: &RouteLimits) -> Vec<String> {
        let mut texts: Vec<String> = limits.limits.iter().flat_map(|limit| self.limit(limit)).collect();
        texts.extend(self.object(limits));
        texts
    }

    fn limit(&self, limit: &Limit) -> Vec<String> {
        let (allowance, by) = limit.allowance_for(|source| self.value(source, limit.ipv6_prefix));
        let zone = self.checked.time_zone(&limit.name, by).unwrap_or("UTC");
        let because = match by {
            Some((source, value)) => format!(", because {source} is {value:?}"),
            None => String::new(),
        };
        let mut texts = vec![
            format!("{}{because}", allowance_in_words(allowance, zone)),
            format!("counted by {}", self.values(&limit.key, limit.ipv6_prefix)),
        ];
        texts.extend((self.route.serve == Serve::Origin).then(|| self.cost(&limit.cost)));
        texts.extend(by.is_none().then(|| self.overrides(limit)).into_iter().flatten());
        texts.push(accuracy_in_words(limit.accuracy));
        texts.push(mode_in_words(limit));
        texts.extend(unreachable_in_words(limit));
        texts.into_iter().map(|text| format!("{}: {text}", limit.name)).collect()
    }

    /// Why no override applies, source by source.
    fn overrides(&self, limit: &Limit) -> Vec<String> {
        let others = limit.overrides.iter().map(|other| {
            let values: Vec<&str> = other.allowances.keys().map(String::as_str).collect();
            let found = match self.value(&other.source, limit.ipv6_prefix) {
                Some(value) => format!("is {value:?}"),
                None if other.source.needs_token() => "is not known here (add --claim)".to_owned(),
                None => "is not in this request".to_owned(),
            };
            format!("no override: {} {found}; there are others for {}", other.source, values.join(", "))
        });
        others.collect()
    }

    fn cost(&self, cost: &Cost) -> String {
        let taken = cost.before(|name| self.request.header(name));
        match cost {
            Cost::Fixed(_) => format!("this request takes {taken}"),
            Cost::Header { name, at_most, .. } => match self.request.header(name) {
                Some(value) => format!("this request takes {taken}, because {name} is {value:?} (at most {at_most})"),
                None => format!("this request takes {taken}, because it has no header {name}"),
            },
            Cost::Settled { header, .. } => {
                format!("this request takes {taken} first; the response's {header} says what it did cost")
            }
        }
    }

    /// The object, what chooses it, and whom it serves beside this route.
    fn object(&self, limits: &RouteLimits) -> Vec<String> {
        // A limit that asks nobody lives nowhere.
        if limits.limits.iter().all(|limit| limit.accuracy == Accuracy::Local) {
            return Vec::new();
        }
        let names: Vec<&str> = limits.limits.iter().map(|limit| limit.name.as_str()).collect();
        let spread = match limits.shard.as_slice() {
            [] => "there is only one, because its limits have no source in common".to_owned(),
            sources => format!("one for each {}", list(sources.iter().map(Source::to_string))),
        };
        let mut texts = vec![format!("decided by the Durable Object {}: {spread}", limits.group)];
        if names.len() > 1 {
            let names = list(names.iter().map(ToString::to_string));
            texts.push(format!("{names} are decided together: a request passes all of them, or takes from none"));
        }
        let mut elsewhere: BTreeMap<&str, &str> = BTreeMap::new();
        for route in &self.checked.gateway.routes {
            let same = route.limits.iter().filter(|other| other.group == limits.group).flat_map(|other| &other.limits);
            for limit in same.filter(|limit| !names.contains(&limit.name.as_str())) {
                elsewhere.entry(&limit.name).or_insert(&route.name);
            }
        }
        let joined = |(limit, route)| format!("{limit} lives there too, because it meets them on the route {route}");
        texts.extend(elsewhere.into_iter().map(joined));
        texts
    }
}

/// "a, b and c".
fn list(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => words.concat(),
    }
}

fn allowance_in_words(allowance: &Allowance, zone: &str) -> String {
    match allowance {
        Allowance::Rate(rate) => {
            format!("{} in {}, {} at once", rate.requests(), in_words(rate.per()), rate.burst())
        }
        Allowance::Window(window) => format!("{} in any {}", window.requests(), in_words(window.per())),
        Allowance::Quota(quota) => {
            let period = match quota.calendar().period() {
                Period::Minute => "minute",
                Period::Hour => "hour",
                Period::Day => "day",
                Period::Week => "week",
                Period::Month => "month",
            };
            format!("{} in every {period} by the clocks of {zone}", quota.requests())
        }
        Allowance::Concurrency(concurrency) => format!(
            "{} at the same time, each counted for {} at most",
            concurrency.requests(),
            in_words(concurrency.timeout())
        ),
    }
}

fn accuracy_in_words(accuracy: Accuracy) -> String {
    match accuracy {
        Accuracy::Exact => "exact: no request too many".to_owned(),
        Accuracy::Bounded { parts_per_million } => {
            format!("bounded: at most {} % too many", f64::from(parts_per_million) / 10_000.0)
        }
        Accuracy::Local => "local: each isolate counts for itself".to_owned(),
    }
}

fn mode_in_words(limit: &Limit) -> String {
    match (limit.mode, limit.enforce_percent.hundredths()) {
        (Mode::Shadow, _) | (Mode::Enforce, 0) => "a shadow: it counts, and refuses nobody".to_owned(),
        (Mode::Enforce, 100) => "enforced".to_owned(),
        (Mode::Enforce, share) => format!("enforced for {share} of 100 keys, the others are only counted"),
    }
}

fn unreachable_in_words(limit: &Limit) -> Option<String> {
    let outcome = match limit.when_unreachable {
        _ if limit.accuracy == Accuracy::Local => return None,
        _ if limit.mode == Mode::Shadow => "the request passes: a shadow refuses nobody",
        WhenUnreachable::Open => "the request passes and is charged later",
        WhenUnreachable::Closed => "the request is refused with 503",
        WhenUnreachable::Reserve => "the request passes while a twentieth of the limit lasts, which is set aside",
    };
    Some(format!("when the limiter does not answer, {outcome}"))
}
