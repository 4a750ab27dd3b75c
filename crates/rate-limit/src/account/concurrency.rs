//! The account of requests in progress: which isolate may have how many, and until when.
//!
//! The unit is a permit, the right to have a request of cost one in progress. Permits are lent with an expiry. Their holder
//! starts a request only if its timeout is over before that, so when permits expire, nothing that was started with them
//! counts any more, whether its end was heard of or not.
//!
//! A holder says with each question how many permits it keeps, and of which answer it has heard last. If that is the last
//! one that gave it any, the others come home. Else an answer is still on its way, and what it gives stays counted.

mod promises;
mod row;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::account::{Borrower, Kind, Row};
use crate::allowance::Concurrency;
use crate::answer::Loan;
use crate::nanos::duration;
use crate::question::{Held, Remains, Terms};
use crate::usage::Usage;
use crate::verdict::Verdict;
use promises::Promises;

/// For how long requests may be started with a permit that was just granted, in nanoseconds.
const START_WITHIN: u128 = 2_000_000_000;
/// The same for a loan to a holder that came for a while.
const LONGEST_START_WITHIN: u128 = 12_000_000_000;
/// How much a row is ahead of the expiry that it covers, so that one is due every few seconds.
const ROW_AHEAD: u128 = 10_000_000_000;
/// When a permit comes back nobody knows: they come back by themselves, and whoever waits asks again after this.
const PATIENCE: Duration = Duration::from_secs(1);
/// A loan to a holder that starts fewer requests before it ends saves no question.
const LEAST_STARTS: u128 = 3;
/// Bounds the memory of a key, whatever isolates there are. Whoever has a permit is on record, so none is given beyond.
const MAX_HOLDERS: usize = 4_000;

/// The requests in progress of one key.
#[derive(Clone, Debug)]
pub(crate) struct InProgress {
    requests: u64,
    timeout: u128,
    now: u128,
    holders: BTreeMap<u64, Record>,
    // Invariant: the sum of the permits on record.
    lent: u64,
    /// What an earlier instance had lent, as far as its holders have not said that they still have it.
    unclaimed: Promises,
    /// What a restart would start from.
    stored: Promises,
    question: Heard,
}

/// What one isolate may have.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// The latest question that added permits.
    id: u64,
    /// The latest question.
    heard: u64,
    permits: u64,
    until: u128,
    /// For how long requests could be started with the last loan.
    start_within: u128,
    demand: u64,
}

/// How long a permit lives that was granted to one request, in nanoseconds. Both ends know it, so no answer says it.
pub(crate) fn single_lifetime(timeout: u128) -> u128 {
    lifetime(timeout, START_WITHIN)
}

/// A request that is started at the last moment has its timeout. A fiftieth is for clocks that do not run at the same
/// speed: the holder takes a hundredth off.
fn lifetime(timeout: u128, start_within: u128) -> u128 {
    timeout.saturating_add(timeout / 50).saturating_add(start_within)
}

/// The question that is being answered.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    sequence: u64,
    /// The holder has permits that this instance knows nothing of.
    is_foreign: bool,
    /// Id and expiry of the holder's record before permits were taken, which may yet be undone.
    before: Option<(u64, u128)>,
}

impl InProgress {
    pub(crate) fn open(concurrency: Concurrency, row: Option<&[u8]>, now: u128) -> InProgress {
        let stored = row.and_then(|row| row::decode(row, now)).unwrap_or_default();
        let mut account = InProgress {
            requests: u64::from(concurrency.requests()),
            timeout: concurrency.timeout().as_nanos(),
            now,
            holders: BTreeMap::new(),
            lent: 0,
            unclaimed: stored.clone(),
            stored,
            question: Heard::default(),
        };
        account.advance(now);
        account
    }

    fn out(&self) -> u64 {
        self.lent.saturating_add(self.unclaimed.sum())
    }

    fn available(&self) -> u64 {
        self.requests.saturating_sub(self.out())
    }

    /// When the last permit that is out expires.
    fn until(&self) -> u128 {
        self.holders.values().fold(self.unclaimed.last(), |latest, record| latest.max(record.until))
    }

    /// When at least `permits` more than now will have expired, at the latest.
    fn freed(&self, permits: u64) -> u128 {
        let records = self.holders.values().map(|record| (record.until, record.permits));
        let mut expiries: Vec<(u128, u64)> = records.chain(self.unclaimed.iter()).collect();
        expiries.sort_unstable();
        let mut freed = 0_u64;
        for (until, permits_then) in expiries {
            freed = freed.saturating_add(permits_then);
            if freed >= permits {
                return until;
            }
        }
        self.now
    }

    /// Gives permits to a holder for `start_within` and a timeout; what it has already lives as long.
    fn give(&mut self, holder: u64, permits: u64, start_within: u128) {
        let Heard { sequence, is_foreign, .. } = self.question;
        let until = self.now.saturating_add(lifetime(self.timeout, start_within));
        let record = self.holders.entry(holder).or_default();
        self.question.before.get_or_insert((record.id, record.until));
        // Questions may come in another order than they were sent. A holder that has said that it knows of the later one
        // takes nothing from the earlier one any more.
        record.id = record.id.max(sequence);
        record.heard = record.heard.max(sequence);
        record.permits = record.permits.saturating_add(permits);
        record.until = record.until.max(until);
        self.lent = self.lent.saturating_add(permits);
        if is_foreign {
            // The answer extends what the holder has from an earlier instance as well, and that is in here.
            self.unclaimed.extend(until);
        }
    }

    fn has_room_for(&self, holder: u64) -> bool {
        self.holders.len() < MAX_HOLDERS || self.holders.contains_key(&holder)
    }

    fn retry_after(&self, price: u64) -> Duration {
        let missing = price.saturating_sub(self.available());
        duration(self.freed(missing).saturating_sub(self.now)).clamp(Duration::from_millis(1), PATIENCE)
    }
}

impl Kind for InProgress {
    fn adapt(&mut self, terms: &Terms) -> bool {
        let Terms::Concurrency(concurrency) = terms else { return false };
        self.requests = u64::from(concurrency.requests());
        self.timeout = concurrency.timeout().as_nanos();
        true
    }

    fn advance(&mut self, now: u128) {
        self.now = self.now.max(now);
        let now = self.now;
        let mut lent = 0_u64;
        self.holders.retain(|_, record| {
            let lives = record.until > now;
            lent = lent.saturating_add(if lives { record.permits } else { 0 });
            lives
        });
        self.lent = lent;
        self.unclaimed.advance(now);
        self.question = Heard::default();
    }

    fn fits(&self, price: u64) -> bool {
        price <= self.available()
    }

    fn take(&mut self, holder: u64, price: u64) -> bool {
        if price == 0 {
            // The holder has started the request with a permit that it had.
            return true;
        }
        let fits = self.fits(price) && self.has_room_for(holder);
        if fits {
            self.give(holder, price, START_WITHIN);
        }
        fits
    }

    fn undo(&mut self, holder: u64, price: u64) {
        let Some(record) = self.holders.get_mut(&holder) else { return };
        let permits = price.min(record.permits);
        record.permits = record.permits.saturating_sub(permits);
        (record.id, record.until) = self.question.before.unwrap_or((record.id, record.until));
        self.lent = self.lent.saturating_sub(permits);
        if record.permits == 0 && record.id == 0 {
            self.holders.remove(&holder);
        }
    }

    /// Nothing to promise: a permit comes back when its request ends.
    fn expect_back(&mut self, _price: u64) {}

    fn era(&self) -> u64 {
        0
    }

    fn give_back(&mut self, _era: u64, _price: u64) {}

    /// Nothing to owe: a request that was let in without a permit has ended when this is heard, or will.
    fn owe(&mut self, _price: u64, _age: u128) {}

    fn allowed(&self, held: u64) -> Verdict {
        Verdict::Allowed { remaining: self.available().saturating_add(held), effective_window: PATIENCE }
    }

    fn denied(&self, price: u64) -> Verdict {
        Verdict::Denied { remaining: self.available(), retry_after: self.retry_after(price) }
    }

    fn ticket(&mut self, _holder: u64, price: u64, fit: bool) -> u128 {
        if fit {
            return self.now;
        }
        self.now.saturating_add(self.retry_after(price).as_nanos())
    }

    fn lend(&mut self, borrower: &Borrower) -> Option<Loan> {
        let Borrower { holder, demand, cost, .. } = *borrower;
        let known = self.holders.get(&holder).copied().unwrap_or_default();
        let start_within = known.start_within.saturating_mul(2).clamp(START_WITHIN, LONGEST_START_WITHIN);
        let starts = u128::from(demand).saturating_mul(start_within) / 1_000_000_000_000;
        let is_worth_it = starts >= u128::from(cost).saturating_mul(LEAST_STARTS);
        // If the limit was lowered, what is out above it comes home.
        let is_above = self.out() > self.requests;
        if !is_worth_it || is_above || !self.has_room_for(holder) || (known.permits == 0 && !self.question.is_foreign) {
            return None;
        }
        // A quarter more than it has, and at most half of what is free for each holder: what it does not use, another
        // one misses until the timeout is over.
        let holders = u64::try_from(self.holders.len()).unwrap_or(u64::MAX).max(1);
        let half = self.available().checked_div(holders.saturating_mul(2)).unwrap_or(0);
        let deposit = known.permits.div_ceil(4).min(half);
        self.give(holder, deposit, start_within);
        let record = self.holders.get_mut(&holder)?;
        (record.start_within, record.demand) = (start_within, demand);
        let lifetime_ms = u32::try_from(lifetime(self.timeout, start_within) / 1_000_000).unwrap_or(u32::MAX);
        Some(Loan { share: 0, capacity: record.permits, deposit, lifetime_ms })
    }

    /// Permits that lie in reserve keep requests out all the time, and those that are out outlive a timeout.
    fn lend_reserve(&mut self, _borrower: &Borrower) -> Option<Loan> {
        None
    }

    fn claim(&mut self, holder: u64, sequence: u64, held: Option<&Held>) {
        self.question = Heard { sequence, ..Heard::default() };
        let mut is_latest = true;
        if let Some(record) = self.holders.get_mut(&holder) {
            is_latest = record.heard < sequence;
            record.heard = record.heard.max(sequence);
        }
        let Some(held) = held.filter(|held| held.id != 0) else { return };
        let known = self.holders.get_mut(&holder);
        let Some(record) = known.filter(|record| record.id == held.id) else {
            // Either an answer of this instance is on its way, or the last one was another instance's.
            self.question.is_foreign = held.capacity > 0;
            return;
        };
        let permits = record.permits;
        if held.capacity <= permits || !is_latest {
            record.permits = permits.min(held.capacity);
            self.lent = self.lent.saturating_sub(permits.saturating_sub(record.permits));
            return;
        }
        // The holder has heard of this instance, and says that it still has permits of an earlier one. That was alive when
        // this one started, so it is in the row that this one started from.
        record.until = record.until.max(self.unclaimed.last());
        let moved = self.unclaimed.take(held.capacity.saturating_sub(permits));
        record.permits = permits.saturating_add(moved);
        self.lent = self.lent.saturating_add(moved);
    }

    /// A holder starts nothing with permits that may have expired here.
    fn honours(&self, _holder: u64, _lease: u64) -> bool {
        true
    }

    /// Nothing remains of expired permits.
    fn take_back(&mut self, _holder: u64, _remains: Remains) {}

    fn scarce(&self) -> bool {
        self.available() == 0
    }

    fn row(&mut self) -> Option<Row> {
        let until = self.holders.values().fold(0, |latest, record| latest.max(record.until));
        let mut out = self.unclaimed.clone();
        out.add(until, self.lent);
        if self.stored.cover(&out) {
            return None;
        }
        let block = (self.requests / 10).min(self.lent).min(self.available());
        self.stored = self.unclaimed.clone();
        self.stored.add(until.saturating_add(ROW_AHEAD), self.lent.saturating_add(block));
        Some(row::encode(&self.stored))
    }

    fn is_forgettable(&self) -> bool {
        self.out() == 0 && self.stored.last() <= self.now
    }

    fn usage(&self) -> Usage {
        Usage {
            used: self.out(),
            remaining: self.available(),
            lent: self.out(),
            holders: self.holders.len(),
            resets_in: duration(self.until().saturating_sub(self.now)),
        }
    }

    /// All that is used is out on loan, and stays promised.
    fn reset(&mut self) {
        self.stored = Promises::default();
    }

    fn demand(&self) -> u64 {
        self.holders.values().fold(0, |sum, record| sum.saturating_add(record.demand))
    }
}

#[cfg(test)]
mod tests;
