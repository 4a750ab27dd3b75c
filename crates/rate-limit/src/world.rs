//! For tests: isolates, a network and an object, under one clock.

#![allow(clippy::arithmetic_side_effects)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::{Admission, Allowance, Ask, Authority, Decided, Decision, Failure, Holder, Question, Rate, Want};

/// A moment in 2026, so that the arithmetic is that of a real clock.
const START: u64 = 1_795_000_000_000_000_000;
pub(crate) const MILLI: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;
const TIMEOUT: u64 = SECOND;

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The token bucket of the definition, exact: a request is `per` parts, and `requests` parts come back per nanosecond.
pub(crate) struct Definition {
    rate: Rate,
    parts: i128,
    updated: u64,
}

impl Definition {
    /// Returns whether in every interval at most the burst and what the rate gives was admitted, by when and how much. If
    /// not, says when and by how many requests the bucket was overdrawn first.
    pub(crate) fn check(rate: &Rate, admitted: &[(u64, u32)]) -> Result<(), String> {
        let mut admitted = admitted.to_vec();
        admitted.sort_unstable();
        let full = i128::from(rate.burst()) * i128::from(rate.per_nanos());
        let mut bucket = Definition { rate: *rate, parts: full, updated: 0 };
        for (at, cost) in admitted {
            let earned = i128::from(at - bucket.updated) * i128::from(bucket.rate.requests());
            bucket.parts = full.min(bucket.parts + earned) - i128::from(cost) * i128::from(bucket.rate.per_nanos());
            bucket.updated = at;
            if bucket.parts < 0 {
                let over = -bucket.parts as f64 / bucket.rate.per_nanos() as f64;
                return Err(format!("{over} requests too many at {} ms", (at - START) / MILLI));
            }
        }
        Ok(())
    }
}

/// How bad the world is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Weather {
    /// One way, at most, in milliseconds.
    pub(crate) latency_ms: u64,
    /// One way, always: nothing overtakes anything.
    pub(crate) steady_us: u64,
    pub(crate) lost_percent: u64,
    pub(crate) doubled_percent: u64,
    /// Chance that the object restarts before it answers, in thousandths.
    pub(crate) restart_permille: u64,
    /// Chance that an isolate dies before a request, in thousandths.
    pub(crate) death_permille: u64,
    /// The object cannot be reached from, until.
    pub(crate) outage: (u64, u64),
}

enum Event {
    Arrive { call: usize, bytes: Vec<u8> },
    Reply { call: usize, bytes: Vec<u8>, at: u64, answered: bool },
    TimeOut { call: usize },
}

struct Call {
    holder: usize,
    generation: u64,
    ask: Option<Ask>,
    /// None for a refresh.
    wants: Option<Vec<Want>>,
    decided_at: Option<u64>,
}

/// What happened.
#[derive(Default, Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) asks: u64,
    pub(crate) refreshes: u64,
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) by_lease: u64,
    pub(crate) unreachable: u64,
    pub(crate) rows: u64,
    pub(crate) restarts: u64,
    /// Per key: when, and how much.
    pub(crate) admitted: BTreeMap<String, Vec<(u64, u32)>>,
}

impl Seen {
    pub(crate) fn calls_per_request(&self) -> f64 {
        (self.asks + self.refreshes) as f64 / self.requests as f64
    }
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) now: u64,
    pub(crate) weather: Weather,
    pub(crate) authority: Authority,
    pub(crate) rows: BTreeMap<String, (Vec<u8>, u64)>,
    pub(crate) holders: Vec<Holder>,
    generations: Vec<u64>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    queued: BTreeMap<u64, Event>,
    serial: u64,
    calls: Vec<Call>,
    pub(crate) seen: Seen,
    pub(crate) decisions: Vec<(usize, Decision)>,
    pub(crate) keep_decisions: bool,
}

impl World {
    pub(crate) fn new(seed: u64, holders: usize, weather: Weather) -> World {
        let mut random = Random(seed);
        let ids: Vec<u64> = (0..holders).map(|_| random.next()).collect();
        World {
            now: START,
            weather,
            authority: Authority::new(random.next()),
            random,
            rows: BTreeMap::new(),
            holders: ids.into_iter().map(Holder::new).collect(),
            generations: vec![0; holders],
            events: BinaryHeap::new(),
            queued: BTreeMap::new(),
            serial: 0,
            calls: Vec::new(),
            seen: Seen::default(),
            decisions: Vec::new(),
            keep_decisions: false,
        }
    }

    fn clock(&self) -> Duration {
        // A Worker's clock has milliseconds.
        Duration::from_millis(self.now / MILLI)
    }

    pub(crate) fn elapsed(&self) -> u64 {
        self.now - START
    }

    fn later(&mut self, delay: u64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((self.now + delay, self.serial)));
        self.queued.insert(self.serial, event);
    }

    /// Lets time pass, and what is under way happen.
    pub(crate) fn run_until(&mut self, until: u64) {
        while let Some(&Reverse((at, serial))) = self.events.peek() {
            if at > until {
                break;
            }
            self.events.pop();
            self.now = self.now.max(at);
            if let Some(event) = self.queued.remove(&serial) {
                self.happen(event);
            }
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn pass(&mut self, time: u64) {
        self.run_until(self.now + time);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { call, bytes } => {
                let (bytes, answered) = self.serve(&bytes);
                // A question that comes twice is decided once.
                let at = *self.calls[call].decided_at.get_or_insert(self.now);
                let delay = self.latency();
                if !self.random.percent(self.weather.lost_percent) {
                    self.later(delay, Event::Reply { call, bytes, at, answered });
                }
            }
            Event::Reply { call, bytes, at, answered } => {
                if self.calls[call].generation != self.generations[self.calls[call].holder] {
                    return;
                }
                let Some(ask) = self.calls[call].ask.take() else { return };
                let (holder, now, random) = (self.calls[call].holder, self.clock(), self.random.next());
                match self.calls[call].wants.take() {
                    Some(wants) => {
                        let decision = self.holders[holder].answered(&ask, &wants, &bytes, now, random);
                        let at = if answered && decision.decided == Decided::Authority { at } else { self.now };
                        self.decided(holder, &wants, decision, at);
                    }
                    None => self.holders[holder].refreshed(&ask, Ok(&bytes), now, random),
                }
            }
            Event::TimeOut { call } => {
                if self.calls[call].generation != self.generations[self.calls[call].holder] {
                    return;
                }
                let Some(ask) = self.calls[call].ask.take() else { return };
                let (holder, now, random) = (self.calls[call].holder, self.clock(), self.random.next());
                match self.calls[call].wants.take() {
                    Some(wants) => {
                        let decision = self.holders[holder].failed(&ask, &wants, Failure::Unreachable, now, random);
                        self.decided(holder, &wants, decision, self.now);
                    }
                    None => self.holders[holder].refreshed(&ask, Err(Failure::Unreachable), now, random),
                }
            }
        }
    }

    fn serve(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        if self.random.below(1_000) < self.weather.restart_permille {
            self.restart();
        }
        let (elapsed, now) = (self.elapsed(), self.clock());
        if elapsed >= self.weather.outage.0 && elapsed < self.weather.outage.1 {
            return (Vec::new(), false);
        }
        let question = Question::decode(bytes).unwrap();
        for key in self.authority.unknown(&question) {
            let row = self.rows.get(key).map(|(row, _)| row.as_slice());
            self.authority.load(key, row, now);
        }
        let (answer, writes) = self.authority.answer(&question, now).unwrap();
        for write in writes {
            self.seen.rows += 1;
            self.rows.insert(write.key, (write.row, write.forget_after_ms));
        }
        (answer.encode(), true)
    }

    pub(crate) fn restart(&mut self) {
        self.seen.restarts += 1;
        let now_ms = self.now / MILLI;
        self.rows.retain(|_, (_, forget_after_ms)| *forget_after_ms > now_ms);
        self.authority = Authority::new(self.random.next());
    }

    pub(crate) fn kill(&mut self, holder: usize) {
        self.generations[holder] += 1;
        self.holders[holder] = Holder::new(self.random.next());
    }

    fn latency(&mut self) -> u64 {
        if self.weather.steady_us > 0 {
            return self.weather.steady_us * 1_000;
        }
        if self.weather.latency_ms == 0 { 0 } else { self.random.below(self.weather.latency_ms * MILLI) }
    }

    fn send(&mut self, holder: usize, ask: Ask, wants: Option<Vec<Want>>) {
        let bytes = ask.encode();
        let call = self.calls.len();
        let generation = self.generations[holder];
        self.calls.push(Call { holder, generation, ask: Some(ask), wants, decided_at: None });
        if !self.random.percent(self.weather.lost_percent) {
            let delay = self.latency();
            self.later(delay, Event::Arrive { call, bytes: bytes.clone() });
        }
        if self.random.percent(self.weather.doubled_percent) {
            let delay = self.latency() * 3;
            self.later(delay, Event::Arrive { call, bytes });
        }
        self.later(TIMEOUT, Event::TimeOut { call });
    }

    /// A request comes to an isolate.
    pub(crate) fn request(&mut self, holder: usize, wants: &[Want]) {
        if self.random.below(1_000) < self.weather.death_permille {
            self.kill(holder);
        }
        self.seen.requests += 1;
        let (now, random) = (self.clock(), self.random.next());
        match self.holders[holder].admit("object", wants, now, random) {
            Admission::Decided(decision) => self.decided(holder, wants, decision, self.now),
            Admission::Ask(ask) => {
                self.seen.asks += 1;
                self.send(holder, ask, Some(wants.to_vec()));
            }
        }
        if self.weather.latency_ms == 0 && self.weather.steady_us == 0 {
            self.run_until(self.now);
        }
    }

    fn decided(&mut self, holder: usize, wants: &[Want], mut decision: Decision, at: u64) {
        match decision.decided {
            Decided::Lease => self.seen.by_lease += 1,
            Decided::Unreachable => self.seen.unreachable += 1,
            Decided::Authority => {}
        }
        if decision.allowed {
            self.seen.allowed += 1;
            for (want, verdict) in wants.iter().zip(&decision.verdicts) {
                if verdict.is_allowed() {
                    let admitted = self.seen.admitted.entry(want.key().to_string()).or_default();
                    admitted.push((at / MILLI * MILLI, want.cost()));
                }
            }
        } else {
            self.seen.denied += 1;
        }
        if let Some(ask) = decision.refresh.take() {
            self.seen.refreshes += 1;
            self.send(holder, ask, None);
        }
        if self.keep_decisions {
            self.decisions.push((holder, decision));
        }
    }

    /// Sends a request at once and returns its decision: no latency.
    pub(crate) fn ask(&mut self, holder: usize, wants: &[Want]) -> Decision {
        self.keep_decisions = true;
        self.request(holder, wants);
        self.decisions.pop().unwrap().1
    }
}

pub(crate) fn rate(requests: u32, per: Duration, burst: u32) -> Rate {
    Rate::new(requests, per, burst).unwrap()
}

pub(crate) fn want(key: &str, rate: Rate, cost: u32) -> Want {
    Want::new(key, Allowance::Rate(rate), cost).unwrap()
}

mod measured;
mod memory;
mod schedules;
mod spread;
mod users;
