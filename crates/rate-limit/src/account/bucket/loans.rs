//! What of a bucket is out on loan, and to whom.

use std::collections::VecDeque;

use super::level::{WHOLE, refill};
use super::row::scale;
use crate::account::holders::Holders;
use crate::mutation::{Mutation, makes};

/// At most so many isolates are known per key. Others are answered, but nothing is lent to them.
const MAX_MEMBERS: usize = 4_000;

/// A part of the rate and of the capacity that somebody else may use until a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    /// In 2^-32 of the full rate.
    pub(super) share: u64,
    pub(super) capacity: u64,
    pub(super) until: u128,
}

impl Promise {
    pub(super) fn is_live(&self, now: u128) -> bool {
        self.until > now
    }

    /// Returns the promise that holds as long as either, and is as large as both.
    fn or(self, other: Promise) -> Promise {
        let (share, capacity) = (self.share.max(other.share), self.capacity.max(other.capacity));
        Promise { share, capacity, until: self.until.max(other.until) }
    }

    fn covers(&self, other: &Promise) -> bool {
        self.share >= other.share && self.capacity >= other.capacity && self.until >= other.until
    }

    fn and(self, other: Promise) -> Promise {
        Promise {
            share: self.share.saturating_add(other.share),
            capacity: self.capacity.saturating_add(other.capacity),
            until: self.until.max(other.until),
        }
    }
}

/// What is known of one isolate.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    /// When it last asked.
    pub(super) heard: u128,
    /// Thousandths of a request of cost one, per second.
    pub(super) demand: u64,
    pub(super) lifetime_ms: u32,
    /// The lease that is live.
    pub(super) lease: Option<Lease>,
    /// The id of its last lease. A question before that was overtaken.
    pub(super) last_id: u64,
    pub(super) reserve: Promise,
    /// When its turn is.
    pub(super) ticket: u128,
    /// Until when it was told not to ask.
    pub(super) quiet_until: u128,
}

/// A lease on record.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) id: u64,
    /// The lease that this one has renewed without a gap, and that one, and so on.
    pub(super) first: u64,
    /// What the answers so far have promised, the latest last. The holder may not have heard of it yet, so that what was
    /// promised before stays set aside until it expires.
    promises: Vec<Promise>,
    /// What the holder had at `since`, at most, with what came with the latest answer. No more than that and what has
    /// refilled since comes back: a question of before a restart that is heard again must not bring what it once found.
    given: u64,
    since: u128,
    /// It was given by an instance before this one: it stays on record until everything of that instance has expired.
    claimed: bool,
}

impl Lease {
    /// A lease that shrinks more often than this while nothing of it expires keeps more set aside than it needs.
    const MAX_PROMISES: usize = 8;

    pub(super) fn latest(&self) -> Promise {
        self.promises.last().copied().unwrap_or_default()
    }

    fn is_live(&self, now: u128) -> bool {
        self.promises.iter().any(|promise| promise.is_live(now))
    }

    /// Returns what is set aside for the lease: the largest of what was promised and has not expired.
    fn set_aside(&self, now: u128) -> Promise {
        self.promises.iter().filter(|promise| promise.is_live(now)).fold(Promise::default(), |all, one| all.or(*one))
    }

    /// Returns what the holder can have of it, at most.
    fn left(&self, now: u128) -> u64 {
        let refilled = refill(now.saturating_sub(self.since), self.latest().share);
        self.given.saturating_add(u64::try_from(refilled).unwrap_or(u64::MAX))
    }

    /// Remembers what came with an answer.
    fn deposit(&mut self, deposit: &Deposit) {
        let left = self.left(deposit.at);
        self.given = left.min(deposit.held.unwrap_or(left)).saturating_add(deposit.units);
        self.since = deposit.at;
    }

    fn promise(&mut self, promise: Promise, now: u128) {
        self.promises.retain(|old| old.is_live(now) && !promise.covers(old));
        if self.promises.len() >= Lease::MAX_PROMISES {
            let all = self.set_aside(now);
            self.promises = vec![all];
        }
        self.promises.push(promise);
    }
}

/// What came with an answer that lent something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deposit {
    /// What the holder had when it asked, if it had heard of all that came before.
    pub(super) held: Option<u64>,
    pub(super) units: u64,
    pub(super) at: u128,
}

/// What may be left of a lease that has expired, and may come back.
#[derive(Clone, Copy, Debug)]
struct Frozen {
    holder: u64,
    id: u64,
    at_most: u64,
}

/// All loans of a bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Loans {
    pub(super) members: Holders<Member>,
    /// What an instance before this one has lent, to isolates that have not said so yet.
    unknown: Promise,
    unknown_reserve: Promise,
    /// The longest expired first.
    frozen: VecDeque<Frozen>,
    /// Invariant: what all of that is together.
    returnable: u64,
    // Invariant: the sums of what is set aside at `at`, and when the first of it expires.
    lent: Promise,
    reserve: Promise,
    next: Option<u128>,
    at: u128,
}

impl Loans {
    /// Returns about how much memory they take, in parts of 200 bytes.
    pub(super) fn weight(&self) -> usize {
        self.members.len().saturating_add(self.frozen.len() / 8)
    }

    /// Starts with what the row says was out on loan.
    pub(super) fn after_restart(unknown: Promise, unknown_reserve: Promise, now: u128) -> Loans {
        let forgotten = makes(Mutation::LoansForgotten);
        let unknown = if forgotten { Promise::default() } else { unknown };
        let mut loans = Loans { unknown, unknown_reserve, at: now, ..Loans::default() };
        loans.sum();
        loans
    }

    /// Returns all leases together. `until` is when the last of them has expired.
    pub(super) fn lent(&self) -> Promise {
        self.lent
    }

    /// Returns all slices of the reserve together.
    pub(super) fn reserve(&self) -> Promise {
        self.reserve
    }

    /// Returns whether this instance has lent something that is live.
    pub(super) fn has_lease(&self) -> bool {
        self.members.all().any(|member| member.lease.is_some())
    }

    /// Returns the part of the rate that is not lent.
    pub(super) fn own_share(&self) -> u64 {
        WHOLE.saturating_sub(self.lent.share).saturating_sub(self.reserve.share)
    }

    /// Returns the part of the capacity that is not lent.
    pub(super) fn own_capacity(&self, capacity: u64) -> u64 {
        capacity.saturating_sub(self.lent.capacity).saturating_sub(self.reserve.capacity)
    }

    /// Returns what is set aside for others than `holder`.
    pub(super) fn lent_to_others(&self, holder: u64) -> Promise {
        let lease = self.members.get(holder).and_then(|member| member.lease.as_ref());
        let own = lease.map(|lease| lease.set_aside(self.at)).unwrap_or_default();
        Promise {
            share: self.lent.share.saturating_sub(own.share),
            capacity: self.lent.capacity.saturating_sub(own.capacity),
            until: self.lent.until,
        }
    }

    /// Returns when the first loan up to `now` expires.
    pub(super) fn next_expiry(&self, now: u128) -> Option<u128> {
        self.next.filter(|next| *next <= now)
    }

    /// Ends what has expired. What may be left of it is returnable.
    pub(super) fn expire(&mut self, now: u128) {
        self.at = self.at.max(now);
        let mut expired = Vec::new();
        for (holder, member) in self.members.all_mut() {
            if !member.reserve.is_live(now) {
                member.reserve = Promise::default();
            }
            let Some(lease) = member.lease.take_if(|lease| !lease.is_live(now)) else { continue };
            if !lease.claimed {
                let at_most = lease.latest().capacity.min(lease.left(now));
                expired.push(Frozen { holder, id: lease.id, at_most });
            }
        }
        for promise in [&mut self.unknown, &mut self.unknown_reserve] {
            if !promise.is_live(now) {
                *promise = Promise::default();
            }
        }
        expired.into_iter().for_each(|frozen| self.freeze(frozen));
        self.sum();
    }

    fn freeze(&mut self, frozen: Frozen) {
        self.returnable = self.returnable.saturating_add(frozen.at_most);
        self.frozen.push_back(frozen);
        if self.frozen.len() > MAX_MEMBERS {
            let dropped = self.frozen.pop_front().map_or(0, |frozen| frozen.at_most);
            self.returnable = self.returnable.saturating_sub(dropped);
        }
    }

    /// Returns what may come back of expired leases.
    pub(super) fn returnable(&self) -> u64 {
        self.returnable
    }

    /// Lets no more come back than there is room for. Each lease's remains are counted by themselves: those of one that
    /// the bucket has made up for since must not come back in place of another's.
    pub(super) fn clip_returnable(&mut self, room: u64) {
        while self.returnable > room {
            let excess = self.returnable.saturating_sub(room);
            let Some(oldest) = self.frozen.front_mut() else {
                self.returnable = 0;
                return;
            };
            let less = excess.min(oldest.at_most);
            oldest.at_most = oldest.at_most.saturating_sub(less);
            self.returnable = self.returnable.saturating_sub(less);
            if oldest.at_most == 0 {
                self.frozen.pop_front();
            }
        }
    }

    /// Takes back what is left of a lease, once. Returns how much of it counts.
    pub(super) fn take_back(&mut self, holder: u64, id: u64, left: u64) -> u64 {
        let place = self.frozen.iter().position(|frozen| frozen.holder == holder && frozen.id == id);
        let Some(frozen) = place.and_then(|place| self.frozen.remove(place)) else { return 0 };
        self.returnable = self.returnable.saturating_sub(frozen.at_most);
        left.min(frozen.at_most)
    }

    pub(super) fn forget_returnable(&mut self) {
        self.frozen.clear();
        self.returnable = 0;
    }

    /// Hears from an isolate; none if there are too many.
    pub(super) fn hear(&mut self, holder: u64, demand: u64, now: u128) -> Option<&mut Member> {
        if self.members.len() >= MAX_MEMBERS && !self.members.contains(holder) {
            self.forget(now);
            if self.members.len() >= MAX_MEMBERS {
                return None;
            }
        }
        let member = self.members.meet(holder)?;
        member.heard = now;
        member.demand = demand;
        Some(member)
    }

    /// Forgets isolates that have nothing and were silent for a while.
    pub(super) fn forget(&mut self, now: u128) {
        self.members.retain(|member| {
            member.lease.is_some() || member.reserve.is_live(now) || member.is_present(now) || member.ticket > now
        });
    }

    /// Records a lease. What was promised before stays set aside until it expires.
    pub(super) fn lend(&mut self, holder: u64, id: u64, promise: Promise, deposit: &Deposit) {
        let at = self.at;
        let Some(member) = self.members.get_mut(holder) else { return };
        let empty = Lease { id, first: id, promises: Vec::new(), given: 0, since: deposit.at, claimed: false };
        let lease = member.lease.get_or_insert(empty);
        lease.deposit(deposit);
        let promise = set_aside(promise);
        let old = lease.set_aside(at);
        lease.id = id;
        member.last_id = id;
        lease.promise(promise, at);
        let new = lease.set_aside(at);
        self.lent.share = self.lent.share.saturating_sub(old.share).saturating_add(new.share);
        self.lent.capacity = self.lent.capacity.saturating_sub(old.capacity).saturating_add(new.capacity);
        self.lent.until = self.lent.until.max(new.until);
        self.next_at(promise.until);
    }

    pub(super) fn lend_reserve(&mut self, holder: u64, promise: Promise) {
        if let Some(member) = self.members.get_mut(holder) {
            member.reserve = if makes(Mutation::ReserveUsedTwice) { Promise::default() } else { promise };
            self.sum();
        }
    }

    /// Moves a lease from what is unknown to its holder's record, if there is as much.
    pub(super) fn claim(&mut self, holder: u64, id: u64, share: u64, capacity: u64) {
        let Some(member) = self.members.get_mut(holder) else { return };
        let fits = share <= self.unknown.share && capacity <= self.unknown.capacity;
        let known = (member.lease.is_some() || member.last_id >= id) && !makes(Mutation::ClaimsBelieved);
        if known || !fits {
            return;
        }
        self.unknown.share = self.unknown.share.saturating_sub(share);
        self.unknown.capacity = self.unknown.capacity.saturating_sub(capacity);
        // A claim that was long on its way may be of a lease that has ended. It must not free what others still use.
        let promise = Promise { share, capacity, until: self.unknown.until };
        member.last_id = id;
        let (promises, since) = (vec![promise], self.at);
        member.lease = Some(Lease { id, first: id, promises, given: 0, since, claimed: true });
    }

    /// Ends a lease of which its holder says that it has expired there.
    pub(super) fn end(&mut self, holder: u64, id: u64, now: u128) {
        let at = self.at;
        let member = self.members.get_mut(holder);
        let lease = member.and_then(|member| member.lease.take_if(|lease| lease.id == id && !lease.claimed));
        if let Some(lease) = lease {
            self.freeze(Frozen { holder, id, at_most: lease.set_aside(at).capacity.min(lease.left(now)) });
            self.sum();
        }
    }

    /// Returns when loans end, in order, with what comes back then.
    pub(super) fn expiries(&self) -> Vec<Promise> {
        let leases = self.members.all().filter_map(|member| Some(member.lease.as_ref()?.set_aside(self.at)));
        let reserves = self.members.all().map(|member| member.reserve);
        let all = leases.chain(reserves).chain([self.unknown, self.unknown_reserve]);
        let mut expiries: Vec<Promise> = all.filter(|promise| promise.is_live(self.at)).collect();
        expiries.sort_unstable_by_key(|promise| promise.until);
        expiries
    }

    /// Counts in the units of another rate from now on: so many new units for so many old ones.
    pub(super) fn convert(&mut self, new: u64, old: u64) {
        let convert = |promise: &mut Promise| {
            promise.share = scale(promise.share, new, old);
            promise.capacity = scale(promise.capacity, new, old);
        };
        for (_, member) in self.members.all_mut() {
            convert(&mut member.reserve);
            if let Some(lease) = &mut member.lease {
                lease.promises.iter_mut().for_each(convert);
                lease.claimed = true;
            }
        }
        convert(&mut self.unknown);
        convert(&mut self.unknown_reserve);
        // What was lent in other units can't be taken back.
        self.forget_returnable();
        self.sum();
    }

    fn next_at(&mut self, until: u128) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }

    fn sum(&mut self) {
        let at = self.at;
        let live = |promise: &Promise| if promise.is_live(at) { *promise } else { Promise::default() };
        (self.lent, self.reserve, self.next) = (live(&self.unknown), live(&self.unknown_reserve), None);
        let mut next = [self.lent, self.reserve].iter().filter(|promise| promise.is_live(at)).map(|p| p.until).min();
        let mut soonest = |promise: &Promise| {
            if promise.is_live(at) {
                next = Some(next.map_or(promise.until, |next| next.min(promise.until)));
            }
        };
        for member in self.members.all() {
            if let Some(lease) = &member.lease {
                self.lent = self.lent.and(lease.set_aside(at));
                lease.promises.iter().for_each(&mut soonest);
            }
            soonest(&member.reserve);
            self.reserve = self.reserve.and(live(&member.reserve));
        }
        self.next = next;
    }
}

/// Returns what is set aside for a loan: all of it.
fn set_aside(promise: Promise) -> Promise {
    Promise {
        share: if makes(Mutation::RateNotReserved) { 0 } else { promise.share },
        capacity: if makes(Mutation::CapacityNotReserved) { 0 } else { promise.capacity },
        ..promise
    }
}

impl Member {
    /// Returns whether the isolate's demand still counts: it has asked within a lifetime and a half of its lease.
    pub(super) fn is_present(&self, now: u128) -> bool {
        let patience = u128::from(self.lifetime_ms).saturating_mul(1_500_000).max(PATIENCE);
        self.heard.max(self.quiet_until).saturating_add(patience) > now
    }
}

/// How long an isolate's demand counts at least, in nanoseconds.
const PATIENCE: u128 = 4_000_000_000;
