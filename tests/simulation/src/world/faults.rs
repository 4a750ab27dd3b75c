//! What goes wrong, as it goes wrong.

use std::rc::Rc;

use super::isolate::Isolate;
use super::queue::Event;
use super::{LONGEST_LEASE, World, tell};
use crate::oracle::Mark;
use crate::plan::{Fault, Kind};

impl World {
    pub(super) fn fault(&mut self, index: usize) {
        let plan = Rc::clone(&self.plan);
        let (_, fault) = &plan.faults[index];
        tell!(self, "FAULT {fault:?}");
        self.counts.faults += 1;
        match *fault {
            Fault::Restart => self.restart(true),
            Fault::Supersede => self.restart(false),
            Fault::Prune => self.prune(),
            Fault::Kill { isolate } => self.kill(isolate),
            Fault::Partition { isolate, millis } => self.isolates[isolate].cut_off_until = self.now + millis,
            Fault::Outage { millis } => self.object.away_until = self.now + millis,
            Fault::Overload { millis } => self.object.overloaded_until = self.now + millis,
            Fault::Step { isolate, by } => self.step(isolate, by),
            Fault::Change { limit, ref kind, millis } => self.change(limit, kind, millis),
            Fault::Reset { limit, key } => self.reset(limit, key),
        }
    }

    fn kill(&mut self, isolate: usize) {
        let life = self.isolates[isolate].life + 1;
        let cut_off_until = self.isolates[isolate].cut_off_until;
        let adopted = self.isolates[isolate].adopted.clone();
        let plan = Rc::clone(&self.plan);
        self.isolates[isolate] = Isolate { cut_off_until, adopted, ..Isolate::new(&plan, &mut self.random, life) };
    }

    fn step(&mut self, isolate: usize, by: i64) {
        self.isolates[isolate].clock.step(by);
        if let Ok(millis) = u64::try_from(by) {
            self.mark_all(|_| true, self.now, &Mark::Jumped(millis));
        }
        if by > 0 {
            self.isolates[isolate].set_forward_at = Some(self.now);
        }
        // What ran when the clock was set may be too old for the isolate now.
        let running =
            self.requests.iter().enumerate().filter(|(_, request)| request.allowed && request.isolate == isolate);
        let running: Vec<usize> = running.map(|(index, _)| index).collect();
        for request in running {
            for index in 0..self.requests[request].parts.len() {
                let (limit, key) = self.requests[request].parts[index];
                if by > 0 && matches!(self.plan.limits[limit].kind, Kind::Concurrency { .. }) {
                    self.mark(limit, key, self.now, Mark::Ended { request });
                }
            }
        }
    }

    fn change(&mut self, limit: usize, kind: &Kind, millis: u64) {
        self.allowances[limit][1] = kind.allowance();
        for key in 0..self.marks[limit].len() {
            self.mark(limit, key, self.now, Mark::Changing(kind.clone()));
        }
        for isolate in 0..self.isolates.len() {
            let at = self.now + self.random.between(0, millis);
            self.queue.add(at, Event::Adopt { isolate, limit });
        }
        let longest_question = self.plan.network.deadline_ms + 5_000;
        self.queue.add(self.now + millis + longest_question + LONGEST_LEASE, Event::Changed { limit });
    }

    /// From here on only the new numbers count.
    pub(super) fn changed(&mut self, limit: usize) {
        for key in 0..self.marks[limit].len() {
            self.mark(limit, key, self.now, Mark::Changed);
        }
    }
}
