//! A quota's account: what was used in the window that is now.
//!
//! The unit is a request of cost one. There is no event that starts a window: the account compares the window it has with
//! the one that its own clock picks, and takes the later. So a window starts once, whatever clocks do, and a question
//! that comes late with the windows of yesterday takes nothing back. What is lent is charged when it is lent, and no lease
//! outlives its window.

mod inherited;
mod row;

use std::time::Duration;

use crate::account::leases::{LONGEST_LIFETIME, Leases, Offer, Part, RESERVE_LIFETIME};
use crate::account::{Borrower, Kind, LAST_ONES, Report, Row, leases, next_era};
use crate::allowance::Windows;
use crate::answer::Loan;
use crate::nanos::{CLOCK_TOLERANCE, duration};
use crate::question::{Remains, Terms};
use crate::usage::Usage;
use crate::verdict::Verdict;
use inherited::Inherited;
use row::Lent;

/// What a holder's clock, an answer on its way and a pause between a look at the clock and a charge may cost.
const GUARD: u128 = 50_000_000;
/// When to come again if no window is known: only a clock that is far off asks such a question.
const UNKNOWN_WINDOW: Duration = Duration::from_secs(1);

/// The quota of one key.
#[derive(Clone, Debug)]
pub(crate) struct Escrow {
    requests: u64,
    windows: Windows,
    now: u128,
    window: Option<Span>,
    /// What was used in the window, or lent.
    used: u64,
    /// What a restart would start from: what was used, and how much of that was lent. Invariant: not below what is so,
    /// after `row` was called. None: nothing that counts.
    stored: Option<(u64, Lent)>,
    /// What an instance before this one has lent, as long as it may be used.
    inherited: Inherited,
    /// What was charged since the account was opened.
    charged: u64,
    /// How much of `used` may turn out to be a guess that was too high, in this era.
    promised: u64,
    era: u64,
    leases: Leases,
    /// What was lent of the reserve in this window, once somebody wanted a slice: until then nothing is set aside.
    reserve_lent: Option<u64>,
}

/// A window: `start <= t < end`, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u128,
    end: u128,
}

impl Escrow {
    pub(crate) fn open(requests: u64, windows: Windows, row: Option<&[u8]>, now: u128, era: u64) -> Escrow {
        let mut account = Escrow {
            requests,
            windows,
            now,
            window: None,
            used: 0,
            stored: Some((0, Lent::default())),
            inherited: Inherited::default(),
            charged: 0,
            promised: 0,
            era,
            leases: Leases::default(),
            reserve_lent: None,
        };
        if let Some(stored) = row.and_then(row::decode) {
            account.used = stored.used;
            account.stored = Some((stored.used, stored.lent));
            account.inherited = Inherited::new(stored.lent, now);
            account.window = Some(stored.span);
            if stored.span.start > now.saturating_add(CLOCK_TOLERANCE.as_nanos()) {
                // The row is from a clock that was wrong. What it says was used was used now, as far as anybody knows;
                // the window it speaks of is not waited for.
                (account.window, account.stored) = (None, None);
            }
        }
        account.roll();
        account
    }

    /// Goes on to the window of now, if that is a later one.
    fn roll(&mut self) {
        let Some((start, end)) = self.windows.at(duration(self.now)) else { return };
        let picked = Span { start: start.as_nanos(), end: end.as_nanos() };
        match self.window {
            None => self.window = Some(picked),
            Some(window) if window.start < picked.start => {
                self.window = Some(picked);
                (self.used, self.stored) = (0, Some((0, Lent::default())));
                self.inherited = Inherited::default();
                self.begin_era();
                self.reserve_lent = self.reserve_lent.map(|_| 0);
                self.leases.clear();
            }
            // The time zone of the limit may have changed, and with it the end.
            Some(window) if window.start == picked.start => self.window = Some(picked),
            Some(_) => {}
        }
    }

    /// Gives nothing back any more of what was charged before.
    fn begin_era(&mut self) {
        (self.promised, self.era) = (0, next_era(self.era));
    }

    /// How long the window goes on; zero if there is none for now.
    fn remaining_time(&self) -> u128 {
        self.window.map_or(0, |window| window.end.saturating_sub(self.now))
    }

    fn available(&self) -> u64 {
        if self.remaining_time() == 0 {
            return 0;
        }
        self.requests.saturating_sub(self.used).saturating_sub(self.pool())
    }

    /// What is left of the twentieth that is set aside for when the object cannot be asked.
    fn pool(&self) -> u64 {
        self.reserve_lent.map_or(0, |lent| (self.requests / 20).saturating_sub(lent))
    }

    fn charge(&mut self, price: u64) {
        self.used = self.used.saturating_add(price);
        self.charged = self.charged.saturating_add(price);
    }

    /// How much a row is ahead of what it covers: a hundredth of the quota, so that a window writes about a hundred rows,
    /// but no more than half of what this instance has charged. An idle object is removed from memory after seconds: were
    /// the block always a hundredth, a hundred requests, each after a pause, could use up a quota of a million.
    fn block(&self) -> u64 {
        (self.requests / 100).min(self.charged / 2)
    }

    fn lent(&mut self, lent: leases::Lent) -> Loan {
        self.charge(lent.deposit);
        lent.loan()
    }

    /// What may be used without asking, whoever has lent it.
    fn on_loan(&self) -> Lent {
        let slices = self.leases.lent_of_reserve(self.now);
        let leases = self.leases.lent(self.now).saturating_sub(slices);
        let inherited = self.inherited.lent;
        Lent { leases: leases.saturating_add(inherited.leases), slices: slices.saturating_add(inherited.slices) }
    }

    fn wait(&self) -> Duration {
        match self.remaining_time() {
            0 => UNKNOWN_WINDOW,
            time => duration(time),
        }
    }
}

impl Kind for Escrow {
    fn adapt(&mut self, terms: &Terms) -> bool {
        let Terms::Quota { requests, windows } = terms else { return false };
        self.requests = *requests;
        self.windows = *windows;
        self.roll();
        true
    }

    fn advance(&mut self, now: u128) {
        self.now = self.now.max(now);
        self.roll();
        self.inherited.advance(self.now);
    }

    fn fits(&self, price: u64) -> bool {
        // What is set aside must not keep a request out for ever that costs nearly all there is.
        let untouched = self.used == 0 && self.remaining_time() > 0;
        price <= self.available() || (untouched && price <= self.requests)
    }

    fn take(&mut self, _holder: u64, price: u64) -> bool {
        let fits = self.fits(price);
        if fits {
            self.charge(price);
        }
        fits
    }

    fn undo(&mut self, _holder: u64, price: u64) {
        self.used = self.used.saturating_sub(price);
        self.charged = self.charged.saturating_sub(price);
    }

    fn expect_back(&mut self, price: u64) {
        self.promised = self.promised.saturating_add(price);
    }

    fn era(&self) -> u64 {
        self.era
    }

    fn give_back(&mut self, era: u64, price: u64) {
        if era != self.era {
            return;
        }
        let price = price.min(self.promised);
        self.promised = self.promised.saturating_sub(price);
        self.used = self.used.saturating_sub(price);
    }

    fn owe(&mut self, price: u64, age: u128) {
        if self.window.is_some_and(|window| self.now.saturating_sub(age) < window.start) {
            // It was admitted in a window that is over.
            return;
        }
        let most = self.requests.saturating_mul(2).max(self.used);
        self.charge(price.min(most.saturating_sub(self.used)));
    }

    fn allowed(&self, held: u64) -> Verdict {
        Verdict::Allowed { remaining: self.available().saturating_add(held), effective_window: self.wait() }
    }

    fn denied(&self, _price: u64) -> Verdict {
        Verdict::Denied { remaining: self.available(), retry_after: self.wait() }
    }

    fn ticket(&mut self, _holder: u64, _price: u64, fit: bool) -> u128 {
        if fit {
            return self.now;
        }
        self.now.saturating_add(self.wait().as_nanos())
    }

    fn lend(&mut self, borrower: &Borrower) -> Option<Loan> {
        let longest = self.remaining_time().saturating_sub(GUARD);
        let offer = Offer { available: self.available(), part: Part::Fourth { kept: LAST_ONES.into() }, longest };
        let lent = self.leases.lend(borrower, self.now, &offer)?;
        Some(self.lent(lent))
    }

    fn set_aside(&mut self) {
        self.reserve_lent.get_or_insert(0);
    }

    fn lend_reserve(&mut self, borrower: &Borrower) -> Option<Loan> {
        // What is free of the twentieth: some of it may have been used before anybody wanted a slice.
        let already = *self.reserve_lent.get_or_insert(0);
        let pool = self.pool().min(self.requests.saturating_sub(self.used));
        let longest = self.remaining_time().saturating_sub(GUARD);
        let lent = self.leases.lend_reserve(borrower, self.now, pool, longest)?;
        self.reserve_lent = Some(already.saturating_add(lent.deposit));
        Some(self.lent(lent))
    }

    fn claim(&mut self, &Report { holder, held, .. }: &Report<'_>) {
        if let Some(held) = held {
            self.leases.claim(holder, held);
        }
    }

    fn honours(&self, holder: u64, lease: u64) -> bool {
        self.leases.is_live(holder, lease, self.now)
    }

    fn take_back(&mut self, holder: u64, remains: Remains) {
        if let Some(lease) = self.leases.take_back(holder, remains) {
            self.used = self.used.saturating_sub(lease.units);
        }
    }

    fn scarce(&self) -> bool {
        self.leases.want_more_than(self.available(), self.now)
    }

    fn row(&mut self) -> Option<Row> {
        let lent = self.on_loan();
        let covered = self.stored.is_some_and(|(used, stored)| self.used <= used && stored.covers(&lent));
        let span = self.window.filter(|_| !covered)?;
        let used = self.used.saturating_add(self.block()).min(self.requests.max(self.used));
        // Twice as much, so that a row is not due for each loan.
        let ahead = |units: u64| units.saturating_mul(2).min(used);
        let lent = Lent { leases: ahead(lent.leases), slices: ahead(lent.slices) };
        self.stored = Some((used, lent));
        Some(row::encode(row::Stored { span, used, lent }))
    }

    fn is_forgettable(&self) -> bool {
        self.remaining_time() == 0 || (self.used == 0 && self.stored.is_some_and(|(used, _)| used == 0))
    }

    fn weight(&self) -> usize {
        self.leases.weight().saturating_add(2)
    }

    fn usage(&self) -> Usage {
        Usage {
            used: self.used,
            remaining: self.available(),
            lent: self.leases.lent(self.now),
            holders: self.leases.count(self.now),
            resets_in: duration(self.remaining_time()),
        }
    }

    fn reset(&mut self) {
        self.leases.forget_expired(self.now);
        self.used = self.leases.lent(self.now).saturating_add(self.inherited.lent.sum());
        (self.stored, self.charged) = (None, 0);
        self.begin_era();
    }

    fn demand(&self) -> u64 {
        self.leases.demand(self.now)
    }
}

#[cfg(test)]
mod tests;
