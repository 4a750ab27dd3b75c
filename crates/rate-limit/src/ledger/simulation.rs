//! A Durable Object over a long time: many keys, several limits per request, restarts that lose all memory but the
//! rows, superseded instances that go on from memory until they touch storage, and clocks that disagree.

#![allow(clippy::arithmetic_side_effects)]

use super::*;

const START: u128 = 1_795_000_000_000_000_000;
const MILLI: u128 = 1_000_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The token bucket of the definition, exact: a request is `per` parts, and `requests` parts come back per nanosecond.
struct Definition {
    rate: Rate,
    parts: i128,
    updated: u128,
}

impl Definition {
    fn new(rate: Rate, now: u128) -> Definition {
        Definition { rate, parts: Definition::full(&rate), updated: now }
    }

    fn full(rate: &Rate) -> i128 {
        i128::from(rate.burst()) * i128::from(rate.per_nanos())
    }

    /// Takes the cost out and returns for how many nanoseconds the bucket is overdrawn then.
    fn admit(&mut self, cost: u32, now: u128) -> u128 {
        let requests = i128::from(self.rate.requests());
        let earned = i128::try_from(now - self.updated).unwrap() * requests;
        self.parts = Definition::full(&self.rate).min(self.parts + earned);
        self.updated = now;
        self.parts -= i128::from(cost) * i128::from(self.rate.per_nanos());
        (-self.parts).max(0).unsigned_abs().div_ceil(requests.unsigned_abs())
    }
}

struct Instance {
    ledger: Ledger,
    /// How far its clock is ahead.
    ahead: u128,
    superseded: bool,
}

#[derive(Default)]
struct Seen {
    admitted: usize,
    admitted_by_superseded: usize,
    denied: usize,
    died_at_storage: usize,
    superseded: usize,
    crashed: usize,
    written: usize,
    /// The furthest that any bucket of the definition was overdrawn, in nanoseconds.
    overdrawn: u128,
}

struct World {
    random: Random,
    now: u128,
    rates: Vec<Rate>,
    /// The clock of an instance is ahead by less than this.
    clocks: u128,
    rows: BTreeMap<String, StoredTat>,
    /// The last one owns the storage.
    instances: Vec<Instance>,
    definitions: BTreeMap<String, Definition>,
    seen: Seen,
}

impl World {
    fn new(seed: u64, clocks: u128) -> World {
        let mut random = Random(seed);
        let rates = (0..3)
            .map(|_| {
                let requests = 1 + u32::try_from(random.below(40)).unwrap();
                let per = Duration::from_millis(1 + u64::try_from(random.below(20_000)).unwrap());
                let burst = [1, 9, 40, 400][random.below(4)] + u32::try_from(random.below(10)).unwrap();
                Rate::new(requests, per, burst).unwrap()
            })
            .collect();
        let (rows, definitions) = (BTreeMap::new(), BTreeMap::new());
        let mut world =
            World { random, now: START, rates, clocks, rows, instances: vec![], definitions, seen: Seen::default() };
        world.start();
        world
    }

    fn start(&mut self) {
        let clocks = usize::try_from(self.clocks).unwrap();
        let ahead = if clocks == 0 { 0 } else { u128::try_from(self.random.below(clocks)).unwrap() };
        let ledger = Ledger { max_keys: 20, ..Ledger::new() };
        self.instances.push(Instance { ledger, ahead, superseded: false });
    }

    fn step(&mut self) {
        self.pass_time();
        let last = self.instances.len() - 1;
        match self.random.below(400) {
            0 => {
                self.instances.pop();
                self.seen.crashed += 1;
                self.start();
            }
            1..=2 => {
                self.instances[last].superseded = true;
                self.seen.superseded += 1;
                self.start();
            }
            3 => {
                let instance = &mut self.instances[last];
                let clock = duration(self.now + instance.ahead);
                instance.ledger.prune(clock);
                self.rows.retain(|_, row| *row > StoredTat::forgettable(clock));
            }
            _ => {
                let index = if self.random.percent(50) { last } else { self.random.below(last + 1) };
                self.ask(index);
            }
        }
    }

    /// Mostly nothing or little, so that buckets run empty; now and then long enough for every bucket to fill.
    fn pass_time(&mut self) {
        let share = u128::try_from(self.random.below(1_000)).unwrap();
        let rate = self.rates[self.random.below(self.rates.len())];
        let most = match self.random.below(1_000) {
            0..=699 => 0,
            700..=997 => u128::from(rate.interval_nanos().get()),
            998 => u128::from(rate.fill_nanos()),
            _ => u128::from(rate.fill_nanos()) + CLOCK_TOLERANCE.as_nanos(),
        };
        self.now += most * share / 1_000;
    }

    /// One to three limits, each with a hot key that most requests have and many cold ones.
    fn request(&mut self) -> SpendRequest {
        let mut limits = Vec::new();
        let first = self.random.below(self.rates.len());
        for (index, rate) in self.rates.iter().enumerate() {
            if index != first && self.random.percent(70) {
                continue;
            }
            let key = if self.random.percent(90) { 0 } else { 1 + self.random.below(20) };
            let cost = 1 + self.random.below(usize::try_from(rate.burst().min(3)).unwrap());
            limits.push(Spend::new(format!("{index}/{key}"), *rate, u32::try_from(cost).unwrap()).unwrap());
        }
        SpendRequest::new(limits).unwrap()
    }

    fn ask(&mut self, index: usize) {
        let request = self.request();
        let instance = &mut self.instances[index];
        let unknown = instance.ledger.unknown(&request);
        if instance.superseded && !unknown.is_empty() {
            return self.die(index);
        }
        for key in unknown {
            instance.ledger.load(key, self.rows.get(key).copied());
        }
        let (reply, writes) = instance.ledger.spend(&request, duration(self.now + instance.ahead)).unwrap();
        if instance.superseded && !writes.is_empty() {
            return self.die(index);
        }
        self.seen.written += writes.len();
        self.rows.extend(writes.into_iter().map(|write| (write.key, write.tat)));
        if !reply.allowed() {
            self.seen.denied += 1;
            return;
        }
        self.seen.admitted += 1;
        self.seen.admitted_by_superseded += usize::from(self.instances[index].superseded);
        for spend in request.limits() {
            let definition = self.definitions.entry(spend.key().to_owned());
            let definition = definition.or_insert_with(|| Definition::new(*spend.rate(), START));
            self.seen.overdrawn = self.seen.overdrawn.max(definition.admit(spend.cost(), self.now));
        }
    }

    /// Storage refuses a superseded instance: its reply never leaves, whatever it charged in memory.
    fn die(&mut self, index: usize) {
        self.instances.remove(index);
        self.seen.died_at_storage += 1;
    }
}

fn run(seeds: std::ops::Range<u64>, clocks: u128, check: impl Fn(u64, &Seen)) -> Seen {
    let mut total = Seen::default();
    for seed in seeds {
        let mut world = World::new(seed, clocks);
        for _ in 0..2_000 {
            world.step();
        }
        check(seed, &world.seen);
        total.admitted += world.seen.admitted;
        total.admitted_by_superseded += world.seen.admitted_by_superseded;
        total.denied += world.seen.denied;
        total.died_at_storage += world.seen.died_at_storage;
        total.superseded += world.seen.superseded;
        total.crashed += world.seen.crashed;
        total.written += world.seen.written;
        total.overdrawn = total.overdrawn.max(world.seen.overdrawn);
    }
    total
}

#[test]
fn instances_that_agree_on_the_time_never_admit_more_than_one_would() {
    let seen = run(0..300, 0, |seed, seen| assert_eq!(seen.overdrawn, 0, "seed {seed}"));
    // The run means something only if all of this happened often.
    for (count, least) in [
        (seen.admitted, 50_000),
        (seen.admitted_by_superseded, 500),
        (seen.denied, 50_000),
        (seen.died_at_storage, 1_000),
        (seen.superseded, 2_000),
        (seen.crashed, 1_000),
        (seen.written, 10_000),
    ] {
        assert!(count >= least, "{count} < {least}");
    }
}

#[test]
fn instances_whose_clocks_differ_admit_on_top_at_most_what_the_rate_gives_in_the_difference() {
    for clocks in [MILLI, 200 * MILLI, CLOCK_TOLERANCE.as_nanos()] {
        let seen = run(0..60, clocks, |seed, seen| assert!(seen.overdrawn <= clocks, "seed {seed}"));
        assert!(seen.admitted_by_superseded > 100);
        // Clocks that differ do cost something: the allowance is not there for nothing.
        assert!(clocks == MILLI || seen.overdrawn > clocks / 2, "{} of {clocks}", seen.overdrawn);
    }
}
