//! What is decided when the object gives no answer.

use std::time::Duration;

use super::Holder;
use super::entry::Entry;
use crate::decision::{Decided, Decision};
use crate::nanos::duration;
use crate::verdict::Verdict;
use crate::want::{Mode, Want, WhenUnreachable};

/// When to come again if nothing is known.
const SECOND: u64 = 1_000_000_000;

/// Who pays for one want.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Payer {
    Lease,
    Reserve,
    /// It passes, and the object hears of it later.
    Debt,
    Nobody,
}

impl Holder {
    /// Decides by what is still live, then by the direction that each limit names. Nothing is charged unless every limit
    /// that is enforced lets the request pass.
    pub(super) fn unreachable(&mut self, object: &str, wants: &[Want], now: Duration, clock: u64) -> Decision {
        let pause = self.circuits.pause(object, clock).max(SECOND);
        let mut payers = Vec::with_capacity(wants.len());
        for want in wants {
            payers.push(self.table.find(want.key()).map_or_else(|| blind(want), |entry| payer(entry, want, clock)));
        }
        let refuses = |(want, payer): (&Want, &Payer)| want.mode() == Mode::Enforce && *payer == Payer::Nobody;
        let refused = wants.iter().zip(&payers).any(refuses);
        let mut verdicts = Vec::with_capacity(wants.len());
        for (want, payer) in wants.iter().zip(&payers) {
            verdicts.push(match (payer, refused) {
                (Payer::Nobody, _) => Verdict::Closed { retry_after: duration(u128::from(pause)) },
                (_, true) => Verdict::Open,
                (payer, false) => self.charge(want, *payer, now, clock, pause),
            });
        }
        let by_lease = payers.iter().all(|payer| *payer == Payer::Lease);
        let decided = if by_lease { Decided::Lease } else { Decided::Unreachable };
        let receipt = self.in_progress(object, wants, &mut verdicts, None);
        self.decision(wants, verdicts, receipt, None, decided)
    }

    fn charge(&mut self, want: &Want, payer: Payer, now: Duration, clock: u64, pause: u64) -> Verdict {
        let price = want.allowance().price(want.cost());
        let closed = Verdict::Closed { retry_after: duration(u128::from(pause)) };
        let Some(entry) = self.table.find(want.key()) else {
            return if payer == Payer::Debt { Verdict::Open } else { closed };
        };
        match payer {
            // Two wants of one request may name the same key: the second may find less than was seen.
            Payer::Lease if entry.pay(price, false, clock) => entry.allowed(now),
            Payer::Reserve if entry.pay_from_reserve(price) => entry.allowed(now),
            Payer::Lease | Payer::Reserve | Payer::Nobody => closed,
            Payer::Debt => {
                let cost = u64::from(want.cost());
                // More than one capacity is never paid back.
                let debt = entry.debt.saturating_add(cost).min(want.allowance().capacity());
                let more = debt.saturating_sub(entry.debt);
                entry.debt = debt;
                entry.debt_at = clock;
                self.counters.debt = self.counters.debt.saturating_add(more);
                self.counters.overshoot = self.counters.overshoot.saturating_add(cost);
                Verdict::Open
            }
        }
    }
}

fn payer(entry: &mut Entry, want: &Want, clock: u64) -> Payer {
    entry.roll(clock);
    let price = want.allowance().price(want.cost());
    if !entry.is_of(want) {
        return blind(want);
    }
    match want.when_unreachable() {
        _ if entry.holds(price, clock) => Payer::Lease,
        WhenUnreachable::Open => Payer::Debt,
        WhenUnreachable::Closed => Payer::Nobody,
        WhenUnreachable::Reserve if entry.reserve_holds(price) => Payer::Reserve,
        WhenUnreachable::Reserve => Payer::Nobody,
    }
}

fn blind(want: &Want) -> Payer {
    match want.when_unreachable() {
        WhenUnreachable::Open => Payer::Debt,
        WhenUnreachable::Closed | WhenUnreachable::Reserve => Payer::Nobody,
    }
}
