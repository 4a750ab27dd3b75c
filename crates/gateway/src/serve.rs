//! The order of the steps, written once: route → auth → limit → cache → admission, then origin → store → reply.
//!
//! The order is a security property. Nothing configures it, nothing registers into it, and a request that a step
//! refuses reaches no later one.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::admin;
use crate::apart::apart;
use crate::authenticate::{Authenticated, Identity, authenticate};
use crate::caching::{self, Hit, Lookup};
use crate::exchange::{self, Exchange, Opening};
use crate::facts::Facts;
use crate::forward::{loops, milliseconds};
use crate::limiting::{Held, Limited, limit, usage};
use crate::matching::Found;
use crate::memory::Memory;
use crate::path::normalise;
use crate::platform::{Head, Platform};
use crate::record::Record;
use crate::rejection::Rejection;
use crate::reply::{After, Fields, Reply, ReplyBody};
use crate::route::{Auth, Gateway, Issuer, Route, Serve};
use crate::trace;
use crate::url::Url;

/// What to do with an admitted or refused request, and the work that it leaves behind.
pub struct Admitted<B> {
    /// The reply, or the exchange with an origin.
    pub step: Step<B>,
    /// An issuer whose keys should be fetched anew after the reply, with
    /// [`refresh_keys`](crate::refresh_keys).
    pub refresh: Option<Rc<Issuer>>,
}

/// The end of the first half of a request's life.
pub enum Step<B> {
    /// Answered without an origin.
    Reply {
        /// The reply.
        reply: Reply<B>,
        /// Why.
        record: Box<Record>,
        /// What to ask an origin after the reply, when that is stale or soon will be.
        revalidation: Option<Box<Exchange<B>>>,
        /// What else is done after the reply.
        after: Vec<After<B>>,
    },
    /// To be sent to an origin.
    Forward(Box<Exchange<B>>),
}

/// What the steps so far have found out, for the reply whichever way it ends.
pub(crate) struct Draft {
    pub(crate) started: Duration,
    pub(crate) record: Record,
    /// Fields that every reply of this request carries.
    pub(crate) fields: Fields,
    /// What the request holds of its limits until it has ended.
    pub(crate) held: Option<Held>,
}

/// Takes a request through the steps that come before its origin.
pub async fn admit<P: Platform>(
    gateway: &Rc<Gateway>,
    memory: &RefCell<Memory>,
    head: &impl Head,
    platform: &P,
) -> Admitted<P::Body> {
    let mut draft = Draft::new(gateway, head, platform);
    let mut refresh = None;
    let passed = steps(gateway, memory, head, platform, &mut draft, &mut refresh).await;
    let now = platform.now();
    if let Some(mut held) = draft.held.take() {
        // The reply is made here: the request has ended, and no origin was asked.
        let mut memory = memory.borrow_mut();
        memory.forgive(&mut held, now);
        memory.release(held, now);
    }
    let (mut revalidation, mut after) = (None, Vec::new());
    let (reply, record) = match passed {
        Ok(Passed::Forward(exchange)) => return Admitted { step: Step::Forward(exchange), refresh },
        Ok(Passed::Stored { reply, successor, after: left }) => {
            (revalidation, after) = (successor, left);
            draft.reply(gateway, reply, head.method(), now)
        }
        Ok(Passed::Reply(reply)) => draft.reply(gateway, reply, head.method(), now),
        Err(rejection) => draft.reject(gateway, &rejection, head.method(), now),
    };
    Admitted { step: Step::Reply { reply, record, revalidation, after }, refresh }
}

/// A request that no step refused.
enum Passed<B> {
    Reply(Reply<B>),
    Stored {
        reply: Reply<B>,
        /// What asks for the successor of the reply.
        successor: Option<Box<Exchange<B>>>,
        after: Vec<After<B>>,
    },
    Forward(Box<Exchange<B>>),
}

async fn steps<P: Platform>(
    gateway: &Rc<Gateway>,
    memory: &RefCell<Memory>,
    head: &impl Head,
    platform: &P,
    draft: &mut Draft,
    refresh: &mut Option<Rc<Issuer>>,
) -> Result<Passed<P::Body>, Rejection> {
    let now = draft.started;
    let url = Url::cut(head.url()).ok_or(Rejection::Url)?;
    let path = normalise(url.path).map_err(Rejection::Path)?;
    let endpoint = admin::endpoint(gateway, &path);
    endpoint.map_or(path.as_str(), |endpoint| endpoint.logged(&path)).clone_into(&mut draft.record.path);
    if head.field("cdn-loop").is_some_and(|field| loops(&field)) {
        return Err(Rejection::Loop);
    }
    memory.borrow_mut().keys.keyed_by(&gateway.version);
    if let Some(endpoint) = endpoint {
        return apart(admin::answer(endpoint, gateway, memory, head, url.query, platform)).await.map(Passed::Reply);
    }

    // route
    let (route, parameters) = match gateway.matcher.find(url.authority, &path, head.method(), &|name| head.field(name))
    {
        Found::Route { index, parameters } => {
            (gateway.routes.get(index).cloned().ok_or(Rejection::NoRoute)?, parameters)
        }
        Found::Options { allow } => return Ok(Passed::Reply(options(allow))),
        Found::MethodNotAllowed { allow } => return Err(Rejection::MethodNotAllowed { allow }),
        Found::NotFound => return Err(Rejection::NoRoute),
    };
    draft.record.route = Some(route.name.clone());
    // Taken apart by name, so that a new policy does not compile until it has a step.
    let Route { name, matches: _, auth, limits, cache, invalidation: _, serve, origin: _, protected: _ } = &*route;

    // auth
    let identity = match auth {
        Auth::Anyone => None,
        Auth::Token(auth) => {
            let Authenticated { identity, notes } = authenticate(auth, memory, head, platform, now).await;
            *refresh = notes.refresh;
            draft.record.error = notes.error;
            Some(identity.inspect_err(|rejection| draft.record.auth = Some(rejection.code()))?)
        }
    };
    draft.identified(identity.as_ref());
    let client_ip = head.field(&gateway.settings.client_ip).filter(|ip| !ip.is_empty());
    let facts = Facts {
        head,
        route: name,
        request_id: &draft.record.request_id.clone(),
        client_ip: client_ip.as_deref(),
        claims: identity.as_ref().map(|identity| &*identity.claims),
        location: OnceCell::new(),
    };

    // limit
    if let Some(limits) = limits {
        if *serve == Serve::Usage {
            return apart(usage(limits, &facts, memory, platform)).await.map(Passed::Reply);
        }
        draft.limited(limit(limits, &facts, memory, platform).await)?;
    }

    // cache
    let opening = Opening {
        gateway,
        route: &route,
        parameters,
        facts: &facts,
        identity: identity.as_ref(),
        url: &url,
        path: &path,
    };
    let fill = match cache {
        None => None,
        Some(cache) => match caching::lookup(cache, &opening, memory, platform).await? {
            Lookup::Miss(fill) => Some(fill),
            Lookup::Hit(Hit { reply, record, after, successor }) => {
                draft.record.cache = Some(record);
                let successor = successor.and_then(|fill| {
                    let random = platform.random();
                    let attempts = exchange::choose(&opening, memory, random)?;
                    let draft = draft.of_revalidation();
                    Some(Box::new(Exchange::open(&opening, attempts, Some(fill), draft, random, platform)))
                });
                return Ok(Passed::Stored { reply, successor, after });
            }
        },
    };

    // admission: the pools and origins that may serve it, in the order they are asked
    let random = platform.random();
    let attempts = exchange::choose(&opening, memory, random).ok_or(Rejection::NoOrigin)?;
    Ok(Passed::Forward(Box::new(Exchange::open(&opening, attempts, fill, draft.take(), random, platform))))
}

/// OPTIONS that no route lists (RFC 9110, section 9.3.7): what the path can be asked.
fn options<B>(allow: String) -> Reply<B> {
    let mut fields = Fields::default();
    fields.push("Allow", allow);
    Reply { status: 204, fields, body: ReplyBody::Empty }
}

impl Draft {
    fn new<P: Platform>(gateway: &Gateway, head: &impl Head, platform: &P) -> Self {
        let started = platform.now();
        let request_id = trace::request_id((platform.random(), platform.random()));
        let mut fields = Fields::default();
        if gateway.settings.request_id {
            fields.push("X-Request-Id", request_id.clone());
        }
        let record = Record {
            time_ms: milliseconds(started),
            request_id,
            method: head.method().to_owned(),
            config: gateway.version.clone(),
            ..Record::default()
        };
        Self { started, record, fields, held: None }
    }

    /// Moves what is known into the exchange.
    fn take(&mut self) -> Self {
        Self {
            started: self.started,
            record: std::mem::take(&mut self.record),
            fields: std::mem::take(&mut self.fields),
            held: self.held.take(),
        }
    }

    /// Gives back what the request held of its limits: it has ended.
    pub(crate) fn release(&mut self, memory: &RefCell<Memory>, now: Duration) {
        if let Some(held) = self.held.take() {
            memory.borrow_mut().release(held, now);
        }
    }

    /// For an exchange that no client waits for.
    fn of_revalidation(&self) -> Self {
        Self { started: self.started, record: self.record.clone(), fields: Fields::default(), held: None }
    }

    fn identified(&mut self, identity: Option<&Identity>) {
        self.record.auth = Some(match identity {
            None => "none",
            Some(identity) if identity.remembered => "remembered",
            Some(_) => "token",
        });
        self.record.issuer = identity.map(|identity| identity.issuer.to_string());
    }

    fn limited(&mut self, limited: Limited) -> Result<(), Rejection> {
        let Limited { fields, records, by, error, refused, held } = limited;
        self.fields.extend(fields);
        self.record.limits = records;
        self.record.limited_by = Some(by);
        self.record.error = error.or(self.record.error.take());
        self.held = held;
        refused.map_or(Ok(()), Err)
    }

    /// Step "reply", for a refusal.
    pub(crate) fn reject<B>(
        self,
        gateway: &Gateway,
        rejection: &Rejection,
        method: &str,
        now: Duration,
    ) -> (Reply<B>, Box<Record>) {
        let mut draft = self;
        draft.record.rejection = Some(rejection.code());
        let reply = rejection.reply(&draft.record.request_id);
        draft.fields.remove("X-Request-Id");
        draft.reply(gateway, reply, method, now)
    }

    /// Step "reply", for a reply that is made here.
    pub(crate) fn reply<B>(
        self,
        gateway: &Gateway,
        mut reply: Reply<B>,
        method: &str,
        now: Duration,
    ) -> (Reply<B>, Box<Record>) {
        let Self { started, mut record, fields, held: _ } = self;
        record.status = reply.status;
        record.duration_ms = milliseconds(now.saturating_sub(started));
        reply.fields.extend(fields);
        if gateway.settings.server_timing {
            reply.fields.push("Server-Timing", server_timing(&record));
        }
        if method == "HEAD" && matches!(reply.body, ReplyBody::Text(_)) {
            reply.body = ReplyBody::Empty;
        }
        (reply, Box::new(record))
    }
}

/// How long the request took, and how much of it was the origin's (W3C Server Timing).
pub(crate) fn server_timing(record: &Record) -> String {
    format!("total;dur={}, origin;dur={}", record.duration_ms, record.origin_ms)
}
