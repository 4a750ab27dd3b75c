//! A rate's account: a bucket that refills all the time, of which parts are lent.
//!
//! The unit is a nanosecond at the full rate: an empty bucket is full after [`Rate::fill_time`], and a request takes one
//! emission interval out of it. A bucket is two things that are conserved, a rate at which it refills and a capacity. The
//! account lends parts of both, so that at any time the parts together are at most the whole:
//!
//! - what is here, what is at the holders, and what may still come back are together at most the capacity;
//! - what refills here and at the holders is together at most the rate, because a holder stops to refill before its share
//!   is given back here: it counts from when it asked, the account from when it answered.
//!
//! So whatever is lost, repeated or restarted, in every interval no more is admitted than the capacity and what the rate
//! gives in that time.

mod fair;
mod lending;
mod level;
mod loans;
mod row;

use crate::account::{Borrower, Kind, Report, Row, next_era};
use crate::answer::Loan;
use crate::nanos::{CLOCK_TOLERANCE, duration};
use crate::question::{Remains, Terms};
use crate::rate::Rate;
use crate::usage::Usage;
use crate::verdict::Verdict;
use fair::Fair;
use level::{Level, time_for};
use loans::{Loans, Promise};
use row::{Stored, Taken};

pub(crate) use level::{WHOLE, refill};

/// The bucket of one key.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    now: u128,
    level: Level,
    // Invariant: the level, what expired leases may give back, and this are at most the capacity that is not lent, so that
    // nothing comes back to a bucket that has been full since.
    /// What may come back because costs were guesses, in this era.
    expected: u64,
    era: u64,
    loans: Loans,
    /// What a restart would start from. Invariant, after `row` was called: never above the level, and never less lent.
    stored: Stored,
    /// Something changed that a row has to say, though it is covered.
    unsaved: bool,
    /// What did not fit since the question before the latest: the bucket was full.
    spilled: u64,
    /// When the numbers changed last. For a while isolates with the old and with the new ones may ask in turns.
    changed_at: Option<u128>,
    /// What was charged since the account was opened.
    charged: u64,
    fair: Fair,
    fair_at: u128,
    /// When the next request of those that wait fits, if all before it come.
    cursor: u128,
    /// Since when hardly anything was left after an answer.
    low_since: Option<u128>,
}

impl Bucket {
    pub(crate) fn open(rate: Rate, row: Option<&[u8]>, now: u128, era: u64) -> Bucket {
        let fill = rate.fill_nanos();
        let full = Level { units: i128::from(fill), at: now };
        let nothing = Promise::default();
        let fresh = Stored { level: full, lent: nothing, reserve: nothing, taken: Taken::default() };
        let known = row.and_then(|row| Stored::decode(row, &rate));
        let mut stored = known.unwrap_or(fresh);
        // A row from a clock that was far ahead locks nobody out: time goes on from what two machines may differ by.
        let furthest = now.saturating_add(CLOCK_TOLERANCE.as_nanos());
        let unsaved = stored.level.at > furthest;
        stored.level.at = stored.level.at.min(furthest);
        stored.level.owe_at_most(fill);
        // Whatever was lent was lent before now.
        stored.lent.until = stored.lent.until.min(now.saturating_add(lending::LONGEST));
        stored.reserve.until = stored.reserve.until.min(now.saturating_add(lending::RESERVE_LIFETIME));
        stored.taken.until = stored.taken.until.min(now.saturating_add(lending::IDLE_AHEAD));
        let spilled = stored.advance(now, fill);
        // Without a row it has been full for long.
        let spilled = if known.is_some() { spilled } else { u64::MAX };
        let loans = Loans::after_restart(stored.lent, stored.reserve, now);
        Bucket {
            rate,
            now,
            level: stored.level,
            expected: 0,
            era,
            loans,
            stored,
            unsaved,
            spilled,
            changed_at: None,
            charged: 0,
            fair: Fair::default(),
            fair_at: 0,
            cursor: 0,
            low_since: None,
        }
    }

    /// Returns how much a row is ahead of what it covers: what comes back within a second, at most half of the burst; or a
    /// tenth of what was charged since the account was opened, at most a tenth of the burst or one request. An idle object
    /// is removed from memory after seconds: were the block always a tenth of the burst, ten requests, each after a pause,
    /// could use up a daily limit.
    fn block(&self) -> u64 {
        if self.charged == 0 {
            return 0;
        }
        let soon = lending::SECOND_OF_REFILL.min(self.rate.fill_nanos() / 2);
        (self.charged / 10).min(self.part()).max(soon)
    }

    /// A tenth of the burst, or one request if that is more.
    fn part(&self) -> u64 {
        self.rate.increment((self.rate.burst() / 10).max(1))
    }

    /// Returns what a row should let be taken in advance.
    ///
    /// Where requests are few, a bucket is full again before the next one comes, and the row with it: each would need a row
    /// of its own. So the row holds a part less than is there, for a while. Whoever starts from it starts without the part,
    /// and has no less for having started often: nothing is taken from a bucket that is not full.
    fn taken_ahead(&self) -> Taken {
        let part = self.part();
        if self.charged == 0 || self.loans.has_lease() || part > self.rate.fill_nanos() / 2 {
            return Taken::default();
        }
        Taken { units: part, until: self.now.saturating_add(lending::IDLE_AHEAD) }
    }

    /// Returns what a row should say of leases: more than there are, but no more than there can be beside the reserve.
    fn lent_ahead(&self, reserved: u64) -> Promise {
        let lent = self.loans.lent();
        if !self.loans.has_lease() {
            return lent;
        }
        let ahead = lending::ahead(&lent, &self.rate);
        let most = self.rate.fill_nanos().saturating_sub(reserved).max(lent.capacity);
        Promise { capacity: ahead.capacity.min(most), ..ahead }
    }

    fn own_capacity(&self) -> u64 {
        self.loans.own_capacity(self.rate.fill_nanos())
    }

    fn clip(&mut self) {
        let own = self.own_capacity();
        self.level.clip(own);
        let room = self.level.room(own);
        self.loans.clip_returnable(room);
        if self.expected > room.saturating_sub(self.loans.returnable()) {
            self.expected = 0;
            self.era = next_era(self.era);
        }
    }

    /// Returns the nanoseconds until the level holds a price, if nobody comes: while loans end, more comes back.
    fn wait(&self, price: u64) -> u128 {
        let mut level = self.level;
        let start = level.at.max(self.now);
        let (mut share, mut own) = (self.loans.own_share(), self.own_capacity());
        for ended in self.loans.expiries() {
            let time = time_for(level.missing(price), share);
            if price <= own && share > 0 && level.at.saturating_add(time) <= ended.until {
                break;
            }
            level.advance(ended.until, share, own);
            share = share.saturating_add(ended.share).min(WHOLE);
            own = own.saturating_add(ended.capacity).min(self.rate.fill_nanos());
        }
        let time = time_for(level.missing(price), share);
        level.at.saturating_add(time).max(start).saturating_sub(self.now)
    }

    fn requests(&self, units: u64) -> u64 {
        units / self.rate.interval_nanos()
    }
}

impl Kind for Bucket {
    fn adapt(&mut self, terms: &Terms) -> bool {
        let Terms::Rate(rate) = terms else { return false };
        if *rate != self.rate {
            let (old, new) = (self.rate.interval_nanos().get(), rate.interval_nanos().get());
            row::convert_level(&mut self.level, (self.rate.fill_nanos(), old), (rate.fill_nanos(), new));
            self.loans.convert(new, old);
            self.charged = row::scale(self.charged, new, old);
            self.expected = 0;
            self.era = next_era(self.era);
            self.rate = *rate;
            self.fair_at = 0;
            self.unsaved = true;
            self.changed_at = Some(self.now);
            self.clip();
        }
        true
    }

    fn advance(&mut self, now: u128) {
        self.now = self.now.max(now);
        while let Some(expiry) = self.loans.next_expiry(self.now) {
            self.level.advance(expiry, self.loans.own_share(), self.own_capacity());
            self.clip();
            self.loans.expire(expiry);
            self.clip();
        }
        let elapsed = self.now.saturating_sub(self.level.at);
        let spilled = self.level.advance(self.now, self.loans.own_share(), self.own_capacity());
        if elapsed > 0 {
            self.spilled = spilled;
        }
        // In a shortage somebody asks more often than that, and a whole bucket is never full.
        if elapsed > lending::LONGEST || (spilled > 0 && self.own_capacity() == self.rate.fill_nanos()) {
            self.low_since = None;
        }
        self.clip();
        if self.changed_at.is_some_and(|at| at.saturating_add(CLOCK_TOLERANCE.as_nanos()) <= self.now) {
            self.changed_at = None;
            self.level.owe_at_most(self.rate.fill_nanos());
        }
        self.stored.advance(self.now, self.rate.fill_nanos());
    }

    fn fits(&self, price: u64) -> bool {
        self.level.holds(price)
    }

    fn take(&mut self, _holder: u64, price: u64) -> bool {
        let fits = self.level.holds(price);
        if fits {
            self.level.debit(price);
            self.charged = self.charged.saturating_add(price);
        }
        fits
    }

    fn undo(&mut self, _holder: u64, price: u64) {
        self.level.credit(price);
        self.charged = self.charged.saturating_sub(price);
    }

    fn expect_back(&mut self, price: u64) {
        self.expected = self.expected.saturating_add(price);
        self.clip();
    }

    fn era(&self) -> u64 {
        // What was clipped at once is not promised in this era either.
        if self.expected == 0 { 0 } else { self.era }
    }

    fn give_back(&mut self, era: u64, price: u64) {
        if era != 0 && era == self.era {
            let back = price.min(self.expected);
            self.expected = self.expected.saturating_sub(back);
            self.level.credit(back);
            self.clip();
        }
    }

    fn owe(&mut self, price: u64, age: u128) {
        // Had it been charged when it was admitted, what has spilled since would have paid for it.
        let since = u64::try_from(refill(age, WHOLE)).unwrap_or(u64::MAX);
        let repaid = price.min(self.spilled).min(since);
        self.spilled = self.spilled.saturating_sub(repaid);
        let price = price.saturating_sub(repaid);
        self.level.debit(price);
        if self.changed_at.is_none() {
            self.level.owe_at_most(self.rate.fill_nanos());
        }
        self.charged = self.charged.saturating_add(price);
    }

    fn allowed(&self, held: u64) -> Verdict {
        let remaining = self.requests(self.level.units().saturating_add(held));
        let effective_window = match remaining {
            0 => self.wait(self.rate.increment(1)),
            _ => u128::from(self.rate.interval_nanos().get().saturating_mul(remaining)),
        };
        Verdict::Allowed { remaining, effective_window: duration(effective_window) }
    }

    fn denied(&self, price: u64) -> Verdict {
        let remaining = self.requests(self.level.units());
        Verdict::Denied { remaining, retry_after: duration(self.wait(price)) }
    }

    fn ticket(&mut self, holder: u64, price: u64, fit: bool) -> u128 {
        self.take_ticket(holder, price, fit)
    }

    fn lend(&mut self, borrower: &Borrower) -> Option<Loan> {
        self.lend_part(borrower)
    }

    /// A slice of a bucket comes out of what does not fit beside it.
    fn set_aside(&mut self) {}

    fn lend_reserve(&mut self, borrower: &Borrower) -> Option<Loan> {
        self.lend_slice(borrower)
    }

    fn claim(&mut self, &Report { holder, held, .. }: &Report<'_>) {
        let Some(held) = held else { return };
        if self.loans.hear(holder, 0, self.now).is_some() {
            self.loans.claim(holder, held.id, u64::from(held.share), held.capacity);
        }
    }

    fn honours(&self, holder: u64, lease: u64) -> bool {
        let member = self.loans.members.get(holder);
        member.and_then(|member| member.lease.as_ref()).is_some_and(|on_record| on_record.first <= lease)
    }

    fn take_back(&mut self, holder: u64, remains: Remains) {
        self.loans.end(holder, remains.id, self.now);
        self.clip();
        let back = self.loans.take_back(holder, remains.id, remains.left);
        self.level.credit(back);
        self.clip();
    }

    fn scarce(&self) -> bool {
        self.fair.is_scarce()
    }

    fn row(&mut self) -> Option<Row> {
        let covered = self.stored.level.units <= self.level.units
            && lending::covers(&self.stored.lent, &self.loans.lent())
            && lending::covers(&self.stored.reserve, &self.loans.reserve());
        if covered && !self.unsaved {
            return None;
        }
        self.unsaved = false;
        let mut level = self.level;
        level.debit(self.block());
        level.owe_at_most(self.rate.fill_nanos());
        let reserve = lending::reserve_ahead(&self.loans.reserve(), &self.rate);
        let lent = self.lent_ahead(reserve.capacity);
        self.stored = Stored { level, lent, reserve, taken: self.taken_ahead() };
        self.stored.advance(self.now, self.rate.fill_nanos());
        Some(self.stored.encode(&self.rate))
    }

    fn is_forgettable(&self) -> bool {
        let full = self.rate.fill_nanos();
        self.level.holds(full) && self.stored.level.holds(full) && !self.unsaved
    }

    fn weight(&self) -> usize {
        self.loans.weight().saturating_add(3)
    }

    fn usage(&self) -> Usage {
        let fill = self.rate.fill_nanos();
        let lent = self.loans.lent().capacity.saturating_add(self.loans.reserve().capacity);
        let remaining = self.requests(self.level.units());
        Usage {
            used: u64::from(self.rate.burst()).saturating_sub(remaining),
            remaining,
            lent: self.requests(lent),
            holders: self.loans.members.all().filter(|member| member.lease.is_some()).count(),
            resets_in: duration(self.wait(fill)),
        }
    }

    fn reset(&mut self) {
        self.level.units = i128::from(self.own_capacity());
        self.loans.forget_returnable();
        self.expected = 0;
        self.era = next_era(self.era);
        (self.cursor, self.charged) = (0, 0);
        self.low_since = None;
        for (_, member) in self.loans.members.all_mut() {
            member.ticket = 0;
        }
        self.unsaved = true;
    }

    fn demand(&self) -> u64 {
        let present = self.loans.members.all().filter(|member| member.is_present(self.now));
        present.fold(0, |sum, member| sum.saturating_add(member.demand))
    }
}

#[cfg(test)]
mod tests;
