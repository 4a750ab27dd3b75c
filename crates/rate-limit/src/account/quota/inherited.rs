//! What an instance before this one has lent.
//!
//! It was charged, and the row says so: as long as nothing is forgotten, nothing more is to be done about it. An operator's
//! reset forgets what was used, and must not forget what may still be used without asking. That stays charged when the
//! loans have ended as well: nobody can say how much of them was used since the reset.

use super::row::Lent;
use super::{LONGEST_LIFETIME, RESERVE_LIFETIME};

/// Loans without names on them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inherited {
    pub(super) lent: Lent,
    leases_until: u128,
    slices_until: u128,
}

impl Inherited {
    /// Whatever was lent was lent before now, and nobody renews it.
    pub(super) fn new(lent: Lent, now: u128) -> Inherited {
        Inherited {
            lent,
            leases_until: now.saturating_add(LONGEST_LIFETIME),
            slices_until: now.saturating_add(RESERVE_LIFETIME),
        }
    }

    /// Ends what has expired.
    pub(super) fn advance(&mut self, now: u128) {
        if self.leases_until <= now {
            self.lent.leases = 0;
        }
        if self.slices_until <= now {
            self.lent.slices = 0;
        }
    }
}
