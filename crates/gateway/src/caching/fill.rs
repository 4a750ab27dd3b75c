//! What becomes of the origin's response: stored, taken as word that the stored one still holds, or replaced by it.

use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::purge::{Generation, Stamp, tag_members};
use tidegate_http_cache::{
    self as http_cache, CacheStatus, Exchange, Fields as FieldSource, Forward, Freshened, Precondition, Reason,
    Sharing, Stored,
};

use super::{Forwarded, Lookup, stored_reply};
use crate::platform::Head;
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Reply, ReplyBody};
use crate::route::Cache;

/// The tags of a response are a matter between the origin and the gateway: they may name tenants and tables, and what a
/// client's cache makes of them cannot be purged from here.
const CACHE_TAG: &str = "cache-tag";

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
    pub(super) told: Vec<(String, Option<String>)>,
    /// The stored response that this request has selected but that may not answer it unasked.
    pub(super) selected: Option<Selected<B>>,
    /// The key, for a request that no client waits for.
    pub(super) revalidates: Option<String>,
}

/// A place in the store.
pub(super) struct Place {
    pub(super) key: String,
    pub(super) family: u64,
    /// The key of the resource and what is stored there, when this is the place of another variant.
    pub(super) beside: Option<(String, Box<Stored>)>,
}

/// A stored response.
pub(super) struct Selected<B> {
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
        after: Option<After>,
        record: CacheRecord,
        /// The fields that the client does not get.
        removed: Vec<&'static str>,
        /// Whether the client holds it already: then a 304 goes in its place.
        not_modified: bool,
    },
    /// The stored response goes to the client.
    Stored { reply: Result<Reply<B>, Rejection>, after: Option<After>, record: CacheRecord },
    /// It says nothing about the stored response: ask again for the whole.
    Again(Box<Fill<B>>),
}

/// An origin's answer, and when it was asked and given.
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    pub(crate) response: &'a dyn FieldSource,
    pub(crate) request_time: Duration,
    pub(crate) response_time: Duration,
}

impl<B> Fill<B> {
    pub(super) fn because(self, because: Forward, detail: Option<Reason>) -> Self {
        Self { because, detail, ..self }
    }

    /// Goes to the origin, unless the client wants no more than a stored response.
    pub(super) fn miss(self, request: &dyn FieldSource) -> Result<Lookup<B>, Rejection> {
        if http_cache::only_if_cached(request) { Err(Rejection::NotStored) } else { Ok(Lookup::Miss(self)) }
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

    /// The key of a revalidation that no client waits for.
    pub(crate) fn revalidates(&self) -> Option<&str> {
        self.revalidates.as_deref()
    }

    /// Decides what becomes of the origin's answer, and says so in `Cache-Status`.
    pub(crate) fn conclude(mut self, request: &impl Head, answered: &Answered<'_>) -> Filled<B> {
        let Answered { status, response_time, .. } = *answered;
        let told = std::mem::take(&mut self.told);
        let seen = Forwarded { head: request, told: &told };
        let method = request.method();
        if http_cache::is_error(status)
            && let Some(overdue) = self.stale_if_error(&seen, response_time)
        {
            return self.stale(method, &seen, Some(status), overdue, response_time);
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
    pub(crate) fn unreachable(mut self, request: &impl Head, now: Duration) -> Option<Filled<B>> {
        let told = std::mem::take(&mut self.told);
        let seen = Forwarded { head: request, told: &told };
        let overdue = self.stale_if_error(&seen, now)?;
        Some(self.stale(request.method(), &seen, None, overdue, now))
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
    ) -> Filled<B> {
        let record = CacheRecord::new("stale-if-error");
        let Some(Selected { stored, body, .. }) = self.selected.take() else {
            return Filled::Stored { reply: Err(Rejection::NotStored), after: None, record };
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
        Filled::Stored { reply, after: None, record }
    }

    /// The stored response, which the origin says still holds.
    fn freshened(self, selected: Selected<B>, freshened: Freshened, exchange: &Exchange<'_>) -> Filled<B> {
        let Selected { stored: old, stamp, metadata, body, doubt: _ } = selected;
        let stamp = match exchange.response.get(CACHE_TAG) {
            Some(_) => stamp_of(self.generation, exchange.response),
            // Many an origin leaves out of a 304 what it said before.
            None => stamp.confirmed(self.generation),
        };
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
        let record = CacheRecord { outcome: self.because.as_str(), not_stored: not_stored.map(Reason::as_str) };
        let after = self.place.map(|place| match stored {
            Ok(stored) => After::Freshen {
                key: place.key,
                replaced: metadata,
                excepted,
                keep_seconds: started_seconds(stored.keep()),
                metadata: stamp.seal(&stored.encode()),
            },
            Err(_) => After::Forget { keys: vec![place.key] },
        });
        Filled::Stored { reply, after, record }
    }

    /// The origin's own answer, stored when that is allowed.
    fn answered(self, selected: Option<Selected<B>>, exchange: &Exchange<'_>) -> Filled<B> {
        let Self { place, because, detail, generation, .. } = self;
        let Exchange { method, request, status, response, response_time, .. } = *exchange;
        let withheld = place.is_some();
        let storable = match &place {
            None => Err(detail),
            Some(_) => http_cache::storable(exchange).map_err(Some),
        };
        let is_stored = storable.is_ok();
        let not_stored = storable.as_ref().err().copied().flatten();
        let after = place.and_then(|place| match storable {
            Ok(stored) => Some(place.store(stored, &stamp_of(generation, response))),
            Err(_) if method == "HEAD" => head(place, selected?, exchange),
            // The origin has another answer now, which is nobody else's: what is stored is no longer true. Of an error, and
            // of what this client may not see, that cannot be said.
            Err(_) => selected.filter(|_| is_successor(status)).map(|_| After::Forget { keys: vec![place.key] }),
        });
        let cache_status = CacheStatus::Forwarded {
            because,
            status: Some(status),
            stored: is_stored,
            overdue: None,
            detail: detail.or(not_stored),
        };
        let mut fields = Fields::default();
        fields.push("Cache-Status", cache_status.append_to(response.get("cache-status").as_deref()));
        let record = CacheRecord { outcome: because.as_str(), not_stored: not_stored.map(Reason::as_str) };
        let tags = response.get(CACHE_TAG).map(|_| CACHE_TAG);
        let holds = withheld
            && http_cache::precondition_of(status, response, response_time, request) == Precondition::NotModified;
        let omitted = if holds { http_cache::not_modified_omits(response.get("etag").is_some()) } else { &[] };
        let removed = omitted.iter().copied().chain(tags).collect();
        Filled::Answer { fields, after, record, removed, not_modified: holds }
    }
}

impl Place {
    fn store(self, stored: Stored, stamp: &Stamp) -> After {
        let Self { key, family, beside } = self;
        let (key, family) = match beside {
            // It is selected by other fields than what is stored for this resource: the next request has to find it first.
            Some((resource, other)) if !stored.is_variant_of(&other) => (resource, family.wrapping_add(1)),
            _ => (key, family),
        };
        let stored = stored.of_family(family);
        After::Store {
            key,
            metadata: stamp.seal(&stored.encode()),
            removed: stored.withheld().chain([CACHE_TAG]).map(str::to_owned).collect(),
            keep_seconds: started_seconds(stored.keep()),
        }
    }
}

/// The stamp of a response that is stored: by it, purges find it.
fn stamp_of(generation: Option<Generation>, response: &dyn FieldSource) -> Stamp {
    let tags = response.get(CACHE_TAG).unwrap_or_default();
    Stamp::new(generation, tag_members(&tags))
}

/// What the 200 to a HEAD says about the stored response to a GET (RFC 9111, section 4.3.5). It is no newer than before for
/// purges: nobody asked for its content.
fn head<B>(place: Place, selected: Selected<B>, exchange: &Exchange<'_>) -> Option<After> {
    if exchange.status != 200 {
        return None;
    }
    match http_cache::freshen_by_head(&selected.stored, exchange) {
        Some(Freshened { stored: Ok(stored), excepted, .. }) => Some(After::Freshen {
            key: place.key,
            replaced: selected.metadata,
            excepted: excepted.into_iter().chain([CACHE_TAG.to_owned()]).collect(),
            keep_seconds: started_seconds(stored.keep()),
            metadata: selected.stamp.seal(&stored.encode()),
        }),
        _ => Some(After::Forget { keys: vec![place.key] }),
    }
}

fn is_successor(status: u16) -> bool {
    matches!(status, 200..=399 | 404 | 410)
}

/// A started second counts: what expired is refused by its metadata, whatever the store thinks.
fn started_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(1)
}
