//! A fleet of edges around one purge log and one object that coalesces misses, as a seeded simulation: messages take
//! their time and overtake each other, fillers die, purges race with fills.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tidegate_http_cache::fill::{Ask, Filled, Fills, Lease, Refusal, Said};
use tidegate_http_cache::purge::{
    Believed, Delta, Generation, Generations, Manner, Place, PurgeLog, Readiness, Stamp, Target,
};

const EDGES: usize = 4;
const TTL: u64 = 5_000;
const LEASE: u64 = 3_000;
const PATIENCE: u64 = 10_000;
const PROMISE: u64 = 2_000;

#[derive(Clone, Copy)]
struct Weather {
    /// Of 100 fillers, so many die.
    deaths: u64,
    /// Whether anything is ever purged.
    purges: bool,
    /// Of 100 questions to the log, so many get no answer.
    lost: u64,
}

/// A response, wherever it lies. The body is the number of the origin's write that it shows.
#[derive(Clone)]
struct Response {
    body: u64,
    stamp: Stamp,
    fresh_until: u64,
    version: u64,
}

#[derive(Clone)]
struct Request {
    edge: usize,
    key: usize,
    came: u64,
    refuse: Option<Refusal>,
}

enum Event {
    Client(usize, usize),
    /// The log's answer to a question that was sent then; the request, if any, goes on with it.
    News {
        edge: usize,
        sent: u64,
        delta: Option<Delta>,
        then: Option<(Request, Option<Response>)>,
    },
    AskObject(Request, Option<Generation>),
    /// The object's answer arrives.
    Told(Request, Said, Option<Response>),
    /// A waiter's time is up.
    Awake(u64),
    Fetched {
        request: Request,
        lease: Option<Lease>,
        sent: u64,
        generation: Option<Generation>,
        body: u64,
    },
    Brought {
        key: usize,
        filled: Filled,
        response: Response,
    },
    Write(usize),
    Purge(usize, u64),
    Receipt(usize, u64),
    Background {
        edge: usize,
        sent: u64,
    },
}

struct Fleet {
    now: u64,
    random: u64,
    weather: Weather,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
    tables: Vec<Generations>,
    colos: Vec<HashMap<usize, Response>>,
    log: PurgeLog,
    fills: Fills,
    bodies: HashMap<usize, Response>,
    waiting: BTreeMap<u64, (Request, Option<Generation>)>,
    written: Vec<u64>,
    /// For each key: receipts, as (when, the write that was purged for).
    receipts: Vec<Vec<(u64, u64)>>,
    fetches: Vec<Vec<u64>>,
    served: usize,
    longest: u64,
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(1_000_000 + milliseconds)
}

fn path(key: usize) -> String {
    format!("/items/{key}")
}

impl Fleet {
    fn new(seed: u64, keys: usize, weather: Weather) -> Self {
        Self {
            now: 0,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            weather,
            events: BTreeMap::new(),
            next: 0,
            tables: (0..EDGES).map(|_| Generations::default()).collect(),
            colos: vec![HashMap::new(); EDGES],
            log: PurgeLog::begin(seed),
            fills: Fills::new(seed),
            bodies: HashMap::new(),
            waiting: BTreeMap::new(),
            written: vec![0; keys],
            receipts: vec![Vec::new(); keys],
            fetches: vec![Vec::new(); keys],
            served: 0,
            longest: 0,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    fn at(&mut self, time: u64, event: Event) {
        self.next += 1;
        self.events.insert((time, self.next), event);
    }

    fn after(&mut self, most: u64, event: Event) {
        let delay = 1 + self.draw(most);
        self.at(self.now + delay, event);
    }

    fn run(&mut self) {
        while let Some(((time, _), event)) = self.events.pop_first() {
            self.now = time;
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Client(edge, key) => {
                let request = Request { edge, key, came: self.now, refuse: None };
                let found = self.colos[edge].get(&key).cloned();
                self.look(request, found);
            }
            Event::News { edge, sent, delta, then } => {
                match delta {
                    Some(delta) => self.tables[edge].apply(delta, ms(sent)),
                    None => self.tables[edge].failed(ms(sent)),
                }
                if let Some((request, found)) = then {
                    self.look(request, found);
                }
            }
            Event::Background { edge, sent } => self.question(edge, sent, None),
            Event::AskObject(request, generation) => self.ask(request, generation),
            Event::Told(request, said, body) => self.told(request, said, body),
            Event::Awake(waiter) => {
                if let Some((request, generation)) = self.waiting.remove(&waiter) {
                    self.ask(request, generation);
                }
            }
            Event::Fetched { request, lease, sent, generation, body } => {
                self.fetched(request, lease, sent, generation, body);
            }
            Event::Brought { key, filled, mut response } => {
                if let Some(kept) = self.fills.filled(&key.to_string(), &filled, ms(self.now)) {
                    response.version = kept.version;
                    self.bodies.insert(key, response);
                }
                self.wake(key);
            }
            Event::Write(key) => {
                self.written[key] += 1;
                let write = self.written[key];
                self.after(500, Event::Purge(key, write));
            }
            Event::Purge(key, write) => {
                let target = match self.draw(3) {
                    0 => Target::tag(&format!("item {key}")),
                    1 => Target::url(None, &path(key), None),
                    _ => Target::prefix(Some("a.example"), &path(key)),
                };
                self.log.append(&[target], Manner::Hard);
                self.after(200, Event::Receipt(key, write));
            }
            Event::Receipt(key, write) => self.receipts[key].push((self.now, write)),
        }
    }

    /// A question to the log arrives there, and its answer on the way back.
    fn question(&mut self, edge: usize, sent: u64, then: Option<(Request, Option<Response>)>) {
        let lost = self.draw(100) < self.weather.lost;
        let delta = (!lost).then(|| self.log.since(self.tables[edge].generation()));
        self.after(150, Event::News { edge, sent, delta, then });
    }

    /// An edge has looked, and has found this.
    fn look(&mut self, request: Request, found: Option<Response>) {
        let edge = request.edge;
        let mut believed_at_all = true;
        match self.tables[edge].readiness(ms(self.now)) {
            Readiness::Known | Readiness::Unreachable => {}
            Readiness::Ask => return self.question(edge, self.now, Some((request, found))),
            Readiness::Lost => believed_at_all = false,
        }
        if self.tables[edge].begin_question(ms(self.now)) {
            let sent = self.now;
            self.after(150, Event::Background { edge, sent });
        }
        let mut request = request;
        if let Some(response) = found {
            let path = path(request.key);
            let place = Place { host: "a.example", path: &path, query: None };
            let believed = self.tables[edge].judge(&response.stamp, &place);
            if believed_at_all && believed == Believed::Current && self.now < response.fresh_until {
                self.colos[edge].insert(request.key, response.clone());
                return self.serve(&request, response.body);
            }
            let purged = match believed {
                Believed::Gone { by } => Some(by),
                _ => None,
            };
            request.refuse = Some(Refusal { version: response.version, purged });
        }
        if self.now >= request.came + 2 * PATIENCE {
            return self.fetch(request, None);
        }
        let generation = self.tables[edge].generation();
        self.after(100, Event::AskObject(request, generation));
    }

    fn ask(&mut self, request: Request, generation: Option<Generation>) {
        let until = ms(request.came + PATIENCE);
        let (refuse, random) = (request.refuse, self.draw(u64::MAX));
        let ask = Ask { refuse, generation, refresh: false, lease: Duration::from_millis(LEASE), until, random };
        match self.fills.ask(&request.key.to_string(), &ask, ms(self.now)) {
            Said::Wait { until } => {
                self.next += 1;
                let waiter = self.next;
                self.waiting.insert(waiter, (request, generation));
                let until = u64::try_from((until - ms(0)).as_millis()).unwrap();
                self.at(until, Event::Awake(waiter));
            }
            said => {
                let body = matches!(said, Said::Hit { .. }).then(|| self.bodies[&request.key].clone());
                self.after(100, Event::Told(request, said, body));
            }
        }
    }

    fn told(&mut self, request: Request, said: Said, body: Option<Response>) {
        match said {
            Said::Hit { refresh: Some(lease), .. } => self.fetch(request, Some(lease)),
            Said::Hit { refresh: None, .. } => self.look(request, body),
            Said::Fill(lease) => self.fetch(request, Some(lease)),
            Said::Pass | Said::TooLarge => self.fetch(request, None),
            Said::Wait { .. } | Said::Busy => panic!("{said:?}"),
        }
    }

    fn fetch(&mut self, request: Request, lease: Option<Lease>) {
        let (sent, took) = (self.now, 50 + self.draw(900));
        self.fetches[request.key].push(sent);
        let generation = self.tables[request.edge].generation();
        // The origin reads its data at the start or at the end.
        let body = self.written[request.key];
        if self.draw(100) >= self.weather.deaths {
            self.at(sent + took, Event::Fetched { request, lease, sent, generation, body });
        }
    }

    fn fetched(&mut self, request: Request, lease: Option<Lease>, sent: u64, generation: Option<Generation>, old: u64) {
        let body = if self.draw(2) == 0 { old } else { self.written[request.key] };
        let tag = format!("item {}", request.key);
        let stamp = Stamp::new(generation, [Target::tag(&tag)]);
        let response = Response { body, stamp, fresh_until: self.now + TTL, version: 0 };
        self.colos[request.edge].insert(request.key, response.clone());
        if let Some(lease) = lease {
            let until = ms(response.fresh_until);
            let filled = Filled {
                lease: lease.number,
                generation,
                sent: ms(sent),
                arrived: ms(self.now),
                fresh_until: until,
                keep_until: until,
                durable: false,
            };
            // Some are slow to say so.
            let most = if self.weather.purges && self.draw(10) == 0 { 4_000 } else { 100 };
            self.after(most, Event::Brought { key: request.key, filled, response });
        }
        // Who fetched it gets it, however old it has become meanwhile: as without a cache.
        self.served += 1;
        self.longest = self.longest.max(self.now - request.came);
    }

    fn wake(&mut self, key: usize) {
        let woken = self.waiting.iter().filter(|(_, (request, _))| request.key == key).map(|(waiter, _)| *waiter);
        for waiter in woken.collect::<Vec<_>>() {
            self.handle(Event::Awake(waiter));
        }
    }

    /// A stored response is served.
    fn serve(&mut self, request: &Request, body: u64) {
        self.served += 1;
        self.longest = self.longest.max(self.now - request.came);
        if self.weather.lost == 0 {
            for (received, write) in &self.receipts[request.key] {
                assert!(
                    self.now <= received + PROMISE || body >= *write,
                    "edge {} serves write {body} of key {} at {}, {write} was purged with a receipt at {received}",
                    request.edge,
                    request.key,
                    self.now
                );
            }
        }
    }
}

/// A minute of traffic, in bursts.
fn minute(seed: u64, weather: Weather) -> Fleet {
    const KEYS: usize = 3;
    let mut fleet = Fleet::new(seed, KEYS, weather);
    let mut clients = 0;
    for _ in 0..60 {
        let (start, key) = (fleet.draw(60_000), fleet.draw(KEYS as u64) as usize);
        for _ in 0..1 + fleet.draw(20) {
            let (edge, at) = (fleet.draw(EDGES as u64) as usize, start + fleet.draw(50));
            fleet.at(at, Event::Client(edge, key));
            clients += 1;
        }
        if weather.purges && fleet.draw(3) == 0 {
            let at = start + fleet.draw(2_000);
            fleet.at(at, Event::Write(key));
        }
    }
    fleet.run();
    if weather.deaths == 0 {
        assert_eq!(fleet.served, clients, "seed {seed}: everybody is answered");
    }
    fleet
}

const CALM: Weather = Weather { deaths: 0, purges: false, lost: 0 };

#[test]
fn one_fetch_per_key_and_lifetime() {
    for seed in 0..100 {
        let fleet = minute(seed, CALM);
        for fetches in &fleet.fetches {
            for pair in fetches.windows(2) {
                assert!(pair[1] - pair[0] >= TTL, "seed {seed}: {fetches:?}");
            }
        }
    }
}

#[test]
fn a_thousand_misses_at_once_are_one_fetch() {
    for seed in 0..20 {
        let mut fleet = Fleet::new(seed, 1, CALM);
        (0..1_000).for_each(|client| fleet.at(client % 20, Event::Client(client as usize % EDGES, 0)));
        fleet.run();
        assert_eq!((fleet.fetches[0].len(), fleet.served), (1, 1_000), "seed {seed}");
    }
}

#[test]
fn nobody_is_served_what_was_purged_two_seconds_ago() {
    for seed in 0..300 {
        minute(seed, Weather { purges: true, ..CALM });
    }
}

#[test]
fn nor_when_fillers_die() {
    for seed in 0..300 {
        let fleet = minute(seed, Weather { deaths: 20, purges: true, lost: 0 });
        // Whoever waits for the dead gets a lease himself, or gives up waiting.
        assert!(fleet.longest <= PATIENCE + 3_000, "seed {seed}: {}", fleet.longest);
    }
}

#[test]
fn a_log_that_answers_seldom_keeps_nobody_waiting() {
    for seed in 0..100 {
        let fleet = minute(seed, Weather { purges: true, lost: 70, ..CALM });
        assert!(fleet.longest <= 2 * PATIENCE + 3_000, "seed {seed}: {}", fleet.longest);
    }
}
