//! A token bucket: in every interval at most the burst and what the rate gives in that time.
//!
//! One shadow bucket judges all intervals at once: it is overdrawn if and only if some interval has too many.

use super::{Clocks, Mark, Share};
use crate::clock::{MAX_DRIFT, Moment};
use crate::plan::Kind;

/// A request is so many parts for each millisecond of the period.
const PARTS: i128 = 1_000_000;
/// A hundred-thousandth of a request at most.
const ROUNDING: i128 = 1_000;

pub(super) struct Bucket {
    per: u64,
    /// Parts a millisecond.
    refill: i128,
    full: i128,
    level: i128,
    updated: Moment,
    /// What was let through and may still be settled.
    open: Vec<(usize, u64)>,
    next: Option<(i128, i128)>,
    clocks: Clocks,
}

impl Bucket {
    pub(super) fn new(requests: u32, per: u64, burst: u64, clocks: Clocks) -> Bucket {
        let (refill, full) = numbers(requests, per, burst, clocks);
        Bucket { per, refill, full, level: full, updated: 0, open: Vec::new(), next: None, clocks }
    }

    fn advance(&mut self, at: Moment) {
        self.credit(at.saturating_sub(self.updated));
        self.updated = self.updated.max(at);
    }

    fn credit(&mut self, millis: u64) {
        self.level = self.full.min(self.level + i128::from(millis) * self.refill);
    }

    pub(super) fn room(&mut self, at: Moment) -> i64 {
        self.advance(at);
        i64::try_from(self.level.div_euclid(i128::from(self.per) * PARTS)).unwrap()
    }

    /// Lets a request through, whether it fits or not, and returns by how much it was too many.
    pub(super) fn take(&mut self, request: usize, cost: u64, share: Share) -> u64 {
        self.level -= share.of(parts(cost, self.per));
        if let Share::Rest(_) = share {
            self.open.push((request, cost));
        }
        // Parts are rounded, by one each.
        let over = -self.level - ROUNDING;
        u64::try_from(over.max(0)).unwrap().div_ceil(u64::try_from(parts(1, self.per)).unwrap())
    }

    pub(super) fn mark(&mut self, at: Moment, mark: &Mark) {
        self.advance(at);
        match mark {
            Mark::Jumped(millis) => self.credit((*millis).min(1_000_000_000)),
            Mark::Reset => self.level = self.full,
            // Each of the two configurations counts what the other lets through, but by its own numbers.
            Mark::Changing(Kind::Rate { requests, burst, .. }) => {
                let (refill, full) = numbers(*requests, self.per, u64::from(*burst), self.clocks);
                self.next = Some((refill, full));
                (self.refill, self.full, self.level) = (self.refill + refill, self.full + full, self.level + full);
            }
            Mark::Changed => {
                (self.refill, self.full) = self.next.take().unwrap();
                self.level = self.level.min(self.full);
            }
            Mark::Settled { request, cost } => {
                if let Some(index) = self.open.iter().position(|(open, _)| open == request) {
                    let (_, guess) = self.open.swap_remove(index);
                    let less = guess.saturating_sub(*cost);
                    self.level = self.full.min(self.level + parts(less, self.per));
                }
            }
            Mark::Changing(_)
            | Mark::Ended { .. }
            | Mark::Taken { .. }
            | Mark::Admitted { .. }
            | Mark::Passed { .. } => {}
        }
    }
}

fn parts(cost: u64, per: u64) -> i128 {
    i128::from(cost) * i128::from(per) * PARTS
}

fn numbers(requests: u32, per: u64, burst: u64, clocks: Clocks) -> (i128, i128) {
    let (fast, millis) = match clocks {
        Clocks::Right => (0, 0),
        Clocks::Off => (i128::from(MAX_DRIFT), 3),
    };
    let refill = i128::from(requests) * (PARTS + fast);
    (refill, parts(burst, per) + refill * millis)
}
