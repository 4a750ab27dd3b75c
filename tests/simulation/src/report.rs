//! What a run amounts to.

use crate::oracle::Excess;

/// Counts of one schedule, or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Schedules.
    pub schedules: u64,
    /// Events that were simulated.
    pub events: u64,
    /// Requests that came.
    pub requests: u64,
    /// Requests that were let through.
    pub admitted: u64,
    /// Requests that a limiter without any distance would have let through, in schedules in which that can be said: how
    /// long a refused request would have run, nobody knows.
    pub ideal: u64,
    /// Requests that were let through in those.
    pub compared: u64,
    /// Requests that were decided from memory.
    pub from_memory: u64,
    /// Requests that were let through because nobody answered.
    pub open: u64,
    /// Requests that were refused because nobody answered.
    pub closed: u64,
    /// Questions that some request waited for.
    pub asks: u64,
    /// Questions that nobody waited for.
    pub refreshes: u64,
    /// Rows written.
    pub rows: u64,
    /// Failures and acts of operators.
    pub faults: u64,
    /// Schedules in which a rule was broken.
    pub violations: u64,
}

impl Counts {
    /// Adds the counts of other schedules.
    pub fn add(&mut self, other: &Counts) {
        self.schedules += other.schedules;
        self.events += other.events;
        self.requests += other.requests;
        self.admitted += other.admitted;
        self.ideal += other.ideal;
        self.compared += other.compared;
        self.from_memory += other.from_memory;
        self.open += other.open;
        self.closed += other.closed;
        self.asks += other.asks;
        self.refreshes += other.refreshes;
        self.rows += other.rows;
        self.faults += other.faults;
        self.violations += other.violations;
    }

    /// Returns how many calls to the object a request took, in thousandths.
    pub fn calls_permille(&self) -> u64 {
        (self.asks + self.refreshes) * 1_000 / self.requests.max(1)
    }

    /// Returns how much less was let through than by a limiter without any distance, in thousandths.
    pub fn undershoot_permille(&self) -> i64 {
        let (admitted, ideal) = (i64::try_from(self.compared).unwrap(), i64::try_from(self.ideal).unwrap());
        (ideal - admitted) * 1_000 / ideal.max(1)
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A limit let through more than it may.
    Excess {
        /// Which limit.
        limit: usize,
        /// Which of its keys.
        key: usize,
        /// How much.
        excess: Excess,
    },
    /// A request was let through although an enforced limit refused it, or the other way round.
    Inconsistent {
        /// Which.
        request: usize,
    },
    /// Long after everything was quiet, a key has no room.
    Stuck {
        /// Which limit.
        limit: usize,
        /// Which of its keys.
        key: usize,
    },
    /// The object lends and grants more than there is.
    Overlent {
        /// Which limit.
        limit: usize,
        /// Which of its keys.
        key: usize,
    },
    /// The object failed.
    Failed {
        /// What it said.
        reason: String,
    },
}

/// What one schedule came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How much of everything.
    pub counts: Counts,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// What happened, if asked for.
    pub trace: Vec<String>,
    /// For each isolate, how many of its requests were let through in the second half.
    pub shares: Vec<u64>,
}
