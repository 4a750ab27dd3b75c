//! Steps "cache" and "store": may a stored response answer, and may the origin's be stored?

mod behind;
mod changes;
mod copies;
mod fill;
mod invalidation;
mod key;
mod purges;
mod search;
mod shelf;
mod tags;
mod told;
mod writes;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::purge::Place as Resource;
use tidegate_http_cache::{
    self as http_cache, Answer, CacheStatus, Fields as FieldSource, Forward, Lookup as Asked, Precondition, Reason,
    Selection, Sharing, Stored,
};

use crate::apart::apart;
use crate::exchange::Opening;
use crate::flights::{Boarding, Flights};
use crate::forward::nominates_more_than_the_hop;
use crate::memory::Memory;
use crate::platform::{Head, Platform, StoredBody};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Part, Reply, ReplyBody};
use crate::route::Cache;

pub(crate) use behind::Refresh;
pub use behind::{BEHIND_MAX, BEHIND_TIMEOUT};
pub(crate) use changes::Changes;
pub(crate) use copies::Copies;
pub use copies::{COPY_TIMEOUT, Offer, offer};
use fill::Selected;
pub(crate) use fill::{Answered, Fill, Filled};
pub(crate) use invalidation::Invalidates;
pub(crate) use key::chosen_query;
use key::{Key, key};
pub(crate) use purges::purge;
pub use purges::{News, learn};
use search::{Found, Search};
pub use shelf::{METADATA_MAX, SHELVED_MAX, Shelf, is_overwritten, overwrite, shelve, unshelve};
use tags::Tags;
use told::{Forwarded, Telling};

/// The outcome of step "cache".
pub(crate) enum Lookup<B> {
    /// A stored response answers.
    Hit(Hit<B>),
    /// An origin answers, and its response may be stored.
    Miss(Fill<B>),
}

/// A stored response that answers.
pub(crate) struct Hit<B> {
    pub(crate) reply: Reply<B>,
    pub(crate) record: CacheRecord,
    /// What is left to do after the reply.
    pub(crate) after: Vec<After<B>>,
    /// What becomes of the response with which an origin is asked for its successor, after the reply.
    pub(crate) successor: Option<Fill<B>>,
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
    let told = Telling { route, facts, identity, url };
    let request = Forwarded { head: facts.head, told: &told };
    let method = facts.head.method();
    let sharing = if identity.is_some() { Sharing::Partition } else { Sharing::Everyone };
    let patience = route.origin.timeout;
    let mut fill = Fill::new(cache, sharing, patience);
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
    let query = cache.query.as_deref().map(|chosen| chosen_query(chosen, url));
    if !opening.gateway.has_purges {
        memory.borrow_mut().generations.without_log();
    }
    let search = Search {
        method,
        request: &request,
        resource: Resource {
            host: &lower_case(url.authority),
            path: path.as_str(),
            query: query.as_deref().or(url.query),
        },
        scope: cache.scope,
        backend: opening.gateway.settings.cache_backend,
        location: &|| platform.location().or_else(|| facts.location().colo.clone()),
        tags: &|| Tags::of(cache, opening),
        timeout: patience,
        memory,
        platform,
    };
    let mut found = search.near(key).await;
    fill.query.clone_from(&query);
    if !found.is_usable() {
        fill.generation = purges::begin(memory, platform).await;
        if !found.is_declined() && !found.is_unplaced() && !http_cache::only_if_cached(&request) {
            found = apart(search.elsewhere(found, fill.generation)).await;
        }
    }
    if found.is_usable() {
        return search.hit(found, fill, &request).await;
    }
    let fill = search.miss(found, fill);
    fill.miss(&request)
}

impl<P: Platform> Search<'_, P> {
    /// Replies with what was found, and has its successor fetched when it is time for that.
    async fn hit<H: Head>(
        &self,
        found: Found<P::Body>,
        fill: Fill<P::Body>,
        request: &Forwarded<'_, H>,
    ) -> Result<Lookup<P::Body>, Rejection> {
        let Found { place, selected, answer, lease, after, .. } = found;
        let (Some(mut selected), Some(answer)) = (selected, answer) else { return fill.miss(request) };
        let (age, status, outcome) = match answer {
            Answer::Fresh { age, ttl } => (age, CacheStatus::Hit { ttl }, "hit"),
            Answer::StaleWhileRevalidate { age, overdue } => {
                (age, CacheStatus::StaleHit { overdue }, "stale-while-revalidate")
            }
            Answer::StaleAccepted { age, overdue } => (age, CacheStatus::StaleHit { overdue }, "hit"),
            Answer::Stale { .. } | Answer::Mismatch | Answer::Bypass(_) => return fill.miss(request),
        };
        let record = CacheRecord { outcome, not_stored: None, tier: Some(selected.tier.as_str()) };
        let successor = if self.is_due(&answer, &selected, lease.is_some(), &place.key) {
            let flight = Some(place.key.clone());
            let behind = self.behind(&place.key);
            let generation = purges::begin(self.memory, self.platform).await;
            let (place, told, tags) = (Some(place), request.told.all(), (self.tags)());
            Some(Fill { place, told, lease, behind, flight, generation, tags, ..fill.because(Forward::Stale, None) })
        } else {
            None
        };
        let reply = selected.reply(self.method, request, age, status)?;
        let successor = successor.map(|fill| Fill { selected: Some(selected), ..fill });
        Ok(Lookup::Hit(Hit { reply, record, after, successor }))
    }

    /// Is it time to fetch the successor of a response that answers? One request a key and isolate is told so.
    fn is_due(&self, answer: &Answer, selected: &Selected<P::Body>, is_leased: bool, key: &str) -> bool {
        let now = self.platform.now();
        let due = match answer {
            Answer::StaleWhileRevalidate { .. } => true,
            Answer::Fresh { .. } => is_leased || selected.stored.refresh_ahead(now, self.platform.random()),
            _ => is_leased,
        };
        // The response to a HEAD, or a part, is no successor.
        due && self.fills()
            && self.memory.borrow_mut().flights.board(key, Flights::BEHIND_A_REPLY, now) == Boarding::First
    }

    /// What becomes of the origin's response, when nothing that was found may answer unasked.
    fn miss(&self, found: Found<P::Body>, fill: Fill<P::Body>) -> Fill<P::Body> {
        let Found { place, selected, answer, purged, lease, is_boarded, .. } = found;
        let because = match answer {
            Some(answer) => answer.forward().unwrap_or(Forward::Miss),
            // What is stored under the key is another variant, or nothing is.
            None if place.beside.is_some() => Forward::VaryMiss,
            None => Forward::UriMiss,
        };
        let detail = match answer {
            Some(Answer::Bypass(reason)) => Some(reason),
            Some(Answer::Stale { .. }) => selected.as_ref().and_then(|selected| selected.doubt),
            Some(_) => None,
            None => purged.map(|_| Reason::Purged),
        };
        if self.method == "GET" && !self.fills() {
            // For a part the whole is not fetched: the origin gets the request as it is.
            return Fill { query: None, ..fill.because(because, Some(Reason::Range)) };
        }
        let is_selected = !matches!(answer, Some(Answer::Mismatch));
        let behind = self.behind(&place.key);
        let flight = is_boarded.then(|| place.key.clone());
        let (selected, tags) = (selected.filter(|_| is_selected), (self.tags)());
        Fill { place: Some(place), selected, behind, lease, flight, tags, ..fill.because(because, detail) }
    }
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() }
}

impl<B: StoredBody> Selected<B> {
    /// The body for a reply; one that streams is not here any more afterwards.
    fn lend_body(&mut self) -> Option<B> {
        let whole = self.body.clone().filter(|body| body.whole_bytes().is_some());
        whole.or_else(|| self.body.take())
    }

    /// Step "reply" for a stored response.
    fn reply(
        &mut self,
        method: &str,
        request: &dyn FieldSource,
        age: Duration,
        cache_status: CacheStatus,
    ) -> Result<Reply<B>, Rejection> {
        let fields = self.stored.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = self.lend_body();
        let mut reply = stored_reply(&self.stored, body, fields, method, request)?;
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
