//! What one key has left, as the authority keeps it: one form for each kind of limit.

pub(crate) mod bucket;
pub(crate) mod concurrency;
mod holders;
#[cfg(test)]
mod lab;
mod leases;
pub(crate) mod quota;
pub(crate) mod window;

use crate::answer::Loan;
use crate::mutation::{Mutation, makes};
use crate::question::{Held, Remains, Terms};
use crate::usage::Usage;
use crate::verdict::Verdict;

pub(crate) use bucket::Bucket;
pub(crate) use concurrency::InProgress;
pub(crate) use quota::Escrow;
pub(crate) use window::Ring;

/// The last requests of a limit of which little comes back within a minute are lent to nobody: each asks, so that none is
/// refused while others have some left.
const LAST_ONES: u32 = 32;
/// Of the rest, a holder may have one part of so many for each holder that comes. It has used it, with a part of what comes
/// later, before the last ones are gone.
const PARTS: u64 = 4;

/// What a kind of limit offers at the authority.
///
/// Prices, deposits and remains count in the kind's unit ([`Terms::price`]). Times are nanoseconds since the Unix epoch.
/// Every method but `advance` speaks of the moment of the last `advance`, which never runs backwards.
pub(crate) trait Kind {
    /// Takes over the numbers of a changed configuration and keeps what was used; false if they are of another kind.
    /// What is out on loan stays promised until it expires.
    fn adapt(&mut self, terms: &Terms) -> bool;

    /// Brings the account to `now`: refills, and ends what has expired, in the order of expiry. A `now` before the last
    /// one changes nothing.
    fn advance(&mut self, now: u128);

    /// Returns whether `take` would take this price.
    fn fits(&self, price: u64) -> bool;

    /// Takes the price, or changes nothing and returns false. `holder` is who asked: a kind that counts requests in
    /// progress has to know from whom they come back.
    fn take(&mut self, holder: u64, price: u64) -> bool;

    /// Undoes a `take` of the same price by the same holder since the last `advance`, exactly.
    fn undo(&mut self, holder: u64, price: u64);

    /// Promises that up to `price` of what was just taken may come back by `give_back`: the cost was a guess.
    fn expect_back(&mut self, price: u64);

    /// Returns the era, which goes along with the answer. A new one begins when what was promised by `expect_back` can no
    /// longer come back: a bucket has been full since, a window has ended, an operator has reset the key, or the account
    /// was opened anew. No two have the same number, whichever instance they were of.
    fn era(&self) -> u64;

    /// Takes back what was charged too much in an era. Nothing, if that era is over.
    fn give_back(&mut self, era: u64, price: u64);

    /// Charges what a holder has admitted without having it, so many nanoseconds ago or before. What can't be charged now is charged later, up to one
    /// capacity.
    fn owe(&mut self, price: u64, age: u128);

    /// Returns what a request hears that fits: what is left now, and at the holder who asks. Called after the take, if
    /// there was one, and before anything is lent.
    fn allowed(&self, held: u64) -> Verdict;

    /// Returns what a request of this price hears that does not fit: the time after which it fits if nobody else comes.
    fn denied(&self, price: u64) -> Verdict;

    /// Returns until when it is useless for the holder to ask for this price again, the present if it isn't. When the
    /// request has not fit, that is a ticket, so that holders who wait for the same thing come one after the other: not
    /// before `denied` says that it fits. The same holder keeps its ticket until that is due. Called after `lend`.
    fn ticket(&mut self, holder: u64, price: u64, fit: bool) -> u128;

    /// Hears how much the holder is asked for, and lends to it if that pays. Whatever is lent is charged or set aside here until the loan
    /// has expired by this clock. A loan replaces the one that the holder has, whose promises are kept until they expire.
    fn lend(&mut self, borrower: &Borrower) -> Option<Loan>;

    /// Sets aside what slices of the reserve are lent from, so that it is not counted as left from the first question on.
    fn set_aside(&mut self);

    /// Lends a slice of the reserve, if the holder has none.
    fn lend_reserve(&mut self, borrower: &Borrower) -> Option<Loan>;

    /// Hears what the holder knows when it sends a question: the lease that is live there, if there is one.
    /// Called for each question before anything else but `advance` and `adapt`.
    ///
    /// A lease that this instance does not know, because it has started since, is part of what the row said was out on
    /// loan: what it promises is moved from there, never added.
    fn claim(&mut self, report: &Report<'_>);

    /// Returns whether what the holder sends along from this lease counts. Not if the lease may have ended here: then what
    /// was lent is no longer set aside, and the request has to be paid in full.
    fn honours(&self, holder: u64, lease: u64) -> bool;

    /// Takes back what is left of an expired lease. Exactly once, and only while that lease is the one on record.
    fn take_back(&mut self, holder: u64, remains: Remains);

    /// Returns whether all holders together want more than there is.
    fn scarce(&self) -> bool;

    /// Returns the row that must be stored before the answer leaves, if what is stored no longer covers the account. A row
    /// covers it when an account opened from it at any later time gives back nothing that was spent or is out on loan.
    /// The row counts as stored from now on.
    fn row(&mut self) -> Option<Row>;

    /// Returns whether the account, and its row, say no more than a missing one would.
    fn is_forgettable(&self) -> bool;

    /// Returns the numbers that operators see.
    fn usage(&self) -> Usage;

    /// Forgets what was used, as an operator's order. What is out on loan stays promised.
    fn reset(&mut self);

    /// Returns about how much memory the account takes, in parts of 200 bytes.
    fn weight(&self) -> usize;

    /// Returns the demand of all holders, in thousandths of a request of cost one per second.
    fn demand(&self) -> u64;
}

/// What a holder says about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) holder: u64,
    pub(crate) sequence: u64,
    /// The era that the holder has heard of.
    pub(crate) era: u64,
    pub(crate) held: Option<&'a Held>,
}

/// Who wants to borrow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Borrower {
    pub(crate) holder: u64,
    /// The question's sequence number, which becomes the lease's id.
    pub(crate) sequence: u64,
    /// What the holder was asked for lately: thousandths of a request of cost one, per second.
    pub(crate) demand: u64,
    /// What one request costs.
    pub(crate) cost: u32,
    /// The lease that the holder has, zero if it has none.
    pub(crate) lease: u64,
    /// What the holder has now, with what it sent along.
    pub(crate) held: u64,
}

/// A row, and when it says no more than a missing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) bytes: Vec<u8>,
    pub(crate) forget_after_ms: u64,
}

/// Returns the era after this one. Zero is none.
pub(crate) fn next_era(era: u64) -> u64 {
    if makes(Mutation::EraKept) { era } else { era.wrapping_add(1).max(1) }
}

/// The account of one key.
#[derive(Clone, Debug)]
pub(crate) enum Account {
    Rate(Box<Bucket>),
    Window(Box<Ring>),
    Quota(Box<Escrow>),
    Concurrency(Box<InProgress>),
}

impl Account {
    /// Opens the account from its row, or a fresh one if there is none, or one of another kind or version. Its eras count
    /// from `era`.
    pub(crate) fn open(terms: &Terms, row: Option<&[u8]>, now: u128, era: u64) -> Account {
        match terms {
            Terms::Rate(rate) => Account::Rate(Box::new(Bucket::open(*rate, row, now, era))),
            Terms::Window(window) => Account::Window(Box::new(Ring::open(*window, row, now, era))),
            Terms::Quota { requests, windows } => {
                Account::Quota(Box::new(Escrow::open(*requests, *windows, row, now, era)))
            }
            Terms::Concurrency(concurrency) => {
                Account::Concurrency(Box::new(InProgress::open(*concurrency, row, now, era)))
            }
        }
    }

    pub(crate) fn kind(&self) -> &dyn Kind {
        match self {
            Account::Rate(bucket) => bucket.as_ref(),
            Account::Window(ring) => ring.as_ref(),
            Account::Quota(escrow) => escrow.as_ref(),
            Account::Concurrency(in_progress) => in_progress.as_ref(),
        }
    }

    pub(crate) fn kind_mut(&mut self) -> &mut dyn Kind {
        match self {
            Account::Rate(bucket) => bucket.as_mut(),
            Account::Window(ring) => ring.as_mut(),
            Account::Quota(escrow) => escrow.as_mut(),
            Account::Concurrency(in_progress) => in_progress.as_mut(),
        }
    }
}
