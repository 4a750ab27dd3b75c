//! Steps "cache" and "store": may a stored response answer, and may the origin's be stored?

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::{
    self as http_cache, Answer, CacheStatus, Fields as FieldSource, Forward, KeyParts, Lookup as Asked, Precondition,
    Reason, Sharing, Stored,
};

use crate::authenticate::Identity;
use crate::exchange::{Opening, claims};
use crate::facts::Facts;
use crate::forward::{is_address, nominates_more_than_the_hop};
use crate::matching::Found;
use crate::path::NormalPath;
use crate::platform::{Head, Platform};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Reply, ReplyBody};
use crate::route::{Auth, Cache, Route};
use crate::source::{self, Ipv6Prefix, Source};
use crate::url::Url;

/// The outcome of step "cache".
pub(crate) enum Lookup<B> {
    /// A stored response answers.
    Hit { reply: Reply<B>, record: CacheRecord },
    /// An origin answers, and its response may be stored.
    Miss(Fill),
}

/// What the response of an origin is held against, and where it would be stored.
pub(crate) struct Fill {
    cache: Rc<Cache>,
    /// Where to store it; `None` when this request's response is for nobody else.
    key: Option<String>,
    sharing: Sharing,
    because: Forward,
    detail: Option<Reason>,
    /// The query that the origin gets, when the key chooses from it.
    query: Option<String>,
    told: Vec<(String, Option<String>)>,
}

/// What step "store" adds to a reply.
pub(crate) struct Filled {
    pub(crate) fields: Fields,
    pub(crate) after: Option<After>,
    pub(crate) record: CacheRecord,
}

/// A request as its origin sees it, which is what `Vary` speaks of: fields that the gateway sets have the gateway's value.
struct Forwarded<'h, H> {
    head: &'h H,
    told: &'h [(String, Option<String>)],
}

impl<H: Head> FieldSource for Forwarded<'_, H> {
    fn get(&self, name: &str) -> Option<String> {
        match self.told.iter().find(|(told, _)| told == name) {
            Some((_, value)) => value.clone(),
            None if is_address(name) => None,
            None => self.head.field(name),
        }
    }
}

/// What the gateway tells the origin of a request, by field.
fn told<H: Head>(
    route: &Route,
    facts: &Facts<'_, H>,
    identity: Option<&Identity>,
    url: &Url<'_>,
) -> Vec<(String, Option<String>)> {
    let claims = claims(route, identity);
    let claim = |name: &str| claims.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone());
    let claims = route.protected.claims().map(|name| (name.to_owned(), claim(name)));
    let ours = [
        ("x-forwarded-for", facts.client_ip),
        ("x-forwarded-proto", Some(url.scheme)),
        ("x-forwarded-host", Some(url.authority)),
        // Each request has its own: a response that varies by one of these answers nobody else.
        ("x-request-id", Some(facts.request_id)),
        ("traceparent", Some(facts.request_id)),
    ];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    claims.chain(ours).collect()
}

/// Asks the cache of a route.
///
/// # Errors
/// The client wants a stored response only, and there is none.
pub(crate) async fn lookup<P: Platform>(
    cache: &Rc<Cache>,
    opening: &Opening<'_, impl Head>,
    platform: &P,
) -> Result<Lookup<P::Body>, Rejection> {
    let Opening { route, facts, identity, url, path, .. } = *opening;
    let told = told(route, facts, identity, url);
    let request = Forwarded { head: facts.head, told: &told };
    let only_if_cached = http_cache::only_if_cached(&request);
    let miss = |key, because, detail, query| {
        if only_if_cached {
            return Err(Rejection::NotStored);
        }
        let sharing = if identity.is_some() { Sharing::Partition } else { Sharing::Everyone };
        let (cache, told) = (Rc::clone(cache), told.clone());
        Ok(Lookup::Miss(Fill { cache, key, sharing, because, detail, query, told }))
    };
    if let Asked::Bypass(reason) = http_cache::lookup(facts.head.method(), &request) {
        return miss(None, reason.forward(), Some(reason), None);
    }
    // Otherwise a client could hide a field from the origin that the key or `Vary` still counts, and fill the cache of
    // those who send it with a response that is not theirs.
    if nominates_more_than_the_hop(facts.head.field("connection").as_deref()) {
        return miss(None, Forward::Bypass, None, None);
    }
    let key = match key(cache, route, facts, identity, url, path) {
        Key::At(key) => key,
        Key::TooLong => return miss(None, Reason::KeyTooLong.forward(), Some(Reason::KeyTooLong), None),
        Key::Nobody => return miss(None, Forward::Bypass, None, None),
    };
    let query = chosen_query(cache, url);
    let found = platform.stored(&key).await;
    let found = found.and_then(|(envelope, body)| Some((Stored::decode(&envelope).ok()?, body)));
    let (because, detail) = match found {
        None => (Forward::UriMiss, None),
        Some((stored, body)) => match http_cache::answer(&stored, facts.head.method(), &request, platform.now()) {
            Answer::Fresh { age, ttl } => {
                return Ok(hit(&stored, body, facts.head.method(), &request, age, CacheStatus::Hit { ttl }));
            }
            Answer::StaleAccepted { age, overdue } => {
                return Ok(hit(&stored, body, facts.head.method(), &request, age, CacheStatus::StaleHit { overdue }));
            }
            Answer::Stale { .. } => (Forward::Stale, None),
            Answer::Mismatch => (Forward::VaryMiss, None),
            Answer::Bypass(reason) => (reason.forward(), Some(reason)),
        },
    };
    miss(Some(key), because, detail, query)
}

/// Step "reply" for a stored response.
fn hit<B>(
    stored: &Stored,
    body: B,
    method: &str,
    request: &dyn FieldSource,
    age: Duration,
    cache_status: CacheStatus,
) -> Lookup<B> {
    let (status, removed) = match http_cache::precondition(stored, request) {
        Precondition::NotModified => (304, stored.not_modified_omits().collect()),
        Precondition::Full => (stored.status(), Vec::new()),
    };
    // RFC 9110, section 6.4.1: no content in a response to HEAD, in a 204 and in a 304; section 15.3.6: none in a 205.
    let with_body = method != "HEAD" && !matches!(status, 204 | 205 | 304);
    let mut fields = Fields::default();
    for (name, value) in stored.fields().filter(|(name, _)| !removed.contains(name)) {
        fields.push(name.to_owned(), value.to_owned());
    }
    fields.push("Age", http_cache::age_field(age));
    fields.push("Cache-Status", cache_status.to_string());
    let reply = Reply { status, fields, body: ReplyBody::Stored { response: body, with_body, removed } };
    Lookup::Hit { reply, record: CacheRecord { outcome: "hit", not_stored: None } }
}

impl Fill {
    /// The request fields to withhold from the origin, so that the whole response comes back for everybody.
    pub(crate) fn withheld(&self) -> &'static [&'static str] {
        if self.key.is_some() { http_cache::forwarded_conditionals() } else { &[] }
    }

    /// The query that the origin gets; `None`: the client's, whole.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Decides whether the origin's response is stored, and says so in `Cache-Status`.
    pub(crate) fn conclude(
        self,
        method: &str,
        request: &impl Head,
        status: u16,
        response: &dyn FieldSource,
        request_time: Duration,
        response_time: Duration,
    ) -> Filled {
        let Self { cache, key, sharing, because, detail, told, query: _ } = self;
        let storable = match (&key, detail) {
            (None, reason) => Err(reason),
            (Some(_), _) => http_cache::storable(&http_cache::Exchange {
                method,
                request: &Forwarded { head: request, told: &told },
                status,
                response,
                sharing,
                rules: &cache.rules,
                request_time,
                response_time,
            })
            .map_err(Some),
        };
        let envelope = storable.map(|stored| After::Store {
            key: key.unwrap_or_default(),
            metadata: stored.encode(),
            removed: stored.withheld().map(str::to_owned).collect(),
            // A started second counts: what expired is refused by its metadata, whatever the store thinks.
            keep_seconds: stored.ttl(response_time).as_secs().saturating_add(1),
        });
        let not_stored = envelope.as_ref().err().copied().flatten();
        let status_member = CacheStatus::Forwarded {
            because,
            status: Some(status),
            stored: envelope.is_ok(),
            detail: detail.or(not_stored),
        };
        let mut fields = Fields::default();
        fields.push("Cache-Status", status_member.append_to(response.get("cache-status").as_deref()));
        let record = CacheRecord { outcome: because.as_str(), not_stored: not_stored.map(Reason::as_str) };
        Filled { fields, after: envelope.ok(), record }
    }
}

/// Where a response would be stored.
enum Key {
    At(String),
    /// A key that long is nobody's but an attacker's.
    TooLong,
    /// The caller has no name that a response could be kept for.
    Nobody,
}

fn key<H: Head>(
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
        (Some(sources), _) => Some(source::join(sources.iter().map(|source| (source, value(source))))),
        (None, None) => Some("everyone".to_owned()),
        // Two tokens without a subject may be two callers: unknown means deny.
        (None, Some(identity)) => {
            let subject = identity.claims.subject()?;
            Some(source::caller(&identity.issuer, subject))
        }
    }
}

/// The part of the query that the key is made of.
fn query_parts<'u>(cache: &'u Cache, url: &Url<'u>) -> Vec<(&'u str, Option<&'u str>)> {
    match &cache.query {
        // One nameless pair for the query as a whole: no chosen parameter is nameless.
        None => url.query.map(|query| ("", Some(query))).into_iter().collect(),
        Some(chosen) => pairs(url.query.unwrap_or_default())
            .filter(|(name, _)| chosen.iter().any(|chosen| chosen == name))
            .collect(),
    }
}

/// The query for the origin when the key chooses from it: what is not in the key cannot shape what is stored under it.
fn chosen_query(cache: &Cache, url: &Url<'_>) -> Option<String> {
    cache.query.as_ref()?;
    let pairs = query_parts(cache, url);
    let texts = pairs.iter().map(|(name, value)| match value {
        Some(value) => Cow::Owned(format!("{name}={value}")),
        None => Cow::Borrowed(*name),
    });
    Some(texts.collect::<Vec<_>>().join("&"))
}

/// The pairs of a query, as sent: two spellings of one value have two keys, which is safe.
fn pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    })
}

/// The keys of what an unsafe request makes untrue when it succeeds: what GET would find here (RFC 9111, section 4.4).
///
/// Of this caller's partition and header values, in the tier of this data center; other variants live out their lifetime.
pub(crate) fn stale_keys<H: Head>(opening: &Opening<'_, H>) -> Vec<String> {
    let Opening { gateway, facts, identity, url, path, .. } = *opening;
    if matches!(facts.head.method(), "GET" | "HEAD" | "OPTIONS" | "TRACE") || !gateway.has_caches {
        return Vec::new();
    }
    let found = gateway.matcher.find(url.authority, path, "GET", &|name| facts.head.field(name));
    let Found::Route { index, .. } = found else { return Vec::new() };
    let Some(read) = gateway.routes.get(index) else { return Vec::new() };
    let Some(cache) = &read.cache else { return Vec::new() };
    // The key of a GET that needs no token does not know of the writer's.
    let identity = identity.filter(|_| matches!(read.auth, Auth::Token(_)));
    match key(cache, read, facts, identity, url, path) {
        Key::At(key) => vec![key],
        Key::TooLong | Key::Nobody => Vec::new(),
    }
}
