//! A sliding window: at most so many in any interval of that length.

use std::collections::VecDeque;

use super::{Clocks, Mark, above, settle};
use crate::clock::Moment;
use crate::plan::Kind;

pub(super) struct Sliding {
    requests: u64,
    per: u64,
    admitted: VecDeque<(Moment, usize, u64)>,
    /// What both configurations allow while there are two, and until when that is remembered.
    next: Option<u64>,
    until: Moment,
    before: u64,
}

impl Sliding {
    pub(super) fn new(requests: u64, per: u64, clocks: Clocks) -> Sliding {
        let per = match clocks {
            Clocks::Right => per,
            Clocks::Off => per - per.div_ceil(100) - 3,
        };
        Sliding { requests, per, admitted: VecDeque::new(), next: None, until: 0, before: 0 }
    }

    pub(super) fn room(&mut self, at: Moment) -> i64 {
        while self.admitted.front().is_some_and(|(admitted, ..)| admitted + self.per <= at) {
            self.admitted.pop_front();
        }
        i64::try_from(self.allowed(at)).unwrap() - i64::try_from(self.sum()).unwrap()
    }

    fn sum(&self) -> u64 {
        self.admitted.iter().map(|(.., cost)| cost).sum()
    }

    fn allowed(&self, at: Moment) -> u64 {
        if self.next.is_some() || at < self.until { self.before } else { self.requests }
    }

    pub(super) fn take(&mut self, at: Moment, request: usize, cost: u64) -> u64 {
        self.admitted.push_back((at, request, cost));
        above(self.sum(), self.allowed(at))
    }

    pub(super) fn mark(&mut self, at: Moment, mark: &Mark) {
        match mark {
            Mark::Reset => self.admitted.clear(),
            Mark::Changing(Kind::Window { requests, .. }) => {
                self.next = Some(u64::from(*requests));
                self.before = self.requests + u64::from(*requests);
            }
            Mark::Changed => {
                // An interval that began before is judged by what held then.
                self.requests = self.next.take().unwrap();
                self.until = at + self.per;
            }
            Mark::Settled { request, cost } => {
                let parts = self.admitted.iter_mut().filter(|(_, admitted, _)| admitted == request);
                settle(parts.map(|(.., cost)| cost), *cost);
            }
            Mark::Changing(_)
            | Mark::Jumped(_)
            | Mark::Ended { .. }
            | Mark::Taken { .. }
            | Mark::Admitted { .. }
            | Mark::Passed { .. } => {}
        }
    }
}
