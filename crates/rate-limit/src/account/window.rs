//! A sliding window's account: what was granted, by when it comes free.
//!
//! The unit is a request of cost one. Time is cut into slots, 64 to the window. A grant is charged in the slot of its last
//! possible use: that of now, or that in which its lease expires. It counts until one window after that slot's end.
//!
//! So in no interval `(t, t + per]` there are more than `requests` uses: when the last grant that is used in it was made,
//! every other such grant was still counted, because its slot ends after `t`. The price is up to a slot and a lease's
//! lifetime of patience.

mod row;
mod shortage;
mod slots;

use crate::account::leases::{Leases, Lent};
use crate::account::{Borrower, Kind, Report, Row, next_era};
use crate::allowance::Window;
use crate::answer::Loan;
use crate::nanos::duration;
use crate::question::{Remains, Terms};
use crate::usage::Usage;
use crate::verdict::Verdict;
use slots::Slots;

/// Up to this length of a window, a row covers all that is left of it: rows would be due several times a second else. An
/// object that is idle stays in memory for ten seconds, and after those the row counts no more.
const SHORT: u128 = 5_000_000_000;
/// For how many holders a ticket is remembered.
const MAX_TICKETS: usize = 4_000;

/// The sliding window of one key.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    requests: u64,
    per: u128,
    now: u128,
    slots: Slots,
    /// What an instance before this one has charged for times after this one has started: a reset must not forget it,
    /// because it may be used without asking.
    inherited: Slots,
    stored: Stored,
    /// The slots of one era are all there until the next one begins.
    era: u64,
    era_ends: u128,
    /// What was charged since the account was opened.
    charged: u64,
    leases: Leases,
    /// Slices of the reserve: when they come free, and how large they are. None: nobody has wanted one, so nothing is set
    /// aside.
    reserve: Option<Vec<(u128, u64)>>,
    /// Who waits for how much until when.
    tickets: Vec<Ticket>,
    /// Since when there has been next to nothing.
    low_since: Option<u128>,
}

/// What the row in storage covers: charges of `left` more, in slots up to `horizon`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Covers {
        left: u64,
        horizon: u64,
    },
    /// The row is missing or says too little.
    Due,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    holder: u64,
    due: u128,
    price: u64,
}

impl Ring {
    pub(crate) fn open(window: Window, row: Option<&[u8]>, now: u128, era: u64) -> Ring {
        let per = window.per().as_nanos();
        let slots = row.and_then(row::decode).map_or_else(|| Slots::new(per), |stored| stored.slots(per, now));
        let mut account = Ring {
            requests: u64::from(window.requests()),
            per,
            now,
            inherited: slots.from(now),
            slots,
            stored: Stored::Covers { left: 0, horizon: 0 },
            era,
            era_ends: now.saturating_add(per),
            charged: 0,
            leases: Leases::default(),
            reserve: None,
            tickets: Vec::new(),
            low_since: None,
        };
        account.advance(now);
        account
    }

    fn begin_era(&mut self) {
        (self.era, self.era_ends) = (next_era(self.era), self.now.saturating_add(self.per));
    }

    fn available(&self) -> u64 {
        self.requests.saturating_sub(self.slots.sum()).saturating_sub(self.pool())
    }

    /// What is left of the twentieth that is set aside for when the object cannot be asked.
    fn pool(&self) -> u64 {
        let Some(reserve) = &self.reserve else { return 0 };
        let lent = reserve.iter().fold(0_u64, |sum, (_, units)| sum.saturating_add(*units));
        (self.requests / 20).saturating_sub(lent)
    }

    /// Charges what can be used until `until`.
    fn charge(&mut self, price: u64, until: u128) {
        let slot = self.slots.charge(price, until);
        self.charged = self.charged.saturating_add(price);
        self.spend_block(price, slot);
    }

    /// Moves what was charged for one lease to where its extension ends.
    fn extend(&mut self, units: u64, from: u128, until: u128) {
        let moved = self.slots.remove(units, from);
        let slot = self.slots.charge(moved, until);
        self.spend_block(moved, slot);
    }

    fn spend_block(&mut self, price: u64, slot: u64) {
        self.stored = match self.stored {
            Stored::Covers { left, horizon } if price <= left && slot <= horizon => {
                Stored::Covers { left: left.saturating_sub(price), horizon }
            }
            stored if price == 0 => stored,
            Stored::Covers { .. } | Stored::Due => Stored::Due,
        };
    }

    /// How much a row is ahead of what it covers: a tenth of the window, but no more than half of what this instance has
    /// charged, so that an object that is removed from memory after each request loses little.
    fn block(&self) -> u64 {
        let left = self.requests.saturating_sub(self.slots.sum());
        if self.per <= SHORT { left } else { (self.requests / 10).min(self.charged / 2).min(left) }
    }

    /// The longest lifetime of a lease: an eighth of the window, because what it holds comes free that much later.
    fn longest(&self) -> u128 {
        self.per / 8
    }

    fn lent(&mut self, lent: &Lent) -> Loan {
        if let Some(before) = lent.before {
            self.extend(before.units, before.until, lent.lease.until);
        }
        self.charge(lent.deposit, lent.lease.until);
        lent.loan()
    }

    /// How long until `price` fits, if nobody else comes.
    fn wait(&self, price: u64) -> u128 {
        let most = self.requests.saturating_sub(self.pool()).saturating_sub(price);
        self.slots.below(most).saturating_sub(self.now)
    }
}

impl Kind for Ring {
    fn adapt(&mut self, terms: &Terms) -> bool {
        let Terms::Window(window) = terms else { return false };
        self.requests = u64::from(window.requests());
        let per = window.per().as_nanos();
        if per != self.per {
            self.per = per;
            self.slots = self.slots.cut(per);
            self.inherited = self.inherited.cut(per);
            self.begin_era();
            self.stored = Stored::Due;
        }
        true
    }

    fn advance(&mut self, now: u128) {
        self.now = self.now.max(now);
        let now = self.now;
        self.slots.advance(now);
        if self.era_ends <= now {
            self.begin_era();
        }
        self.tickets.retain(|ticket| ticket.due > now);
        if let Some(reserve) = &mut self.reserve {
            reserve.retain(|(free, _)| *free > now);
        }
    }

    fn fits(&self, price: u64) -> bool {
        // What is set aside must not keep a request out for ever that costs nearly all there is.
        price <= self.available() || (self.slots.sum() == 0 && price <= self.requests)
    }

    fn take(&mut self, _holder: u64, price: u64) -> bool {
        let fits = self.fits(price);
        if fits {
            self.charge(price, self.now);
        }
        fits
    }

    fn undo(&mut self, _holder: u64, price: u64) {
        self.slots.remove(price, self.now);
        self.charged = self.charged.saturating_sub(price);
    }

    fn expect_back(&mut self, price: u64) {
        self.slots.promise(price, self.now);
    }

    fn era(&self) -> u64 {
        self.era
    }

    fn give_back(&mut self, era: u64, price: u64) {
        if era == self.era {
            self.slots.make_good(price);
        }
    }

    fn owe(&mut self, price: u64, age: u128) {
        let admitted = self.now.saturating_sub(age);
        if self.slots.free(admitted) <= self.now {
            // It has come free again.
            return;
        }
        let most = self.requests.saturating_mul(2).saturating_sub(self.slots.sum());
        self.charge(price.min(most), admitted);
    }

    fn allowed(&self, held: u64) -> Verdict {
        let remaining = self.available();
        let all = self.requests.saturating_sub(self.pool());
        let effective_window = match remaining {
            0 => self.wait(1),
            // What is there now is all there is until the first slot comes free, or for a window if none will.
            _ if remaining >= all => self.per,
            _ => self.wait(remaining.saturating_add(1)),
        };
        Verdict::Allowed { remaining: remaining.saturating_add(held), effective_window: duration(effective_window) }
    }

    fn denied(&self, price: u64) -> Verdict {
        Verdict::Denied { remaining: self.available(), retry_after: duration(self.wait(price)) }
    }

    fn ticket(&mut self, holder: u64, price: u64, fit: bool) -> u128 {
        self.note_what_is_left(price);
        let turn = self.leases.demand_of(holder).and_then(|demand| self.turn(demand, price));
        if fit && turn.is_none() {
            return self.now;
        }
        // What fits now may not fit again before it is the holder's turn.
        let price = price.max(turn.map_or(0, |turn| turn.units));
        if let Some(ticket) = self.tickets.iter().find(|ticket| ticket.holder == holder && ticket.price >= price) {
            return ticket.due;
        }
        self.tickets.retain(|ticket| ticket.holder != holder);
        let before = self.tickets.iter().fold(price, |sum, ticket| sum.saturating_add(ticket.price));
        let due = self.now.saturating_add(self.wait(before));
        if self.tickets.len() < MAX_TICKETS {
            self.tickets.push(Ticket { holder, due, price });
        }
        due
    }

    fn lend(&mut self, borrower: &Borrower) -> Option<Loan> {
        let offer = self.offer(borrower);
        let lent = self.leases.lend(borrower, self.now, &offer)?;
        Some(self.lent(&lent))
    }

    fn set_aside(&mut self) {
        self.reserve.get_or_insert_default();
    }

    fn lend_reserve(&mut self, borrower: &Borrower) -> Option<Loan> {
        self.reserve.get_or_insert_default();
        let pool = self.pool().min(self.requests.saturating_sub(self.slots.sum()));
        let lent = self.leases.lend_reserve(borrower, self.now, pool, self.per)?;
        let loan = self.lent(&lent);
        let free = |until: u128| self.slots.free(until);
        if let Some(reserve) = &mut self.reserve {
            let before = lent.before.map(|before| (free(before.until), before.units));
            let known = before.and_then(|before| reserve.iter_mut().find(|slice| **slice == before));
            let slice = (free(lent.lease.until), lent.lease.units);
            match known {
                Some(known) => *known = slice,
                None => reserve.push(slice),
            }
        }
        Some(loan)
    }

    fn claim(&mut self, &Report { holder, held, .. }: &Report<'_>) {
        if let Some(held) = held {
            self.leases.claim(holder, held);
        }
    }

    fn honours(&self, holder: u64, lease: u64) -> bool {
        self.leases.is_live(holder, lease, self.now)
    }

    fn take_back(&mut self, holder: u64, remains: Remains) {
        if let Some(lease) = self.leases.take_back(holder, remains) {
            self.slots.remove(lease.units, lease.until);
        }
    }

    fn scarce(&self) -> bool {
        // What comes free in a window is at most the whole of it.
        let per_window = u128::from(self.leases.demand(self.now)).saturating_mul(self.per) / 1_000_000_000_000;
        per_window > u128::from(self.requests)
    }

    fn row(&mut self) -> Option<Row> {
        if self.stored != Stored::Due {
            return None;
        }
        let block = self.block();
        let ahead = (self.per / 16).max((2_000_000_000).min(self.per));
        let until = self.now.saturating_add(ahead).saturating_add(self.longest());
        let mut slots = self.slots.clone();
        let horizon = slots.charge(block, until);
        self.stored = Stored::Covers { left: block, horizon };
        Some(row::encode(&slots, self.per))
    }

    fn is_forgettable(&self) -> bool {
        let uncovered = match self.stored {
            Stored::Covers { left, horizon } => left > 0 && self.slots.free_after(horizon) > self.now,
            Stored::Due => true,
        };
        self.slots.sum() == 0 && !uncovered
    }

    fn weight(&self) -> usize {
        self.leases.weight().saturating_add(self.slots.iter().count() / 8).saturating_add(2)
    }

    fn usage(&self) -> Usage {
        Usage {
            used: self.slots.sum(),
            remaining: self.available(),
            lent: self.leases.lent(self.now),
            holders: self.leases.count(self.now),
            resets_in: duration(self.slots.below(0).saturating_sub(self.now)),
        }
    }

    fn reset(&mut self) {
        self.leases.forget_expired(self.now);
        self.slots = self.inherited.from(self.now);
        for lease in self.leases.live(self.now) {
            self.slots.charge(lease.units, lease.until);
        }
        self.slots.advance(self.now);
        (self.charged, self.stored) = (0, Stored::Due);
        self.begin_era();
        self.tickets.clear();
        self.low_since = None;
    }

    fn demand(&self) -> u64 {
        self.leases.demand(self.now)
    }
}

#[cfg(test)]
mod tests;
