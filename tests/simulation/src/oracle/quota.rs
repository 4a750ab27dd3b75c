//! A quota: at most so many in each window of a calendar, by the clock of the object.

use super::calendar::Labels;
use super::{Mark, above, settle};
use crate::plan::Kind;

pub(super) struct Used {
    requests: u64,
    labels: Labels,
    label: u64,
    admitted: Vec<(usize, u64)>,
    next: Option<u64>,
    /// What an accuracy adds, and what had been used beyond a number that was lowered since: it adds to that.
    debt: u64,
    beyond: u64,
}

impl Used {
    pub(super) fn new(kind: &Kind, requests: u64, debt: u64) -> Used {
        let (labels, admitted) = (Labels::new(kind), Vec::new());
        Used { requests, labels, label: 0, admitted, next: None, debt, beyond: 0 }
    }

    pub(super) fn room(&mut self, shown: u64) -> i64 {
        let label = self.labels.of(shown / 1_000);
        if label > self.label {
            (self.label, self.beyond) = (label, 0);
            self.admitted.clear();
        }
        i64::try_from(self.allowed()).unwrap() - i64::try_from(self.sum()).unwrap()
    }

    fn sum(&self) -> u64 {
        self.admitted.iter().map(|(_, cost)| cost).sum()
    }

    fn allowed(&self) -> u64 {
        self.requests + self.beyond
    }

    pub(super) fn take(&mut self, request: usize, cost: u64) -> u64 {
        self.admitted.push((request, cost));
        above(self.sum(), self.allowed())
    }

    pub(super) fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Reset => {
                self.beyond = 0;
                self.admitted.clear();
            }
            Mark::Changing(Kind::Quota { requests, .. }) => {
                self.next = Some(*requests);
                self.requests = self.requests.max(*requests);
            }
            Mark::Changed => {
                self.requests = self.next.take().unwrap();
                if self.debt > 0 {
                    self.beyond = (self.sum() + self.debt).saturating_sub(self.requests);
                }
            }
            Mark::Settled { request, cost } => {
                let parts = self.admitted.iter_mut().filter(|(admitted, _)| admitted == request);
                settle(parts.map(|(_, cost)| cost), *cost);
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
