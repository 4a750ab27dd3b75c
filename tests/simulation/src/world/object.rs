//! The object: instances that come and go, and the rows that stay.
//!
//! What the platform promises, and what is modelled here: an event starts only on the latest instance; rows are stored
//! in order, after a while; a reply leaves when all rows written before it are stored; an instance that was superseded
//! can neither read nor write, and its replies that wait for rows never leave.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tidegate_rate_limit::{Authority, Question, Write};

use super::isolate::signed;
use super::queue::{Event, Reply};
use super::{World, tell};
use crate::clock::{Clock, Moment};
use crate::mutation::Mutation;
use crate::plan::{Kind, Plan};
use crate::random::Random;
use crate::report::Violation;

/// The object with its storage.
pub(super) struct Object {
    /// The last one is the object; the others do not know yet that they are not.
    pub(super) instances: Vec<Instance>,
    rows: BTreeMap<String, (Vec<u8>, u64)>,
    /// The rows as they were some writes ago.
    old_rows: BTreeMap<String, (Vec<u8>, u64)>,
    pub(super) away_until: Moment,
    pub(super) overloaded_until: Moment,
    started: u64,
    /// The latest time that the object's clock showed, in milliseconds since the epoch.
    shown: u64,
}

/// One instance of the object.
pub(super) struct Instance {
    number: u64,
    pub(super) authority: Authority,
    pub(super) clock: Clock,
    /// What waits for the storage, in order.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    writes: Vec<Write>,
    reply: Option<(usize, Reply)>,
}

impl Object {
    pub(super) fn new(plan: &Plan, random: &mut Random) -> Object {
        let (rows, old_rows) = (BTreeMap::new(), BTreeMap::new());
        let shown = u64::try_from(plan.epoch_ms).unwrap();
        let mut object =
            Object { instances: vec![], rows, old_rows, away_until: 0, overloaded_until: 0, started: 0, shown };
        object.start(plan, random, 0);
        object
    }

    /// Starts an instance, whose clock differs from the one before by as much as two machines may.
    fn start(&mut self, plan: &Plan, random: &mut Random, now: Moment) {
        self.started += 1;
        let mut clock = Clock::new(plan.epoch_ms, signed(random, plan.clocks.drift_ppm));
        let before = self.instances.last().map_or(clock.millis(now), |instance| instance.clock.millis(now));
        let apart = signed(random, plan.clocks.apart_ms);
        clock.step(i64::try_from(before).unwrap() - i64::try_from(clock.millis(now)).unwrap() + apart);
        let authority = Authority::new(random.bits());
        self.instances.push(Instance { number: self.started, authority, clock, waiting: VecDeque::new() });
    }

    /// What the object's clock shows: never less than it showed before.
    pub(super) fn shows(&mut self, at: Moment) -> u64 {
        if let Some(instance) = self.instances.last() {
            self.shown = self.shown.max(instance.clock.millis(at));
        }
        self.shown
    }
}

impl World {
    /// A question reaches the object.
    pub(super) fn question(&mut self, call: usize) {
        if !self.healed && self.now < self.object.away_until {
            return;
        }
        if !self.healed && self.now < self.object.overloaded_until {
            return self.reply(call, Reply::Overloaded);
        }
        let last = self.object.instances.len() - 1;
        let mistaken = self.plan.mutation == Some(Mutation::AwaitsBeforeAnswering);
        let index = if mistaken { self.random.below(last + 1) } else { last };
        if let Err(reason) = self.decide(index, call) {
            tell!(self, "call {call} fails: {reason}");
            self.broken(Violation::Failed { reason });
        }
    }

    fn decide(&mut self, index: usize, call: usize) -> Result<(), String> {
        let question = Question::decode(&self.calls[call].bytes).map_err(|error| error.to_string())?;
        let superseded = index + 1 < self.object.instances.len();
        let unknown: Vec<String> =
            self.object.instances[index].authority.unknown(&question).into_iter().map(str::to_owned).collect();
        if superseded && !unknown.is_empty() {
            self.object.instances.remove(index);
            return Ok(());
        }
        let now = self.object.instances[index].clock.read(self.now);
        for key in &unknown {
            let row = self.row(index, key);
            self.object.instances[index].authority.load(key, row.as_deref(), now);
        }
        let (answer, writes) =
            self.object.instances[index].authority.answer(&question, now).map_err(|error| error.to_string())?;
        if superseded && !writes.is_empty() {
            self.object.instances.remove(index);
            return Ok(());
        }
        tell!(self, "call {call} answered by instance {index}: {answer:?} rows {}", writes.len());
        let shown = self.object.shows(self.now);
        let number = self.object.instances[index].number;
        // A question that was answered before was charged then.
        let before = self.calls[call].decided.iter().find(|(by, ..)| *by == number).copied();
        let (_, decided, shown) = before.unwrap_or((number, self.now, shown));
        if before.is_none() {
            self.calls[call].decided.push((number, decided, shown));
        }
        let reply = Reply::Answer { bytes: answer.encode().into(), decided, shown };
        self.write(index, writes, Some((call, reply)));
        self.check_usage(index);
        Ok(())
    }

    /// Rows go to the storage, and the reply after them.
    fn write(&mut self, index: usize, writes: Vec<Write>, mut reply: Option<(usize, Reply)>) {
        self.counts.rows += u64::try_from(writes.len()).unwrap();
        if self.plan.mutation == Some(Mutation::RepliesBeforeRows)
            && let Some((call, reply)) = reply.take()
        {
            self.reply(call, reply);
        }
        let Instance { number, ref mut waiting, .. } = self.object.instances[index];
        if writes.is_empty() && waiting.is_empty() {
            if let Some((call, reply)) = reply {
                self.reply(call, reply);
            }
            return;
        }
        waiting.push_back(Waiting { writes, reply });
        self.queue.add(self.now + self.plan.store_ms, Event::Stored { instance: number });
    }

    /// The oldest rows of an instance are stored.
    pub(super) fn stored(&mut self, number: u64) {
        let instances = &mut self.object.instances;
        let Some(index) = instances.iter().position(|instance| instance.number == number) else { return };
        let Some(Waiting { writes, reply }) = instances[index].waiting.pop_front() else { return };
        if index + 1 < instances.len() {
            if !writes.is_empty() {
                // The storage refuses it, and with it all that still waits.
                instances.remove(index);
            }
            return;
        }
        self.object.old_rows.clone_from(&self.object.rows);
        for Write { key, row, forget_after_ms } in writes {
            self.object.rows.insert(key, (row, forget_after_ms));
        }
        if let Some((call, reply)) = reply {
            self.reply(call, reply);
        }
    }

    /// What an instance reads: its own rows before they are stored, then what is stored.
    fn row(&self, index: usize, key: &str) -> Option<Vec<u8>> {
        let waiting = self.object.instances[index].waiting.iter().rev();
        let mut own = waiting.flat_map(|waiting| waiting.writes.iter().rev());
        if let Some(write) = own.find(|write| write.key == key) {
            return Some(write.row.clone());
        }
        let old = self.plan.mutation == Some(Mutation::OldRowsLoaded);
        let rows = if old { &self.object.old_rows } else { &self.object.rows };
        rows.get(key).map(|(row, _)| row.clone())
    }

    /// The object starts anew; `gone` says whether the last instance is over.
    pub(super) fn restart(&mut self, gone: bool) {
        let before = self.object.instances.last().map(|instance| instance.clock.millis(self.now));
        let last = self.object.instances.len() - 1;
        if gone {
            let mut waiting = std::mem::take(&mut self.object.instances[last].waiting);
            // Some of what waited may still be stored, but no reply leaves.
            let stored = if waiting.is_empty() { 0 } else { self.random.below(waiting.len() + 1) };
            for Waiting { writes, .. } in waiting.drain(..stored) {
                self.object
                    .rows
                    .extend(writes.into_iter().map(|write| (write.key, (write.row, write.forget_after_ms))));
            }
        }
        if self.plan.mutation == Some(Mutation::RowsForgotten) {
            self.object.rows.clear();
        }
        let plan = Rc::clone(&self.plan);
        self.object.start(&plan, &mut self.random, self.now);
        if gone {
            self.object.instances.remove(last);
        }
        let after = self.object.instances.last().map(|instance| instance.clock.millis(self.now));
        if let (Some(before), Some(after)) = (before, after)
            && after > before
        {
            self.mark_all(|_| true, self.now, &crate::oracle::Mark::Jumped(after - before));
        }
    }

    /// The alarm of the object.
    pub(super) fn prune(&mut self) {
        let Some(Instance { authority, clock, .. }) = self.object.instances.last_mut() else { return };
        let (now, millis) = (clock.read(self.now), clock.millis(self.now));
        authority.prune(now);
        self.object.rows.retain(|_, (_, forget_after)| *forget_after > millis);
    }

    /// An operator resets a key.
    pub(super) fn reset(&mut self, limit: usize, key: usize) {
        let name = Rc::clone(&self.marks[limit][key].name);
        let index = self.object.instances.len() - 1;
        let now = self.object.instances[index].clock.read(self.now);
        let authority = &mut self.object.instances[index].authority;
        let known = authority.usage(&name, now).is_some();
        let write = authority.reset(&name, now);
        // What is in progress is not forgotten.
        if (known || write.is_some()) && !matches!(self.plan.limits[limit].kind, Kind::Concurrency { .. }) {
            self.mark(limit, key, self.now, crate::oracle::Mark::Reset);
        }
        self.write(index, write.into_iter().collect(), None);
    }
}
