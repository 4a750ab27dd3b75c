//! What an isolate knows of its limits, as a state machine: it decides without asking where it was lent enough.

mod ask;
mod counters;
mod receipt;

use std::time::Duration;

use crate::answer::{Answer, Outcome};
use crate::decision::{Admission, Decided, Decision};
use crate::question::{Flags, Intent, Item, Question, Terms};
use crate::verdict::Verdict;
use crate::want::{Mode, Want, WhenUnreachable};

pub use ask::Ask;
pub use counters::HolderCounters;
pub use receipt::Receipt;

/// Why an object gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be reached, or not in time, or it answered nonsense.
    Unreachable,
    /// It has more to do than it can, and must not be asked again soon.
    Overloaded,
}

/// The memory of one isolate.
#[derive(Debug)]
pub struct Holder {
    id: u64,
    sequence: u64,
    counters: HolderCounters,
}

impl Holder {
    /// Creates the memory of an isolate. The id is random, so that no two isolates have the same.
    pub fn new(id: u64) -> Holder {
        Holder { id, sequence: 0, counters: HolderCounters::default() }
    }

    /// Decides from memory whether a request passes all of `wants`, or says whom to ask. Does no I/O.
    ///
    /// `object` is the name of the object that has all of the keys. `random` is drawn anew for each call.
    pub fn admit(&mut self, object: &str, wants: &[Want], now: Duration, random: u64) -> Admission {
        let _ = random;
        self.sequence = self.sequence.saturating_add(1);
        let items = wants.iter().map(|want| item(want, now)).collect();
        let question = Question { holder: self.id, sequence: self.sequence, intent: Intent::Request, items };
        self.counters.asks = self.counters.asks.saturating_add(1);
        Admission::Ask(Ask::new(object, question, now))
    }

    /// Decides with the object's answer. An answer that can't be read is a failure.
    pub fn answered(&mut self, ask: &Ask, wants: &[Want], answer: &[u8], now: Duration, random: u64) -> Decision {
        match Answer::decode(answer) {
            Ok(Answer { sequence, outcome: Outcome::Granted(grants) })
                if sequence == ask.sequence() && grants.len() == wants.len() =>
            {
                let verdicts: Vec<Verdict> = grants.iter().map(|grant| grant.verdict).collect();
                decision(wants, verdicts, Decided::Authority)
            }
            _ => self.failed(ask, wants, Failure::Unreachable, now, random),
        }
    }

    /// Decides without an answer: by what is still live, then by the direction that each limit names.
    pub fn failed(&mut self, ask: &Ask, wants: &[Want], failure: Failure, now: Duration, random: u64) -> Decision {
        let _ = (ask, failure, now, random);
        let verdicts = wants.iter().map(|want| match want.when_unreachable() {
            WhenUnreachable::Open => Verdict::Open,
            WhenUnreachable::Closed | WhenUnreachable::Reserve => {
                Verdict::Closed { retry_after: Duration::from_secs(1) }
            }
        });
        decision(wants, verdicts.collect(), Decided::Unreachable)
    }

    /// Takes in the answer to a [`Decision::refresh`], or that there was none.
    pub fn refreshed(&mut self, ask: &Ask, answer: Result<&[u8], Failure>, now: Duration, random: u64) {
        let _ = (ask, answer, now, random);
    }

    /// Replaces the cost that was reserved for the want at `index` by what the request really cost.
    pub fn settle(&mut self, receipt: &mut Receipt, index: usize, actual_cost: u32, now: Duration) {
        let _ = (receipt, index, actual_cost, now);
    }

    /// Ends a request: what it held comes back.
    pub fn release(&mut self, receipt: Receipt, now: Duration) {
        let _ = (receipt, now);
    }

    /// Returns what this isolate has counted since it started.
    pub fn counters(&self) -> &HolderCounters {
        &self.counters
    }
}

fn decision(wants: &[Want], verdicts: Vec<Verdict>, decided: Decided) -> Decision {
    let passes = |(want, verdict): (&Want, &Verdict)| want.mode() == Mode::Shadow || verdict.is_allowed();
    let allowed = !verdicts.is_empty() && wants.iter().zip(&verdicts).all(passes);
    Decision { verdicts, allowed, receipt: None, refresh: None, decided }
}

fn item(want: &Want, now: Duration) -> Item {
    let terms = match want.allowance() {
        crate::Allowance::Rate(rate) => Terms::Rate(*rate),
        crate::Allowance::Window(window) => Terms::Window(*window),
        crate::Allowance::Quota(quota) => {
            Terms::Quota { requests: quota.requests(), windows: quota.calendar().windows(now) }
        }
        crate::Allowance::Concurrency(concurrency) => Terms::Concurrency(*concurrency),
    };
    let flags = Flags { shadow: want.mode() == Mode::Shadow, ..Flags::default() };
    let key = want.key().to_string();
    Item { key, terms, cost: want.cost(), flags, demand: 0, remains: None, held: None, debt: 0, credit: 0 }
}
