//! `GET metrics`: the counters of the isolate that answers, in the text format of Prometheus.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::memory::{LimitCounters, Memory, PurgeCounters};
use crate::reply::Reply;
use crate::route::Gateway;

/// The media type of the format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn reply<B>(gateway: &Gateway, memory: &Memory, now: Duration) -> Reply<B> {
    super::text(CONTENT_TYPE, exposition(gateway, memory, now))
}

fn exposition(gateway: &Gateway, memory: &Memory, now: Duration) -> String {
    let counters = memory.counters();
    let LimitCounters { requests, by_lease, by_authority, unreachable, asks, refreshes, overshoot, debt, entries } =
        memory.limit_counters();
    let mut text = Exposition::default();
    text.family("config_info", "gauge", "The version of the configuration.");
    text.sample("config_info", Some(("version", &gateway.version)), 1);
    text.family("requests_total", "counter", "Requests by the class of their status.");
    text.samples("requests_total", "status", &counters.by_status);
    text.family("rejections_total", "counter", "Refusals by their code.");
    text.samples("rejections_total", "code", &counters.rejections);
    text.family("cache_lookups_total", "counter", "Cache lookups by what the cache did.");
    text.samples("cache_lookups_total", "outcome", &counters.cache);
    text.family("origin_requests_total", "counter", "Requests to origins, retries included.");
    text.sample("origin_requests_total", None, counters.attempts);
    text.family("limit_decisions_total", "counter", "Requests with limits, by who decided about them.");
    for (by, count) in [("lease", by_lease), ("authority", by_authority), ("unreachable", unreachable)] {
        text.sample("limit_decisions_total", Some(("by", by)), count);
    }
    text.family("limit_asks_total", "counter", "Calls of a Durable Object for which a request waited.");
    text.sample("limit_asks_total", None, asks);
    text.family("limit_refreshes_total", "counter", "Calls of a Durable Object for which no request waited.");
    text.sample("limit_refreshes_total", None, refreshes);
    text.family("limit_object_calls_per_request", "gauge", "Both kinds of calls, by requests with limits.");
    text.sample("limit_object_calls_per_request", None, ratio(asks.saturating_add(refreshes), requests));
    text.family("limit_denied_total", "counter", "Requests that a limit refused.");
    text.samples("limit_denied_total", "limit", &counters.denied);
    text.family("limit_would_deny_total", "counter", "Requests that a limit would have refused, were it enforced.");
    text.samples("limit_would_deny_total", "limit", &counters.would_deny);
    text.family("limit_overshoot_total", "counter", "Cost that was admitted before it was there.");
    text.sample("limit_overshoot_total", None, overshoot);
    text.family("limit_debt", "gauge", "Cost that was admitted and that no Durable Object knows of yet.");
    text.sample("limit_debt", None, debt);
    text.family("limit_keys", "gauge", "Keys of limits that are remembered.");
    text.sample("limit_keys", None, entries);
    purges(&mut text, memory, now);
    text.0
}

fn purges(text: &mut Exposition, memory: &Memory, now: Duration) {
    let PurgeCounters { questions, failures, purged } = memory.purge_counters;
    text.family("purge_questions_total", "counter", "Calls of the purge log.");
    text.sample("purge_questions_total", None, questions);
    text.family("purge_failures_total", "counter", "Calls of the purge log that had no answer in time.");
    text.sample("purge_failures_total", None, failures);
    text.family("purged_total", "counter", "Tags, URLs, prefixes and groups that were purged here.");
    text.sample("purged_total", None, purged);
    if let (Some(generation), Some(age)) = (memory.generations.generation(), memory.generations.age(now)) {
        text.family("purge_generation", "gauge", "The number of the latest purge that is known here.");
        text.sample("purge_generation", None, generation.sequence);
        text.family("purge_age_seconds", "gauge", "How old what is known of purges is.");
        text.sample("purge_age_seconds", None, format!("{}.{:03}", age.as_secs(), age.subsec_millis()));
    }
}

/// A share with four digits: enough to tell one call in ten thousand requests.
fn ratio(part: u64, whole: u64) -> String {
    let parts = u128::from(part).saturating_mul(10_000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

/// Lines of the exposition format.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP tidegate_{name} {help}\n# TYPE tidegate_{name} {kind}");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let _ = match label {
            None => writeln!(self.0, "tidegate_{name} {value}"),
            Some((label, of)) => writeln!(self.0, "tidegate_{name}{{{label}=\"{}\"}} {value}", escaped(of)),
        };
    }

    fn samples<'c, K: AsRef<str> + 'c>(
        &mut self,
        name: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'c K, &'c u64)>,
    ) {
        for (of, count) in counts {
            self.sample(name, Some((label, of.as_ref())), count);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_has_four_digits() {
        for (part, whole, text) in [(0, 0, "0.0000"), (1, 100, "0.0100"), (3, 2, "1.5000"), (1, 3, "0.3333")] {
            assert_eq!(ratio(part, whole), text);
        }
    }

    #[test]
    fn a_label_is_quoted() {
        let mut text = Exposition::default();
        text.sample("x", Some(("limit", "a\"b\\c")), 1);
        assert_eq!(text.0, "tidegate_x{limit=\"a\\\"b\\\\c\"} 1\n");
    }
}
