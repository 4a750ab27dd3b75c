//! Requests at the same time: at most so many that are running and younger than the timeout.

use super::{Clocks, Mark, above};
use crate::clock::Moment;
use crate::plan::Kind;

pub(super) struct Running {
    requests: u64,
    timeout: u64,
    running: Vec<(Moment, usize, u64)>,
    next: Option<u64>,
}

impl Running {
    pub(super) fn new(requests: u64, timeout: u64, clocks: Clocks) -> Running {
        let timeout = match clocks {
            Clocks::Right => timeout,
            Clocks::Off => timeout - timeout.div_ceil(100) - 3,
        };
        Running { requests, timeout, running: Vec::new(), next: None }
    }

    pub(super) fn room(&mut self, at: Moment) -> i64 {
        let timeout = self.timeout;
        self.running.retain(|(began, ..)| at < began + timeout);
        i64::try_from(self.allowed()).unwrap() - i64::try_from(self.sum()).unwrap()
    }

    fn sum(&self) -> u64 {
        self.running.iter().map(|(.., cost)| cost).sum()
    }

    fn allowed(&self) -> u64 {
        self.requests
    }

    pub(super) fn take(&mut self, at: Moment, request: usize, cost: u64) -> u64 {
        self.running.push((at, request, cost));
        above(self.sum(), self.allowed())
    }

    /// A request goes on: whatever was held for it, it is all in progress now.
    pub(super) fn pass(&mut self, at: Moment, request: usize, cost: u64) -> u64 {
        self.running.retain(|(_, running, _)| *running != request);
        self.take(at, request, cost)
    }

    pub(super) fn mark(&mut self, _at: Moment, mark: &Mark) {
        match mark {
            Mark::Ended { request } => self.running.retain(|(_, running, _)| running != request),
            Mark::Changing(Kind::Concurrency { requests, .. }) => {
                self.next = Some(u64::from(*requests));
                self.requests = self.requests.max(u64::from(*requests));
            }
            Mark::Changed => self.requests = self.next.take().unwrap(),
            Mark::Reset
            | Mark::Settled { .. }
            | Mark::Changing(_)
            | Mark::Jumped(_)
            | Mark::Taken { .. }
            | Mark::Admitted { .. }
            | Mark::Passed { .. } => {}
        }
    }
}
