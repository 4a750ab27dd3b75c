//! Steps "cache" and "store": may a stored response answer, and may the origin's be stored?

mod changes;
mod fill;
mod key;
mod purges;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::purge::{Generation, Place as Resource};
use tidegate_http_cache::{
    self as http_cache, Answer, CacheStatus, Fields as FieldSource, Forward, Lookup as Asked, Precondition, Reason,
    Selection, Sharing, Stored,
};

use crate::authenticate::Identity;
use crate::exchange::{Opening, claims};
use crate::facts::Facts;
use crate::forward::{is_address, nominates_more_than_the_hop};
use crate::memory::Memory;
use crate::platform::{Head, Platform};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{Fields, Part, Reply, ReplyBody};
use crate::route::{Cache, Route};
use crate::url::Url;

pub(crate) use changes::Changes;
pub(crate) use fill::{Answered, Fill, Filled};
use fill::{Place, Selected};
pub(crate) use key::chosen_query;
use key::{Key, key};
use purges::Judged;
pub(crate) use purges::purge;
pub use purges::{News, learn};

/// The outcome of step "cache".
pub(crate) enum Lookup<B> {
    /// A stored response answers.
    Hit { reply: Reply<B>, record: CacheRecord },
    /// A stale response answers; after the reply, an origin is asked for its successor.
    Stale { reply: Reply<B>, record: CacheRecord, fill: Fill<B> },
    /// An origin answers, and its response may be stored.
    Miss(Fill<B>),
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
/// The client wants a stored response only, and there is none; or it wants a part that the stored response does not have.
pub(crate) async fn lookup<P: Platform>(
    cache: &Rc<Cache>,
    opening: &Opening<'_, impl Head>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Result<Lookup<P::Body>, Rejection> {
    let Opening { route, facts, identity, url, path, .. } = *opening;
    let told = told(route, facts, identity, url);
    let request = Forwarded { head: facts.head, told: &told };
    let method = facts.head.method();
    let sharing = if identity.is_some() { Sharing::Partition } else { Sharing::Everyone };
    let mut fill = Fill {
        cache: Rc::clone(cache),
        place: None,
        sharing,
        because: Forward::Bypass,
        detail: None,
        query: None,
        generation: None,
        told: told.clone(),
        selected: None,
        revalidates: None,
    };
    if let Asked::Bypass(reason) = http_cache::lookup(method, &request) {
        return fill.because(reason.forward(), Some(reason)).miss(&request);
    }
    // Otherwise a client could hide a field from the origin that the key or `Vary` still counts, and fill the cache of
    // those who send it with a response that is not theirs.
    if nominates_more_than_the_hop(facts.head.field("connection").as_deref()) {
        return fill.miss(&request);
    }
    let key = match key(cache, route, facts, identity, url, path) {
        Key::At(key) => key,
        Key::TooLong => return fill.because(Reason::KeyTooLong.forward(), Some(Reason::KeyTooLong)).miss(&request),
        Key::Nobody => return fill.miss(&request),
    };
    fill.query = cache.query.as_deref().map(|chosen| chosen_query(chosen, url));
    if !opening.gateway.has_purges {
        memory.borrow_mut().generations.without_log();
    }
    let resource =
        Resource { host: &lower_case(url.authority), path: path.as_str(), query: fill.query.as_deref().or(url.query) };
    let Found { place, selected, purged } = find(key, &resource, &request, memory, platform).await;
    let now = platform.now();
    // What is stored under the key is another variant, or nothing is.
    let nothing = if place.beside.is_some() { Forward::VaryMiss } else { Forward::UriMiss };
    let answer = selected.as_ref().map(|selected| http_cache::answer(&selected.stored, method, &request, now));
    fill = match (answer, selected) {
        (Some(Answer::Fresh { age, ttl }), Some(mut selected)) => {
            let reply = selected.reply(method, &request, age, CacheStatus::Hit { ttl })?;
            return Ok(Lookup::Hit { reply, record: CacheRecord::new("hit") });
        }
        (Some(Answer::StaleAccepted { age, overdue }), Some(mut selected)) => {
            let reply = selected.reply(method, &request, age, CacheStatus::StaleHit { overdue })?;
            return Ok(Lookup::Hit { reply, record: CacheRecord::new("hit") });
        }
        (Some(Answer::StaleWhileRevalidate { age, overdue }), Some(mut selected)) => {
            let reply = selected.reply(method, &request, age, CacheStatus::StaleHit { overdue })?;
            let record = CacheRecord::new("stale-while-revalidate");
            // One a key and isolate is enough; and the response to a HEAD, or a part, is no successor.
            let first = method == "GET"
                && facts.head.field("range").is_none()
                && memory.borrow_mut().begin_revalidation(&place.key, now);
            if !first {
                return Ok(Lookup::Hit { reply, record });
            }
            fill.revalidates = Some(place.key.clone());
            fill.place = Some(place);
            fill.generation = purges::begin(memory, platform).await;
            fill.selected = Some(selected);
            return Ok(Lookup::Stale { reply, record, fill: fill.because(Forward::Stale, None) });
        }
        (Some(answer), selected) => {
            let detail = match answer {
                Answer::Bypass(reason) => Some(reason),
                Answer::Stale { .. } => selected.as_ref().and_then(|selected| selected.doubt),
                _ => None,
            };
            let is_selected = !matches!(answer, Answer::Mismatch);
            fill.selected = selected.filter(|_| is_selected);
            fill.because(answer.forward().unwrap_or(Forward::Miss), detail)
        }
        (None, _) => fill.because(nothing, purged.map(|_| Reason::Purged)),
    };
    if method == "GET" && request.get("range").is_some() {
        // For a part the whole is not fetched: the origin gets the request as it is.
        fill.selected = None;
        fill.query = None;
        let because = fill.because;
        return fill.because(because, Some(Reason::Range)).miss(&request);
    }
    fill.place = Some(place);
    fill.generation = purges::begin(memory, platform).await;
    fill.miss(&request)
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() }
}

/// What is stored for a request, and where its response would go.
struct Found<B> {
    place: Place,
    selected: Option<Selected<B>>,
    /// What was there was purged: its successor must have been fetched at or after this.
    purged: Option<Generation>,
}

/// Looks under the key, and when that holds another variant, under the variant's own.
async fn find<P: Platform>(
    key: String,
    resource: &Resource<'_>,
    request: &dyn FieldSource,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Found<P::Body> {
    let family = platform.random();
    let first = match stored(&key, resource, memory, platform).await {
        Judged::Believed(first) => *first,
        Judged::Gone { by } => {
            return Found { place: Place { key, family, beside: None }, selected: None, purged: Some(by) };
        }
        Judged::Nothing => return Found { place: Place { key, family, beside: None }, selected: None, purged: None },
    };
    let family = first.stored.family();
    if http_cache::selects(&first.stored, request) {
        return Found { place: Place { key, family, beside: None }, selected: Some(first), purged: None };
    }
    let Some(variant) = http_cache::variant_key(&key, &first.stored, request) else {
        let family = platform.random();
        return Found { place: Place { key, family, beside: None }, selected: Some(first), purged: None };
    };
    let (selected, purged) = match stored(&variant, resource, memory, platform).await {
        Judged::Believed(selected) => (Some(*selected), None),
        Judged::Gone { by } => (None, Some(by)),
        Judged::Nothing => (None, None),
    };
    Found { place: Place { key: variant, family, beside: Some((key, Box::new(first.stored))) }, selected, purged }
}

async fn stored<P: Platform>(
    key: &str,
    resource: &Resource<'_>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Judged<P::Body> {
    match platform.stored(key).await {
        Some(found) => purges::judge(found, resource, memory, platform).await,
        None => Judged::Nothing,
    }
}

impl<B> Selected<B> {
    /// Step "reply" for a stored response; its body goes there.
    fn reply(
        &mut self,
        method: &str,
        request: &dyn FieldSource,
        age: Duration,
        cache_status: CacheStatus,
    ) -> Result<Reply<B>, Rejection> {
        let fields = self.stored.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut reply = stored_reply(&self.stored, self.body.take(), fields, method, request)?;
        reply.fields.push("Age", http_cache::age_field(age));
        reply.fields.push("Cache-Status", cache_status.to_string());
        Ok(reply)
    }
}

/// A reply with a stored body: the whole, a part, or the word that the client holds it already.
fn stored_reply<B>(
    stored: &Stored,
    body: Option<B>,
    envelope: Vec<(String, String)>,
    method: &str,
    request: &dyn FieldSource,
) -> Result<Reply<B>, Rejection> {
    let not_modified = http_cache::precondition(stored, request) == Precondition::NotModified;
    // RFC 9110, section 13.2.2: Range is evaluated last.
    let selection = if not_modified { Selection::Whole } else { http_cache::selection(stored, method, request) };
    let (status, part) = match selection {
        _ if not_modified => (304, None),
        Selection::Whole => (stored.status(), None),
        Selection::Part { first, length, .. } => (206, Some(Part { first, length })),
        Selection::Unsatisfiable { complete } => return Err(Rejection::RangeNotSatisfiable { complete }),
    };
    let has_etag = envelope.iter().any(|(name, _)| name == "etag");
    let removed = if not_modified { http_cache::not_modified_omits(has_etag) } else { &[] };
    // RFC 9110, section 6.4.1: no content in a response to HEAD, in a 204 and in a 304; section 15.3.6: none in a 205.
    let with_body = method != "HEAD" && !matches!(status, 204 | 205 | 304);
    let mut fields = Fields::default();
    for (name, value) in envelope.into_iter().filter(|(name, _)| !removed.contains(&name.as_str())) {
        fields.push(name, value);
    }
    if let (Some(range), Some(Part { length, .. })) = (selection.content_range(), part) {
        fields.push("Content-Range", range);
        fields.push("Content-Length", length.to_string());
    }
    let body = match body {
        None => ReplyBody::Empty,
        Some(response) => ReplyBody::Stored { response, with_body, part, removed: removed.to_vec(), update: None },
    };
    Ok(Reply { status, fields, body })
}
