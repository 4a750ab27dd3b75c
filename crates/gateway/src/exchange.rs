//! The origin's half of a request: origin → store → reply.
//!
//! An [`Exchange`] is what `admit` leaves when an origin has to be asked. The shell sends its [`Attempt`], reports what
//! became of it, and is told what is next. It is a value: a request that the platform cancels holds nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::Fields as FieldSource;
use tidegate_steering::{Attempts, Body, ClientKey, Location, Next, Outcome, Retries};

use crate::authenticate::Identity;
use crate::caching::{self, Changes, Fill, Filled, Invalidates, News, Refresh};
use crate::facts::Facts;
use crate::flights::{Landing, land};
use crate::forward::{self, Told, milliseconds, rejoin_cookies};
use crate::limiting::Held;
use crate::matching::Parameters;
use crate::memory::Memory;
use crate::path::NormalPath;
use crate::platform::{Head, Platform, StoredBody};
use crate::record::{CacheRecord, Record};
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Forgotten, Reply};
use crate::route::{Auth, CacheBackend, Gateway, Route};
use crate::serve::{Draft, server_timing};
use crate::trace::TraceParent;
use crate::url::Url;

/// A request on its way to an origin.
pub struct Exchange<B> {
    gateway: Rc<Gateway>,
    route: Rc<Route>,
    draft: Draft,
    attempts: Attempts,
    method: String,
    /// Path and query, as the origin gets them.
    target: String,
    removed: String,
    set: String,
    /// The same with the validators of a stored response, while it may still be the answer.
    conditional: Option<String>,
    /// When the latest attempt was sent.
    sent: Duration,
    fill: Option<Fill<B>>,
    /// What this request makes untrue if it succeeds.
    changes: Option<Changes>,
    /// What it purges then.
    invalidates: Option<Invalidates>,
    random: u64,
}

/// One request to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The absolute URL.
    pub url: String,
    /// The names of the client's fields that the origin must not see, separated by line feeds.
    pub removed: &'a str,
    /// The fields that the gateway sets, as lines: a name, its value, the next name, and so on.
    pub set: &'a str,
    /// When it is sent.
    pub sent: Duration,
    /// How long the origin may take until its response header is complete, from when it has the whole request; and for
    /// each part of a body.
    pub timeout: Duration,
    /// Whether the response's body is kept as it comes, in whatever coding.
    pub raw: bool,
}

/// What became of an attempt.
pub enum Answered<'a> {
    /// The response header is there.
    Response {
        /// The status code.
        status: u16,
        /// The response's fields.
        fields: &'a dyn FieldSource,
    },
    /// The time was up.
    TimedOut,
    /// There was no response; the reason is for the log.
    Failed {
        /// Never shown to a client.
        reason: String,
    },
}

/// What follows an attempt.
pub enum Conclusion<B> {
    /// Send the next [`Attempt`]; a response that is there is not wanted.
    Retry(Box<Exchange<B>>),
    /// Pass the origin's response on untouched.
    Pass {
        /// What the request holds of its limits until the client has the whole response, or went away.
        held: Option<Held>,
        /// Why.
        record: Box<Record>,
    },
    /// Remove and set fields of the origin's response, and leave work behind.
    Amend {
        /// What is asked first, with [`learn`](crate::learn): when the client has its reply, what it purged is in the log.
        first: Option<News>,
        /// The names of the fields to remove first.
        removed: Vec<String>,
        /// The fields to set.
        fields: Fields,
        /// Whether the client holds the content already: then the reply is a 304 without it.
        not_modified: bool,
        /// What is done after the reply.
        after: Vec<After<B>>,
        /// What the request holds of its limits until the client has the whole response, or went away.
        held: Option<Held>,
        /// Why.
        record: Box<Record>,
    },
    /// Another reply than the origin's: the stored one that it has confirmed, a stale one, or a problem.
    Reply {
        /// The reply.
        reply: Reply<B>,
        /// What is done after the reply.
        after: Vec<After<B>>,
        /// Why.
        record: Box<Record>,
    },
}

/// What becomes of a revalidation that no client waits for.
pub enum Permitted<B> {
    /// It is sent.
    Go(Box<Exchange<B>>),
    /// It need not be: somebody else fetches, or has done so.
    Done(Vec<After<B>>),
}

/// What an exchange is opened with.
pub(crate) struct Opening<'a, H> {
    pub(crate) gateway: &'a Rc<Gateway>,
    pub(crate) route: &'a Rc<Route>,
    pub(crate) parameters: Parameters<'a>,
    pub(crate) facts: &'a Facts<'a, H>,
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) url: &'a Url<'a>,
    pub(crate) path: &'a NormalPath,
}

impl<B: StoredBody> Exchange<B> {
    /// Writes the header that the origin gets.
    pub(crate) fn open<H: Head, P: Platform<Body = B>>(
        opening: &Opening<'_, H>,
        attempts: Attempts,
        fill: Option<Fill<B>>,
        draft: Draft,
        random: u64,
        platform: &P,
    ) -> Self {
        let Opening { gateway, route, facts, .. } = *opening;
        let method = facts.head.method();
        let set = set(opening, platform);
        let validators = fill.as_ref().map(|fill| fill.validators(method)).unwrap_or_default();
        let conditional = validators.iter().map(|(name, value)| format!("\n{name}\n{value}")).collect::<String>();
        let mut exchange = Self {
            gateway: Rc::clone(gateway),
            route: Rc::clone(route),
            attempts,
            method: method.to_owned(),
            target: target(opening, fill.as_ref()),
            removed: removed(opening, fill.as_ref()),
            conditional: (!validators.is_empty()).then(|| format!("{set}{conditional}")),
            set,
            changes: Changes::of(opening, platform),
            invalidates: Invalidates::of(opening),
            sent: platform.now(),
            draft,
            fill,
            random,
        };
        exchange.draft.record.because = Some(exchange.attempts.order().because().to_string());
        exchange.draft.record.colo = facts.known_colo();
        exchange.note_choice();
        exchange
    }

    /// The attempt to send now.
    #[must_use]
    pub fn attempt(&self) -> Attempt<'_> {
        let choice = self.attempts.choice();
        let origin = self.gateway.pools.get(choice.pool.0).and_then(|pool| pool.origin(choice.origin));
        Attempt {
            url: format!("{}{}", origin.map_or("", |origin| origin.url()), self.target),
            removed: &self.removed,
            set: self.conditional.as_deref().unwrap_or(&self.set),
            sent: self.sent,
            timeout: self.route.origin.timeout,
            raw: self.fill.as_ref().is_some_and(Fill::keeps_body),
        }
    }

    /// Asks whether a revalidation that no client waits for is still to be sent.
    pub async fn permitted<P: Platform<Body = B>>(
        mut self: Box<Self>,
        memory: &RefCell<Memory>,
        platform: &P,
    ) -> Permitted<B> {
        let Some(fill) = self.fill.as_mut() else { return Permitted::Go(self) };
        match fill.refresh(memory, platform).await {
            Refresh::Go => Permitted::Go(self),
            Refresh::Done(after) => {
                land(fill.flight(), Landing::Nothing, memory, platform.now());
                Permitted::Done(after)
            }
        }
    }

    /// Decides what follows the latest attempt. `now` is when its outcome was known.
    pub fn answered(
        mut self: Box<Self>,
        answered: Answered<'_>,
        request: &impl Head,
        memory: &RefCell<Memory>,
        now: Duration,
    ) -> Conclusion<B> {
        let waited = milliseconds(now.saturating_sub(self.sent));
        self.draft.record.origin_ms = self.draft.record.origin_ms.saturating_add(waited);
        let outcome = match &answered {
            Answered::Response { status, .. } => Outcome::Status(*status),
            Answered::TimedOut => Outcome::TimedOut,
            Answered::Failed { reason } => {
                self.draft.record.error = Some(reason.clone());
                Outcome::Failed
            }
        };
        let next = memory
            .borrow_mut()
            .with_fleet(&self.gateway.pools, self.random, |fleet| self.attempts.after(outcome, fleet));
        match (next, answered) {
            (Next::Retry(_), _) => {
                self.sent = now;
                self.note_choice();
                Conclusion::Retry(self)
            }
            (Next::Done, Answered::Response { status, fields }) => {
                self.draft.settle(fields, memory, now);
                self.conclude(request, status, fields, memory, now)
            }
            (Next::Done, Answered::TimedOut | Answered::Failed { .. }) => self.refuse(outcome, request, memory, now),
        }
    }

    fn note_choice(&mut self) {
        let choice = self.attempts.choice();
        let pool = self.gateway.pools.get(choice.pool.0);
        let record = &mut self.draft.record;
        record.pool = pool.map(|pool| pool.name().to_owned());
        record.origin = pool.and_then(|pool| pool.origin(choice.origin)).map(|origin| origin.name().to_owned());
        record.attempts = u32::from(self.attempts.made());
    }

    /// Steps "store" and "reply" for an origin's response.
    fn conclude(
        mut self: Box<Self>,
        request: &impl Head,
        status: u16,
        response: &dyn FieldSource,
        memory: &RefCell<Memory>,
        now: Duration,
    ) -> Conclusion<B> {
        let changed =
            self.changes.take().and_then(|changes| changes.conclude(&self.gateway, request, status, response));
        let mut after: Vec<After<B>> = changed.into_iter().collect();
        for change in &after {
            let After::Forget(forgotten) = change else { continue };
            // What is stored at the moment is untrue: nobody waits for it.
            for Forgotten { key, .. } in forgotten {
                land(Some(key), Landing::Nothing, memory, now);
                if self.gateway.settings.cache_backend == CacheBackend::WorkersCache {
                    memory.borrow_mut().copies.wrote(key, now);
                }
            }
        }
        let (mut removed, mut not_modified) = (Vec::new(), false);
        let first = self.purge(status, response, &mut removed, memory, now);
        if let Some(fill) = self.fill.take().filter(|_| status != 101) {
            let answered = caching::Answered {
                status,
                response,
                request_time: self.sent,
                response_time: now,
                random: self.random,
            };
            let flight = fill.flight().map(str::to_owned);
            match fill.conclude(request, &answered) {
                Filled::Again(fill) => {
                    self.fill = Some(*fill);
                    self.conditional = None;
                    self.sent = now;
                    return Conclusion::Retry(self);
                }
                Filled::Stored { reply, after: stored, record, landing } => {
                    land(flight.as_deref(), landing, memory, now);
                    after.extend(stored);
                    return self.reply_stored(reply, after, record, memory, now);
                }
                Filled::Answer { fields, after: stored, record, landing, removed: omitted, not_modified: holds } => {
                    land(flight.as_deref(), landing, memory, now);
                    self.draft.fields.extend(fields);
                    self.draft.record.cache = Some(record);
                    after.extend(stored);
                    not_modified = holds;
                    removed.extend(omitted.into_iter().map(str::to_owned));
                }
            }
        }
        let Self { gateway, draft, .. } = *self;
        let Draft { started, mut record, mut fields, held } = draft;
        record.status = if not_modified { 304 } else { status };
        record.duration_ms = milliseconds(now.saturating_sub(started));
        if status == 101 {
            // The connection is no longer HTTP: nothing can be set on it, and nobody sees its end. What it holds comes back
            // when its time is up.
            return Conclusion::Pass { held: None, record: Box::new(record) };
        }
        if gateway.settings.server_timing {
            fields.push("Server-Timing", server_timing(&record));
        }
        let record = Box::new(record);
        removed.extend(forward::response_removed(response));
        if removed.is_empty() && fields.is_empty() && after.is_empty() && first.is_none() {
            return Conclusion::Pass { held, record };
        }
        Conclusion::Amend { first, removed, fields, not_modified, after, held, record }
    }

    /// What a write purges, is purged here at once. The log is told before the reply, unless it did not answer a moment ago.
    fn purge(
        &mut self,
        status: u16,
        response: &dyn FieldSource,
        removed: &mut Vec<String>,
        memory: &RefCell<Memory>,
        now: Duration,
    ) -> Option<News> {
        let invalidates = self.invalidates.take()?;
        removed.extend(invalidates.header().filter(|name| response.get(name).is_some()).map(str::to_owned));
        let purged = invalidates.conclude(&self.method, status, response)?;
        if purged.is_partial {
            self.draft.record.error = Some("the origin named tags that it may not purge, or too many".to_owned());
        }
        self.draft.record.purged = purged.targets.len();
        memory.borrow_mut().purge(purged.targets, purged.manner, now)
    }

    /// Step "reply" when no origin answered: what is stored, if it may be used; else 504 when time was up, 502 otherwise.
    fn refuse(
        mut self,
        outcome: Outcome,
        request: &impl Head,
        memory: &RefCell<Memory>,
        now: Duration,
    ) -> Conclusion<B> {
        let mut after = Vec::new();
        if let Some(fill) = self.fill.take() {
            land(fill.flight(), Landing::Failed, memory, now);
            match fill.unreachable(request, now) {
                Ok((reply, after, record)) => return self.reply_stored(reply, after, record, memory, now),
                Err(abandoned) => after = abandoned,
            }
        }
        let Self { gateway, mut draft, method, .. } = self;
        draft.release(memory, now);
        let (reply, record) = draft.reject(&gateway, &Rejection::Origin(outcome), &method, now);
        Conclusion::Reply { reply, after, record }
    }

    /// Step "reply" with a stored response.
    fn reply_stored(
        self,
        reply: Result<Reply<B>, Rejection>,
        after: Vec<After<B>>,
        cache: CacheRecord,
        memory: &RefCell<Memory>,
        now: Duration,
    ) -> Conclusion<B> {
        let Self { gateway, mut draft, method, .. } = self;
        draft.release(memory, now);
        draft.record.cache = Some(cache);
        let (reply, record) = match reply {
            Ok(reply) => draft.reply(&gateway, reply, &method, now),
            Err(rejection) => draft.reject(&gateway, &rejection, &method, now),
        };
        Conclusion::Reply { reply, after, record }
    }
}

impl Draft {
    /// The origin says what the request did cost; what is not held until the client has the whole response comes back.
    fn settle(&mut self, response: &dyn FieldSource, memory: &RefCell<Memory>, now: Duration) {
        if let Some(mut held) = self.held.take() {
            let mut memory = memory.borrow_mut();
            memory.settle(&mut held, |name| response.get(name), now);
            if held.until_the_end() {
                self.held = Some(held);
            } else {
                memory.release(held, now);
            }
        }
    }
}

/// Step "admission": the pools in the order that steering says, and the first origin.
pub(crate) fn choose<H: Head>(opening: &Opening<'_, H>, memory: &RefCell<Memory>, random: u64) -> Option<Attempts> {
    let Opening { gateway, route, facts, .. } = *opening;
    let nowhere = Location::default();
    let location = if gateway.steering.needs_location() { facts.location() } else { &nowhere };
    let order = gateway.steering.order(location, route.origin.pools.as_deref(), random);
    let body = if facts.head.has_body() { Body::Present } else { Body::Absent };
    let retries = Retries::granted(route.origin.retries, facts.head.method(), body);
    let client = facts.client_ip.map(ClientKey::of_address);
    memory
        .borrow_mut()
        .with_fleet(&gateway.pools, random, |fleet| Attempts::begin(order, retries, client, random, fleet))
}

/// The path that was matched is the path that is forwarded; the query is the client's, or what the cache's key has of it.
fn target<H, B: StoredBody>(opening: &Opening<'_, H>, fill: Option<&Fill<B>>) -> String {
    let query = fill.and_then(Fill::query).or(opening.url.query);
    match query {
        Some(query) if !query.is_empty() => format!("{}?{query}", opening.path.as_str()),
        _ => opening.path.as_str().to_owned(),
    }
}

fn removed<H: Head, B: StoredBody>(opening: &Opening<'_, H>, fill: Option<&Fill<B>>) -> String {
    let head = opening.facts.head;
    let names = head.field_names();
    let upgrade = head.field("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    let nominated = head.field("connection").unwrap_or_default();
    let mut removed: Vec<&str> = opening.route.protected.removed(&names, &nominated, upgrade);
    removed.extend(fill.map_or(&[][..], Fill::withheld));
    removed.join("\n")
}

fn set<H: Head, P: Platform>(opening: &Opening<'_, H>, platform: &P) -> String {
    let head = opening.facts.head;
    let trace_id = (platform.random(), platform.random());
    let (traceparent, goes_on) = TraceParent::next(head.field("traceparent").as_deref(), trace_id, platform.random());
    let cookie = head.field("cookie").and_then(|cookie| rejoin_cookies(&cookie));
    forward::set_fields(&Told {
        client_ip: opening.facts.client_ip,
        scheme: opening.url.scheme,
        authority: opening.url.authority,
        request_id: opening.facts.request_id,
        traceparent: &traceparent,
        tracestate: head.field("tracestate").filter(|_| goes_on).as_deref(),
        via: head.field("via").as_deref(),
        cdn_loop: head.field("cdn-loop").as_deref(),
        cookie: cookie.as_deref(),
        claims: &claims(opening.route, opening.identity),
    })
}

/// The claims that the route forwards, under the names of its headers; a claim that the token lacks sets none.
pub(crate) fn claims(route: &Route, identity: Option<&Identity>) -> Vec<(String, String)> {
    let (Auth::Token(auth), Some(identity)) = (&route.auth, identity) else { return Vec::new() };
    let values =
        auth.forward.iter().map(|(claim, header)| Some((header.clone(), identity.claims.header_value(claim)?)));
    values.flatten().collect()
}
