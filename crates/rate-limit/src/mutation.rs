//! Mistakes on purpose: whoever judges limits has to see each of them. Only with the feature `mutants`, which the simulation
//! has and nothing else.

/// A mistake in what is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub, reason = "public where somebody makes them"))]
pub enum Mutation {
    /// The authority lends capacity and goes on using it.
    CapacityNotReserved,
    /// The authority lends a part of the rate and goes on refilling with it.
    RateNotReserved,
    /// The authority lends a slice for outages and goes on using it.
    ReserveUsedTwice,
    /// A holder counts the life of a lease from the answer, not from the question.
    ExpiryFromReceipt,
    /// A lease ends at the holder exactly when it ends at the authority.
    NoGuard,
    /// A holder whose clock went back keeps what it was lent.
    ClockBackIgnored,
    /// An authority that has started forgets what is out on loan.
    LoansForgotten,
    /// A holder's word is taken for what it was lent by an earlier instance, as often as it comes.
    ClaimsBelieved,
    /// A report of permits is believed whichever instance it was made for, and though a later one has come.
    ReportsBelieved,
    /// A reset goes on with the era before.
    EraKept,
    /// What is left of a lease is taken back, whichever lease it was.
    RemainsBelieved,
    /// A question that was answered is answered anew.
    SequenceIgnored,
    /// A request that is refused by one limit is charged by those before it.
    ChargedWhenRefused,
}

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    use super::Mutation;

    thread_local! {
        static MADE: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// From now on this thread makes this mistake, or none.
    pub fn make(mistake: Option<Mutation>) {
        MADE.set(mistake);
    }

    pub(crate) fn makes(mistake: Mutation) -> bool {
        MADE.get() == Some(mistake)
    }
}

#[cfg(not(feature = "mutants"))]
mod switch {
    pub(crate) const fn makes(_: super::Mutation) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
pub use switch::make;
pub(crate) use switch::makes;
