//! One edge location, as `edge/src` makes it on workerd: the core, its memory, its cache, and the world around it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidegate_gateway::limiting::{Held, LIMITER_TIMEOUT};
use tidegate_gateway::platform::{Behind, Copied, Purpose, SignatureCheck, StoredBody, Told};
use tidegate_gateway::record::Record;
use tidegate_gateway::reply::{Bring, Forgotten, Freshen, Store};
use tidegate_gateway::{
    After, Answered, AskFailure, Conclusion, Exchange, Gateway, Landing, LogFailure, Memory, Offer, Permitted,
    Platform, Reply, ReplyBody, SHELVED_MAX, Shelf, Step, Unreachable, admit, land, learn, offer, overwrite,
    refresh_keys, renew, shelve,
};
use tidegate_http_cache::ENVELOPE_FIELD;

use super::file::Call;
use super::message::{Headers, Request, Response};
use super::world::{Outcome, World};
use crate::signatures::verify;

/// How long a key set may take, as in `edge/src/platform.rs`.
const KEY_SET_TIMEOUT: Duration = Duration::from_secs(5);

/// An isolate with its colo's cache.
pub(super) struct Edge {
    name: String,
    shelf: RefCell<Shelf<Response>>,
    gateway: Rc<Gateway>,
    memory: RefCell<Memory>,
    cache: RefCell<BTreeMap<String, Response>>,
}

/// What a client got, and why.
pub(super) struct Served {
    pub(super) response: Response,
    pub(super) record: Box<Record>,
    /// Whether no call of the platform had to be waited for before the request was admitted.
    pub(super) ready_at_once: bool,
    /// Whether the platform was called for anything that takes a promise.
    pub(super) called: bool,
}

/// The platform as one request sees it.
struct Scripted<'w> {
    world: &'w World,
    edge: &'w Edge,
    called: Cell<bool>,
}

impl Scripted<'_> {
    /// Pends once, as every promise does: what is ready at the first poll has called nothing.
    async fn promise(&self) {
        self.called.set(true);
        let mut pended = false;
        poll_fn(|_| if std::mem::replace(&mut pended, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Platform for Scripted<'_> {
    type Body = Response;

    fn now(&self) -> Duration {
        self.world.now.get()
    }

    fn random(&self) -> u64 {
        self.world.random()
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.world.secret(name)
    }

    async fn key_set(&self, url: &str) -> Result<String, Unreachable> {
        self.promise().await;
        match self.world.send("GET", url, &Headers::default(), None, KEY_SET_TIMEOUT) {
            Outcome::Answered(response) if response.status == 200 => Ok(response.body),
            _ => Err(Unreachable::new("the key set cannot be had")),
        }
    }

    async fn verify(&self, check: SignatureCheck<'_>) -> Result<bool, Unreachable> {
        self.promise().await;
        self.world.count(Call::Signature);
        let SignatureCheck { algorithm, key, signing_input, signature } = check;
        Ok(verify(algorithm, key.material(), signing_input.as_bytes(), signature))
    }

    async fn ask(&self, object: &str, purpose: Purpose, message: Vec<u8>) -> Result<Vec<u8>, AskFailure> {
        self.promise().await;
        let reply = self.world.ask(object, purpose, &message);
        reply.ok_or_else(|| AskFailure::Unreachable(Unreachable::new(format!("no answer in {LIMITER_TIMEOUT:?}"))))
    }

    async fn purge_log(&self, question: Vec<u8>) -> Result<Vec<u8>, LogFailure> {
        self.promise().await;
        let answer = self.world.ask_purge_log(&question);
        answer.ok_or_else(|| LogFailure::Unreachable(Unreachable::new("no answer")))
    }

    fn shelf(&self) -> &RefCell<Shelf<Self::Body>> {
        &self.edge.shelf
    }

    fn location(&self) -> Option<String> {
        Some(self.edge.name.clone())
    }

    async fn stored(&self, key: &str) -> Option<(String, Self::Body)> {
        self.promise().await;
        let stored = self.edge.cache.borrow().get(key).cloned()?;
        Some((stored.headers.get(ENVELOPE_FIELD)?, stored))
    }

    async fn ask_behind(
        &self,
        place: &Behind,
        message: Vec<u8>,
        wait: Option<Duration>,
    ) -> Result<Told<Self::Body>, Unreachable> {
        self.promise().await;
        Ok(self.world.behind.ask(place, &message, wait, self.now()))
    }

    async fn copied(&self, url: &str) -> Result<Copied<Self::Body>, Unreachable> {
        self.promise().await;
        let now = self.now();
        let kept = self.world.copies.borrow_mut().ask(url, now)?;
        let copy = match kept {
            Some(copy) => copy,
            // What the class `Copies` in `edge/entry.mjs` makes of it.
            None => {
                let (copy, cache_control) = match offer(url, self).await {
                    Offer::Copy(kept, cache_control) => {
                        let metadata = kept.headers.get(ENVELOPE_FIELD).unwrap();
                        (Some((url.to_owned(), metadata, kept)), cache_control)
                    }
                    Offer::Nothing(cache_control) => (None, cache_control.to_owned()),
                    Offer::Failed(_) => return Err(Unreachable::new("the object did not answer")),
                };
                self.world.copies.borrow_mut().keep(url, copy.clone(), &cache_control, now);
                copy
            }
        };
        Ok(Copied { copy, is_cached: self.world.copies.borrow().is_on() })
    }

    async fn sleep(&self, _duration: Duration) {
        self.promise().await;
    }
}

impl StoredBody for Response {
    fn whole_bytes(&self) -> Option<usize> {
        Some(self.body.len()).filter(|bytes| *bytes <= SHELVED_MAX)
    }
}

impl Edge {
    pub(super) fn new(gateway: &Rc<Gateway>, name: String) -> Self {
        let (memory, shelf, cache) = Default::default();
        Self { name, shelf, gateway: Rc::clone(gateway), memory, cache }
    }

    /// Answers one request, and does what its reply leaves behind.
    pub(super) fn serve(&self, request: &Request, world: &World) -> Served {
        let platform = Scripted { world, edge: self, called: Cell::new(false) };
        let (admitted, polls) = finish(admit(&self.gateway, &self.memory, request, &platform));
        let called = platform.called.get();
        if let Some(issuer) = admitted.refresh {
            // The edge logs why they could not be had.
            let (_fetched, _) = finish(refresh_keys(&issuer, &self.memory, &platform));
        }
        let (response, record) = match admitted.step {
            Step::Reply { reply, record, revalidation, after } => {
                after.iter().for_each(|effect| self.after(effect, None, world));
                if let Some(exchange) = revalidation {
                    match finish(exchange.permitted(&self.memory, &platform)).0 {
                        // Its answer is only stored.
                        Permitted::Go(exchange) => drop(self.forward(exchange, request, world)),
                        Permitted::Done(after) => after.iter().for_each(|effect| self.after(effect, None, world)),
                    }
                }
                (reply_response(reply, None), record)
            }
            Step::Forward(exchange) => self.forward(exchange, request, world),
        };
        self.memory.borrow_mut().count(&record);
        let news = self.memory.borrow_mut().take_news();
        if let Some(news) = news {
            // The edge logs why there are none.
            let (_learnt, _) = finish(learn(news, &self.memory, &platform));
        }
        let renewals = self.memory.borrow_mut().take_renewals();
        for renewal in renewals {
            // The edge logs why it could not be had.
            let (_renewed, _) = finish(renew(renewal, &self.memory, &platform));
        }
        Served { response, record, ready_at_once: polls == 1, called }
    }

    /// Carries an exchange out: `forward` in `edge/platform.mjs` and `conclude` in `edge/src/exchange.rs`.
    fn forward(&self, exchange: Box<Exchange<Response>>, request: &Request, world: &World) -> (Response, Box<Record>) {
        let mut exchange = exchange;
        loop {
            let attempt = exchange.attempt();
            let mut headers = request.headers.clone();
            headers.remove_lines(attempt.removed);
            headers.set_lines(attempt.set);
            let outcome = world.send(&request.method, &attempt.url, &headers, request.body.as_deref(), attempt.timeout);
            let answered = match &outcome {
                Outcome::Answered(response) => {
                    Answered::Response { status: response.status, fields: &response.headers }
                }
                Outcome::TimedOut => Answered::TimedOut,
                Outcome::Failed => Answered::Failed { reason: "the connection was lost".to_owned() },
            };
            let conclusion = exchange.answered(answered, request, &self.memory, world.now.get());
            match (conclusion, outcome) {
                (Conclusion::Retry(next), _) => exchange = next,
                (Conclusion::Reply { reply, after, record }, outcome) => {
                    let answer = if let Outcome::Answered(answer) = outcome { Some(answer) } else { None };
                    after.iter().for_each(|effect| self.after(effect, answer.as_ref(), world));
                    return (reply_response(reply, answer.as_ref()), record);
                }
                (Conclusion::Pass { held, record }, Outcome::Answered(response)) => {
                    self.release(held, world);
                    return (response, record);
                }
                (
                    Conclusion::Amend { first, removed, fields, not_modified, after, held, record },
                    Outcome::Answered(response),
                ) => {
                    if let Some(news) = first {
                        let platform = Scripted { world, edge: self, called: Cell::new(false) };
                        // The edge logs why the log did not answer.
                        let (_told, _) = finish(learn(news, &self.memory, &platform));
                    }
                    self.release(held, world);
                    after.iter().for_each(|effect| self.after(effect, Some(&response), world));
                    let mut response = response;
                    if not_modified {
                        response = Response { status: 304, body: String::new(), ..response };
                    }
                    removed.iter().for_each(|name| response.headers.remove(name));
                    fields.iter().for_each(|(name, value)| response.headers.set(name, value));
                    return (response, record);
                }
                (Conclusion::Pass { .. } | Conclusion::Amend { .. }, _) => panic!("there is no response to pass on"),
            }
        }
    }

    /// The client has the whole response at once.
    fn release(&self, held: Option<Held>, world: &World) {
        if let Some(held) = held {
            self.memory.borrow_mut().release(held, world.now.get());
        }
    }

    /// `after` in `edge/src/cache.rs`; `response` is the origin's.
    fn after(&self, effect: &After<Response>, response: Option<&Response>, world: &World) {
        match (effect, response) {
            (After::Store(store), Some(response)) => {
                let Store { key, metadata, removed, keep_seconds, behind } = &**store;
                let mut copy = Response { status: 200, ..response.clone() };
                removed.iter().for_each(|name| copy.headers.remove(name));
                copy.headers.set(ENVELOPE_FIELD, metadata);
                self.keep(key, metadata, copy, *keep_seconds, behind.as_ref(), world);
            }
            (After::Freshen(freshen), Some(answer)) => {
                let Freshen { body, key, replaced, metadata, excepted, keep_seconds, behind } = &**freshen;
                let stored = self.cache.borrow().get(key).cloned();
                let stored = stored.filter(|stored| stored.headers.get(ENVELOPE_FIELD).as_ref() == Some(replaced));
                let Some(mut stored) = body.clone().or(stored) else { return };
                stored.headers.remove("cache-status");
                stored.headers.update(&answer.headers, excepted);
                stored.headers.set(ENVELOPE_FIELD, metadata);
                self.keep(key, metadata, stored, *keep_seconds, behind.as_ref(), world);
            }
            (After::Store(_) | After::Freshen(_), None) => {}
            (After::Promote { key, body, .. }, _) => {
                self.cache.borrow_mut().insert(key.clone(), body.clone());
            }
            (After::Forget(forgotten), _) => {
                for Forgotten { key, object } in forgotten {
                    overwrite(&self.shelf, key, world.now.get());
                    self.cache.borrow_mut().remove(key);
                    object.iter().for_each(|object| world.behind.forget(object, key, world.now.get()));
                }
            }
            (After::End(place, message), _) => world.behind.end(place, message, world.now.get()),
        }
    }

    fn keep(
        &self,
        key: &str,
        metadata: &str,
        kept: Response,
        keep_seconds: Option<u64>,
        behind: Option<&Bring>,
        world: &World,
    ) {
        let now = world.now.get();
        if let Some(Bring { place, filled, too_large, .. }) = behind
            && !world.behind.keep(place, filled, too_large, (metadata.to_owned(), kept.clone()), now)
        {
            return;
        }
        let is_true = shelve(&self.shelf, key, metadata.to_owned(), kept.clone(), keep_seconds.is_some(), now);
        land(Some(key), Landing::Stored, &self.memory, now);
        if behind.is_none() && !is_true {
            return;
        }
        if keep_seconds.is_some() {
            self.cache.borrow_mut().insert(key.to_owned(), kept);
        }
    }
}

/// `respond`, `respondStored`, `respondPart` and `updated` in `edge/platform.mjs`; `answer` is the origin's.
fn reply_response(reply: Reply<Response>, answer: Option<&Response>) -> Response {
    let mut response = match reply.body {
        ReplyBody::Empty => Response::default(),
        ReplyBody::Text(body) => Response { body, ..Response::default() },
        ReplyBody::Stored { response: mut stored, with_body, part, removed, update } => {
            if let (Some(answer), Some(excepted)) = (answer, update) {
                stored.headers.remove("cache-status");
                stored.headers.update(&answer.headers, &excepted);
            }
            [ENVELOPE_FIELD, "cache-control", "expires"].iter().for_each(|name| stored.headers.remove(name));
            removed.iter().for_each(|name| stored.headers.remove(name));
            if !with_body {
                stored.body.clear();
            }
            if let Some(part) = part {
                let first = usize::try_from(part.first).unwrap();
                stored.body = stored.body[first..][..usize::try_from(part.length).unwrap()].to_owned();
            }
            stored
        }
    };
    response.status = reply.status;
    let inner = response.headers.get("cache-status");
    reply.fields.iter().for_each(|(name, value)| response.headers.set(name, value));
    if let (Some(inner), Some(own)) = (inner, response.headers.get("cache-status")) {
        response.headers.set("cache-status", &format!("{inner}, {own}"));
    }
    response
}

/// Polls to the end, and counts how often. Nothing here waits for anything but its own promises.
fn finish<F: Future>(future: F) -> (F::Output, usize) {
    const PROMISES_MAX: usize = 64;
    let mut future = pin!(future);
    for poll in 1..=PROMISES_MAX {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (output, poll);
        }
    }
    panic!("not ready after {PROMISES_MAX} polls");
}
