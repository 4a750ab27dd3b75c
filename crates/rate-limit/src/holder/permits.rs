//! The permits of an isolate, and which of its requests are in progress with them.
//!
//! What is lent expires; what is in progress does not go away with it. So the two are kept apart: a request is started only
//! if its timeout is over before some permit expires, and counts until it ends or its timeout is over. An isolate may forget
//! its permits at any time, but not its requests.
//!
//! Many questions may be on their way at once, and their answers come in any order. Each report says up to which question
//! no answer is taken any more, and how many permits are kept of the answers up to there. What later answers have brought,
//! or will, the object adds by itself.

mod batches;

use std::collections::BTreeMap;

use crate::account::concurrency::single_lifetime;
use crate::answer::Loan;
use crate::map::Map;
use crate::question::Held;
use batches::Batches;

/// How much earlier permits expire here than at the object, beside a hundredth of their life: between reading the clock and
/// starting a request a process may pause, and no two clocks run at the same speed.
const GUARD: u64 = 50_000_000;
/// An isolate that has started nothing for so long gives back what is idle.
const IDLE_AFTER: u64 = 1_000_000_000;
/// Two questions that only give something back, or ask for more in advance, are at least this far apart.
const PACE: u64 = 250_000_000;
/// At most so many answers are waited for at once, and for so long. Others bring no permit.
const MAX_OPEN: usize = 1_024;
const PATIENCE: u64 = 10_000_000_000;

/// The permits for one key. Times are nanoseconds since the Unix epoch, by the isolate's clock.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    batches: Batches,
    /// The questions whose answers are taken when they come.
    open: BTreeMap<u64, Open>,
    /// The instance of the object that answered last, and the one that the last report was made for.
    era: u64,
    told_era: u64,
    running: Running,
    /// What is in progress with permits that were forgotten.
    orphans: Running,
    started: u64,
    last_start: u64,
    last_report: u64,
    /// The most in use since the last report, and between the two before that.
    peaks: [u64; 2],
    /// What was started for the request that is being decided.
    fresh: Vec<Started>,
    /// What was started for requests that wait for an answer, by the number of the question.
    asking: Map<u64, Vec<Started>>,
}

/// Requests in progress.
#[derive(Debug, Default)]
struct Running {
    /// By the end of their timeouts, then in the order in which they were started.
    costs: BTreeMap<(u64, u64), u64>,
    // Invariant: the sum of the costs.
    sum: u64,
}

impl Running {
    fn remove(&mut self, started: &Started) {
        let cost = self.costs.remove(&(started.deadline, started.number)).unwrap_or(0);
        self.sum = self.sum.saturating_sub(cost);
    }

    /// Ends what counts no more.
    fn roll(&mut self, now: u64) {
        while let Some(entry) = self.costs.first_entry().filter(|entry| entry.key().0 <= now) {
            self.sum = self.sum.saturating_sub(entry.remove());
        }
    }

    /// What goes on after `time`, at most.
    fn after(&self, time: u64) -> u64 {
        self.costs.range((time.saturating_add(1), 0)..).fold(0, |sum, (_, cost)| sum.saturating_add(*cost))
    }
}

/// A question on its way.
#[derive(Debug)]
struct Open {
    sent: u64,
    /// How many items of it are about this key.
    answers: usize,
    /// What it has told: all that is kept of the answers up to this one, for this instance.
    closed: u64,
    era: u64,
}

/// What an answer brings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brought<'a> {
    /// The number of the question, and when it was sent.
    pub(crate) sequence: u64,
    pub(crate) sent: u64,
    /// Which instance of the object has answered.
    pub(crate) era: u64,
    /// What was granted to the request that waits.
    pub(crate) taken: u64,
    pub(crate) loan: Option<&'a Loan>,
}

/// A request in progress. Dropped without [`Permits::finish`], it counts until its timeout is over.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Started {
    deadline: u64,
    number: u64,
}

impl Permits {
    /// Starts a request that counts for at most `timeout` nanoseconds, if there is a permit that lives as long.
    pub(crate) fn start(&mut self, cost: u64, timeout: u64, now: u64) -> Option<Started> {
        self.roll(now);
        if self.free(timeout, now) < cost {
            return None;
        }
        let started = Started { deadline: now.saturating_add(timeout), number: self.started };
        self.started = self.started.saturating_add(1);
        self.running.costs.insert((started.deadline, started.number), cost);
        self.running.sum = self.running.sum.saturating_add(cost);
        self.last_start = now;
        let [latest, before] = self.peaks;
        self.peaks = [latest.max(self.running.sum), before];
        Some(started)
    }

    /// Starts a request on trial: [`Permits::undo`] takes it back, [`Permits::confirm`] hands out its receipt.
    pub(crate) fn try_start(&mut self, cost: u64, timeout: u64, now: u64) -> bool {
        let started = self.start(cost, timeout, now);
        let is_started = started.is_some();
        self.fresh.extend(started);
        is_started
    }

    /// Takes back the last request that was started on trial.
    pub(crate) fn undo(&mut self) {
        if let Some(started) = self.fresh.pop() {
            self.finish(started);
        }
    }

    /// Returns the receipt of a request that was started on trial, if there is one.
    pub(crate) fn confirm(&mut self) -> Option<Started> {
        self.fresh.pop()
    }

    /// Lets what was started on trial wait for the answer to a question.
    pub(crate) fn ask(&mut self, sequence: u64) {
        if let Some(started) = self.fresh.pop() {
            self.asking.entry(sequence).or_default().push(started);
        }
    }

    /// Ends what waited for the answer to a question. If the request passes, it is started anew: its timeout counts from
    /// when it is let through.
    pub(crate) fn answered(&mut self, sequence: u64) {
        let Some(mut waiting) = self.asking.remove(&sequence) else { return };
        if let Some(started) = waiting.pop() {
            self.finish(started);
        }
        if !waiting.is_empty() {
            self.asking.insert(sequence, waiting);
        }
    }

    /// Returns how many permits a request with this timeout could be started with, as of the last `roll`.
    ///
    /// What is in progress goes on with any permit that lives as long as it does. So at any time to come, as many permits
    /// live as requests go on.
    pub(crate) fn free(&self, timeout: u64, now: u64) -> u64 {
        let deadline = now.saturating_add(timeout);
        let all = self.batches.sum().saturating_sub(self.running.sum);
        self.batches.expiries_before(deadline).fold(all, |free, expiry| {
            free.min(self.batches.living_after(expiry).saturating_sub(self.running.after(expiry)))
        })
    }

    /// Ends a request. If its timeout is over, it does not count any more as it is.
    pub(crate) fn finish(&mut self, started: Started) {
        self.running.remove(&started);
        self.orphans.remove(&started);
    }

    /// Takes in an answer: what it brings, and that what its question has told lives on. Nothing is taken from an answer
    /// that is not waited for, nor from one that comes too late.
    pub(crate) fn receive(&mut self, brought: &Brought<'_>, timeout: u64, now: u64) {
        self.roll(now);
        let Brought { sequence, sent, era, taken, loan } = *brought;
        let Some((closed, told_era)) = self.close(sequence) else { return };
        self.era = era;
        let single = if taken > 0 { single_lifetime(u128::from(timeout)) } else { 0 };
        let lent = loan.map_or(0, |loan| u128::from(loan.lifetime_ms).saturating_mul(1_000_000));
        let lifetime = u64::try_from(single.max(lent)).unwrap_or(u64::MAX);
        let expiry = sent.saturating_add(lifetime.saturating_sub(GUARD).saturating_sub(lifetime / 100));
        if lifetime == 0 || expiry <= now {
            return;
        }
        // An instance that did not know yet that this isolate knows it has left what it was told with the one before it.
        if told_era == era {
            self.batches.extend(closed, expiry);
        }
        self.batches.add(sequence, taken.saturating_add(loan.map_or(0, |loan| loan.deposit)), expiry);
    }

    /// Waits no longer for an answer. Returns what its question has told, if it was waited for.
    pub(crate) fn close(&mut self, sequence: u64) -> Option<(u64, u64)> {
        let open = self.open.get_mut(&sequence)?;
        let told = (open.closed, open.era);
        open.answers = open.answers.saturating_sub(1);
        if open.answers == 0 {
            self.open.remove(&sequence);
        }
        Some(told)
    }

    /// Takes no answer any more to what was asked so far.
    pub(crate) fn close_all(&mut self) {
        self.open.clear();
    }

    /// Gives up what is above a limit that was lowered, as far as it is not in use.
    pub(crate) fn lower(&mut self, requests: u64) {
        let closed = self.closed(u64::MAX);
        self.batches.keep(requests.max(self.running.sum), closed);
    }

    /// Gives up all permits that are idle: the next report says so.
    pub(crate) fn return_idle(&mut self) {
        let closed = self.closed(u64::MAX);
        self.batches.keep(self.running.sum, closed);
        self.peaks = [self.running.sum, 0];
    }

    /// Gives up what was not in use lately, and returns what the object must be told with the question `sequence`.
    pub(crate) fn report(&mut self, sequence: u64, now: u64) -> Held {
        self.roll(now);
        (self.last_report, self.told_era) = (now, self.era);
        self.open.retain(|_, open| open.sent.saturating_add(PATIENCE) > now);
        let closed = self.closed(sequence);
        if self.open.len() < MAX_OPEN || self.open.contains_key(&sequence) {
            let open = Open { sent: now, answers: 0, closed, era: self.era };
            let open = self.open.entry(sequence).or_insert(open);
            open.answers = open.answers.saturating_add(1);
        }

        let [latest, before] = self.peaks;
        self.batches.keep(latest.max(before).max(self.running.sum), closed);
        self.peaks = [self.running.sum, latest];
        self.batches.merge(closed);
        let capacity = self.batches.told(closed).saturating_add(self.orphans.sum);
        let stored = self.batches.sum().saturating_sub(self.running.sum);
        Held { id: closed, share: 0, capacity, stored }
    }

    /// The instance that reports are made for: it believes them only if it is itself.
    pub(crate) fn era(&self) -> u64 {
        self.era
    }

    /// Returns whether permits lie idle that this isolate will hardly use, so that a question that gives them back pays:
    /// it has started nothing lately, or could start nothing with them.
    pub(crate) fn is_to_return(&mut self, timeout: u64, now: u64) -> bool {
        self.roll(now);
        if self.batches.sum() <= self.running.sum {
            return false;
        }
        let quiet = self.last_start.saturating_add(IDLE_AFTER) <= now;
        let useless = quiet || !self.can_start(timeout, now);
        useless && (self.running.sum == 0 || self.last_report.saturating_add(PACE) <= now)
    }

    /// Returns whether to ask in advance pays: soon nothing could be started any more, though requests come; or the object
    /// has restarted, and does not know yet what is kept here.
    pub(crate) fn is_to_renew(&mut self, timeout: u64, now: u64) -> bool {
        self.roll(now);
        let comes = self.last_start.saturating_add(IDLE_AFTER) > now;
        let soon = now.saturating_add(IDLE_AFTER);
        let permits = self.batches.sum();
        let ends = !self.can_start(timeout, soon) || self.running.sum >= permits;
        let is_unknown = self.told_era != 0 && self.told_era != self.era;
        permits > 0 && comes && (ends || is_unknown) && self.last_report.saturating_add(PACE) <= now
    }

    /// Returns how much the requests in progress cost together.
    pub(crate) fn in_use(&mut self, now: u64) -> u64 {
        self.roll(now);
        self.running.sum.saturating_add(self.orphans.sum)
    }

    /// Gives up what was lent, because the clock was wrong. What is in progress goes on to count.
    pub(crate) fn drop_lent(&mut self) {
        self.batches = Batches::default();
        self.close_all();
        self.orphans.costs.append(&mut self.running.costs);
        self.orphans.sum = self.orphans.sum.saturating_add(std::mem::take(&mut self.running.sum));
    }

    /// Up to which question no answer is taken any more, if `next` is the next one.
    fn closed(&self, next: u64) -> u64 {
        self.open.first_key_value().map_or(next, |(oldest, _)| *oldest).saturating_sub(1)
    }

    fn can_start(&self, timeout: u64, now: u64) -> bool {
        self.batches.last() >= now.saturating_add(timeout)
    }

    /// Ends what counts no more.
    pub(crate) fn roll(&mut self, now: u64) {
        if self.asking.len() > self.running.costs.len() {
            self.asking.retain(|_, waiting| waiting.iter().any(|started| started.deadline > now));
        }
        self.running.roll(now);
        self.orphans.roll(now);
        self.batches.roll(now);
    }
}

#[cfg(test)]
mod tests;
