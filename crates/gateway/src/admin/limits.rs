//! `limits`: what is used of one key, a fresh start for it, and what this isolate sees of all limits.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_rate_limit::{Usage, Want};

use super::json;
use crate::memory::{LimitCounters, Memory};
use crate::ordered;
use crate::platform::{Platform, Purpose};
use crate::rejection::Rejection;
use crate::reply::Reply;
use crate::route::{Gateway, Limit, RouteLimits};
use crate::source::{self, Ipv6Prefix, Source};

/// How many keys an overview names.
const HOT: usize = 20;

/// What `GET limits` says, of the isolate that answers. Keys are hashes.
#[derive(Serialize)]
pub(super) struct Overview<'a> {
    limits: Vec<LimitOverview<'a>>,
    isolate: LimitCounters,
    /// The keys that were used most lately.
    hot: Vec<HotKey>,
}

#[derive(Serialize)]
struct LimitOverview<'a> {
    name: &'a str,
    key: Vec<String>,
    denied: u64,
    would_deny: u64,
}

#[derive(Serialize)]
struct HotKey {
    key: String,
    requests: u64,
}

pub(super) fn overview<'a>(gateway: &'a Gateway, memory: &Memory) -> Overview<'a> {
    let counters = memory.counters();
    let count = |counts: &BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or_default();
    let mut names = Vec::new();
    limits(gateway).for_each(|(limit, _)| ordered::insert(&mut names, (limit.name.as_str(), limit.key.as_slice())));
    let limits = names.into_iter().map(|(name, key)| LimitOverview {
        name,
        key: key.iter().map(Source::to_string).collect(),
        denied: count(&counters.denied, name),
        would_deny: count(&counters.would_deny, name),
    });
    let hot = memory.keys.hot(HOT).into_iter().map(|(key, requests)| HotKey { key, requests });
    Overview { limits: limits.collect(), isolate: memory.limit_counters(), hot: hot.collect() }
}

/// The limits of each route, with the object that holds them: one that several routes have comes several times.
fn limits(gateway: &Gateway) -> impl Iterator<Item = (&Limit, &RouteLimits)> {
    let all = gateway.routes.iter().filter_map(|route| route.limits.as_ref());
    all.flat_map(|group| group.limits.iter().map(move |limit| (&**limit, group)))
}

/// What is used of one key.
#[derive(Serialize)]
struct KeyUsage<'a> {
    limit: &'a str,
    /// As logs and objects have it.
    key: &'a str,
    object: &'a str,
    used: u64,
    remaining: u64,
    lent: u64,
    isolates: usize,
    resets_in_ms: u64,
}

/// Answers for one key: `GET` says what is used of it, `DELETE` forgets that.
pub(super) async fn key<P: Platform>(
    gateway: &Gateway,
    name: &str,
    text: &str,
    memory: &RefCell<Memory>,
    method: &str,
    platform: &P,
) -> Result<Reply<P::Body>, Rejection> {
    let (limit, group) = limits(gateway).find(|(limit, _)| limit.name == name).ok_or(Rejection::NoRoute)?;
    let values = Values::parse(text, &limit.key).ok_or(Rejection::LimitKey)?;
    let (object, key, ask) = {
        let mut memory = memory.borrow_mut();
        let object = memory.keys.of(&group.group, &values.join(&group.shard, group.ipv6_prefix)).name;
        let key = memory.keys.of(&limit.name, &values.join(&limit.key, limit.ipv6_prefix)).name;
        let want = Want::new(key.clone(), limit.allowance.clone(), 1).map_err(|_| Rejection::LimitKey)?;
        let ask = memory.holder(|| platform.random()).peek(&object, &[want], platform.now());
        (object, key, ask)
    };
    let purpose = if method == "DELETE" { Purpose::Reset } else { Purpose::Usage };
    let answer = platform.ask(&object, purpose, ask.encode()).await;
    let usage = answer.ok().and_then(|answer| Usage::decode(&answer).ok());
    let Usage { used, remaining, lent, holders, resets_in } =
        usage.ok_or(Rejection::LimiterUnavailable { retry_after_seconds: 1 })?;
    let resets_in_ms = u64::try_from(resets_in.as_millis()).unwrap_or(u64::MAX);
    let (limit, key, object) = (limit.name.as_str(), &*key, &*object);
    Ok(json(&KeyUsage { limit, key, object, used, remaining, lent, isolates: holders, resets_in_ms }))
}

/// The values of a key, as an operator writes them.
#[derive(Debug, PartialEq, Eq)]
struct Values<'l>(Vec<(&'l Source, Option<String>)>);

impl<'l> Values<'l> {
    /// Reads `claim:sub=alice&ip=192.0.2.1`: each source of the limit once, in any order, percent-encoded; without `=` for
    /// requests that do not say.
    fn parse(text: &str, sources: &'l [Source]) -> Option<Self> {
        let mut values = Vec::with_capacity(sources.len());
        for part in text.split('&') {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let name = decoded(name)?;
            let source = sources.iter().find(|source| source.to_string() == name)?;
            if values.iter().any(|(other, _)| *other == source) {
                return None;
            }
            values.push((source, value.map_or(Some(None), |value| decoded(value).map(Some))?));
        }
        (values.len() == sources.len()).then_some(Self(values))
    }

    /// What a request with these values gives.
    fn join(&self, sources: &[Source], ipv6_prefix: Ipv6Prefix) -> String {
        source::join(sources.iter().map(|source| {
            let value = self.0.iter().find(|(candidate, _)| *candidate == source).and_then(|(_, value)| value.clone());
            (
                source,
                value.map(|value| if *source == Source::Ip { source::network(&value, ipv6_prefix) } else { value }),
            )
        }))
    }
}

/// Percent-decoded text (RFC 3986, section 2.1); `None` if it is none.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from((high << 4) | low).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, joined: Option<&str>) {
        let sources = [Source::Claim("sub".to_owned()), Source::Ip];
        let values = Values::parse(text, &sources);
        assert_eq!(values.map(|values| values.join(&sources, Ipv6Prefix::default())).as_deref(), joined, "{text}");
    }

    #[test]
    fn a_key_is_each_source_with_its_value() {
        check("claim:sub=alice&ip=192.0.2.1", Some("claim:sub=alice&ip=192.0.2.1"));
        check("ip=192.0.2.1&claim:sub=alice", Some("claim:sub=alice&ip=192.0.2.1"));
        check("claim%3Asub=a%26b%20%C3%BC=c&ip", Some("claim:sub=a%26b%20%C3%BC%3Dc&ip"));
        check("claim:sub=&ip=2001:DB8::5", Some("claim:sub=&ip=2001:db8::%2F64"));
    }

    #[test]
    fn a_key_that_leaves_something_open_is_refused() {
        for text in [
            "",
            "alice",
            "claim:sub=alice",
            "claim:sub=alice&ip=1&ip=1",
            "claim:sub=alice&ip=1&route=x",
            "claim:sub=%ZZ&ip=1",
            "claim:sub=%2&ip=1",
            "claim:sub=%FF&ip=1",
        ] {
            check(text, None);
        }
    }
}
