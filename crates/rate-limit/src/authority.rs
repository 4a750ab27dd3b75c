//! The memory of the Durable Object that owns a group of keys, as a state machine.

mod accounts;
mod operators;
mod seen;

use std::time::Duration;

use crate::account::{Account, Borrower, Report, Row, next_era};
use crate::answer::{Answer, Grant, Outcome};
use crate::mutation::{Mutation, makes};
use crate::nanos::duration;
use crate::question::{Intent, Item, Question};
use crate::usage::Usage;
use crate::verdict::Verdict;
use accounts::{Accounts, Known};
use seen::{Look, Seen};

/// The accounts of a group of keys.
#[derive(Clone, Debug)]
pub struct Authority {
    incarnation: u64,
    /// From where the eras of the next account that is opened count.
    next_era: u64,
    /// The latest time seen, in nanoseconds since the Unix epoch. Time never runs backwards here.
    now: u128,
    accounts: Accounts,
    seen: Seen,
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

/// A key of the question was not loaded: ask [`Authority::unknown`] first, then [`Authority::load`] its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of the question was not loaded from storage")]
pub struct UnknownKey;

impl Authority {
    /// Creates the authority of an object that has just started: it knows no key. The incarnation is random.
    pub fn new(incarnation: u64) -> Authority {
        let (accounts, seen) = (Accounts::default(), Seen::default());
        Authority { incarnation, next_era: incarnation, now: 0, accounts, seen }
    }

    /// Returns the keys of `question` whose rows must be loaded first, each once.
    pub fn unknown<'a>(&self, question: &'a Question) -> Vec<&'a str> {
        let keys = question.items.iter().map(|item| item.key.as_str());
        let mut unknown = Vec::new();
        for key in keys.filter(|key| !self.accounts.contains(key)) {
            if let Err(place) = unknown.binary_search(&key) {
                unknown.insert(place, key);
            }
        }
        unknown
    }

    /// Takes the row of a key, or its absence, into memory.
    ///
    /// A key that is in memory already keeps what memory says: the row may have been read before the latest charge.
    pub fn load(&mut self, key: &str, row: Option<&[u8]>, now: Duration) {
        self.now = self.now.max(now.as_nanos());
        self.accounts.load(key, row);
    }

    /// Decides a question at `now`, the time since the Unix epoch, and charges all of its limits or none.
    ///
    /// The rows that come with the answer must be stored before it leaves the object. A question that comes again gets
    /// the answer that it had; one that was overtaken gets none.
    ///
    /// # Errors
    /// [`UnknownKey`] when a key was not loaded. Nothing is charged: what is not known is not free.
    pub fn answer(&mut self, question: &Question, now: Duration) -> Result<(Answer, Vec<Write>), UnknownKey> {
        self.now = self.now.max(now.as_nanos());
        let changes = question.intent != Intent::Peek;
        match self.seen.look(question.holder, question.sequence) {
            Look::Again(answer) if changes => return Ok((answer, Vec::new())),
            Look::Stale if changes => return Ok((Answer::stale(question.sequence), Vec::new())),
            Look::New | Look::Again(_) | Look::Stale => {}
        }
        for item in &question.items {
            self.open(item)?;
        }
        for item in question.items.iter().filter(|item| item.flags.reserve) {
            if let Some(account) = self.account(&item.key) {
                account.kind_mut().set_aside();
            }
        }
        for item in question.items.iter().filter(|_| changes) {
            self.reconcile(item, question);
        }
        let dues: Vec<u64> = question.items.iter().map(|item| self.due(item, question.holder)).collect();
        let charge = match question.intent {
            Intent::Request => self.take(question, &dues),
            Intent::Refresh | Intent::Peek => Charge::None,
        };
        let grants = (0..dues.len()).filter_map(|index| self.grant(index, question, &dues, charge)).collect();
        let writes = question.items.iter().filter_map(|item| self.write(&item.key)).collect();
        let answer = Answer {
            sequence: question.sequence,
            outcome: Outcome::Granted { grants, charged: charge == Charge::All },
        };
        if changes {
            self.seen.note(question.holder, &answer, self.now);
        }
        question.items.iter().for_each(|item| self.accounts.weigh(&item.key));
        self.accounts.make_room(self.now);
        Ok((answer, writes))
    }

    /// Forgets the keys whose account and row say no more than a missing row would.
    pub fn prune(&mut self, now: Duration) {
        self.now = self.now.max(now.as_nanos());
        self.accounts.prune(self.now);
    }

    /// Returns what operators see of a key, if it is in memory.
    pub fn usage(&self, key: &str, now: Duration) -> Option<Usage> {
        let mut account = self.accounts.get(key)?.clone();
        account.kind_mut().advance(self.now.max(now.as_nanos()));
        Some(account.kind().usage())
    }

    /// Forgets what was used of a key, which a question must have been about since it was loaded: a peek will do. The
    /// row must be stored.
    pub fn reset(&mut self, key: &str, now: Duration) -> Option<Write> {
        self.now = self.now.max(now.as_nanos());
        let now = self.now;
        let account = self.account(key)?;
        account.kind_mut().advance(now);
        account.kind_mut().reset();
        self.write(key)
    }

    /// Returns the number that this instance drew when it started.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Returns about how much memory the accounts take, in parts of 200 bytes.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.accounts.weight()
    }

    fn account(&mut self, key: &str) -> Option<&mut Account> {
        self.accounts.get_mut(key)
    }

    fn open(&mut self, item: &Item) -> Result<(), UnknownKey> {
        let now = self.now;
        let row = match self.accounts.known(&item.key).ok_or(UnknownKey)? {
            Known::Account(account) => {
                account.kind_mut().advance(now);
                if account.kind_mut().adapt(&item.terms) {
                    return Ok(());
                }
                None
            }
            Known::Row(row) => row,
        };
        // The number is random, and no account has so many eras: what another account has promised, of this instance or of
        // one before it, is not given back to this one.
        let era = next_era(self.next_era);
        self.next_era = era.wrapping_add(1 << 32);
        self.accounts.open(&item.key, Account::open(&item.terms, row.as_deref(), now, era));
        Ok(())
    }

    /// Settles what the holder says about the past.
    fn reconcile(&mut self, item: &Item, question: &Question) {
        let holder = question.holder;
        let Some(account) = self.account(&item.key) else { return };
        let kind = account.kind_mut();
        kind.claim(&Report { holder, sequence: question.sequence, era: item.era, held: item.held.as_ref() });
        if let Some(remains) = item.remains {
            kind.take_back(holder, remains);
        }
        if item.credit > 0 {
            kind.give_back(item.era, item.terms.long_price(item.credit));
        }
        if item.debt > 0 {
            kind.owe(item.terms.long_price(item.debt), Duration::from_millis(u64::from(item.debt_age_ms)).as_nanos());
        }
    }

    /// Takes the cost from all limits that are enforced, or from none; then from each of the others that holds it.
    fn take(&mut self, question: &Question, dues: &[u64]) -> Charge {
        let holder = question.holder;
        let mut taken = Vec::with_capacity(question.items.len());
        for (index, (item, due)) in question.items.iter().zip(dues).enumerate() {
            if item.flags.shadow {
                continue;
            }
            if self.account(&item.key).is_some_and(|account| account.kind_mut().take(holder, *due)) {
                taken.push((item, *due));
                continue;
            }
            for (item, due) in taken.into_iter().rev().filter(|_| !makes(Mutation::ChargedWhenRefused)) {
                if let Some(account) = self.account(&item.key) {
                    account.kind_mut().undo(holder, due);
                }
            }
            return Charge::RefusedBy(index);
        }
        Charge::All
    }

    /// Returns what a limit's account has to give: the holder may have sent a part along.
    fn due(&mut self, item: &Item, holder: u64) -> u64 {
        let price = item.terms.price(item.cost);
        let (Some(held), true) = (item.held, item.paid > 0) else { return price };
        let honours = self.account(&item.key).is_some_and(|account| account.kind().honours(holder, held.id));
        if honours { price.saturating_sub(item.paid) } else { price }
    }

    fn grant(&mut self, index: usize, question: &Question, dues: &[u64], charge: Charge) -> Option<Grant> {
        let (now, holder) = (self.now, question.holder);
        let (item, due_now) = (question.items.get(index)?, *dues.get(index)?);
        let Some(account) = self.account(&item.key) else { return Some(Grant::nothing()) };
        let kind = account.kind_mut();
        let fit = match charge {
            Charge::All if item.flags.shadow => kind.take(holder, due_now),
            Charge::All => true,
            Charge::RefusedBy(refusing) => refusing != index && kind.fits(due_now),
            Charge::None => kind.fits(due_now),
        };
        if charge == Charge::All && fit && item.flags.reserved {
            kind.expect_back(due_now);
        }
        // Limits that name the same key are charged one after the other.
        let due_alone = due_now;
        let due_now = if fit { due_now } else { due_together(question, dues, index) };
        let held = item.held.map_or(0, |held| held.stored);
        let verdict = if fit { kind.allowed(held.saturating_sub(item.paid)) } else { kind.denied(due_now) };
        if question.intent == Intent::Peek {
            return Some(Grant { verdict, ..Grant::nothing() });
        }
        let (sequence, lease) = (question.sequence, item.held.map_or(0, |held| held.id));
        let borrower = Borrower { holder, sequence, demand: item.demand, cost: item.cost, lease, held };
        let loan = kind.lend(&borrower);
        let reserve = if item.flags.reserve { kind.lend_reserve(&borrower) } else { None };
        // What does not fit together may fit alone.
        let hold = if due_now > due_alone { now } else { kind.ticket(holder, due_now, fit) };
        let hold = duration(hold.saturating_sub(now));
        let verdict = match verdict {
            // To come before one's turn is useless.
            Verdict::Denied { remaining, retry_after } => {
                Verdict::Denied { remaining, retry_after: retry_after.max(hold) }
            }
            other => other,
        };
        Some(Grant { verdict, hold, scarce: kind.scarce(), era: kind.era(), loan, reserve })
    }

    fn write(&mut self, key: &str) -> Option<Write> {
        let Row { bytes, forget_after_ms } = self.account(key)?.kind_mut().row()?;
        Some(Write { key: key.to_owned(), row: bytes, forget_after_ms })
    }
}

/// What was charged for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    /// Everything that is enforced.
    All,
    /// Nothing, because this item did not fit.
    RefusedBy(usize),
    /// Nothing, because no request waits.
    None,
}

/// Returns what an item and those before it take from the same account.
fn due_together(question: &Question, dues: &[u64], index: usize) -> u64 {
    let Some(last) = question.items.get(index) else { return 0 };
    let until = question.items.iter().zip(dues).take(index.saturating_add(1));
    let same = until.filter(|(item, _)| item.key == last.key && (!item.flags.shadow || std::ptr::eq(*item, last)));
    same.fold(0, |sum, (_, due)| sum.saturating_add(*due))
}
