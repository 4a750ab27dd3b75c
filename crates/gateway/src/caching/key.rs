//! Where a response is stored: who shares it, and what of the request chooses it.

use std::borrow::Cow;

use tidegate_http_cache::{self as http_cache, KeyParts};

use crate::authenticate::Identity;
use crate::facts::Facts;
use crate::path::NormalPath;
use crate::platform::Head;
use crate::route::{Cache, Route};
use crate::source::{self, Ipv6Prefix, Source};
use crate::url::Url;

/// Where a response would be stored.
pub(super) enum Key {
    At(String),
    /// A key that long is nobody's but an attacker's.
    TooLong,
    /// The caller has no name that a response could be kept for, or one that cannot be told from others.
    Nobody,
}

pub(super) fn key<H: Head>(
    cache: &Cache,
    route: &Route,
    facts: &Facts<'_, H>,
    identity: Option<&Identity>,
    url: &Url<'_>,
    path: &NormalPath,
) -> Key {
    let Some(partition) = partition(cache, route, facts, identity) else { return Key::Nobody };
    let headers: Vec<(&str, Option<String>)> =
        cache.headers.iter().map(|name| (name.as_str(), facts.head.field(name))).collect();
    if headers.iter().any(|(_, value)| value.as_deref().is_some_and(http_cache::is_garbled)) {
        return Key::Nobody;
    }
    let headers: Vec<(&str, Option<&str>)> = headers.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    let key = http_cache::key(&KeyParts {
        cache: &cache.name,
        scheme: url.scheme,
        host: &url.authority.to_ascii_lowercase(),
        path: path.as_str(),
        query: &query_parts(cache, url),
        headers: &headers,
        // Two routes of one path have two policies: what one of them was answered is never lent to the other.
        partition: &[("by", Some(&partition)), ("route", Some(&route.name))],
    });
    key.map_or(Key::TooLong, Key::At)
}

/// Who shares a response. Written out by the operator; without that, on a route with a token, nobody but the caller.
fn partition<H: Head>(
    cache: &Cache,
    route: &Route,
    facts: &Facts<'_, H>,
    identity: Option<&Identity>,
) -> Option<String> {
    let value = |source: &Source| match source {
        Source::Route => Some(route.name.clone()),
        _ => facts.value(source, Ipv6Prefix::default()),
    };
    match (&cache.partition, identity) {
        (Some(sources), _) => {
            let values: Vec<Option<String>> = sources.iter().map(value).collect();
            let is_garbled = values.iter().flatten().any(|value| http_cache::is_garbled(value));
            (!is_garbled).then(|| source::join(sources.iter().zip(values)))
        }
        (None, None) => Some("everyone".to_owned()),
        // Two tokens without a subject may be two callers: unknown means deny.
        (None, Some(identity)) => {
            let subject = identity.claims.subject()?;
            Some(source::caller(&identity.issuer, subject, identity.claims.fingerprint()))
        }
    }
}

/// The part of the query that the key is made of.
fn query_parts<'u>(cache: &'u Cache, url: &Url<'u>) -> Vec<(&'u str, Option<&'u str>)> {
    match &cache.query {
        // One nameless pair for the query as a whole: no chosen parameter is nameless.
        None => url.query.map(|query| ("", Some(query))).into_iter().collect(),
        Some(chosen) => chosen_parts(chosen, url).collect(),
    }
}

fn chosen_parts<'u>(chosen: &'u [String], url: &Url<'u>) -> impl Iterator<Item = (&'u str, Option<&'u str>)> {
    pairs(url.query.unwrap_or_default()).filter(|(name, _)| chosen.iter().any(|chosen| chosen == name))
}

/// The query for the origin when the key chooses from it: what is not in the key cannot shape what is stored under it.
pub(crate) fn chosen_query(chosen: &[String], url: &Url<'_>) -> String {
    let texts = chosen_parts(chosen, url).map(|(name, value)| match value {
        Some(value) => Cow::Owned(format!("{name}={value}")),
        None => Cow::Borrowed(name),
    });
    texts.collect::<Vec<_>>().join("&")
}

/// The pairs of a query, as sent: two spellings of one value have two keys, which is safe.
fn pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    })
}
