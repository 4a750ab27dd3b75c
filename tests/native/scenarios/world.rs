//! What is outside of the gateway, as a scenario scripts it: the time, the servers, the Durable Objects.
//!
//! Time stands still during a step. What takes longer than a timeout has timed out, and nothing waits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_gateway::platform::Purpose;
use tidegate_http_cache::purge::{self, PurgeLog};
use tidegate_rate_limit::{Authority, Question};

use super::behind::Objects;
use super::copies::Copies;
use super::file::{Behaviour, Call, Reply, Scenario, Secret};
use super::message::{Headers, Response};
use super::token::{key_set, secret};

/// When every scenario starts: 1 January 2100, a Friday.
///
/// In the future, because on workerd the alarms of the Durable Objects go by the real clock: none of them is due.
pub(super) const START: Duration = Duration::from_secs(4_102_444_800);

/// A request as a server got it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) server: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Headers,
    pub(super) body: String,
}

/// How a request to a server ended.
pub(super) enum Outcome {
    Answered(Response),
    TimedOut,
    Failed,
}

/// A Durable Object: what it remembers, and what it has stored.
#[derive(Default)]
struct Object {
    authority: Option<Authority>,
    rows: BTreeMap<String, Vec<u8>>,
}

impl Object {
    /// `ask` in `edge/src/limiter_do.rs`.
    fn ask(&mut self, question: &Question, now: Duration, random: u64) -> Vec<u8> {
        let authority = self.authority.get_or_insert_with(|| Authority::new(random));
        for key in authority.unknown(question) {
            authority.load(key, self.rows.get(key).map(Vec::as_slice), now);
        }
        let (answer, writes) = authority.answer(question, now).unwrap();
        self.rows.extend(writes.into_iter().map(|write| (write.key, write.row)));
        answer.encode()
    }

    fn row(&self, question: &Question) -> Option<Vec<u8>> {
        self.rows.get(question.keys().next()?).cloned()
    }

    fn usage(&mut self, question: &Question, now: Duration, random: u64) -> Vec<u8> {
        let row = self.row(question);
        let authority = self.authority.get_or_insert_with(|| Authority::new(random));
        authority.look(question, row.as_deref(), now).unwrap().encode()
    }

    fn reset(&mut self, question: &Question, now: Duration, random: u64) -> Vec<u8> {
        let row = self.row(question);
        let authority = self.authority.get_or_insert_with(|| Authority::new(random));
        let write = authority.clear(question, row.as_deref(), now).unwrap();
        self.rows.insert(write.key, write.row);
        self.usage(question, now, random)
    }
}

/// Everything outside of the edges.
pub(super) struct World {
    pub(super) now: Cell<Duration>,
    pub(super) limiter: Cell<Behaviour>,
    pub(super) purge_log: Cell<Behaviour>,
    pub(super) down: RefCell<Vec<String>>,
    random: Cell<u64>,
    secrets: BTreeMap<String, String>,
    scripts: BTreeMap<String, Vec<Reply>>,
    /// How often each list of replies was asked, by server and path.
    turns: RefCell<BTreeMap<(String, Option<String>), usize>>,
    received: RefCell<Vec<Received>>,
    objects: RefCell<BTreeMap<String, Object>>,
    purges: RefCell<PurgeLog>,
    pub(super) behind: Objects,
    pub(super) copies: RefCell<Copies>,
    calls: RefCell<BTreeMap<Call, usize>>,
}

impl World {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let value = |value: &Secret| match value {
            Secret::Text(text) => text.clone(),
            Secret::Key { key } => secret(key),
        };
        Self {
            now: Cell::new(START),
            limiter: Cell::new(Behaviour::Up),
            purge_log: Cell::new(Behaviour::Up),
            down: RefCell::default(),
            random: Cell::new(seed),
            secrets: scenario.secrets.iter().map(|(name, secret)| (name.clone(), value(secret))).collect(),
            scripts: scenario.origins.clone(),
            turns: RefCell::default(),
            received: RefCell::default(),
            objects: RefCell::default(),
            purges: RefCell::new(PurgeLog::begin(seed)),
            behind: Objects::default(),
            copies: RefCell::default(),
            calls: RefCell::default(),
        }
    }

    /// What the servers got since the last look.
    pub(super) fn take_received(&self) -> Vec<Received> {
        self.received.take()
    }

    /// How often the platform was called since the last look.
    pub(super) fn take_calls(&self) -> BTreeMap<Call, usize> {
        self.calls.take()
    }

    pub(super) fn count(&self, call: Call) {
        *self.calls.borrow_mut().entry(call).or_default() += 1;
    }

    pub(super) fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }

    /// SplitMix64, as the edge has it.
    pub(super) fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Asks a Durable Object. `None` when it doesn't answer.
    pub(super) fn ask(&self, object: &str, purpose: Purpose, message: &[u8]) -> Option<Vec<u8>> {
        self.count(Call::Limiter);
        if self.limiter.get() != Behaviour::Up {
            return None;
        }
        let question = Question::decode(message).unwrap();
        let mut objects = self.objects.borrow_mut();
        let object = objects.entry(object.to_owned()).or_default();
        let (now, random) = (self.now.get(), self.random());
        Some(match purpose {
            Purpose::Decide => object.ask(&question, now, random),
            Purpose::Usage => object.usage(&question, now, random),
            Purpose::Reset => object.reset(&question, now, random),
        })
    }

    /// Asks the purge log. `None` when it doesn't answer.
    pub(super) fn ask_purge_log(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.count(Call::PurgeLog);
        if self.purge_log.get() != Behaviour::Up {
            return None;
        }
        let question = purge::Question::decode(message).unwrap();
        let (delta, _rows, _forgotten) = self.purges.borrow_mut().answer(&question);
        Some(delta.encode())
    }

    /// Sends a request to the server that the URL names: `https://NAME.test/…`.
    pub(super) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &Headers,
        body: Option<&str>,
        timeout: Duration,
    ) -> Outcome {
        let (server, target) = address(url);
        if self.down.borrow().contains(&server) {
            return Outcome::Failed;
        }
        let reply = self.reply(&server, &target);
        self.received.borrow_mut().push(Received {
            server: server.clone(),
            method: method.to_owned(),
            target,
            headers: headers.clone(),
            body: body.unwrap_or_default().to_owned(),
        });
        if reply.drop {
            return Outcome::Failed;
        }
        if reply.delay > timeout {
            return Outcome::TimedOut;
        }
        let mut response = response(&server, &reply, headers);
        if method == "HEAD" || matches!(response.status, 204 | 304) {
            response.body.clear();
        }
        Outcome::Answered(response)
    }

    /// The replies for this path, else those for any path; in order, the last one again and again.
    fn reply(&self, server: &str, target: &str) -> Reply {
        let script = self.scripts.get(server).map_or(&[][..], Vec::as_slice);
        let asked = target.split('?').next();
        let path = script.iter().find_map(|reply| reply.path.clone().filter(|path| Some(path.as_str()) == asked));
        let replies: Vec<&Reply> = script.iter().filter(|reply| reply.path == path).collect();
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry((server.to_owned(), path)).or_default();
        let reply = replies.get(*turn).or(replies.last()).copied().cloned().unwrap_or_default();
        *turn += 1;
        reply
    }
}

/// A server's name and what it is asked for.
fn address(url: &str) -> (String, String) {
    let rest = url.strip_prefix("https://").unwrap();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let server = host.strip_suffix(".test").unwrap_or_else(|| panic!("{url} is no https://NAME.test"));
    (server.to_owned(), format!("/{path}"))
}

fn response(server: &str, reply: &Reply, request: &Headers) -> Response {
    let mut headers = Headers::default();
    for (name, lines) in &reply.headers {
        lines.iter().for_each(|line| headers.add(name, line));
    }
    let body = match (&reply.keys, &reply.echo, &reply.body) {
        (Some(keys), _, _) => key_set(keys),
        (None, Some(names), _) => {
            names.iter().map(|name| request.get(name).unwrap_or_default()).collect::<Vec<_>>().join("|")
        }
        (None, None, Some(body)) => body.clone(),
        (None, None, None) => server.to_owned(),
    };
    Response { status: reply.status.unwrap_or(200), headers, body }
}
