//! What a request holds of its limits until it has ended.

use std::rc::Rc;
use std::time::Duration;

use tidegate_rate_limit::{Allowance, Receipt};

use super::Renewal;
use super::wants::Wants;
use crate::memory::Memory;
use crate::route::{Cost, Limit, RouteLimits};

/// What a request holds of its limits until it has ended: give it back with [`Memory::release`].
///
/// If that never happens, because the platform dropped the request, what it holds comes back after the limit's `timeout`.
#[must_use]
pub struct Held {
    receipt: Receipt,
    /// The limits whose cost was a guess, by their position among the wants.
    guessed: Vec<(usize, Rc<Limit>)>,
    /// Whether it matters when the client has the whole response.
    until_the_end: bool,
}

impl Held {
    pub(super) fn new(receipt: Receipt, limits: &RouteLimits, wants: &Wants) -> Self {
        let guessed = limits.limits.iter().enumerate().filter(|(_, limit)| matches!(limit.cost, Cost::Settled { .. }));
        let mut allowances = wants.iter().map(|(want, _)| want.allowance());
        Self {
            receipt,
            guessed: guessed.map(|(index, limit)| (index, Rc::clone(limit))).collect(),
            until_the_end: allowances.any(|allowance| matches!(allowance, Allowance::Concurrency(_))),
        }
    }

    /// Whether it is held until the client has the whole response, instead of until its header is there.
    pub(crate) fn until_the_end(&self) -> bool {
        self.until_the_end
    }
}

impl Memory {
    /// Replaces what was guessed of a request's cost by what the origin's response says; without a word of it, the guess
    /// stands.
    pub(crate) fn settle(&mut self, held: &mut Held, said: impl Fn(&str) -> Option<String>, now: Duration) {
        let Held { receipt, guessed, .. } = held;
        let Some(holder) = self.known_holder() else { return };
        for (index, limit) in guessed {
            if let Some(cost) = limit.cost.after(&said) {
                holder.settle(receipt, *index, cost, now);
            }
        }
    }

    /// Gives back what was guessed of a request's cost: no origin was asked.
    pub(crate) fn forgive(&mut self, held: &mut Held, now: Duration) {
        let Held { receipt, guessed, .. } = held;
        let Some(holder) = self.known_holder() else { return };
        for (index, _) in guessed {
            holder.settle(receipt, *index, 0, now);
        }
    }

    /// Gives back what a request held of its limits, when it has ended.
    pub fn release(&mut self, held: Held, now: Duration) {
        if let Some(holder) = self.known_holder()
            && let Some(ask) = holder.release(held.receipt, now)
        {
            self.renew_later(Renewal(ask));
        }
    }
}
