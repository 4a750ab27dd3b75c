//! What becomes of the origin's answer: a reply of its own, word that the stored response still holds, or an error that a
//! stale one stands in for.

use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::fill::Ended;
use tidegate_http_cache::{
    self as http_cache, CacheStatus, Exchange, Fields as FieldSource, Forward, Freshened, Precondition, Reason, Stored,
};

use super::{Fill, Selected};
use crate::caching::tags::CACHE_TAG;
use crate::caching::{Forwarded, SHELVED_MAX, stored_reply};
use crate::flights::Landing;
use crate::platform::{Head, StoredBody};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Freshen, Reply, ReplyBody};
use crate::route::Scope;

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

    /// Was the origin asked whether this still holds?
    fn asked(&self, selected: &Selected<B>, method: &str) -> bool {
        method == "GET" && self.place.is_some() && !selected.stored.validators().is_empty()
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
}

/// Who waits for a response that each request has to ask the origin about, waits in vain.
fn landing(stored: &Stored, now: Duration) -> Landing {
    if http_cache::answers_unasked(stored, now) { Landing::Storing } else { Landing::Uncacheable }
}
