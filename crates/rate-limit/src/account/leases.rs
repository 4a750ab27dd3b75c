//! What is lent of a kind that does not refill: plain requests, which are charged when they are lent.
//!
//! The sizes are those of escrow with parts that shrink: a lease is worth the demand of its lifetime and a quarter more, and
//! at most a fourth of what is left, divided by the number of holders that come. So the last requests of a window can still
//! be granted one by one, and all holders together ask a number of times that grows with the logarithm of the window's size,
//! which is optimal (Cormode, Muthukrishnan and Yi, "Algorithms for distributed functional monitoring").

use crate::account::holders::Holders;
use crate::account::{Borrower, PARTS};
use crate::answer::Loan;
use crate::mutation::{Mutation, makes};
use crate::question::{Held, Remains};

const SECOND: u128 = 1_000_000_000;
/// A first lease is short, so that what an idle key was lent comes home soon.
const SHORTEST_LIFETIME: u128 = 2 * SECOND;
/// A hot key survives that its object cannot be reached for half of this.
pub(super) const LONGEST_LIFETIME: u128 = 12 * SECOND;
pub(super) const RESERVE_LIFETIME: u128 = 600 * SECOND;
/// Below this, a lease ends before it is of use: the holder takes its guard off, and the way there.
const LEAST_LIFETIME: u128 = SECOND / 4;
/// For how long a holder that does not come still counts as one that does.
const MEMORY: u128 = 3 * LONGEST_LIFETIME;
/// Bounds the memory of a key, whatever isolates there are.
const MAX_HOLDERS: usize = 4_000;
/// So many answers may be on their way to a holder before what it says of older ones is not understood any more.
const MAX_ADDED: usize = 64;
/// A lease that is worth less saves no question.
const LEAST_COSTS: u64 = 3;

/// The leases of one key, and the demand of those who have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    holders: Holders<Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    heard: u128,
    demand: u64,
    lease: Option<Lease>,
    /// What the answers to questions above `floor` have added to the lease, and which questions those were.
    added: Vec<(u64, u64)>,
    floor: u64,
    reserve: Option<Lease>,
}

/// A lease on record. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The latest question that added to it or extended it.
    id: u64,
    /// What the holder can still have of it, at most.
    pub(super) units: u64,
    /// When the holder can no longer use it, at the latest.
    pub(super) until: u128,
    lifetime: u128,
}

/// What may be lent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) available: u64,
    pub(super) part: Part,
    /// For so many nanoseconds.
    pub(super) longest: u128,
}

/// How much of what is available one holder may have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Half, divided by those who come: whatever a client misses comes free soon.
    Half,
    /// So many are lent to nobody, and of the rest a fourth, divided by those who come.
    Fourth { kept: u64 },
    /// So many, or half of it, though nothing is left for others: they have their turns.
    Turn(u64),
}

/// What was just lent: the deposit is to be charged, and what the lease was before is now used until `lease.until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lent {
    pub(super) before: Option<Lease>,
    pub(super) lease: Lease,
    pub(super) deposit: u64,
}

impl Lent {
    pub(super) fn loan(&self) -> Loan {
        let lifetime_ms = u32::try_from(self.lease.lifetime / 1_000_000).unwrap_or(u32::MAX);
        Loan { share: 0, capacity: self.lease.units, deposit: self.deposit, lifetime_ms }
    }
}

impl Leases {
    /// What the holder says is left of its lease bounds what it can still use of the answers up to the one that it speaks
    /// of, and of those that these have overtaken. What later answers have added comes on top.
    pub(super) fn claim(&mut self, holder: u64, held: &Held) {
        let Some(known) = self.holders.get_mut(holder).filter(|known| held.id >= known.floor) else { return };
        let Some(lease) = &mut known.lease else { return };
        known.added.retain(|(id, _)| *id > held.id);
        known.floor = held.id;
        let added = known.added.iter().fold(0_u64, |sum, (_, units)| sum.saturating_add(*units));
        lease.units = lease.units.min(held.capacity.saturating_add(added));
    }

    /// Whether a lease is the one on record, and lives.
    pub(super) fn is_live(&self, holder: u64, id: u64, now: u128) -> bool {
        let lease = self.holders.get(holder).and_then(|known| known.lease);
        lease.is_some_and(|lease| lease.id == id && lease.until > now)
    }

    /// Ends the lease of which something remains, if it is the one on record, and returns it with what is left of it.
    pub(super) fn take_back(&mut self, holder: u64, remains: Remains) -> Option<Lease> {
        let known = self.holders.get_mut(holder)?;
        let believed = makes(Mutation::RemainsBelieved);
        let lease = known.lease.take_if(|lease| believed || lease.id == remains.id)?;
        Some(Lease { units: lease.units.min(remains.left), ..lease })
    }

    /// Lends of what the offer says.
    pub(super) fn lend(&mut self, borrower: &Borrower, now: u128, offer: &Offer) -> Option<Lent> {
        self.hear(borrower, now);
        let active = self.active(now);
        let known = self.holders.get_mut(borrower.holder)?;
        let recent = known.lease.filter(|lease| lease.until.saturating_add(lease.lifetime) > now);
        let lifetime = recent.map_or(SHORTEST_LIFETIME, |lease| lease.lifetime.saturating_mul(2));
        let lifetime = lifetime.min(LONGEST_LIFETIME).min(offer.longest);
        if lifetime < LEAST_LIFETIME {
            return None;
        }
        let before = known.lease.filter(|lease| lease.until > now);
        let left = before.map_or(0, |lease| lease.units);
        let missing = worth(borrower.demand, lifetime).saturating_sub(left);
        let most = match offer.part {
            Part::Half => half(offer.available, active),
            Part::Fourth { kept } => {
                part(offer.available.saturating_sub(kept), active, u64::from(borrower.cost)).saturating_sub(left)
            }
            Part::Turn(units) => units.max(half(offer.available, active)).min(offer.available),
        };
        let deposit = missing.min(most);
        let units = left.saturating_add(deposit);
        if units < u64::from(borrower.cost).saturating_mul(LEAST_COSTS) {
            return None;
        }
        let until = now.saturating_add(lifetime).max(before.map_or(0, |lease| lease.until));
        // Questions may come in another order than they were sent; the holder goes by the latest.
        let id = known.lease.map_or(0, |lease| lease.id).max(borrower.sequence);
        known.add(borrower.sequence, deposit, before.is_none());
        let lease = Lease { id, units, until, lifetime };
        known.lease = Some(lease);
        Some(Lent { before, lease, deposit })
    }

    /// Lends a slice of the reserve, of which `pool` is left, or extends the one that the holder has.
    pub(super) fn lend_reserve(&mut self, borrower: &Borrower, now: u128, pool: u64, longest: u128) -> Option<Lent> {
        self.hear(borrower, now);
        let active = self.active(now);
        let known = self.holders.get_mut(borrower.holder)?;
        let lifetime = RESERVE_LIFETIME.min(longest);
        let before = known.reserve.filter(|lease| lease.until > now);
        let renewed = before.is_some_and(|lease| lease.until.saturating_sub(now) > lifetime / 2);
        if renewed || lifetime < LEAST_LIFETIME {
            return None;
        }
        let deposit = if before.is_some() { 0 } else { half(pool, active).max(u64::from(borrower.cost)) };
        if deposit > pool {
            return None;
        }
        let units = before.map_or(0, |lease| lease.units).saturating_add(deposit);
        let until = now.saturating_add(lifetime).max(before.map_or(0, |lease| lease.until));
        let lease = Lease { id: borrower.sequence, units, until, lifetime };
        known.reserve = Some(lease);
        Some(Lent { before, lease, deposit })
    }

    /// Forgets the leases, which are over because their window is.
    pub(super) fn clear(&mut self) {
        for (_, known) in self.holders.all_mut() {
            (known.lease, known.reserve) = (None, None);
        }
    }

    /// Forgets the leases of which only remains may come: they are not taken back any more.
    pub(super) fn forget_expired(&mut self, now: u128) {
        for (_, known) in self.holders.all_mut() {
            known.lease.take_if(|lease| lease.until <= now);
            known.reserve.take_if(|lease| lease.until <= now);
        }
    }

    /// What holders can still use, at most.
    pub(super) fn lent(&self, now: u128) -> u64 {
        self.live(now).fold(0, |sum, lease| sum.saturating_add(lease.units))
    }

    /// What holders can still use of slices of the reserve, at most.
    pub(super) fn lent_of_reserve(&self, now: u128) -> u64 {
        let slices = self.holders.all().filter_map(|known| known.reserve).filter(|slice| slice.until > now);
        slices.fold(0, |sum, slice| sum.saturating_add(slice.units))
    }

    /// The leases that live, those of the reserve among them.
    pub(super) fn live(&self, now: u128) -> impl Iterator<Item = Lease> {
        let leases = self.holders.all().flat_map(|known| [known.lease, known.reserve]);
        leases.flatten().filter(move |lease| lease.until > now)
    }

    /// About how much memory they take, in parts of 200 bytes.
    pub(super) fn weight(&self) -> usize {
        self.holders.all().fold(0, |sum, known| sum.saturating_add(1).saturating_add(known.added.len() / 12))
    }

    /// How many holders have something on loan.
    pub(super) fn count(&self, now: u128) -> usize {
        let lives = |lease: Option<Lease>| lease.is_some_and(|lease| lease.until > now);
        self.holders.all().filter(|known| lives(known.lease) || lives(known.reserve)).count()
    }

    /// The demand of those who came lately, in thousandths of a request of cost one per second.
    pub(super) fn demand(&self, now: u128) -> u64 {
        let recent = self.holders.all().filter(|known| known.heard.saturating_add(MEMORY) > now);
        recent.fold(0, |sum, known| sum.saturating_add(known.demand))
    }

    /// The demand of one of them, as it was last heard of.
    pub(super) fn demand_of(&self, holder: u64) -> Option<u64> {
        self.holders.get(holder).map(|known| known.demand)
    }

    /// Whether those who came lately will use up `available` before their leases end.
    pub(super) fn want_more_than(&self, available: u64, now: u128) -> bool {
        worth(self.demand(now), LONGEST_LIFETIME) > available
    }

    fn hear(&mut self, borrower: &Borrower, now: u128) {
        if self.holders.len() >= MAX_HOLDERS {
            self.holders.retain(|known| known.heard.saturating_add(MEMORY) > now);
        }
        // To forget a lease is safe: what it promised stays charged.
        while self.holders.len() >= MAX_HOLDERS {
            self.holders.forget_one();
        }
        if let Some(known) = self.holders.meet(borrower.holder) {
            (known.heard, known.demand) = (now, borrower.demand);
        }
    }

    fn active(&self, now: u128) -> u64 {
        let active = self.holders.all().filter(|known| known.heard.saturating_add(MEMORY) > now).count();
        u64::try_from(active).unwrap_or(u64::MAX).max(1)
    }
}

impl Known {
    /// Remembers what an answer adds to a lease, or to a new one.
    fn add(&mut self, id: u64, units: u64, is_new: bool) {
        if is_new {
            self.added.clear();
            self.floor = id;
        } else if self.added.len() >= MAX_ADDED {
            let (oldest, _) = self.added.remove(0);
            self.floor = self.floor.max(oldest);
        }
        self.added.push((id, units));
    }
}

/// The requests that a demand in thousandths per second makes in `lifetime` nanoseconds, and a quarter more.
pub(super) fn worth(demand: u64, lifetime: u128) -> u64 {
    let thousandths = u128::from(demand).saturating_mul(lifetime).saturating_mul(5) / (4 * SECOND);
    u64::try_from(thousandths / 1_000).unwrap_or(u64::MAX)
}

/// What one holder may have of what is left: a fourth for each of those who come. Less than three requests save no question.
fn part(available: u64, active: u64, cost: u64) -> u64 {
    let most = available.checked_div(active.saturating_mul(PARTS)).unwrap_or(0);
    if most < cost.saturating_mul(LEAST_COSTS) { 0 } else { most }
}

/// Half of what there is for each of those who come, rounded up.
fn half(available: u64, active: u64) -> u64 {
    let parts = active.saturating_mul(2);
    available.checked_add(parts.saturating_sub(1)).and_then(|sum| sum.checked_div(parts)).unwrap_or(0).min(available)
}
