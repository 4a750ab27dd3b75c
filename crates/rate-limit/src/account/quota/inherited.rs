//! What an instance before this one has lent.
//!
//! It was charged, and the row says so: as long as nothing is forgotten, nothing more is to be done about it. An operator's
//! reset forgets what was used, and must not forget what may still be used without asking.

use super::row::Lent;
use super::{LONGEST_LIFETIME, RESERVE_LIFETIME};

/// Loans without names on them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inherited {
    pub(super) lent: Lent,
    /// How much of that is charged though the rest was forgotten.
    withheld: Lent,
    leases_until: u128,
    slices_until: u128,
}

impl Inherited {
    /// Whatever was lent was lent before now, and nobody renews it.
    pub(super) fn new(lent: Lent, now: u128) -> Inherited {
        Inherited {
            lent,
            withheld: Lent::default(),
            leases_until: now.saturating_add(LONGEST_LIFETIME),
            slices_until: now.saturating_add(RESERVE_LIFETIME),
        }
    }

    /// Returns what stays charged when everything else is forgotten.
    pub(super) fn withhold(&mut self) -> u64 {
        self.withheld = self.lent;
        self.withheld.sum()
    }

    /// Ends what has expired, and returns how much of it was charged for that alone.
    pub(super) fn advance(&mut self, now: u128) -> u64 {
        let mut freed = 0_u64;
        if self.leases_until <= now {
            freed = freed.saturating_add(std::mem::take(&mut self.withheld.leases));
            self.lent.leases = 0;
        }
        if self.slices_until <= now {
            freed = freed.saturating_add(std::mem::take(&mut self.withheld.slices));
            self.lent.slices = 0;
        }
        freed
    }
}
