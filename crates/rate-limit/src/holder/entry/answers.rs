//! What an answer, or that there was none, changes in an entry.

use super::{Entry, LONGEST_DENIAL, Quiet, Sent, nanos};
use crate::allowance::Allowance;
use crate::answer::Grant;
use crate::holder::lease::{Lease, PATIENCE};
use crate::holder::permits::Brought;
use crate::question::{Item, Remains, Terms};
use crate::verdict::Verdict;

impl Entry {
    /// Takes in what an answer brings. `sequence` is that of the question, `charged` whether the request was.
    pub(in crate::holder) fn receive(&mut self, item: &Item, grant: &Grant, question: Sent, charged: bool, now: u64) {
        self.asked_at = None;
        self.debt_sent = self.debt_sent.saturating_sub(item.debt);
        if !grant.hold.is_zero() {
            self.refused_at = Some(now);
        }
        let waited_for = self.close(question.sequence);
        if question.sequence <= self.born || !self.counts_like(&item.terms) {
            return;
        }
        self.roll(now);
        if self.permits.is_some() {
            self.receive_permits(item, grant, question, charged, now);
        }
        if let Some(lease) = self.lease_that_sent(item, question, now) {
            if charged && grant.verdict.is_allowed() {
                lease.sent_part_used(item.paid);
                if item.flags.reserved {
                    lease.expect_back(item.paid);
                }
            } else {
                lease.sent_part_back(item.paid);
            }
        }
        if item.remains.is_some() && item.remains == self.frozen {
            self.frozen = None;
        }
        let deposit = grant.loan.map_or(0, |loan| loan.deposit);
        // An answer that was overtaken by a later one says what was, not what is. But nothing comes of nothing.
        if question.sequence > self.last_answer || !grant.hold.is_zero() {
            self.last_answer = self.last_answer.max(question.sequence);
            self.believe(item, grant, deposit, question, now);
        }
        if let Some(loan) = grant.loan.as_ref().filter(|_| self.permits.is_none()) {
            let later = Lease::new(question.sequence, loan, question.sent, now);
            self.take_loan(later, deposit, waited_for, now);
        }
        if let Some(loan) = &grant.reserve {
            let later = Lease::new(question.sequence, loan, question.sent, now);
            match &mut self.reserve {
                Some(slice) if slice.id < later.id => slice.replace(later, loan.deposit),
                Some(_) => {}
                None if later.is_live(now) => self.reserve = Some(Box::new(later)),
                None => {}
            }
        }
    }

    /// Takes in what the object has, and when to ask it again.
    fn believe(&mut self, item: &Item, grant: &Grant, deposit: u64, question: Sent, now: u64) {
        let unit = self.allowance.price(1);
        self.elsewhere = match grant.verdict {
            Verdict::Allowed { remaining, .. } => {
                let held = item.held.map_or(0, |held| held.stored).saturating_sub(item.paid);
                remaining.saturating_mul(unit).saturating_sub(held).saturating_sub(deposit)
            }
            Verdict::Denied { remaining, .. } => remaining.saturating_mul(unit).saturating_sub(deposit),
            Verdict::Open | Verdict::Closed { .. } => 0,
        };
        let hold = nanos(grant.hold);
        if hold == 0 && self.refused_at.is_some_and(|at| question.sent >= at) {
            self.refused_at = None;
        }
        self.short = hold > 0 && grant.scarce;
        if hold == 0 {
            self.quiet = None;
        } else {
            let price = self.allowance.price(item.cost).saturating_sub(item.paid).max(1);
            let until = now.saturating_add(hold.min(LONGEST_DENIAL));
            self.quiet = Some(Quiet { until, fits_at: now.saturating_add(hold), price });
        }
    }

    /// Takes in permits, and starts the request if it passes and they arrive in time: whether they did, `confirm` says.
    fn receive_permits(&mut self, item: &Item, grant: &Grant, question: Sent, charged: bool, now: u64) {
        let timeout = self.timeout();
        let Some(permits) = &mut self.permits else { return };
        let price = u64::from(item.cost);
        let passes = charged && grant.verdict.is_allowed();
        let taken = if passes { price.saturating_sub(item.paid) } else { 0 };
        permits.answered(question.sequence);
        let Sent { sequence, sent } = question;
        let brought = Brought { sequence, sent, era: grant.era, taken, loan: grant.loan.as_ref() };
        permits.receive(&brought, timeout, now);
        if passes {
            permits.try_start(price, timeout, now);
        }
    }

    /// Returns for how long a request in progress counts, zero for a limit that counts something else.
    pub(in crate::holder) fn timeout(&self) -> u64 {
        match &self.allowance {
            Allowance::Concurrency(concurrency) => nanos(concurrency.timeout()),
            Allowance::Rate(_) | Allowance::Window(_) | Allowance::Quota(_) => 0,
        }
    }

    /// Returns what could be taken here, in the limit's unit.
    pub(super) fn here(&self, now: u64) -> u64 {
        match &self.permits {
            Some(permits) => permits.free(self.timeout(), now),
            None => self.lease.map_or(0, |lease| lease.stored),
        }
    }

    /// Returns whether this must not be forgotten: requests are in progress.
    pub(in crate::holder) fn is_in_use(&mut self, now: u64) -> bool {
        self.permits.as_mut().is_some_and(|permits| permits.in_use(now) > 0)
    }

    /// Returns the lease that a part of the price was taken from, if it goes on.
    fn lease_that_sent(&mut self, item: &Item, question: Sent, now: u64) -> Option<&mut Lease> {
        let held = item.held?;
        let in_time = now < question.sent.saturating_add(PATIENCE);
        self.lease.as_mut().filter(|lease| in_time && held.id >= lease.first)
    }

    fn take_loan(&mut self, later: Lease, deposit: u64, waited_for: bool, now: u64) {
        let is_later = later.id > self.last_loan;
        self.last_loan = self.last_loan.max(later.id);
        match (&mut self.lease, is_later, later.is_live(now)) {
            (Some(lease), true, true) => lease.replace(later, deposit),
            // Answers came in another order: the later one says how long and how much, this one brings something.
            (Some(lease), false, _) if lease.share > 0 || waited_for => lease.deposit_late(deposit),
            (None, true, true) => self.lease = Some(later),
            (None, true, false) => self.frozen = Some(Remains { id: later.id, left: deposit }),
            (Some(_), true, false) | (Some(_), false, _) | (None, false, _) => {}
        }
    }

    /// Takes back what a question that was not answered had taken along: the debt, which may then be charged twice, but no
    /// credit. The object may have heard of it, and what is given back twice exceeds the limit.
    pub(in crate::holder) fn unanswered(&mut self, item: &Item, question: Sent, now: u64) {
        self.close(question.sequence);
        self.roll(now);
        self.asked_at = None;
        self.short = false;
        self.debt_sent = self.debt_sent.saturating_sub(item.debt);
        self.debt = self.debt.saturating_add(item.debt);
        if let Some(permits) = &mut self.permits {
            permits.answered(question.sequence);
            let _told = permits.close(question.sequence);
        }
        if self.counts_like(&item.terms)
            && let Some(lease) = self.lease_that_sent(item, question, now)
        {
            lease.sent_part_back(item.paid);
        }
    }

    fn counts_like(&self, terms: &Terms) -> bool {
        match (&self.allowance, terms) {
            (Allowance::Rate(ours), Terms::Rate(theirs)) => ours == theirs,
            (Allowance::Window(ours), Terms::Window(theirs)) => ours == theirs,
            (Allowance::Quota(ours), Terms::Quota { requests, .. }) => ours.requests() == *requests,
            (Allowance::Concurrency(ours), Terms::Concurrency(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Standing;
    use super::*;
    use crate::rate::Rate;
    use crate::want::{Accuracy, Want};

    #[test]
    fn other_numbers_forgive_no_debt_and_no_refusal() {
        let bounded = |requests| {
            let rate = Allowance::Rate(Rate::new(1, Duration::from_secs(60), requests).unwrap());
            Want::new("k", rate, 1).unwrap().with_accuracy(Accuracy::Bounded { parts_per_million: 640_000 })
        };
        let (old, new) = (bounded(100), bounded(120));
        let (sent, price) = (Sent { sequence: 1, sent: 0 }, 1);
        let mut entry = Entry::new(&old, 0, 0);
        entry.meet(&old, 0, 0);
        assert_eq!(entry.standing(&old, price, 0), Standing::Owes);
        entry.debt = 1;
        let item = entry.item(&old, 0, 1, Duration::ZERO);
        entry.meet(&new, 1, 1);
        assert_eq!(entry.standing(&new, price, 1), Standing::Asks);
        // The object has nothing: what was owed is known there, but not paid.
        let refusal = Grant { hold: Duration::from_secs(1), ..Grant::nothing() };
        entry.receive(&item, &refusal, sent, false, 2);
        assert_eq!(entry.standing(&new, price, 2), Standing::Asks);
    }

    #[test]
    fn a_question_without_an_answer_may_be_charged_twice_but_gives_nothing_back_twice() {
        let rate = Allowance::Rate(Rate::new(10, Duration::from_secs(1), 10).unwrap());
        let want = Want::new("k", rate, 1).unwrap();
        let mut entry = Entry::new(&want, 0, 0);
        entry.debt = 3;
        entry.credit(1, 2);
        let sent = entry.item(&want, 0, 1, Duration::ZERO);
        assert_eq!((sent.debt, sent.credit), (3, 2));
        entry.unanswered(&sent, Sent { sequence: 1, sent: 0 }, 0);
        let again = entry.item(&want, 0, 1, Duration::ZERO);
        assert_eq!((again.debt, again.credit), (3, 0));
    }
}
