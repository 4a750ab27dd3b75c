//! The account of requests in progress: which isolate may have how many, and until when.
//!
//! The unit is a permit, the right to have a request of cost one in progress. Permits are lent with an expiry. Their holder
//! starts a request only if its timeout is over before that, so when permits expire, nothing that was started with them
//! counts any more, whether its end was heard of or not.
//!
//! A holder says with each question up to which of its questions it takes no answer any more, and how many permits it keeps
//! of the answers up to there. What later answers bring is added to that, so that no permit is forgotten and none is counted
//! twice, in whatever order questions and answers come. See [`Record`].
//!
//! **A restart.** The row says how many permits are out, without names. A holder's report moves its permits from there to
//! its record, but only if it was made for this instance, of which the holder has then heard: a report from before the
//! restart may speak of permits that have come home since and belong to somebody else now.

mod promises;
mod record;
mod row;

use std::time::Duration;

use crate::account::holders::Holders;
use crate::account::{Borrower, Kind, Report, Row};
use crate::allowance::Concurrency;
use crate::answer::Loan;
use crate::mutation::{Mutation, makes};
use crate::nanos::duration;
use crate::question::{Remains, Terms};
use crate::usage::Usage;
use crate::verdict::Verdict;
use promises::Promises;
use record::Record;

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
    holders: Holders<Record>,
    // Invariant: the sum of the permits on record.
    lent: u64,
    /// What an earlier instance had lent, as far as its holders have not said that they still have it.
    unclaimed: Promises,
    /// What a restart would start from.
    stored: Promises,
    question: Heard,
    /// This account and no other one: a holder that has heard of it says so.
    era: u64,
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
    /// The expiry of the holder's record before permits were taken, which may yet be undone.
    before: Option<u128>,
}

impl InProgress {
    pub(crate) fn open(concurrency: Concurrency, row: Option<&[u8]>, now: u128, era: u64) -> InProgress {
        let stored = row.and_then(|row| row::decode(row, now)).unwrap_or_default();
        let mut account = InProgress {
            requests: u64::from(concurrency.requests()),
            timeout: concurrency.timeout().as_nanos(),
            now,
            holders: Holders::default(),
            lent: 0,
            unclaimed: stored.clone(),
            stored,
            question: Heard::default(),
            era,
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
        self.holders.all().fold(self.unclaimed.last(), |latest, record| latest.max(record.until))
    }

    /// When at least `permits` more than now will have expired, at the latest.
    fn freed(&self, permits: u64) -> u128 {
        let records = self.holders.all().map(|record| (record.until, record.permits()));
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

    /// Gives permits to a holder for `start_within` and a timeout; what it has told of lives as long.
    fn give(&mut self, holder: u64, permits: u64, start_within: u128) {
        let sequence = self.question.sequence;
        let until = self.now.saturating_add(lifetime(self.timeout, start_within));
        let Some(record) = self.holders.meet(holder) else { return };
        self.question.before.get_or_insert(record.until);
        record.grant(sequence, permits);
        record.until = record.until.max(until);
        self.lent = self.lent.saturating_add(permits);
    }

    /// Returns whether the holder still takes an answer to this question.
    fn is_open(&self, holder: u64) -> bool {
        self.holders.get(holder).is_none_or(|record| record.is_open(self.question.sequence))
    }

    fn has_room_for(&self, holder: u64) -> bool {
        self.holders.len() < MAX_HOLDERS || self.holders.contains(holder)
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
        self.unclaimed.advance(now);
        // While there is something to claim, a report must not come twice.
        let remember = self.unclaimed.sum() > 0;
        let mut lent = 0_u64;
        self.holders.retain(|record| {
            let lives = record.until > now;
            if !lives {
                record.expire();
            }
            lent = lent.saturating_add(record.permits());
            lives || remember
        });
        self.lent = lent;
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
        let fits = self.fits(price) && self.has_room_for(holder) && self.is_open(holder);
        if fits {
            self.give(holder, price, START_WITHIN);
        }
        fits
    }

    fn undo(&mut self, holder: u64, price: u64) {
        let Some(record) = self.holders.get_mut(holder) else { return };
        let before = record.permits();
        record.revoke(self.question.sequence, price);
        record.until = self.question.before.unwrap_or(record.until);
        self.lent = self.lent.saturating_sub(before.saturating_sub(record.permits()));
        if record.is_empty() {
            self.holders.remove(holder);
        }
    }

    /// Nothing to promise: a permit comes back when its request ends.
    fn expect_back(&mut self, _price: u64) {}

    fn era(&self) -> u64 {
        self.era
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
        let known = self.holders.get(holder)?;
        let (permits, start_within) = (known.permits(), known.start_within);
        let start_within = start_within.saturating_mul(2).clamp(START_WITHIN, LONGEST_START_WITHIN);
        let starts = u128::from(demand).saturating_mul(start_within) / 1_000_000_000_000;
        let is_worth_it = starts >= u128::from(cost).saturating_mul(LEAST_STARTS);
        // If the limit was lowered, what is out above it comes home.
        let is_above = self.out() > self.requests;
        if !is_worth_it || is_above || permits == 0 || !self.is_open(holder) {
            return None;
        }
        // A quarter more than it has, and at most half of what is free for each holder: what it does not use, another
        // one misses until the timeout is over.
        let holders = u64::try_from(self.holders.len()).unwrap_or(u64::MAX).max(1);
        let half = self.available().checked_div(holders.saturating_mul(2)).unwrap_or(0);
        let deposit = permits.div_ceil(4).min(half);
        self.give(holder, deposit, start_within);
        let record = self.holders.get_mut(holder)?;
        (record.start_within, record.demand) = (start_within, demand);
        let lifetime_ms = u32::try_from(lifetime(self.timeout, start_within) / 1_000_000).unwrap_or(u32::MAX);
        Some(Loan { share: 0, capacity: record.permits(), deposit, lifetime_ms })
    }

    /// Nothing is lent from a reserve.
    fn set_aside(&mut self) {}

    /// Permits that lie in reserve keep requests out all the time, and those that are out outlive a timeout.
    fn lend_reserve(&mut self, _borrower: &Borrower) -> Option<Loan> {
        None
    }

    fn claim(&mut self, report: &Report<'_>) {
        let Report { holder, sequence, era, held } = *report;
        self.question = Heard { sequence, before: None };
        let Some(held) = held.filter(|_| era == self.era || makes(Mutation::ReportsBelieved)) else { return };
        let is_known = self.holders.contains(holder);
        if !is_known && (self.unclaimed.sum() == 0 || !self.has_room_for(holder)) {
            return;
        }
        let Some(record) = self.holders.meet(holder) else { return };
        let before = record.permits();
        let foreign = record.report(sequence, held.id, held.capacity);
        // Whatever has expired since the holder said so is not there any more.
        let until = self.unclaimed.last();
        let moved = self.unclaimed.take(foreign);
        if moved > 0 {
            record.keep_more(moved, until);
        }
        self.lent = self.lent.saturating_sub(before).saturating_add(record.permits());
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
        let until = self.holders.all().fold(0, |latest, record| latest.max(record.until));
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

    fn weight(&self) -> usize {
        self.holders.all().fold(2, |sum, record| sum.saturating_add(record.weight()))
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
        self.holders.all().fold(0, |sum, record| sum.saturating_add(record.demand))
    }
}

#[cfg(test)]
mod tests;
