//! The memory of the Durable Object that owns a group of keys, as a state machine.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::account::{Account, Row};
use crate::answer::{Answer, Grant, Outcome};
use crate::ledger::UnknownKey;
use crate::nanos::duration;
use crate::question::{Intent, Item, Question};
use crate::usage::Usage;

/// The accounts of a group of keys.
#[derive(Clone, Debug)]
pub struct Authority {
    incarnation: u64,
    /// The latest time seen, in nanoseconds since the Unix epoch. Time never runs backwards here.
    now: u128,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    /// The row is here, and waits for a question that says what it means.
    Loaded(Option<Vec<u8>>),
    Open(Account),
}

/// A row that must be in storage before the answer leaves. It may be deleted after a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key of the row.
    pub key: String,
    /// Its new value.
    pub row: Vec<u8>,
    /// From when on the row says no more than a missing one, in milliseconds since the Unix epoch.
    pub forget_after_ms: u64,
}

impl Authority {
    /// Creates the authority of an object that has just started: it knows no key. The incarnation is random.
    pub fn new(incarnation: u64) -> Authority {
        Authority { incarnation, now: 0, entries: BTreeMap::new() }
    }

    /// Returns the keys of `question` whose rows must be loaded first, each once.
    pub fn unknown<'a>(&self, question: &'a Question) -> Vec<&'a str> {
        let keys = question.items.iter().map(|item| item.key.as_str());
        let mut unknown: Vec<&str> = keys.filter(|key| !self.entries.contains_key(*key)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Takes the row of a key, or its absence, into memory.
    ///
    /// A key that is in memory already keeps what memory says: the row may have been read before the latest charge.
    pub fn load(&mut self, key: &str, row: Option<&[u8]>, now: Duration) {
        self.now = self.now.max(now.as_nanos());
        if !self.entries.contains_key(key) {
            self.entries.insert(key.to_owned(), Entry::Loaded(row.map(<[u8]>::to_vec)));
        }
    }

    /// Decides a question at `now`, the time since the Unix epoch, and charges all of its limits or none.
    ///
    /// The rows that come with the answer must be stored before it leaves the object.
    ///
    /// # Errors
    /// [`UnknownKey`] when a key was not loaded. Nothing is charged: what is not known is not free.
    pub fn answer(&mut self, question: &Question, now: Duration) -> Result<(Answer, Vec<Write>), UnknownKey> {
        let clock = now.as_nanos();
        self.now = self.now.max(clock);
        for item in &question.items {
            self.open(item)?;
        }
        let allowed = self.take(question);
        let grants = question.items.iter().map(|item| self.grant(item, question, allowed)).collect::<Vec<_>>();
        let mut writes = Vec::new();
        for item in &question.items {
            let row = self.account(&item.key).and_then(|account| account.kind_mut().row());
            writes.extend(row.map(|Row { bytes, forget_after_ms }| Write {
                key: item.key.clone(),
                row: bytes,
                forget_after_ms,
            }));
        }
        Ok((Answer { sequence: question.sequence, outcome: Outcome::Granted(grants) }, writes))
    }

    /// Forgets the keys whose account and row say no more than a missing row would.
    pub fn prune(&mut self, now: Duration) {
        self.now = self.now.max(now.as_nanos());
        let now = self.now;
        self.entries.retain(|_, entry| match entry {
            Entry::Loaded(_) => false,
            Entry::Open(account) => {
                account.kind_mut().advance(now);
                !account.kind().is_forgettable()
            }
        });
    }

    /// Returns what operators see of a key, if it is in memory.
    pub fn usage(&self, key: &str, now: Duration) -> Option<Usage> {
        let mut account = match self.entries.get(key)? {
            Entry::Loaded(_) => return None,
            Entry::Open(account) => account.clone(),
        };
        account.kind_mut().advance(self.now.max(now.as_nanos()));
        Some(account.kind().usage())
    }

    /// Forgets what was used of a key. The row must be stored.
    pub fn reset(&mut self, key: &str, now: Duration) -> Option<Write> {
        self.now = self.now.max(now.as_nanos());
        let now = self.now;
        let account = self.account(key)?;
        account.kind_mut().advance(now);
        account.kind_mut().reset();
        let Row { bytes, forget_after_ms } = account.kind_mut().row()?;
        Some(Write { key: key.to_owned(), row: bytes, forget_after_ms })
    }

    /// Returns the keys that are asked for most, with their demand in requests per second.
    pub fn hot(&self, count: usize) -> Vec<(String, u64)> {
        let mut keys: Vec<(String, u64)> = Vec::new();
        for (key, entry) in &self.entries {
            if let Entry::Open(account) = entry {
                keys.push((key.clone(), account.kind().demand() / 1_000));
            }
        }
        keys.sort_by(|(_, left), (_, right)| right.cmp(left));
        keys.truncate(count);
        keys
    }

    /// Returns the number that this instance drew when it started.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    fn account(&mut self, key: &str) -> Option<&mut Account> {
        match self.entries.get_mut(key)? {
            Entry::Loaded(_) => None,
            Entry::Open(account) => Some(account),
        }
    }

    fn open(&mut self, item: &Item) -> Result<(), UnknownKey> {
        let now = self.now;
        let entry = self.entries.get_mut(&item.key).ok_or(UnknownKey)?;
        let row = match entry {
            Entry::Open(account) => {
                account.kind_mut().advance(now);
                if account.kind_mut().adapt(&item.terms) {
                    return Ok(());
                }
                None
            }
            Entry::Loaded(row) => row.take(),
        };
        *entry = Entry::Open(Account::open(&item.terms, row.as_deref(), now).ok_or(UnknownKey)?);
        Ok(())
    }

    /// Takes the cost from all limits that are enforced, or from none; then from each of the others that holds it.
    fn take(&mut self, question: &Question) -> bool {
        let waits = question.intent == Intent::Request;
        let payable = || question.items.iter().filter(|item| waits && !item.flags.paid);
        let mut taken = Vec::new();
        for item in payable().filter(|item| !item.flags.shadow) {
            let price = item.terms.price(item.cost);
            if self.account(&item.key).is_some_and(|account| account.kind_mut().take(question.holder, price)) {
                taken.push((item, price));
                continue;
            }
            for (item, price) in taken.into_iter().rev() {
                if let Some(account) = self.account(&item.key) {
                    account.kind_mut().undo(question.holder, price);
                }
            }
            return false;
        }
        true
    }

    fn grant(&mut self, item: &Item, question: &Question, _allowed: bool) -> Grant {
        let price = item.terms.price(item.cost);
        let now = self.now;
        let Some(account) = self.account(&item.key) else {
            let verdict = crate::verdict::Verdict::Denied { remaining: 0, retry_after: Duration::from_secs(1) };
            return Grant { verdict, hold: Duration::ZERO, scarce: false, loan: None, reserve: None };
        };
        let kind = account.kind_mut();
        let fits = _allowed || item.flags.paid || kind.fits(price);
        let verdict = if fits { kind.allowed() } else { kind.denied(price) };
        let hold = if fits { 0 } else { kind.ticket(question.holder, price).saturating_sub(now) };
        Grant { verdict, hold: duration(hold), scarce: kind.scarce(), loan: None, reserve: None }
    }
}
