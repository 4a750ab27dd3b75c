use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

use super::delta::{Delta, Purges};
use super::question::Question;
use super::stamp::Generation;
use super::target::Target;

/// How a purge treats what it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// It is as if it were gone.
    Hard,
    /// It is stale: good for validation, and for what stale responses are good for.
    Soft,
}

/// The proof of a purge: whatever was fetched before `generation` and is concerned is not served as fresh any more, two
/// seconds after the receipt was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The log, with this purge as its latest.
    pub generation: Generation,
}

/// A row of the log: one target and the numbers of its latest purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeRow {
    /// The target.
    pub target: Target,
    /// The number of the latest hard purge; 0: none.
    pub hard: u64,
    /// The number of the latest soft purge; 0: none.
    pub soft: u64,
}

/// The one list of all purges: the state of the Durable Object `Purge`.
///
/// It keeps one row a target, however often that is purged, so its rate has no bound. Beyond
/// [`MAX_TARGETS`](Self::MAX_TARGETS) it forgets the target whose purge is the longest ago, and raises the floor.
#[derive(Debug)]
pub struct PurgeLog {
    log: u64,
    sequence: u64,
    floor: u64,
    targets: HashMap<Target, Purges>,
    // Invariant: the targets above with the numbers of their latest purges, in this order. What was purged again since has
    // left an entry with an older number behind.
    order: VecDeque<(u64, Target)>,
}

impl PurgeLog {
    /// So many targets are remembered: about 4 MiB.
    pub const MAX_TARGETS: usize = 50_000;

    /// A new log; its name is drawn at random, so that no response stored under another log is believed.
    pub fn begin(log: u64) -> Self {
        Self { log, sequence: 0, floor: 0, targets: HashMap::new(), order: VecDeque::new() }
    }

    /// Goes on with a log from its rows, in the order of their latest purges.
    pub fn resume(generation: Generation, floor: u64, rows: impl IntoIterator<Item = PurgeRow>) -> Self {
        let mut resumed = Self { sequence: generation.sequence, floor, ..Self::begin(generation.log) };
        for PurgeRow { target, hard, soft } in rows {
            resumed.put(target, Purges { hard, soft });
        }
        resumed
    }

    /// Where the log is.
    pub fn generation(&self) -> Generation {
        Generation { log: self.log, sequence: self.sequence }
    }

    /// What was stored before this number must be validated.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Adds a purge of all these targets. The [`rows`](Self::row) of the targets, the [`floor`](Self::floor) and the
    /// [`generation`](Self::generation) have to be stored before the receipt is given; the targets that come back were
    /// forgotten for it.
    pub fn append(&mut self, targets: &[Target], manner: Manner) -> (Receipt, Vec<Target>) {
        self.sequence = self.sequence.saturating_add(1);
        for target in targets {
            let mut purges = self.targets.get(target).copied().unwrap_or_default();
            match manner {
                Manner::Hard => purges.hard = self.sequence,
                Manner::Soft => purges.soft = self.sequence,
            }
            self.put(*target, purges);
        }
        let mut forgotten = Vec::new();
        while self.targets.len() > Self::MAX_TARGETS {
            let Some((latest, target)) = self.order.pop_front() else { break };
            if self.is_latest(latest, target) {
                self.targets.remove(&target);
                self.floor = self.floor.max(latest);
                forgotten.push(target);
            }
        }
        (Receipt { generation: self.generation() }, forgotten)
    }

    /// Appends what a question purges, and answers it. Returned with the targets whose rows are to be written, and those
    /// whose rows are to be deleted, before the answer is given.
    pub fn answer(&mut self, question: &Question) -> (Delta, Vec<PurgeRow>, Vec<Target>) {
        let mut forgotten = Vec::new();
        if !question.targets.is_empty() {
            (_, forgotten) = self.append(&question.targets, question.manner);
        }
        let mut rows: Vec<PurgeRow> = Vec::new();
        for target in &question.targets {
            // A thousand at most: looking through them costs less than the rows do.
            rows.extend(self.row(*target).filter(|row| !rows.contains(row)));
        }
        (self.since(question.known), rows, forgotten)
    }

    /// The row of a target; `None` when it was forgotten.
    pub fn row(&self, target: Target) -> Option<PurgeRow> {
        self.targets.get(&target).map(|Purges { hard, soft }| PurgeRow { target, hard: *hard, soft: *soft })
    }

    /// What an isolate that knows the log up to `known` has to learn; everything, when it knows another log or none.
    pub fn since(&self, known: Option<Generation>) -> Delta {
        let from = known.filter(|known| known.log == self.log).map_or(0, |known| known.sequence);
        let known = self.order.partition_point(|(latest, _)| *latest <= from);
        let news = self.order.iter().skip(known).filter(|(latest, target)| self.is_latest(*latest, *target));
        let purges = news.filter_map(|(_, target)| Some((*target, *self.targets.get(target)?)));
        Delta { from, to: self.generation(), floor: self.floor, purges: purges.collect() }
    }

    fn put(&mut self, target: Target, purges: Purges) {
        self.targets.insert(target, purges);
        self.order.push_back((purges.latest(), target));
        if self.order.len() > self.targets.len().saturating_mul(2).saturating_add(16) {
            let targets = &self.targets;
            self.order.retain(|(latest, target)| targets.get(target).is_some_and(|purges| purges.latest() == *latest));
        }
    }

    fn is_latest(&self, latest: u64, target: Target) -> bool {
        self.targets.get(&target).is_some_and(|purges| purges.latest() == latest)
    }
}
