//! The accounts in an object's memory, of which there are not too many.

use std::collections::BTreeMap;

use crate::account::Account;

/// All accounts together take at most so many parts of 200 bytes, 25 MB: of the 128 MB that there are, other objects may
/// have some. It is enough for 25,000 keys, or for fewer that many isolates ask for.
const MOST: usize = 125_000;
/// What a key's place takes, and its name: with names of 1 KiB it is more.
const PLACE: usize = 1;

/// Accounts by key.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    entries: BTreeMap<String, Entry>,
    // Invariant: the sum of what the entries weigh.
    weight: usize,
    most: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    state: State,
    weight: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// The row is here, and waits for a question that says what it means.
    Loaded(Option<Vec<u8>>),
    Open(Account),
}

/// What is known of a key when a question comes for it.
pub(super) enum Known<'a> {
    /// What is stored of it.
    Row(Option<Vec<u8>>),
    Account(&'a mut Account),
}

impl Default for Accounts {
    fn default() -> Accounts {
        Accounts { entries: BTreeMap::new(), weight: 0, most: MOST }
    }
}

impl Accounts {
    pub(super) fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps the row of a key that is not here.
    pub(super) fn load(&mut self, key: &str, row: Option<&[u8]>) {
        if !self.contains(key) {
            let state = State::Loaded(row.map(<[u8]>::to_vec));
            self.entries.insert(key.to_owned(), Entry { state, weight: PLACE });
            self.weight = self.weight.saturating_add(PLACE);
        }
    }

    /// Returns the account of a key, or the row that it is to be opened from.
    pub(super) fn known(&mut self, key: &str) -> Option<Known<'_>> {
        Some(match &mut self.entries.get_mut(key)?.state {
            State::Loaded(row) => Known::Row(row.take()),
            State::Open(account) => Known::Account(account),
        })
    }

    /// Keeps the account of a key that is here.
    pub(super) fn open(&mut self, key: &str, account: Account) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = State::Open(account);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Account> {
        match &self.entries.get(key)?.state {
            State::Loaded(_) => None,
            State::Open(account) => Some(account),
        }
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Account> {
        match &mut self.entries.get_mut(key)?.state {
            State::Loaded(_) => None,
            State::Open(account) => Some(account),
        }
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Weighs an account again after it was changed.
    pub(super) fn weigh(&mut self, key: &str) {
        let Some(Entry { state: State::Open(account), weight }) = self.entries.get_mut(key) else { return };
        let new = PLACE.saturating_add(account.kind().weight());
        self.weight = self.weight.saturating_sub(*weight).saturating_add(new);
        *weight = new;
    }

    /// Forgets the keys whose account and row say no more than a missing row would.
    pub(super) fn prune(&mut self, now: u128) {
        self.retain(|account| {
            account.kind_mut().advance(now);
            !account.kind().is_forgettable()
        });
    }

    /// Keeps memory bounded, whatever keys clients invent. To forget a key is always safe: its row covers it.
    pub(super) fn make_room(&mut self, now: u128) {
        if self.weight <= self.most {
            return;
        }
        let keep = self.most / 2;
        self.prune(now);
        if self.weight > keep {
            // What is asked for most, or lent, loses most.
            self.retain(|account| account.kind().demand() > 0);
        }
        while self.weight > keep {
            let Some((_, entry)) = self.entries.pop_first() else { return };
            self.weight = self.weight.saturating_sub(entry.weight);
        }
    }

    /// Forgets rows that wait, and the accounts that are not to be kept.
    fn retain(&mut self, mut keep: impl FnMut(&mut Account) -> bool) {
        let mut weight = 0_usize;
        self.entries.retain(|_, entry| {
            let keeps = match &mut entry.state {
                State::Loaded(_) => false,
                State::Open(account) => keep(account),
            };
            if keeps {
                weight = weight.saturating_add(entry.weight);
            }
            keeps
        });
        self.weight = weight;
    }
}
