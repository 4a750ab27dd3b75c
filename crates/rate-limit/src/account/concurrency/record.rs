//! What one isolate may have.

use crate::mutation::{Mutation, makes};

/// Answers that an isolate still takes are told apart no further than this.
const MAX_GRANTS: usize = 256;

/// The permits of one isolate: what it keeps by its own word, and what later answers have brought or will.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// The latest question that has said what is kept.
    reported: u64,
    /// Answers to questions up to this one are in what it keeps, or are not taken any more.
    closed: u64,
    kept: u64,
    /// By the question. Invariant: in order, and later than `closed`.
    grants: Vec<(u64, u64)>,
    /// When all of it has expired.
    pub(super) until: u128,
    /// For how long requests could be started with the last loan.
    pub(super) start_within: u128,
    pub(super) demand: u64,
}

impl Record {
    pub(super) fn permits(&self) -> u64 {
        self.kept.saturating_add(self.granted())
    }

    /// Whether an answer to this question is still taken.
    pub(super) fn is_open(&self, sequence: u64) -> bool {
        sequence > self.closed
    }

    /// Adds what the answer to a question brings.
    pub(super) fn grant(&mut self, sequence: u64, permits: u64) {
        if permits == 0 {
            return;
        }
        match self.grants.binary_search_by_key(&sequence, |(question, _)| *question) {
            Ok(place) => {
                if let Some((_, granted)) = self.grants.get_mut(place) {
                    *granted = granted.saturating_add(permits);
                }
            }
            Err(place) => self.grants.insert(place, (sequence, permits)),
        }
        if self.grants.len() > MAX_GRANTS {
            // The first is closed with the second.
            let (_, first) = self.grants.remove(0);
            if let Some((_, second)) = self.grants.first_mut() {
                *second = second.saturating_add(first);
            }
        }
    }

    /// Takes back what the answer to a question would have brought, as far as it is there.
    pub(super) fn revoke(&mut self, sequence: u64, permits: u64) {
        if let Some((_, granted)) = self.grants.iter_mut().find(|(question, _)| *question == sequence) {
            *granted = granted.saturating_sub(permits);
        }
        self.grants.retain(|(_, granted)| *granted > 0);
    }

    /// Hears with the question `sequence` that so many are kept of the answers up to `closed`, unless a later question has
    /// said something. Returns how many of them are not on record here, so that an earlier instance has lent them.
    pub(super) fn report(&mut self, sequence: u64, closed: u64, kept: u64) -> u64 {
        if sequence <= self.reported && !makes(Mutation::ReportsBelieved) {
            return 0;
        }
        let before = self.permits();
        self.reported = sequence;
        self.closed = self.closed.max(closed);
        let closed = self.closed;
        self.grants.retain(|(question, _)| *question > closed);
        self.kept = kept.min(before.saturating_sub(self.granted()));
        kept.saturating_sub(self.kept)
    }

    /// Puts on record what an earlier instance has lent until then.
    pub(super) fn keep_more(&mut self, permits: u64, until: u128) {
        self.kept = self.kept.saturating_add(permits);
        self.until = self.until.max(until);
    }

    /// Forgets the permits, which have expired. What was said stays known: the same may come again, late.
    pub(super) fn expire(&mut self) {
        (self.kept, self.demand) = (0, 0);
        self.grants.clear();
    }

    /// About how much memory it takes, in parts of 200 bytes.
    pub(super) fn weight(&self) -> usize {
        (self.grants.len() / 12).saturating_add(1)
    }

    /// Whether nothing was ever said or given.
    pub(super) fn is_empty(&self) -> bool {
        self.reported == 0 && self.permits() == 0
    }

    fn granted(&self) -> u64 {
        self.grants.iter().fold(0, |sum, (_, permits)| sum.saturating_add(*permits))
    }
}
