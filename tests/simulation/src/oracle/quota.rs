//! A quota: at most so many in each window of a calendar, by the clock of the object.

use super::Mark;
use super::calendar::Labels;
use crate::plan::Kind;

pub(super) struct Used {
    requests: u64,
    labels: Labels,
    label: u64,
    admitted: Vec<(usize, u64)>,
    next: Option<u64>,
}

impl Used {
    pub(super) fn new(kind: &Kind, requests: u64) -> Used {
        Used { requests, labels: Labels::new(kind), label: 0, admitted: Vec::new(), next: None }
    }

    pub(super) fn room(&mut self, shown: u64) -> i64 {
        let label = self.labels.of(shown / 1_000);
        if label > self.label {
            self.label = label;
            self.admitted.clear();
        }
        let used: u64 = self.admitted.iter().map(|(_, cost)| cost).sum();
        i64::try_from(self.requests).unwrap() - i64::try_from(used).unwrap()
    }

    pub(super) fn take(&mut self, request: usize, cost: u64) {
        self.admitted.push((request, cost));
    }

    pub(super) fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Reset => self.admitted.clear(),
            Mark::Changing(Kind::Quota { requests, .. }) => {
                self.next = Some(*requests);
                self.requests = self.requests.max(*requests);
            }
            Mark::Changed => self.requests = self.next.take().unwrap(),
            Mark::Settled { request, cost } => {
                for admitted in self.admitted.iter_mut().filter(|(admitted, _)| admitted == request) {
                    admitted.1 = *cost;
                }
            }
            Mark::Changing(_) | Mark::Jumped(_) | Mark::Ended { .. } | Mark::Admitted { .. } => {}
        }
    }
}
