//! What the object answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::{self, InvalidMessage};
use crate::verdict::Verdict;

/// The answer to a [`Question`](crate::Question).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(crate) sequence: u64,
    pub(crate) outcome: Outcome,
}

/// Whether a question was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The question was answered.
    Granted {
        /// One for each item, in their order.
        grants: Vec<Grant>,
        /// Whether the request was charged. If it was not, it does not pass, whatever the verdicts say.
        charged: bool,
    },
    /// The question came after a later one, or twice: nothing was granted.
    Stale,
}

/// What one limit answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// `Allowed` or `Denied`.
    pub(crate) verdict: Verdict,
    /// For how long to ask again is useless, zero if the holder may ask at any time.
    pub(crate) hold: Duration,
    /// All holders together want more than the limit gives.
    pub(crate) scarce: bool,
    /// In which era a cost was charged that may come back; of requests in progress, whose answer this is.
    pub(crate) era: u64,
    pub(crate) loan: Option<Loan>,
    /// A slice of the reserve.
    pub(crate) reserve: Option<Loan>,
}

impl Grant {
    pub(crate) fn nothing() -> Grant {
        let verdict = Verdict::Denied { remaining: 0, retry_after: Duration::from_secs(1) };
        Grant { verdict, hold: Duration::ZERO, scarce: false, era: 0, loan: None, reserve: None }
    }
}

/// What is lent with an answer: in the kind's unit, nanoseconds at the full rate or plain requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loan {
    /// The part of the full rate at which the lease refills, in 2^-32. Zero for kinds that do not refill.
    pub(crate) share: u32,
    /// The most that the holder may have at once.
    pub(crate) capacity: u64,
    /// What comes with this answer, on top of what the holder has.
    pub(crate) deposit: u64,
    /// Counted by the holder from when it sent the question, by the authority from when it answers.
    pub(crate) lifetime_ms: u32,
}

#[derive(Serialize, Deserialize)]
struct Head {
    sequence: u64,
    outcome: OutcomeEntry,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum OutcomeEntry {
    Charged,
    NotCharged,
    Stale,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    verdict: VerdictEntry,
    hold: Duration,
    scarce: bool,
    era: u64,
    loan: Option<Loan>,
    reserve: Option<Loan>,
}

#[derive(Serialize, Deserialize)]
enum VerdictEntry {
    Allowed { remaining: u64, effective_window: Duration },
    Denied { remaining: u64, retry_after: Duration },
}

impl Answer {
    pub(crate) fn stale(sequence: u64) -> Answer {
        Answer { sequence, outcome: Outcome::Stale }
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        let (outcome, grants) = match &self.outcome {
            Outcome::Granted { grants, charged: true } => (OutcomeEntry::Charged, grants.as_slice()),
            Outcome::Granted { grants, charged: false } => (OutcomeEntry::NotCharged, grants.as_slice()),
            Outcome::Stale => (OutcomeEntry::Stale, [].as_slice()),
        };
        message::encode(&Head { sequence: self.sequence, outcome }, grants.iter().map(Entry::from))
    }

    /// Reads the message that an object sent.
    ///
    /// # Errors
    /// An unknown version, and bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Answer, InvalidMessage> {
        let (Head { sequence, outcome }, count, mut rest) = message::open::<Head>(bytes)?;
        let mut grants = Vec::with_capacity(count);
        for _ in 0..count {
            grants.push(message::next::<Entry>(&mut rest)?.grant());
        }
        message::close(rest)?;
        let outcome = match outcome {
            OutcomeEntry::Charged => Outcome::Granted { grants, charged: true },
            OutcomeEntry::NotCharged => Outcome::Granted { grants, charged: false },
            OutcomeEntry::Stale if count > 0 => return Err(InvalidMessage::Malformed),
            OutcomeEntry::Stale => Outcome::Stale,
        };
        Ok(Answer { sequence, outcome })
    }
}

impl From<&Grant> for Entry {
    fn from(grant: &Grant) -> Entry {
        let Grant { verdict, hold, scarce, era, loan, reserve } = *grant;
        let verdict = match verdict {
            Verdict::Allowed { remaining, effective_window } => VerdictEntry::Allowed { remaining, effective_window },
            Verdict::Denied { remaining, retry_after } => VerdictEntry::Denied { remaining, retry_after },
            // The authority never says these two: they are for when it says nothing.
            Verdict::Open => VerdictEntry::Allowed { remaining: 0, effective_window: Duration::ZERO },
            Verdict::Closed { retry_after } => VerdictEntry::Denied { remaining: 0, retry_after },
        };
        Entry { verdict, hold, scarce, era, loan, reserve }
    }
}

impl Entry {
    fn grant(self) -> Grant {
        let Entry { verdict, hold, scarce, era, loan, reserve } = self;
        let verdict = match verdict {
            VerdictEntry::Allowed { remaining, effective_window } => Verdict::Allowed { remaining, effective_window },
            VerdictEntry::Denied { remaining, retry_after } => Verdict::Denied { remaining, retry_after },
        };
        Grant { verdict, hold, scarce, era, loan, reserve }
    }
}
