//! Isolates that borrow plain requests from an account, over a network that delays, repeats and loses what they say.

#![allow(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{Account, Borrower, Report};
use crate::answer::Loan;
use crate::question::{Held, Remains, Terms};
use crate::verdict::Verdict;

pub(super) const MS: u128 = 1_000_000;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A request comes to an isolate, which asks if it has nothing.
    Request(usize),
    /// An isolate renews its lease in the background.
    Refresh(usize),
    /// A message arrives; it may arrive again.
    Deliver(usize, bool),
    /// A message is lost.
    Lose(usize),
    /// The object starts again from its row.
    Restart,
    /// An isolate is gone, and with it what it had.
    Kill(usize),
}

/// Schedules with pauses of around `pause` milliseconds.
pub(super) fn schedules(pause: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..=pause / 20).prop_map(Step::Pass),
        1 => (0..=pause * 2).prop_map(Step::Pass),
        12 => (0..3_usize).prop_map(Step::Request),
        2 => (0..3_usize).prop_map(Step::Refresh),
        10 => (0..4_usize, prop::bool::weighted(0.1)).prop_map(|(index, again)| Step::Deliver(index, again)),
        1 => (0..4_usize).prop_map(Step::Lose),
        1 => Just(Step::Restart),
        1 => (0..3_usize).prop_map(Step::Kill),
    ];
    prop::collection::vec(step, 1..400)
}

#[derive(Clone, Debug)]
struct Question {
    holder: u64,
    sequence: u64,
    sent: u128,
    waits: bool,
    reserve: bool,
    held: Option<Held>,
    remains: Option<Remains>,
}

#[derive(Clone, Debug)]
enum Message {
    Question(Question),
    Answer { holder: u64, sequence: u64, sent: u128, loan: Option<Loan>, reserve: Option<Loan> },
}

/// What the isolate's code does with leases, in its simplest form.
#[derive(Clone, Debug, Default)]
struct Isolate {
    id: u64,
    sequence: u64,
    lease: Option<(u64, u64, u128)>,
    reserve: Option<(u64, u64, u128)>,
    frozen: Option<Remains>,
}

impl Isolate {
    fn roll(&mut self, now: u128) {
        if let Some((id, left, expiry)) = self.lease
            && expiry <= now
        {
            self.lease = None;
            self.frozen = Some(Remains { id, left });
        }
        self.reserve = self.reserve.filter(|(_, _, expiry)| *expiry > now);
    }

    fn receive(&mut self, sequence: u64, loan: Loan, expiry: u128, now: u128) {
        self.roll(now);
        if expiry <= now || self.frozen.is_some_and(|frozen| frozen.id >= sequence) {
            return;
        }
        match &mut self.lease {
            Some((id, _, _)) if *id >= sequence => {}
            Some((id, left, until)) => (*id, *left, *until) = (sequence, *left + loan.deposit, expiry.max(*until)),
            None => self.lease = Some((sequence, loan.deposit, expiry)),
        }
    }
}

/// An account at its object, and everything around it.
pub(super) struct World<'a> {
    terms: &'a dyn Fn(u128) -> Terms,
    pub(super) account: Account,
    pub(super) row: Option<Vec<u8>>,
    pub(super) rows: usize,
    /// How far the object's clock is ahead, in nanoseconds.
    pub(super) ahead: u128,
    pub(super) now: u128,
    isolates: Vec<Isolate>,
    wire: Vec<Message>,
    answered: BTreeSet<(u64, u64)>,
    latest: BTreeMap<u64, u64>,
    reserve: bool,
    /// When requests were admitted.
    pub(super) admitted: Vec<u128>,
    pub(super) by_lease: usize,
}

impl<'a> World<'a> {
    pub(super) fn new(terms: &'a dyn Fn(u128) -> Terms, now: u128, reserve: bool) -> World<'a> {
        World {
            terms,
            account: Account::open(&terms(now), None, now, 1),
            row: None,
            rows: 0,
            ahead: 0,
            now,
            isolates: (1..=3).map(|id| Isolate { id, ..Isolate::default() }).collect(),
            wire: Vec::new(),
            answered: BTreeSet::new(),
            latest: BTreeMap::new(),
            reserve,
            admitted: Vec::new(),
            by_lease: 0,
        }
    }

    pub(super) fn run(&mut self, schedule: &[Step]) {
        for step in schedule {
            self.step(*step);
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Pass(ms) => self.now += u128::from(ms) * MS,
            Step::Request(index) => self.request(index),
            Step::Refresh(index) => self.ask(index, false),
            Step::Deliver(index, again) => self.deliver(index, again),
            Step::Lose(index) => {
                if index < self.wire.len() {
                    self.wire.remove(index);
                }
            }
            Step::Restart => {
                let clock = self.now + self.ahead;
                self.account = Account::open(&(self.terms)(clock), self.row.as_deref(), clock, 1);
                self.answered.clear();
            }
            Step::Kill(index) => {
                let id = self.isolates[index].id + 3;
                self.isolates[index] = Isolate { id, ..Isolate::default() };
            }
        }
    }

    fn request(&mut self, index: usize) {
        let isolate = &mut self.isolates[index];
        isolate.roll(self.now);
        for lease in [&mut isolate.lease, &mut isolate.reserve] {
            if let Some((_, left, _)) = lease.as_mut().filter(|(_, left, _)| *left > 0) {
                *left -= 1;
                self.admitted.push(self.now);
                self.by_lease += 1;
                return;
            }
        }
        self.ask(index, true);
    }

    fn ask(&mut self, index: usize, waits: bool) {
        let isolate = &mut self.isolates[index];
        isolate.roll(self.now);
        isolate.sequence += 1;
        let held = isolate.lease.map(|(id, left, _)| Held { id, share: 0, capacity: left, stored: 0 });
        let Isolate { id: holder, sequence, .. } = *isolate;
        let remains = isolate.frozen.take();
        let reserve = self.reserve && isolate.reserve.is_none();
        self.wire.push(Message::Question(Question { holder, sequence, sent: self.now, waits, reserve, held, remains }));
    }

    fn deliver(&mut self, index: usize, again: bool) {
        if index >= self.wire.len() {
            return;
        }
        let message = if again { self.wire[index].clone() } else { self.wire.remove(index) };
        match message {
            Message::Question(question) => self.answer(&question),
            Message::Answer { holder, sequence, sent, loan, reserve } => {
                let now = self.now;
                let Some(isolate) = self.isolates.iter_mut().find(|isolate| isolate.id == holder) else { return };
                let seen = self.latest.entry(holder).or_default();
                // The real one remembers which questions wait for an answer.
                if *seen >= sequence {
                    return;
                }
                *seen = sequence;
                let expiry = |loan: &Loan| sent + u128::from(loan.lifetime_ms) * MS;
                if let Some(loan) = loan {
                    isolate.receive(sequence, loan, expiry(&loan), now);
                }
                if let Some(loan) = reserve {
                    isolate.reserve = Some((sequence, loan.deposit, expiry(&loan)));
                }
            }
        }
    }

    fn answer(&mut self, question: &Question) {
        let Question { holder, sequence, sent, .. } = *question;
        if !self.answered.insert((holder, sequence)) {
            return;
        }
        let clock = self.now + self.ahead;
        let kind = self.account.kind_mut();
        kind.advance(clock);
        assert!(kind.adapt(&(self.terms)(clock)));
        kind.claim(&Report { holder, sequence, era: 0, held: question.held.as_ref() });
        if let Some(remains) = question.remains {
            kind.take_back(holder, remains);
        }
        let fits = kind.fits(1);
        if question.waits {
            assert_eq!(kind.take(holder, 1), fits);
            assert!(kind.allowed(0).is_allowed());
            if fits {
                self.admitted.push(self.now);
            }
        }
        let borrower = Borrower { holder, sequence, demand: 4_000, cost: 1, lease: 0, held: 0 };
        let loan = kind.lend(&borrower);
        let reserve = if question.reserve { kind.lend_reserve(&borrower) } else { None };
        if let Some(row) = kind.row() {
            self.row = Some(row.bytes);
            self.rows += 1;
        }
        self.wire.push(Message::Answer { holder, sequence, sent, loan, reserve });
    }

    /// Asks for one request on behalf of an isolate that borrows nothing.
    pub(super) fn take(&mut self) -> bool {
        let clock = self.now + self.ahead;
        let kind = self.account.kind_mut();
        kind.advance(clock);
        assert!(kind.adapt(&(self.terms)(clock)));
        let taken = kind.take(9, 1);
        if let Some(row) = kind.row() {
            self.row = Some(row.bytes);
            self.rows += 1;
        }
        if taken {
            self.admitted.push(self.now);
        }
        taken
    }

    /// Returns the wait that the account names to a request of this price that does not fit.
    pub(super) fn wait(&mut self, price: u64) -> Duration {
        match self.account.kind().denied(price) {
            Verdict::Denied { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    }
}
