//! What becomes of the origin's response: stored, taken as word that the stored one still holds, or replaced by it.

use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::fill::{self as filled, Back, Ended, Lease, Message};
use tidegate_http_cache::purge::{Generation, Stamp};
use tidegate_http_cache::{
    self as http_cache, CacheStatus, Exchange, Fields as FieldSource, Forward, Freshened, Precondition, Reason,
    Sharing, Stored,
};

use super::tags::{CACHE_TAG, Tags};
use super::{Forwarded, Lookup, SHELVED_MAX, stored_reply};
use crate::flights::Landing;
use crate::platform::{Behind, Head, StoredBody};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Bring, Fields, Forgotten, Freshen, Reply, ReplyBody, Store};
use crate::route::{Cache, Scope};

/// What the response of an origin is held against, and where it would be stored.
pub(crate) struct Fill<B> {
    pub(super) cache: Rc<Cache>,
    /// Where to store it; `None` when this request's response is for nobody else.
    pub(super) place: Option<Place>,
    pub(super) sharing: Sharing,
    pub(super) because: Forward,
    pub(super) detail: Option<Reason>,
    /// The query that the origin gets, when the key chooses from it.
    pub(super) query: Option<String>,
    /// What was known of purges when the fetch began.
    pub(super) generation: Option<Generation>,
    pub(super) tags: Tags,
    pub(super) told: Vec<(String, Option<String>)>,
    /// The stored response that this request has selected but that may not answer it unasked.
    pub(super) selected: Option<Selected<B>>,
    /// The object behind that is to have the response as well.
    pub(super) behind: Option<Behind>,
    /// The right to fetch for everybody, which the object behind has given.
    pub(super) lease: Option<Lease>,
    /// How long an origin may take.
    pub(super) patience: Duration,
    /// The key, when this isolate fetches it once for all its requests.
    pub(super) flight: Option<String>,
}

/// A place in the store.
pub(super) struct Place {
    pub(super) key: String,
    pub(super) family: u64,
    /// The key of the resource and what is stored there, when this is the place of another variant.
    pub(super) beside: Option<(String, Box<Stored>)>,
}

/// Where a stored response was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Isolate,
    Location,
    /// The platform's copy of what the object behind keeps.
    Copy,
    Behind,
}

impl Tier {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Location => "colo",
            Self::Copy => "workers_cache",
            Self::Behind => "object",
        }
    }
}

/// A stored response.
pub(super) struct Selected<B> {
    pub(super) tier: Tier,
    /// As purges leave it.
    pub(super) stored: Stored,
    pub(super) stamp: Stamp,
    pub(super) metadata: String,
    /// Why purges make it less than fresh, if they do.
    pub(super) doubt: Option<Reason>,
    /// `None` when it has gone to a client already.
    pub(super) body: Option<B>,
}

/// What step "store" makes of an origin's answer.
pub(crate) enum Filled<B> {
    /// It goes to the client.
    Answer {
        fields: Fields,
        after: Vec<After<B>>,
        record: CacheRecord,
        landing: Landing,
        /// The fields that the client does not get.
        removed: Vec<&'static str>,
        /// Whether the client holds it already: then a 304 goes in its place.
        not_modified: bool,
    },
    /// The stored response goes to the client.
    Stored { reply: Result<Reply<B>, Rejection>, after: Vec<After<B>>, record: CacheRecord, landing: Landing },
    /// It says nothing about the stored response: ask again for the whole.
    Again(Box<Fill<B>>),
}

/// A reply with a stored response, what is left to do, and why.
pub(crate) type Replied<B> = (Result<Reply<B>, Rejection>, Vec<After<B>>, CacheRecord);

/// An origin's answer, and when it was asked and given.
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    pub(crate) response: &'a dyn FieldSource,
    pub(crate) request_time: Duration,
    pub(crate) response_time: Duration,
    pub(crate) random: u64,
}

impl<B: StoredBody> Fill<B> {
    /// The response of a request that concerns no stored one, until something else is found out.
    pub(super) fn new(cache: &Rc<Cache>, sharing: Sharing, patience: Duration) -> Self {
        Self {
            cache: Rc::clone(cache),
            place: None,
            sharing,
            because: Forward::Bypass,
            detail: None,
            query: None,
            generation: None,
            tags: Tags::default(),
            told: Vec::new(),
            selected: None,
            behind: None,
            lease: None,
            patience,
            flight: None,
        }
    }

    pub(super) fn because(self, because: Forward, detail: Option<Reason>) -> Self {
        Self { because, detail, ..self }
    }

    /// Goes to the origin, unless the client wants no more than a stored response.
    pub(super) fn miss<H: Head>(self, request: &Forwarded<'_, H>) -> Result<Lookup<B>, Rejection> {
        if http_cache::only_if_cached(request) {
            return Err(Rejection::NotStored);
        }
        Ok(Lookup::Miss(Self { told: request.told.all(), ..self }))
    }

    /// Whether the response's body is kept as it comes.
    pub(crate) fn keeps_body(&self) -> bool {
        self.place.is_some()
    }

    /// The request fields to withhold from the origin, so that the whole response comes back for everybody.
    pub(crate) fn withheld(&self) -> &'static [&'static str] {
        if self.place.is_some() { http_cache::forwarded_conditionals() } else { &[] }
    }

    /// The request fields that ask the origin whether the stored response still holds.
    pub(crate) fn validators(&self, method: &str) -> Vec<(&'static str, &str)> {
        let selected = self.selected.as_ref().filter(|_| method == "GET" && self.place.is_some());
        selected.map(|selected| selected.stored.validators()).unwrap_or_default()
    }

    /// Was the origin asked whether this still holds?
    fn asked(&self, selected: &Selected<B>, method: &str) -> bool {
        method == "GET" && self.place.is_some() && !selected.stored.validators().is_empty()
    }

    /// The query that the origin gets; `None`: the client's, whole.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The key that this isolate fetches once for all its requests.
    pub(crate) fn flight(&self) -> Option<&str> {
        self.flight.as_deref()
    }

    /// Decides what becomes of the origin's answer, and says so in `Cache-Status`.
    ///
    /// Most routes have no cache, and what follows an answer without one is a page of code: see
    /// [`apart`](crate::apart::apart).
    #[inline(never)]
    pub(crate) fn conclude(mut self, request: &impl Head, answered: &Answered<'_>) -> Filled<B> {
        let Answered { status, response_time, .. } = *answered;
        let told = std::mem::take(&mut self.told);
        let seen = Forwarded { head: request, told: &told };
        let method = request.method();
        if http_cache::is_error(status)
            && let Some(overdue) = self.stale_if_error(&seen, response_time)
        {
            let (reply, after, record) = self.stale(method, &seen, Some(status), overdue, response_time);
            return Filled::Stored { reply, after, record, landing: Landing::Failed };
        }
        let cache = Rc::clone(&self.cache);
        let exchange = Exchange {
            method,
            request: &seen,
            status,
            response: answered.response,
            sharing: self.sharing,
            rules: &cache.rules,
            request_time: answered.request_time,
            response_time,
            random: answered.random,
        };
        match self.selected.take() {
            Some(selected) if status == 304 && self.asked(&selected, method) => {
                match http_cache::freshen(&selected.stored, &exchange) {
                    Some(freshened) => self.freshened(selected, freshened, &exchange),
                    None => Filled::Again(Box::new(Self { told, ..self })),
                }
            }
            selected => self.answered(selected, &exchange),
        }
    }

    /// The stored response for a client, when no origin could be asked at all.
    ///
    /// # Errors
    /// There is none that may be used; what is left to do.
    pub(crate) fn unreachable(mut self, request: &impl Head, now: Duration) -> Result<Replied<B>, Vec<After<B>>> {
        let told = std::mem::take(&mut self.told);
        let seen = Forwarded { head: request, told: &told };
        match self.stale_if_error(&seen, now) {
            Some(overdue) => Ok(self.stale(request.method(), &seen, None, overdue, now)),
            None => Err(self.end(Ended::Failed).into_iter().collect()),
        }
    }

    fn stale_if_error(&self, request: &dyn FieldSource, now: Duration) -> Option<Duration> {
        let selected = self.selected.as_ref().filter(|_| self.because == Forward::Stale)?;
        http_cache::stale_if_error(&selected.stored, request, now)
    }

    /// A stale response in place of an error.
    fn stale(
        mut self,
        method: &str,
        request: &dyn FieldSource,
        status: Option<u16>,
        overdue: Duration,
        now: Duration,
    ) -> Replied<B> {
        let record = CacheRecord::new("stale-if-error");
        let after = self.end(Ended::Failed).into_iter().collect();
        let Some(Selected { stored, body, .. }) = self.selected.take() else {
            return (Err(Rejection::NotStored), after, record);
        };
        let fields = stored.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let reply = stored_reply(&stored, body, fields, method, request).map(|mut reply| {
            reply.fields.push("Age", http_cache::age_field(stored.age(now)));
            let detail = Some(Reason::StaleIfError);
            let status =
                CacheStatus::Forwarded { because: self.because, status, stored: false, overdue: Some(overdue), detail };
            reply.fields.push("Cache-Status", status.to_string());
            reply
        });
        (reply, after, record)
    }

    /// The stored response, which the origin says still holds.
    fn freshened(mut self, selected: Selected<B>, freshened: Freshened, exchange: &Exchange<'_>) -> Filled<B> {
        let Selected { stored: old, stamp, metadata, body, doubt: _, tier: _ } = selected;
        let kept = body.clone().filter(|body| body.whole_bytes().is_some());
        let stamp = self.tags.confirmed(stamp, self.generation, exchange.response);
        let Freshened { stored, fields, mut excepted } = freshened;
        excepted.push(CACHE_TAG.to_owned());
        let not_stored = stored.as_ref().err().copied();
        // For the preconditions: what may no longer be stored still answers the request that was waiting for it.
        let current = stored.as_ref().unwrap_or(&old);
        let reply = stored_reply(current, body, fields, exchange.method, exchange.request).map(|mut reply| {
            // "The presence of an Age header field implies that the response was not generated or validated by the origin
            // server for this request" (RFC 9111, section 5.1): it is there only if a cache behind this one sent it.
            if let Some(age) = exchange.response.get("age") {
                reply.fields.push("Age", age);
            }
            let status = CacheStatus::Forwarded {
                because: self.because,
                status: Some(304),
                stored: false,
                overdue: None,
                detail: self.detail.or(not_stored),
            };
            reply.fields.push("Cache-Status", status.append_to(exchange.response.get("cache-status").as_deref()));
            if let ReplyBody::Stored { update, .. } = &mut reply.body {
                *update = Some(excepted.iter().cloned().chain(["cache-status".to_owned()]).collect());
            }
            reply
        });
        let record =
            CacheRecord { outcome: self.because.as_str(), not_stored: not_stored.map(Reason::as_str), tier: None };
        let mut after = Vec::new();
        let Some(place) = self.place.take() else {
            return Filled::Stored { reply, after, record, landing: Landing::Nothing };
        };
        let Ok(stored) = stored else {
            after.extend(self.end(Ended::Uncacheable));
            after.push(self.forget(place.key));
            return Filled::Stored { reply, after, record, landing: Landing::Uncacheable };
        };
        let landing = landing(&stored, exchange.response_time);
        let (behind, ended) = self.bring(&place.key, &stored, exchange);
        after.extend(ended);
        after.push(After::Freshen(Box::new(Freshen {
            body: kept,
            key: place.key,
            replaced: metadata,
            excepted,
            keep_seconds: self.keep_seconds(&stored),
            metadata: stamp.seal(&stored.encode()),
            behind,
        })));
        Filled::Stored { reply, after, record, landing }
    }

    /// The origin's own answer, stored when that is allowed.
    fn answered(mut self, selected: Option<Selected<B>>, exchange: &Exchange<'_>) -> Filled<B> {
        let Exchange { request, status, response, response_time, .. } = *exchange;
        let withheld = self.place.is_some();
        let storable = match &self.place {
            None => Err(self.detail),
            Some(_) => http_cache::storable(exchange).and_then(|stored| self.fitting(stored)).map_err(Some),
        };
        let not_stored = storable.as_ref().err().copied().flatten();
        let cache_status = CacheStatus::Forwarded {
            because: self.because,
            status: Some(status),
            stored: storable.is_ok(),
            overdue: None,
            detail: self.detail.or(not_stored),
        };
        let mut fields = Fields::default();
        fields.push("Cache-Status", cache_status.append_to(response.get("cache-status").as_deref()));
        let record =
            CacheRecord { outcome: self.because.as_str(), not_stored: not_stored.map(Reason::as_str), tier: None };
        let landing = match &storable {
            Ok(stored) => landing(stored, response_time),
            Err(_) if http_cache::is_error(status) => Landing::Failed,
            Err(_) => Landing::Uncacheable,
        };
        let after = self.keep(storable.ok(), selected, exchange);
        let tags = response.get(CACHE_TAG).map(|_| CACHE_TAG);
        let holds = withheld
            && http_cache::precondition_of(status, response, response_time, request) == Precondition::NotModified;
        let omitted = if holds { http_cache::not_modified_omits(response.get("etag").is_some()) } else { &[] };
        let removed = omitted.iter().copied().chain(tags).collect();
        Filled::Answer { fields, after, record, landing, removed, not_modified: holds }
    }

    /// A cache in an isolate's memory has no other tier for what is too large.
    fn fitting(&self, stored: Stored) -> Result<Stored, Reason> {
        let fits = stored.content_length().is_none_or(|length| length <= SHELVED_MAX as u64);
        if fits || self.cache.scope != Scope::Isolate { Ok(stored) } else { Err(Reason::TooLarge) }
    }

    /// What is left to do with the origin's answer.
    fn keep(
        &mut self,
        storable: Option<Stored>,
        selected: Option<Selected<B>>,
        exchange: &Exchange<'_>,
    ) -> Vec<After<B>> {
        let Exchange { method, status, response, .. } = *exchange;
        let Some(place) = self.place.take() else { return Vec::new() };
        if let Some(stored) = storable {
            let (key, stored) = place.of(stored);
            let (behind, ended) = self.bring(&key, &stored, exchange);
            let store = Store {
                key,
                metadata: self.tags.stamp(self.generation, response).seal(&stored.encode()),
                removed: stored.withheld().chain([CACHE_TAG]).map(str::to_owned).collect(),
                keep_seconds: self.keep_seconds(&stored),
                behind,
            };
            return ended.into_iter().chain([After::Store(Box::new(store))]).collect();
        }
        let ended = self.end(if http_cache::is_error(status) { Ended::Failed } else { Ended::Uncacheable });
        let kept = match selected {
            Some(selected) if method == "HEAD" => self.head(place, selected, exchange),
            // The origin has another answer now, which is nobody else's: what is stored is no longer true. Of an error, and
            // of what this client may not see, that cannot be said.
            Some(_) if method != "HEAD" && is_successor(status) => Some(self.forget(place.key)),
            _ => None,
        };
        ended.into_iter().chain(kept).collect()
    }

    /// What the 200 to a HEAD says about the stored response to a GET (RFC 9111, section 4.3.5). It is no newer than before
    /// for purges: nobody asked for its content.
    fn head(&self, place: Place, selected: Selected<B>, exchange: &Exchange<'_>) -> Option<After<B>> {
        if exchange.status != 200 {
            return None;
        }
        match http_cache::freshen_by_head(&selected.stored, exchange) {
            Some(Freshened { stored: Ok(stored), excepted, .. }) => Some(After::Freshen(Box::new(Freshen {
                body: selected.body.filter(|body| body.whole_bytes().is_some()),
                key: place.key,
                replaced: selected.metadata,
                excepted,
                keep_seconds: self.keep_seconds(&stored),
                metadata: selected.stamp.seal(&stored.encode()),
                behind: None,
            }))),
            _ => Some(self.forget(place.key)),
        }
    }

    /// How long this location's store keeps a response; `None` when it does not.
    fn keep_seconds(&self, stored: &Stored) -> Option<u64> {
        (self.cache.scope != Scope::Isolate).then(|| started_seconds(stored.keep()))
    }

    fn forget(&self, key: String) -> After<B> {
        let object = self.behind.as_ref().map(|behind| behind.object.clone());
        After::Forget(vec![Forgotten { key, object }])
    }

    /// What the object behind is told about a response that is stored, and the lease that ends without one.
    fn bring(&mut self, key: &str, stored: &Stored, exchange: &Exchange<'_>) -> (Option<Bring>, Option<After<B>>) {
        let Exchange { request_time, response_time, .. } = *exchange;
        let fresh_until = stored.fresh_until();
        // Who waits wants something fresh; what must be validated at once, each fetches for itself.
        let is_fresh = !stored.ttl(response_time).is_zero() && !stored.is_always_validated();
        let Some(place) = self.behind.clone().filter(|behind| is_fresh && behind.key == key) else {
            return (None, self.end(Ended::Uncacheable));
        };
        let lease = self.lease.take().map_or(0, |lease| lease.number);
        let filled = filled::Filled {
            lease,
            generation: self.generation,
            sent: request_time,
            arrived: response_time,
            fresh_until,
            keep_until: stored.keep_until(),
            durable: self.cache.scope == Scope::Global && stored.ttl(response_time) >= DURABLE,
        };
        let [too_large, failed] = [Ended::TooLarge, Ended::Failed].map(|how| Back { lease, how }.encode());
        (Some(Bring { place, filled: filled.encode(), too_large, failed }), None)
    }

    /// Gives the lease back, if there is one.
    fn end(&mut self, how: Ended) -> Option<After<B>> {
        let (lease, place) = (self.lease.take()?, self.behind.clone()?);
        Some(After::End(place, Back { lease: lease.number, how }.encode()))
    }
}

/// What is fresh for less is not worth a row in an object's storage.
const DURABLE: Duration = Duration::from_secs(10);

/// The word that a lease has brought nothing.
pub(super) fn failed(lease: u64) -> Vec<u8> {
    Back { lease, how: Ended::Failed }.encode()
}

impl Place {
    /// Where a response goes, as a member of which family.
    fn of(self, stored: Stored) -> (String, Stored) {
        let Self { key, family, beside } = self;
        let (key, family) = match beside {
            // It is selected by other fields than what is stored for this resource: the next request has to find it first.
            Some((resource, other)) if !stored.is_variant_of(&other) => (resource, family.wrapping_add(1)),
            _ => (key, family),
        };
        (key, stored.of_family(family))
    }
}

/// Who waits for a response that each request has to ask the origin about, waits in vain.
fn landing(stored: &Stored, now: Duration) -> Landing {
    if http_cache::answers_unasked(stored, now) { Landing::Storing } else { Landing::Uncacheable }
}

fn is_successor(status: u16) -> bool {
    matches!(status, 200..=399 | 404 | 410)
}

/// A started second counts: what expired is refused by its metadata, whatever the store thinks.
pub(super) fn started_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(1)
}
