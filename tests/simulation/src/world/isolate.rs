//! An isolate: what it holds, and what it does with a request.

use tidegate_rate_limit::{Admission, Charge, Decided, Decision, Failure, Holder, Receipt, Verdict, Want};

use super::queue::{Event, Reply};
use super::{Request, World, tell};
use crate::clock::{Clock, Moment};
use crate::oracle::Mark;
use crate::plan::{Kind, Plan};
use crate::random::Random;
use crate::report::Violation;

/// The name of the one object.
const OBJECT: &str = "object";

/// One isolate, and the ones that took its place.
pub(super) struct Isolate {
    pub(super) holder: Holder,
    pub(super) clock: Clock,
    /// How many died in this place.
    pub(super) life: u32,
    /// When its clock was set forward last.
    pub(super) set_forward_at: Option<Moment>,
    /// Until when nothing reaches it.
    pub(super) cut_off_until: Moment,
    /// For each limit whether it has the new numbers.
    pub(super) adopted: Vec<bool>,
    pub(super) receipts: Vec<(usize, Receipt)>,
}

impl Isolate {
    pub(super) fn new(plan: &Plan, random: &mut Random, life: u32) -> Isolate {
        // An isolate's clock may show anything: nothing may depend on what it shows, only on how it goes on. But a
        // calendar's windows are named by the time, so they are near the truth.
        let base = if plan.clocks.are_right() { 0 } else { signed(random, 2_000) };
        let drift = signed(random, plan.clocks.drift_ppm);
        let clock = Clock::new(plan.epoch_ms + base, drift);
        let adopted = vec![false; plan.limits.len()];
        let (holder, receipts) = (Holder::new(random.bits()), Vec::new());
        Isolate { holder, clock, life, set_forward_at: None, cut_off_until: 0, adopted, receipts }
    }

    pub(super) fn adopt(&mut self, limit: usize) {
        self.adopted[limit] = true;
    }
}

/// How long a client is told to wait, in milliseconds.
fn wait(verdict: &Verdict) -> u64 {
    match verdict {
        Verdict::Denied { retry_after, .. } | Verdict::Closed { retry_after } => {
            u64::try_from(retry_after.as_millis()).unwrap() + 1
        }
        Verdict::Allowed { .. } | Verdict::Open => 0,
    }
}

/// How the object decided a request.
pub(super) struct Answered {
    /// When, and what its clock showed.
    at: Moment,
    shown: u64,
    /// The same of when it was asked.
    asked: (Moment, u64),
    /// For each want, what the isolate had taken by then.
    taken: Vec<(u64, u64)>,
}

pub(super) fn signed(random: &mut Random, most: u64) -> i64 {
    i64::try_from(random.between(0, most * 2)).unwrap() - i64::try_from(most).unwrap()
}

impl World {
    /// A client's request reaches an isolate.
    pub(super) fn request(&mut self, isolate: usize, parts: Vec<(usize, usize)>, probe: bool) {
        let wants = parts.iter().map(|&(limit, key)| self.want(isolate, limit, key, probe)).collect();
        let (life, came) = (self.isolates[isolate].life, self.now);
        self.requests.push(Request { isolate, life, parts, wants, came, allowed: false, wait: 0, probe });
        let request = self.requests.len() - 1;
        self.counts.requests += u64::from(!probe);
        let random = self.random.bits();
        let Isolate { holder, clock, .. } = &mut self.isolates[isolate];
        let wants = &self.requests[request].wants;
        match holder.admit(OBJECT, wants, clock.read(self.now), random) {
            Admission::Decided(decision) => self.decided(request, decision, None),
            Admission::Ask(ask) => {
                self.counts.asks += u64::from(!probe);
                self.call(isolate, ask, Some(request));
            }
        }
    }

    fn want(&mut self, isolate: usize, limit: usize, key: usize, probe: bool) -> Want {
        let spec = &self.plan.limits[limit];
        let allowance = self.allowances[limit][usize::from(self.isolates[isolate].adopted[limit])].clone();
        let most = u64::from(spec.most_cost).min(allowance.capacity());
        let cost = if probe { 1 } else { u32::try_from(self.random.between(1, most)).unwrap() };
        let charge = if spec.settled { Charge::Reserved } else { Charge::Final };
        let name = &mut self.marks[limit][key];
        name.used = true;
        Want::new(std::rc::Rc::clone(&name.name), allowance, cost)
            .unwrap()
            .with_accuracy(spec.accuracy)
            .with_unreachable(spec.when_unreachable)
            .with_mode(spec.mode)
            .with_charge(charge)
    }

    /// What came of a request, and how the object was asked, if it was.
    pub(super) fn decided(&mut self, request: usize, decision: Decision, answered: Option<Answered>) {
        let Decision { verdicts, allowed, receipt, refresh, decided } = decision;
        let Request { isolate, probe, .. } = self.requests[request];
        tell!(
            self,
            "request {request} at {isolate}: {} by {decided:?} {verdicts:?}",
            if allowed { "PASS" } else { "-" }
        );
        let refused = |(want, verdict): (&Want, &Verdict)| !verdict.is_allowed() && want.mode() != super::SHADOW;
        let any_refused = self.requests[request].wants.iter().zip(&verdicts).any(refused);
        if verdicts.len() != self.requests[request].wants.len() || allowed == any_refused {
            self.broken(Violation::Inconsistent { request });
        }
        self.requests[request].allowed = allowed;
        self.requests[request].wait = verdicts.iter().map(wait).max().unwrap_or(0);
        if !probe {
            self.counts.from_memory += u64::from(decided == Decided::Lease);
            self.counts.admitted += u64::from(allowed);
            let nobody = decided == Decided::Unreachable;
            self.counts.open += u64::from(allowed && nobody);
            self.counts.closed += u64::from(!allowed && nobody);
        }
        if let Some(ask) = refresh {
            self.counts.refreshes += u64::from(!probe);
            self.call(isolate, ask, None);
        }
        if allowed {
            self.admitted(request, &verdicts, answered.as_ref().filter(|_| decided == Decided::Authority));
        }
        if let Some(receipt) = receipt {
            self.isolates[isolate].receipts.push((request, receipt));
        }
        if allowed || self.isolates[isolate].receipts.last().is_some_and(|(last, _)| *last == request) {
            let takes = if allowed { self.random.scaled(20, 2_000) } else { 0 };
            self.queue.add(self.now + takes, Event::End { request });
        }
    }

    fn admitted(&mut self, request: usize, verdicts: &[Verdict], answered: Option<&Answered>) {
        let now = self.now;
        for (index, verdict) in verdicts.iter().enumerate() {
            let (limit, key) = self.requests[request].parts[index];
            let cost = u64::from(self.requests[request].wants[index].cost());
            // What passes because nobody answered is no promise of the limit, and a shadow that refuses charges nothing.
            if !matches!(verdict, Verdict::Allowed { .. }) {
                continue;
            }
            let Some(&Answered { at, shown, asked, ref taken }) = answered else {
                let shown = self.object.shows(now);
                self.mark(limit, key, now, Mark::Admitted { request, cost, before: (0, 1), shown });
                continue;
            };
            let before = taken[index];
            let counts_running = matches!(self.plan.limits[limit].kind, Kind::Concurrency { .. });
            if counts_running {
                self.mark(limit, key, now, Mark::Passed { request, cost });
            }
            if counts_running && self.gave_up_since(asked.0, request) {
                continue;
            }
            if before.0 > 0 {
                let shown = asked.1;
                self.mark(limit, key, asked.0, Mark::Taken { request, cost, part: before, shown });
            }
            self.mark(limit, key, at, Mark::Admitted { request, cost, before, shown });
        }
    }

    /// Whether the isolate may have given up what was held for a request that it had asked for at `asked`: its clock was set
    /// forward since. If the request passes, it is started with what is there then.
    fn gave_up_since(&self, asked: Moment, request: usize) -> bool {
        let isolate = &self.isolates[self.requests[request].isolate];
        isolate.set_forward_at.is_some_and(|at| at >= asked)
    }

    /// The origin is done: what is unknown becomes known, and what was held is given back.
    pub(super) fn end(&mut self, request: usize) {
        let Request { isolate, life, allowed, .. } = self.requests[request];
        let now = self.now;
        if allowed {
            for index in 0..self.requests[request].parts.len() {
                let (limit, key) = self.requests[request].parts[index];
                if matches!(self.plan.limits[limit].kind, Kind::Concurrency { .. }) {
                    self.mark(limit, key, now, Mark::Ended { request });
                }
            }
        }
        if self.isolates[isolate].life != life {
            return;
        }
        let receipts = &mut self.isolates[isolate].receipts;
        let Some(position) = receipts.iter().position(|(of, _)| *of == request) else { return };
        let (_, mut receipt) = receipts.swap_remove(position);
        for index in 0..self.requests[request].parts.len() {
            let (limit, key) = self.requests[request].parts[index];
            let want = &self.requests[request].wants[index];
            if allowed && want.charge() == Charge::Reserved {
                let cost = u64::from(want.cost());
                let actual = self.random.between(0, cost + cost / 2);
                let Isolate { holder, clock, .. } = &mut self.isolates[isolate];
                holder.settle(&mut receipt, index, u32::try_from(actual).unwrap(), clock.read(now));
                self.mark(limit, key, now, Mark::Settled { request, cost: actual });
            }
        }
        let Isolate { holder, clock, .. } = &mut self.isolates[isolate];
        if let Some(ask) = holder.release(receipt, clock.read(now)) {
            self.counts.refreshes += 1;
            self.call(isolate, ask, None);
        }
    }

    /// An answer reaches an isolate, or the news that there is none.
    pub(super) fn answer(&mut self, call: usize, reply: &Reply) {
        let asked = self.calls[call].asked;
        let Some((isolate, ask, request)) = self.close(call) else { return };
        let random = self.random.bits();
        let Isolate { holder, clock, .. } = &mut self.isolates[isolate];
        let now = clock.read(self.now);
        let failure = match reply {
            Reply::Answer { .. } | Reply::Failed => Failure::Unreachable,
            Reply::Overloaded => Failure::Overloaded,
        };
        let Some(request) = request else {
            match reply {
                Reply::Answer { bytes, .. } => holder.refreshed(&ask, Ok(bytes), now, random),
                Reply::Failed | Reply::Overloaded => holder.refreshed(&ask, Err(failure), now, random),
            }
            return;
        };
        let wants = &self.requests[request].wants;
        let (decision, answered) = match reply {
            Reply::Answer { bytes, decided, shown } => {
                let taken = (0..wants.len()).map(|index| ask.taken(index)).collect();
                let answered = Answered { at: *decided, shown: *shown, asked, taken };
                (holder.answered(&ask, wants, bytes, now, random), Some(answered))
            }
            Reply::Failed | Reply::Overloaded => (holder.failed(&ask, wants, failure, now, random), None),
        };
        self.decided(request, decision, answered);
    }
}
