//! The memory of the Durable Object that owns a group of keys, as a state machine.
//!
//! The object keeps one TAT per key in memory and one row per key in storage, and it may lose its memory at any time.
//! So that a restart gives nothing back, a request is answered only when a row covers it, that is, holds a TAT that is
//! not before the real one. So that a hot key does not write a row per request, rows are written ahead: a row covers
//! the real TAT and a block of requests after it, and the next row is due when the real TAT passes the one stored.
//!
//! A restart starts from the row and so loses what was left of the block. A block is a tenth of what the key was
//! charged since the ledger loaded it, and at most a tenth of the burst, or one request if that is more. (An idle
//! object is removed from memory after seconds. Were the block always a tenth of the burst, ten requests, each after a
//! pause, could use up a daily limit of ten thousand.)
//!
//! **What holds when two instances run.** A superseded instance goes on until it touches storage, where it fails. Until
//! then it can admit no more than fits below its own rows, and the instance after it started from those rows, counting
//! all of that as spent. However many instances run, they admit together no more than one, as long as they agree on the
//! time. If their clocks are up to `d` apart, `d` below a minute, they admit in any interval at most what the rate
//! gives in `d` on top, which a single instance does as well when its clock jumps ahead by `d`.
//!
//! **What the shell owes in return.** Rows are read, loaded and charged without an await in between, or a row may be
//! old when it is loaded. A reply leaves the object only after its writes have succeeded (the platform's output gate
//! does that), and an instance whose write failed is not asked again: its memory believes in a row that isn't there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rate::Rate;
use crate::reply::{SpendReply, SpendVerdict};
use crate::request::{Spend, SpendRequest};
use crate::tat::{CLOCK_TOLERANCE, StoredTat, Tat, duration};

/// At most 50,000 keys: with keys of 1 KiB that is 60 MB of the 128 MB that an object has.
const MAX_KEYS: usize = 50_000;

/// The buckets of a group of keys.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The latest time seen, in nanoseconds since the Unix epoch. Time never runs backwards here.
    now: u128,
    buckets: BTreeMap<String, Bucket>,
    max_keys: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    tat: Tat,
    // Invariant: storage holds a row that is not before this.
    stored: Tat,
    /// What was charged since the key was loaded.
    charged: u64,
    /// How far ahead of now a TAT of this key can be, the largest of the rates seen since it was loaded.
    headroom: u128,
}

/// A row that must be in storage before the reply leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendWrite {
    /// The key of the row.
    pub key: String,
    /// Its new value.
    pub tat: StoredTat,
}

/// A key of the request was not loaded: ask [`Ledger::unknown`] first, then [`Ledger::load`] its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of the request was not loaded from storage")]
pub struct UnknownKey;

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::new()
    }
}

impl Ledger {
    /// Creates the ledger of an object that has just started: it knows no key.
    pub fn new() -> Ledger {
        Ledger { now: 0, buckets: BTreeMap::new(), max_keys: MAX_KEYS }
    }

    /// Returns the keys of `request` whose rows must be loaded first, each once.
    pub fn unknown<'a>(&self, request: &'a SpendRequest) -> Vec<&'a str> {
        let mut unknown = Vec::new();
        for spend in request.limits() {
            if !self.buckets.contains_key(spend.key()) && !unknown.contains(&spend.key()) {
                unknown.push(spend.key());
            }
        }
        unknown
    }

    /// Takes the row of a key, or its absence, into memory.
    ///
    /// A key without a row has a full bucket, because every charge is covered by a row that outlives it. A key that is
    /// in memory already keeps what memory says: the row may have been read before the latest charge.
    pub fn load(&mut self, key: &str, row: Option<StoredTat>) {
        if !self.buckets.contains_key(key) {
            let tat = row.map_or(Tat::FULL, StoredTat::tat);
            self.buckets.insert(key.to_owned(), Bucket { tat, stored: tat, charged: 0, headroom: 0 });
        }
    }

    /// Decides whether `request` fits all of its limits at `now`, the time since the Unix epoch, and charges all or
    /// none.
    ///
    /// The rows that come with the reply must be stored before it leaves the object.
    ///
    /// # Errors
    /// [`UnknownKey`] when a key was not loaded. Nothing is charged: what is not known is not free.
    pub fn spend(
        &mut self,
        request: &SpendRequest,
        now: Duration,
    ) -> Result<(SpendReply, Vec<SpendWrite>), UnknownKey> {
        let clock = now.as_nanos();
        self.now = self.now.max(clock);
        // A client waits by the caller's clock. While that one is behind, the ledger's time stands still.
        let behind = self.now.saturating_sub(clock);
        if request.limits().iter().any(|spend| !self.buckets.contains_key(spend.key())) {
            return Err(UnknownKey);
        }
        let mut rows = self.correct(request);
        let trials = self.trials(request);
        let verdicts = if trials.iter().any(|trial| trial.overdrawn > 0) {
            trials.iter().map(|trial| trial.verdict(self.now, behind)).collect()
        } else {
            self.charge(&trials, &mut rows);
            trials.iter().map(|trial| allowed(trial.spend.rate(), self.tat(trial.spend), self.now, behind)).collect()
        };
        let writes = rows.into_iter().map(|(key, tat)| SpendWrite { key: key.to_owned(), tat }).collect();
        self.make_room();
        Ok((SpendReply::new(verdicts), writes))
    }

    /// Forgets the keys whose bucket and row say no more than a missing row would.
    pub fn prune(&mut self, now: Duration) {
        self.now = self.now.max(now.as_nanos());
        self.forget_full();
    }

    fn forget_full(&mut self) {
        self.buckets.retain(|_, bucket| bucket.tat.max(bucket.stored) > Tat(self.now));
    }

    /// Keeps memory bounded, whatever keys clients invent. To forget a key is always safe: its row covers it.
    fn make_room(&mut self) {
        if self.buckets.len() <= self.max_keys {
            return;
        }
        let keep = self.max_keys / 2;
        self.forget_full();
        if self.buckets.len() > keep {
            // These lose a millisecond at most: their row has no block left.
            self.buckets.retain(|_, bucket| bucket.unspent_block() > StoredTat::ROUNDING);
        }
        while self.buckets.len() > keep {
            self.buckets.pop_first();
        }
    }

    fn tat(&self, spend: &Spend) -> Tat {
        self.buckets.get(spend.key()).map_or(Tat::FULL, |bucket| bucket.tat)
    }

    /// Brings a TAT that no charge can have made back to the furthest that one can make, and its row with it.
    ///
    /// A row is that far ahead after the rate was changed, or after a wrong clock was put right. Without this a user
    /// would stay locked out for as long as the clock was wrong. In regular operation it never binds: a charge leaves
    /// the TAT at most the fill time ahead, the row a block further, and clocks differ by less than a minute.
    fn correct<'a>(&mut self, request: &'a SpendRequest) -> BTreeMap<&'a str, StoredTat> {
        for spend in request.limits() {
            if let Some(bucket) = self.buckets.get_mut(spend.key()) {
                bucket.headroom = bucket.headroom.max(headroom(spend.rate()));
            }
        }
        let mut rows = BTreeMap::new();
        for spend in request.limits() {
            let Some(bucket) = self.buckets.get_mut(spend.key()) else { continue };
            let furthest = Tat(self.now.saturating_add(bucket.headroom));
            if bucket.tat > furthest {
                let row = StoredTat::covering(furthest);
                bucket.tat = furthest;
                bucket.stored = row.tat();
                rows.insert(spend.key(), row);
            }
        }
        rows
    }

    /// Charges every limit on a copy. Limits of the same key are charged on top of each other.
    fn trials<'a>(&self, request: &'a SpendRequest) -> Vec<Trial<'a>> {
        let mut trials: Vec<Trial<'a>> = Vec::with_capacity(request.limits().len());
        for spend in request.limits() {
            let before = self.tat(spend);
            let last = trials.iter().rfind(|trial| trial.spend.key() == spend.key());
            let after = last.map_or(before, |trial| trial.after).charged(spend.rate(), spend.cost(), self.now);
            trials.push(Trial { spend, before, after, overdrawn: after.overdrawn(spend.rate(), self.now) });
        }
        trials
    }

    fn charge<'a>(&mut self, trials: &[Trial<'a>], rows: &mut BTreeMap<&'a str, StoredTat>) {
        for trial in trials {
            let Some(bucket) = self.buckets.get_mut(trial.spend.key()) else { continue };
            bucket.tat = trial.after;
            bucket.charged = bucket.charged.saturating_add(u64::from(trial.spend.cost()));
            if bucket.tat > bucket.stored {
                let row = StoredTat::covering(bucket.tat_after_block(trial.spend.rate()));
                bucket.stored = row.tat();
                rows.insert(trial.spend.key(), row);
            }
        }
    }
}

impl Bucket {
    fn tat_after_block(&self, rate: &Rate) -> Tat {
        let earned = u32::try_from(self.charged / 10).unwrap_or(u32::MAX);
        let block = rate.increment(max_block(rate).min(earned));
        Tat(self.tat.0.saturating_add(u128::from(block)))
    }

    fn unspent_block(&self) -> u128 {
        self.stored.0.saturating_sub(self.tat.0)
    }
}

fn max_block(rate: &Rate) -> u32 {
    (rate.burst() / 10).max(1)
}

/// Returns how far ahead of now a row can be: the fill time, a block, the rounding, and what clocks differ by.
fn headroom(rate: &Rate) -> u128 {
    let block = u128::from(rate.increment(max_block(rate)));
    let allowance = StoredTat::ROUNDING.saturating_add(CLOCK_TOLERANCE.as_nanos());
    u128::from(rate.fill_nanos()).saturating_add(block).saturating_add(allowance)
}

/// One limit of a request, charged on a copy.
struct Trial<'a> {
    spend: &'a Spend,
    before: Tat,
    after: Tat,
    overdrawn: u128,
}

impl Trial<'_> {
    /// Returns what this limit says when the request is denied as a whole and costs nothing.
    fn verdict(&self, now: u128, behind: u128) -> SpendVerdict {
        if self.overdrawn == 0 {
            return allowed(self.spend.rate(), self.before, now, behind);
        }
        SpendVerdict::Denied {
            remaining: self.before.remaining(self.spend.rate(), now),
            retry_after: duration(self.overdrawn.saturating_add(behind)),
        }
    }
}

fn allowed(rate: &Rate, tat: Tat, now: u128, behind: u128) -> SpendVerdict {
    let remaining = tat.remaining(rate, now);
    let effective_window = match remaining {
        0 => tat.charged(rate, 1, now).overdrawn(rate, now).saturating_add(behind),
        _ => u128::from(rate.increment(remaining)),
    };
    SpendVerdict::Allowed { remaining, effective_window: duration(effective_window) }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
