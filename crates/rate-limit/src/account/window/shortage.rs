//! Where all want more than comes free, for a while: holders take turns, and each turn brings several requests.
//!
//! What comes free in a sliding window comes in small pieces all the time. If each of them cost a question, an attack would
//! cost one for each request that passes. So a holder is told to come when several are free for it, and it gets them. They
//! wait two slots at most, and its lease is as short as it can be used in: what waits, and what is lent, comes free later.

use super::Ring;
use crate::account::leases::{Offer, Part, worth};
use crate::account::{Borrower, LAST_ONES};

/// How long a shortage has to last.
const SHORTAGE: u128 = 1_000_000_000;
const MINUTE: u128 = 60_000_000_000;
/// One question for so many requests, most of which are refused.
const REQUESTS: u128 = 50;
/// A turn that brings less costs as many questions as there would be without turns.
const LEAST: u64 = 3;
/// The shortest lease that is of use, and what of a lease the way there and the holder's guard take.
const SHORTEST_LEASE: u128 = 250_000_000;
const ON_THE_WAY: u128 = 100_000_000;

/// What a holder gets when it is its turn, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) units: u64,
    longest: u128,
}

impl Ring {
    /// Remembers since when there has been next to nothing. Called after a request was answered, and lent to.
    pub(super) fn note_what_is_left(&mut self, price: u64) {
        let available = self.available();
        if available < price {
            self.low_since.get_or_insert(self.now);
        } else if available > self.requests / 8 {
            self.low_since = None;
        }
    }

    /// Returns the turn of a holder with this demand whose requests cost so much, if holders take turns and it could use
    /// one.
    pub(super) fn turn(&self, demand: u64, cost: u64) -> Option<Turn> {
        let since = self.low_since.filter(|since| since.saturating_add(SHORTAGE) <= self.now);
        // In a window, thousandths of requests.
        let wanted = u128::from(self.leases.demand(self.now)).saturating_mul(self.per) / 1_000_000_000;
        let given = u128::from(self.requests).saturating_mul(1_000);
        if since.is_none() || wanted < given.saturating_mul(2) {
            return None;
        }
        let least = cost.saturating_mul(LEAST);
        let share = small(REQUESTS.saturating_mul(given).checked_div(wanted)?).max(least).min(self.requests / 32);
        let most = small(u128::from(demand).saturating_mul(self.longest()) / 1_500_000_000_000);
        let share = share.min(most);
        let spent = u128::from(share).saturating_mul(1_000_000_000_000).checked_div(demand.into())?;
        let longest = (spent.saturating_mul(3) / 2).saturating_add(ON_THE_WAY).max(SHORTEST_LEASE).min(self.longest());
        let units = share.min(worth(demand, longest));
        (units >= least).then_some(Turn { units, longest })
    }

    /// Returns what a holder may have now.
    pub(super) fn offer(&self, borrower: &Borrower) -> Offer {
        let available = self.available();
        if let Some(Turn { units, longest }) = self.turn(borrower.demand, borrower.cost.into()) {
            return Offer { available, part: Part::Turn(units), longest };
        }
        let part = if self.per >= MINUTE { Part::Fourth { kept: LAST_ONES.into() } } else { Part::Half };
        Offer { available, part, longest: self.longest() }
    }
}

fn small(units: u128) -> u64 {
    u64::try_from(units).unwrap_or(u64::MAX)
}
