//! When everything is over: was every rule kept?

use std::rc::Rc;
use std::time::Duration;

use tidegate_rate_limit::{Accuracy, Allowance};

use super::{Key, Request, World, tell};
use crate::clock::{Clock, Moment};
use crate::oracle::{self, Mark, Meaning};
use crate::plan::{Fault, Kind};
use crate::report::Violation;

/// After so long nothing that was lent is live, whatever was lent: the slices for outages live longest.
const QUIET: u64 = 660_000;

impl World {
    /// After a long quiet time every key has room again: nothing is lost for ever.
    pub(super) fn probe(&mut self) {
        self.now = self.now.max(self.plan.end) + QUIET;
        self.healed = true;
        for isolate in &mut self.isolates {
            // Nothing was lent to it for long, so that it may go back: a calendar's windows are named by the time.
            isolate.clock = Clock::new(self.plan.epoch_ms, 0);
        }
        for instance in &mut self.object.instances {
            instance.clock.put_right(self.now);
        }
        self.now = self.quiet_until();
        tell!(self, "QUIET until here");
        for limit in 0..self.plan.limits.len() {
            for key in 0..self.plan.limits[limit].keys.len() {
                if self.marks[limit][key].used {
                    self.probe_key(limit, key);
                }
            }
        }
    }

    /// Asks, and asks again as often as told to wait: what passed while nobody answered is paid first.
    fn probe_key(&mut self, limit: usize, key: usize) {
        let isolate = self.random.below(self.isolates.len());
        for _ in 0..3 {
            self.request(isolate, vec![(limit, key)], true);
            let request = self.requests.len() - 1;
            self.go_on();
            let Request { allowed, wait, .. } = self.requests[request];
            if allowed {
                return;
            }
            self.now += wait;
        }
        self.broken(Violation::Stuck { limit, key });
    }

    /// The moment at which every limit, however much was used of it, has room.
    fn quiet_until(&self) -> Moment {
        let mut until = self.now;
        for (limit, spec) in self.plan.limits.iter().enumerate() {
            for allowance in &self.allowances[limit] {
                let quiet = match allowance {
                    Allowance::Rate(rate) => millis(rate.fill_time()),
                    Allowance::Window(window) => millis(window.per()) * 2,
                    Allowance::Concurrency(concurrency) => millis(concurrency.timeout()),
                    Allowance::Quota(_) => {
                        let shown = u64::try_from(self.plan.epoch_ms).unwrap() + self.now;
                        oracle::next_window(&spec.kind, shown) - shown + 10_000
                    }
                };
                until = until.max(self.now + quiet + 1_000);
            }
        }
        until
    }

    /// Judges what was let through.
    pub(super) fn judge(&mut self) {
        let plan = Rc::clone(&self.plan);
        let wrong = |(_, fault): &(Moment, Fault)| matches!(fault, Fault::Step { .. });
        let right = plan.clocks.are_right() && !plan.faults.iter().any(wrong);
        let clocks = if right { oracle::Clocks::Right } else { oracle::Clocks::Off };
        for (limit, spec) in plan.limits.iter().enumerate() {
            let debt = self.debt(limit);
            for key in 0..spec.keys.len() {
                let mut marks = std::mem::take(&mut self.marks[limit][key].marks);
                if let Some(excess) = oracle::judge(&spec.kind, clocks, debt, &mut marks) {
                    self.broken(Violation::Excess { limit, key, excess });
                }
            }
        }
        if !plan.limits.iter().any(|limit| matches!(limit.kind, Kind::Concurrency { .. })) {
            self.counts.ideal = self.ideal();
            self.counts.compared = self.counts.admitted;
        }
    }

    /// What a limit that is bounded, not exact, may exceed its numbers by: so much for each isolate that ever was.
    fn debt(&self, limit: usize) -> u64 {
        let Accuracy::Bounded { parts_per_million } = self.plan.limits[limit].accuracy else { return 0 };
        let capacity = self.allowances[limit].iter().map(Allowance::capacity).max().unwrap();
        let isolates: u64 = self.isolates.iter().map(|isolate| u64::from(isolate.life) + 1).sum();
        capacity * u64::from(parts_per_million) / 64_000_000 * isolates
    }

    /// How many requests a limiter without any distance and any failure would have let through.
    fn ideal(&self) -> u64 {
        let epoch = u64::try_from(self.plan.epoch_ms).unwrap();
        let new = |kind: &Kind| Meaning::new(kind, oracle::Clocks::Right, 0);
        let keys = |spec: &crate::plan::Limit| spec.keys.iter().map(|_| new(&spec.kind)).collect::<Vec<_>>();
        let mut meanings: Vec<Vec<Meaning>> = self.plan.limits.iter().map(keys).collect();
        let mut ideal = 0;
        for (index, request) in self.requests.iter().enumerate().filter(|(_, request)| !request.probe) {
            let (at, shown) = (request.came, epoch + request.came);
            let fits = request.parts.iter().zip(&request.wants).all(|(&(limit, key), want)| {
                want.mode() == super::SHADOW || meanings[limit][key].room(at, shown) >= i64::from(want.cost())
            });
            if !fits {
                continue;
            }
            ideal += 1;
            for (&(limit, key), want) in request.parts.iter().zip(&request.wants) {
                let cost = u64::from(want.cost());
                let _ =
                    meanings[limit][key].follow(at, &Mark::Admitted { request: index, cost, before: (0, 1), shown });
            }
        }
        ideal
    }

    /// For each isolate, how many of its requests were let through in the second half.
    pub(super) fn shares(&self) -> Vec<u64> {
        let mut shares = vec![0; self.isolates.len()];
        let half = self.plan.end / 2..self.plan.end;
        for request in self.requests.iter().filter(|request| request.allowed && half.contains(&request.came)) {
            shares[request.isolate] += 1;
        }
        shares
    }

    /// What the object says about its keys: it never lends more than there is.
    pub(super) fn check_usage(&mut self, index: usize) {
        if !self.plan.seed.is_multiple_of(8) {
            return;
        }
        let instance = &self.object.instances[index];
        let now = instance.clock.read(self.now);
        let mut overlent = None;
        for (limit, keys) in self.marks.iter().enumerate() {
            let capacity = self.allowances[limit].iter().map(Allowance::capacity).max().unwrap();
            for (key, Key { name, .. }) in keys.iter().enumerate() {
                let Some(usage) = instance.authority.usage(name, now) else { continue };
                if usage.lent > capacity || usage.remaining + usage.lent > capacity {
                    overlent = Some(Violation::Overlent { limit, key });
                }
            }
        }
        if let Some(violation) = overlent {
            self.broken(violation);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap() + 1
}
