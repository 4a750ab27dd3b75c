//! The world of one schedule: a queue of events, and everybody who takes part.

mod faults;
mod isolate;
mod judgement;
mod object;
mod queue;
mod wire;

use std::rc::Rc;

use tidegate_rate_limit::mutation::make;
use tidegate_rate_limit::{Allowance, Mode, Want};

use crate::clock::Moment;
use crate::mutation::Mutation;
use crate::oracle::Mark;
use crate::plan::{Kind, Plan};
use crate::random::Random;
use crate::report::{Counts, Outcome, Violation};

use isolate::Isolate;
use object::Object;
use queue::{Event, Queue};
use wire::Call;

/// What was lent is live for no longer, in milliseconds.
const LONGEST_LEASE: Moment = 13_000;

const SHADOW: Mode = Mode::Shadow;

/// Everything that takes part in one schedule.
pub struct World {
    plan: Rc<Plan>,
    random: Random,
    now: Moment,
    queue: Queue,
    isolates: Vec<Isolate>,
    object: Object,
    calls: Vec<Call>,
    requests: Vec<Request>,
    /// For each limit its numbers before and after the change of configuration.
    allowances: Vec<[Allowance; 2]>,
    /// For each limit and key what happened to it.
    marks: Vec<Vec<Key>>,
    /// Whether failures are over: from here on nothing is lost and nobody is slow.
    healed: bool,
    counts: Counts,
    violation: Option<Violation>,
    trace: Option<Vec<String>>,
}

/// One key of a limit, and what happened to it.
struct Key {
    name: Rc<str>,
    marks: Vec<(Moment, Mark)>,
    /// Whether any request wanted it.
    used: bool,
}

/// A request of a client.
struct Request {
    isolate: usize,
    life: u32,
    /// For each want: its limit and key.
    parts: Vec<(usize, usize)>,
    wants: Vec<Want>,
    came: Moment,
    allowed: bool,
    /// How long it was told to wait, in milliseconds.
    wait: u64,
    /// Long after everything: it must be let through.
    probe: bool,
}

/// Adds a line to the trace, if somebody wants one.
macro_rules! tell {
    ($world:expr, $($words:tt)*) => {
        if $world.trace.is_some() {
            let line = format!($($words)*);
            $world.line(line);
        }
    };
}
use tell;

impl World {
    /// Runs a schedule to its end and judges it.
    pub fn run(plan: Plan) -> Outcome {
        World::new(plan, None).finish()
    }

    /// Does the same and tells what happens.
    pub fn traced(plan: Plan) -> Outcome {
        World::new(plan, Some(Vec::new())).finish()
    }

    fn new(plan: Plan, trace: Option<Vec<String>>) -> World {
        let plan = Rc::new(plan);
        let mut random = Random::new(plan.seed ^ 0x5851_f42d_4c95_7f2d);
        let object = Object::new(&plan, &mut random);
        let isolates = (0..plan.isolates.len()).map(|_| Isolate::new(&plan, &mut random, 0)).collect();
        let allowances = plan.limits.iter().map(|limit| [limit.kind.allowance(), limit.kind.allowance()]).collect();
        let key =
            |limit: usize, key: usize| Key { name: format!("l{limit}/k{key}").into(), marks: vec![], used: false };
        let keys =
            |(limit, spec): (usize, &crate::plan::Limit)| (0..spec.keys.len()).map(|of| key(limit, of)).collect();
        let marks = plan.limits.iter().enumerate().map(keys).collect();
        let mut queue = Queue::default();
        queue.add(0, Event::Load { at_us: 0, size: 0 });
        for (index, (at, _)) in plan.faults.iter().enumerate() {
            queue.add(*at, Event::Fault { index });
        }
        let (calls, requests, counts) = (Vec::new(), Vec::new(), Counts { schedules: 1, ..Counts::default() });
        let (now, healed, violation) = (0, false, None);
        World {
            plan,
            random,
            now,
            queue,
            isolates,
            object,
            calls,
            requests,
            allowances,
            marks,
            healed,
            counts,
            violation,
            trace,
        }
    }

    fn finish(mut self) -> Outcome {
        make(match self.plan.mutation {
            Some(Mutation::Inside(mistake)) => Some(mistake),
            _ => None,
        });
        self.go_on();
        self.probe();
        make(None);
        self.judge();
        self.counts.violations = u64::from(self.violation.is_some());
        let shares = self.shares();
        Outcome { counts: self.counts, violation: self.violation, trace: self.trace.unwrap_or_default(), shares }
    }

    /// Lets events happen until there are none left.
    fn go_on(&mut self) {
        while let Some((at, event)) = self.queue.next() {
            self.now = at;
            self.counts.events += 1;
            match event {
                Event::Load { at_us, size } => self.load(at_us, size),
                Event::Question { call } => self.question(call),
                Event::Stored { instance } => self.stored(instance),
                Event::Answer { call, answer } => self.answer(call, &answer),
                Event::Again { call } => self.send(call),
                Event::Deadline { call } => self.deadline(call),
                Event::End { request } => self.end(request),
                Event::Fault { index } => self.fault(index),
                Event::Adopt { isolate, limit } => self.isolates[isolate].adopt(limit),
                Event::Changed { limit } => self.changed(limit),
            }
        }
    }

    /// So many requests come now, and the next ones are known.
    fn load(&mut self, at_us: u64, size: u64) {
        let plan = Rc::clone(&self.plan);
        for _ in 0..size {
            let isolate = self.random.weighted(&plan.isolates);
            let parts = self.parts();
            self.request(isolate, parts, false);
        }
        let (next_us, size) = plan.load.next(&mut self.random, at_us);
        let at = crate::plan::moment(next_us);
        if at < plan.end {
            self.queue.add(at, Event::Load { at_us: next_us, size });
        }
    }

    /// The limits and keys of a request: the first limit, and others by chance.
    fn parts(&mut self) -> Vec<(usize, usize)> {
        let plan = Rc::clone(&self.plan);
        let mut parts = Vec::with_capacity(plan.limits.len());
        for (limit, spec) in plan.limits.iter().enumerate() {
            if limit == 0 || self.random.permille(plan.also_permille) {
                parts.push((limit, self.random.weighted(&spec.keys)));
            }
        }
        parts
    }

    fn mark(&mut self, limit: usize, key: usize, at: Moment, mark: Mark) {
        tell!(self, "  mark l{limit}/k{key} at {at}: {mark:?}");
        self.marks[limit][key].marks.push((at, mark));
    }

    /// Marks all keys of all limits of a kind.
    fn mark_all(&mut self, limits: impl Fn(&Kind) -> bool, at: Moment, mark: &Mark) {
        for (limit, spec) in self.plan.limits.iter().enumerate() {
            if limits(&spec.kind) {
                for key in &mut self.marks[limit] {
                    key.marks.push((at, mark.clone()));
                }
            }
        }
    }

    fn broken(&mut self, violation: Violation) {
        tell!(self, "BROKEN {violation:?}");
        self.violation.get_or_insert(violation);
    }

    fn line(&mut self, words: String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6}.{:03} {words}", now / 1_000, now % 1_000));
        }
    }
}
