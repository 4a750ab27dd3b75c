//! The origin's half of a request: origin → store → reply.
//!
//! An [`Exchange`] is what `admit` leaves when an origin has to be asked. The shell sends its [`Attempt`], reports what
//! became of it, and is told what is next. It is a value: a request that the platform cancels holds nothing.

mod messages;
mod opening;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::Fields as FieldSource;
use tidegate_steering::{Attempts, Next, Outcome};

use crate::caching::{self, Changes, Fill, Filled, Invalidates, News, Refresh};
use crate::flights::{Landing, land};
use crate::forward::{self, milliseconds};
use crate::memory::Memory;
use crate::platform::{Head, Platform, StoredBody};
use crate::record::CacheRecord;
use crate::rejection::Rejection;
use crate::reply::{After, Forgotten, Reply};
use crate::route::{Gateway, Route};
use crate::serve::{Draft, server_timing};

pub use messages::{Answered, Attempt, Conclusion, Permitted};
pub(crate) use opening::{Opening, choose, claims};
use opening::{removed, set, target};

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
