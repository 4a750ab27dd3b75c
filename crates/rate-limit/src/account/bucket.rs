//! A rate's account: a bucket that refills all the time.
//!
//! The unit is a nanosecond at the full rate: an empty bucket is full after [`Rate::fill_time`], and a request takes one
//! emission interval out of it.

mod level;
mod row;

use crate::account::{Borrower, Kind, Row};
use crate::answer::Loan;
use crate::nanos::duration;
use crate::question::{Held, Remains, Terms};
use crate::rate::Rate;
use crate::usage::Usage;
use crate::verdict::Verdict;
use level::Level;

/// The bucket of one key.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    now: u128,
    level: Level,
    /// What a restart would start from. Invariant: at no time above `level`, after `row` was called.
    stored: Level,
    /// What was charged since the account was opened.
    charged: u64,
}

impl Bucket {
    pub(crate) fn open(rate: Rate, row: Option<&[u8]>, now: u128) -> Bucket {
        let full = Level::full(&rate, now);
        let level = row.and_then(row::decode).map_or(full, |row| row.level(&rate, now));
        let mut bucket = Bucket { rate, now, level, stored: level, charged: 0 };
        bucket.advance(now);
        bucket
    }

    /// Returns how much a row is ahead of what it covers: a tenth of what was charged since the account was opened, and at
    /// most a tenth of the burst, or one request if that is more. An idle object is removed from memory after seconds:
    /// were the block always a tenth of the burst, ten requests, each after a pause, could use up a daily limit.
    fn block(&self) -> u64 {
        let most = self.rate.increment((self.rate.burst() / 10).max(1));
        (self.charged / 10).min(most)
    }

    fn wait(&self, price: u64) -> u128 {
        self.level.missing(price)
    }
}

impl Kind for Bucket {
    fn adapt(&mut self, terms: &Terms) -> bool {
        let Terms::Rate(rate) = terms else { return false };
        self.rate = *rate;
        self.level.clip(self.rate.fill_nanos());
        self.stored.clip(self.rate.fill_nanos());
        true
    }

    fn advance(&mut self, now: u128) {
        self.now = self.now.max(now);
        self.level.advance(self.now, level::WHOLE, self.rate.fill_nanos());
        self.stored.advance(self.now, level::WHOLE, self.rate.fill_nanos());
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

    fn expect_back(&mut self, _price: u64) {}

    fn give_back(&mut self, _price: u64) {}

    fn owe(&mut self, price: u64) {
        self.level.debit(price);
        self.level.at_least(self.rate.fill_nanos());
    }

    fn allowed(&self) -> Verdict {
        let remaining = self.level.units() / self.rate.interval_nanos();
        let effective_window = match remaining {
            0 => self.wait(self.rate.increment(1)),
            _ => u128::from(self.rate.interval_nanos().get().saturating_mul(remaining)),
        };
        Verdict::Allowed { remaining, effective_window: duration(effective_window) }
    }

    fn denied(&self, price: u64) -> Verdict {
        let remaining = self.level.units() / self.rate.interval_nanos();
        Verdict::Denied { remaining, retry_after: duration(self.wait(price)) }
    }

    fn ticket(&mut self, _holder: u64, price: u64) -> u128 {
        self.now.saturating_add(self.wait(price))
    }

    fn lend(&mut self, _borrower: &Borrower) -> Option<Loan> {
        None
    }

    fn lend_reserve(&mut self, _borrower: &Borrower) -> Option<Loan> {
        None
    }

    fn claim(&mut self, _holder: u64, _held: &Held) {}

    fn take_back(&mut self, _holder: u64, _remains: Remains) {}

    fn scarce(&self) -> bool {
        false
    }

    fn row(&mut self) -> Option<Row> {
        if self.stored <= self.level {
            return None;
        }
        self.stored = self.level;
        self.stored.debit(self.block());
        self.stored.at_least(self.rate.fill_nanos());
        Some(row::encode(&self.stored, &self.rate))
    }

    fn is_forgettable(&self) -> bool {
        self.level.holds(self.rate.fill_nanos()) && self.stored.holds(self.rate.fill_nanos())
    }

    fn usage(&self) -> Usage {
        let remaining = self.level.units() / self.rate.interval_nanos();
        Usage {
            used: u64::from(self.rate.burst()).saturating_sub(remaining),
            remaining,
            lent: 0,
            holders: 0,
            resets_in: duration(self.wait(self.rate.fill_nanos())),
        }
    }

    fn reset(&mut self) {
        self.level = Level::full(&self.rate, self.now);
        self.stored = self.level;
    }

    fn demand(&self) -> u64 {
        0
    }
}
