//! The permits of an isolate, and which of its requests are in progress with them.
//!
//! What is lent expires; what is in progress does not go away with it. So the two are kept apart: a request is started only
//! if its timeout is over before the permits expire, and counts until it ends or its timeout is over. An isolate may forget
//! its permits at any time, but not its requests.

use std::collections::BTreeMap;

use crate::account::concurrency::single_lifetime;
use crate::answer::Loan;
use crate::question::Held;

/// How much earlier permits expire here than at the object, beside a hundredth of their life: between reading the clock and
/// starting a request a process may pause, and no two clocks run at the same speed.
const GUARD: u64 = 50_000_000;
/// An isolate that has started nothing for so long gives back what is idle.
const IDLE_AFTER: u64 = 1_000_000_000;
/// Two questions that only give something back, or ask for more in advance, are at least this far apart.
const PACE: u64 = 250_000_000;

/// The permits for one key. Times are nanoseconds since the Unix epoch, by the isolate's clock.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    /// The latest question whose answer added permits.
    id: u64,
    /// The latest `id` that the object was told. What was answered before is not taken any more: the object believes that
    /// the permits that it was told of are all there are.
    told: u64,
    permits: u64,
    expiry: u64,
    /// By the end of their timeouts, then in the order in which they were started.
    running: BTreeMap<(u64, u64), u64>,
    // Invariant: the sum of the costs of what is running.
    in_use: u64,
    started: u64,
    last_start: u64,
    last_report: u64,
    /// The most in use since the last report, and between the two before that.
    peaks: [u64; 2],
    /// What was started for the request that is being decided.
    fresh: Vec<Started>,
    /// What was started for requests that wait for an answer, by the number of the question.
    asking: BTreeMap<u64, Vec<Started>>,
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
        self.running.insert((started.deadline, started.number), cost);
        self.in_use = self.in_use.saturating_add(cost);
        self.last_start = now;
        let [latest, before] = self.peaks;
        self.peaks = [latest.max(self.in_use), before];
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
    pub(crate) fn free(&self, timeout: u64, now: u64) -> u64 {
        if self.can_start(timeout, now) { self.permits.saturating_sub(self.in_use) } else { 0 }
    }

    /// Ends a request. If its timeout is over, it does not count any more as it is.
    pub(crate) fn finish(&mut self, started: Started) {
        if let Some(cost) = self.running.remove(&(started.deadline, started.number)) {
            self.in_use = self.in_use.saturating_sub(cost);
        }
    }

    /// Takes in the answer to the question `sequence` that was sent at `sent`: `taken` was granted to the request that
    /// waits, and maybe something was lent beside. Nothing is taken from an answer that the object does not know to have
    /// arrived, nor from one that comes too late.
    pub(crate) fn receive(
        &mut self,
        sequence: u64,
        taken: u64,
        loan: Option<&Loan>,
        timeout: u64,
        sent: u64,
        now: u64,
    ) {
        self.roll(now);
        let single = if taken > 0 { single_lifetime(u128::from(timeout)) } else { 0 };
        let lent = loan.map_or(0, |loan| u128::from(loan.lifetime_ms).saturating_mul(1_000_000));
        let lifetime = u64::try_from(single.max(lent)).unwrap_or(u64::MAX);
        let expiry = sent.saturating_add(lifetime.saturating_sub(GUARD).saturating_sub(lifetime / 100));
        if sequence <= self.told || lifetime == 0 || expiry <= now {
            return;
        }
        let added = taken.saturating_add(loan.map_or(0, |loan| loan.deposit));
        self.permits = self.permits.max(self.in_use).saturating_add(added);
        self.expiry = self.expiry.max(expiry);
        self.id = self.id.max(sequence);
    }

    /// Gives up what is above a limit that was lowered, as far as it is not in use.
    pub(crate) fn lower(&mut self, requests: u64) {
        self.permits = self.permits.min(requests.max(self.in_use));
    }

    /// Gives up all permits that are idle: the next report says so.
    pub(crate) fn return_idle(&mut self) {
        self.permits = self.permits.min(self.in_use);
        self.peaks = [self.in_use, 0];
    }

    /// Gives up what was not in use lately, and returns what the object must be told with the next question.
    pub(crate) fn report(&mut self, now: u64) -> Held {
        self.roll(now);
        let [latest, before] = self.peaks;
        self.permits = self.permits.min(latest.max(before).max(self.in_use));
        self.peaks = [self.in_use, latest];
        self.told = self.told.max(self.id);
        self.last_report = now;
        let capacity = self.permits.max(self.in_use);
        Held { id: self.id, share: 0, capacity, stored: capacity.saturating_sub(self.in_use) }
    }

    /// Returns whether permits lie idle that this isolate will hardly use, so that a question that gives them back pays:
    /// it has started nothing lately, or could start nothing with them.
    pub(crate) fn is_to_return(&mut self, timeout: u64, now: u64) -> bool {
        self.roll(now);
        if self.permits <= self.in_use {
            return false;
        }
        let quiet = self.last_start.saturating_add(IDLE_AFTER) <= now;
        let useless = quiet || !self.can_start(timeout, now);
        useless && (self.in_use == 0 || self.last_report.saturating_add(PACE) <= now)
    }

    /// Returns whether to ask in advance pays: soon nothing could be started any more, though requests come.
    pub(crate) fn is_to_renew(&mut self, timeout: u64, now: u64) -> bool {
        self.roll(now);
        let comes = self.last_start.saturating_add(IDLE_AFTER) > now;
        let soon = now.saturating_add(IDLE_AFTER);
        let ends = !self.can_start(timeout, soon) || self.in_use >= self.permits;
        self.permits > 0 && comes && ends && self.last_report.saturating_add(PACE) <= now
    }

    /// Returns how much the requests in progress cost together.
    pub(crate) fn in_use(&mut self, now: u64) -> u64 {
        self.roll(now);
        self.in_use
    }

    /// Gives up what was lent, because the clock was wrong. What is in progress goes on to count.
    pub(crate) fn drop_lent(&mut self) {
        (self.permits, self.expiry) = (0, 0);
    }

    fn can_start(&self, timeout: u64, now: u64) -> bool {
        now.saturating_add(timeout) <= self.expiry
    }

    /// Ends what counts no more.
    pub(crate) fn roll(&mut self, now: u64) {
        if self.asking.len() > self.running.len() {
            self.asking.retain(|_, waiting| waiting.iter().any(|started| started.deadline > now));
        }
        while let Some(entry) = self.running.first_entry().filter(|entry| entry.key().0 <= now) {
            self.in_use = self.in_use.saturating_sub(entry.remove());
        }
        if self.expiry <= now {
            self.permits = 0;
        }
    }
}

#[cfg(test)]
mod tests;
