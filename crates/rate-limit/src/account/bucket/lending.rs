//! How much of a bucket is lent to whom, and for how long.

use super::Bucket;
use super::fair::{Fair, LENDABLE};
use super::level::{WHOLE, refill, time_for};
use super::loans::{Deposit, Promise};
use crate::account::{Borrower, LAST_ONES, PARTS};
use crate::answer::Loan;
use crate::rate::Rate;

const MILLI: u128 = 1_000_000;
const SECOND: u128 = 1_000_000_000;

/// The first lease: what an isolate doesn't use is back after this time.
const FIRST_MS: u32 = 2_000;
/// The longest lease: an isolate that is asked all the time can go on for at least half of it without the object.
const LONGEST_MS: u32 = 12_000;
pub(super) const LONGEST: u128 = 12 * SECOND;
/// A slice of the reserve has to be there when an outage comes, whenever that is.
pub(super) const RESERVE_LIFETIME: u128 = 600 * SECOND;
/// A twentieth of rate and capacity is for outages.
const RESERVE_PART: u64 = 20;
/// How much longer than the longest lease a row says that something is out on loan: a row each so many seconds.
const ROW_AHEAD: u128 = 12 * SECOND;
/// What comes back in a second, in the unit of buckets.
pub(super) const SECOND_OF_REFILL: u64 = 1_000_000_000;
/// For how long a row covers requests to a bucket of which nothing is lent.
pub(super) const IDLE_AHEAD: u128 = 60 * SECOND;
/// How long a shortage has to last before isolates ask less often than their tickets allow.
const SHORTAGE: u128 = SECOND;
/// The longest time for which a place in the queue is kept.
const QUEUE: u128 = 30 * SECOND;

impl Bucket {
    pub(super) fn lend_part(&mut self, borrower: &Borrower) -> Option<Loan> {
        let now = self.now;
        let price = self.rate.increment(borrower.cost);
        let member = self.loans.hear(borrower.holder, borrower.demand, now)?;
        let latest = member.lease.as_ref().map(|lease| lease.latest()).filter(|latest| latest.is_live(now));
        // A question that was overtaken by a later one, which has spoken for the lease.
        let last_id = member.last_id;
        if last_id >= borrower.sequence {
            return None;
        }
        let lifetime_ms = lifetime(member.lifetime_ms, latest, now);
        self.weigh();
        // In a shortage, whatever lies here is gone when one comes who wants little. Its part of the rate is its own only
        // where it is lent, and is worth a question only over a long time.
        let is_scarce = self.fair.is_scarce();
        let wants_little = is_scarce && borrower.demand <= self.fair.little;
        let lifetime_ms = if wants_little { LONGEST_MS } else { lifetime_ms };
        if let Some(member) = self.loans.members.get_mut(borrower.holder) {
            member.lifetime_ms = lifetime_ms;
        }
        // One request and a half, beside this one, within the time over which demand is averaged.
        let least = if wants_little { 500 } else { 1_500 };
        if borrower.demand.saturating_mul(2) < u64::from(borrower.cost).saturating_mul(least) {
            return None;
        }

        let interval = self.rate.interval_nanos().get();
        let lifetime = u128::from(lifetime_ms).saturating_mul(MILLI);
        let latest = latest.unwrap_or_default();
        // What an answer brings that the holder has not heard of yet counts as if it had it all.
        let heard = latest.capacity == 0 || borrower.lease == last_id;
        let held = if heard { borrower.held } else { borrower.held.max(latest.capacity) };
        let others = self.loans.lent_to_others(borrower.holder);
        let target = self.fair.share_for(borrower.demand, &self.rate);
        let free = LENDABLE.saturating_sub(others.share);
        let share = steady(target, latest.share, self.fair.is_scarce()).min(free).min(u64::from(u32::MAX));

        // What the holder should have at once: for half a second, and for what the share doesn't give over the lease.
        let demand = u128::from(borrower.demand).saturating_mul(u128::from(interval)) / 1_000;
        let spent = demand.saturating_mul(u128::from(lifetime_ms)) / 1_000;
        let earned = refill(lifetime, share);
        let buffer = small(demand / 2).max(price.saturating_mul(4));
        let shortfall = small((spent.saturating_mul(5) / 4).saturating_sub(earned));
        let wanted = buffer.saturating_add(shortfall).saturating_sub(held);

        let fill = self.rate.fill_nanos();
        let lendable = (fill / 10).saturating_mul(9);
        let part = small(u128::from(fill).saturating_mul(u128::from(share)) >> 32);
        // Nobody gets so much of the capacity that for others there is less than their part.
        let each = lendable.checked_div(self.fair.members).unwrap_or(lendable);
        let fair = if is_scarce { each } else { part.max(each) }.max(held);
        let lendable = lendable.saturating_sub(others.capacity).min(fair);
        let most = self.most_to_hold(price).saturating_sub(if self.is_slow() { held } else { 0 });
        let whole = |units: u64| (units / self.rate.interval_nanos()).saturating_mul(interval);
        let deposit = whole(wanted.min(most).min(lendable.saturating_sub(held)));
        let given = Deposit { held: heard.then_some(borrower.held), units: deposit, at: now };
        let held = held.saturating_add(deposit);

        let room = fill.saturating_sub(others.capacity).saturating_sub(self.loans.reserve().capacity);
        let room = room.saturating_sub(self.level.units().saturating_sub(deposit));
        // Where all want more than there is, what is not lent must hold what comes in between two questions. The rest is for
        // requests that come in clumps: without a place to wait for them, what refills between two of them is lost.
        let needed = (part / 2).max(small(refill(SECOND / 10, share))).max(price.saturating_mul(2));
        let capacity = if self.fair.is_scarce() { needed } else { part.max(buffer.saturating_mul(2)) }.max(held);
        let capacity = steady(capacity, latest.capacity, self.fair.is_scarce()).max(held).min(room).min(lendable);
        let worth = u128::from(held).saturating_add(earned);
        if capacity < price || worth < u128::from(price).saturating_mul(3) {
            return None;
        }
        let promise = Promise { share, capacity, until: now.saturating_add(lifetime) };
        self.loans.lend(borrower.holder, borrower.sequence, promise, &given);
        self.level.debit(deposit);
        self.charged = self.charged.saturating_add(deposit);
        self.clip();
        Some(Loan { share: u32::try_from(share).unwrap_or(u32::MAX), capacity, deposit, lifetime_ms })
    }

    /// Returns how much of what is here one holder may have.
    fn most_to_hold(&self, price: u64) -> u64 {
        let (units, members) = (self.level.units(), self.fair.members.max(1));
        if self.is_short() {
            // When there has been next to nothing for a while, nobody is served better by what lies here.
            units
        } else if self.is_slow() {
            let last = self.rate.increment(LAST_ONES).max(price);
            let most = units.saturating_sub(last).checked_div(members.saturating_mul(PARTS)).unwrap_or(0);
            // Less saves no question.
            if most < price.saturating_mul(3) { 0 } else { most }
        } else {
            // Half, or less where several ask, so that one that comes a moment later finds as much.
            units.checked_div(members.min(3).saturating_add(1)).unwrap_or(0)
        }
    }

    /// Returns whether it takes so long until something comes back that a client misses what lies at another isolate: at
    /// 120 requests a minute and below.
    fn is_slow(&self) -> bool {
        self.rate.interval_nanos().get() >= SECOND_OF_REFILL / 2
    }

    /// Lends a slice of the reserve: half of what is left of it, at least one request. It comes out of what the bucket
    /// could not hold next to it, and fills by itself.
    pub(super) fn lend_slice(&mut self, borrower: &Borrower) -> Option<Loan> {
        let now = self.now;
        let price = self.rate.increment(borrower.cost);
        let member = self.loans.members.get(borrower.holder)?;
        let old = Some(member.reserve).filter(|slice| slice.is_live(now)).unwrap_or_default();
        // A slice that is not half over is not renewed; only one who has shown demand gets one.
        if member.lease.is_none() || old.until > now.saturating_add(RESERVE_LIFETIME / 2) {
            return None;
        }
        let fill = self.rate.fill_nanos();
        let all = reserve(&self.rate);
        let left = all.capacity.saturating_sub(self.loans.reserve().capacity.saturating_sub(old.capacity));
        let capacity = if old.capacity > 0 { old.capacity } else { (left / 2).max(price) };
        if capacity > left || capacity < price {
            return None;
        }
        let part = u128::from(all.share).saturating_mul(u128::from(capacity));
        let share = small(part.checked_div(u128::from(all.capacity)).unwrap_or(0)).min(u64::from(u32::MAX));
        if old.capacity == 0 && share > self.loans.own_share() || capacity > self.loans.own_capacity(fill) {
            return None;
        }
        self.loans
            .lend_reserve(borrower.holder, Promise { share, capacity, until: now.saturating_add(RESERVE_LIFETIME) });
        let deposit = self.level.units().saturating_sub(self.own_capacity()).min(capacity.saturating_sub(old.capacity));
        self.level.debit(deposit);
        self.clip();
        let lifetime_ms = u32::try_from(RESERVE_LIFETIME / MILLI).unwrap_or(u32::MAX);
        Some(Loan { share: u32::try_from(share).unwrap_or(u32::MAX), capacity, deposit, lifetime_ms })
    }

    pub(super) fn take_ticket(&mut self, holder: u64, price: u64, fit: bool) -> u128 {
        let now = self.now;
        let little = small(refill(SECOND, self.loans.own_share())).max(price.saturating_mul(2));
        let units = self.level.units();
        if units <= little {
            self.low_since.get_or_insert(now);
        } else if !self.is_short() || units > little.saturating_mul(4) {
            self.low_since = None;
        }
        let until = match (self.is_short(), fit) {
            (false, true) => now,
            (false, false) => self.place(holder, price),
            // What has fit may not fit again: then to ask before it does is as useless.
            (true, true) => now.saturating_add(self.wait(price).max(self.pace(holder))),
            (true, false) => self.place(holder, price).max(now.saturating_add(self.pace(holder))),
        };
        if let Some(member) = self.loans.members.get_mut(holder) {
            member.quiet_until = until;
        }
        until
    }

    /// Returns when the holder's turn is, after those that wait already.
    fn place(&mut self, holder: u64, price: u64) -> u128 {
        let now = self.now;
        let kept = self.loans.members.get(holder).map(|member| member.ticket).filter(|ticket| *ticket > now);
        if let Some(ticket) = kept {
            return ticket;
        }
        let fits_at = now.saturating_add(self.wait(price));
        let place = self.cursor.max(fits_at).min(fits_at.max(now.saturating_add(QUEUE)));
        self.cursor = place.saturating_add(time_for(u128::from(price), self.loans.own_share()));
        if let Some(member) = self.loans.members.get_mut(holder) {
            member.ticket = place;
        }
        place
    }

    /// Returns whether there has been next to nothing for a while, because all together want more than there is.
    fn is_short(&self) -> bool {
        let since = self.low_since.is_some_and(|since| since.saturating_add(SHORTAGE) <= self.now);
        since && self.fair.is_scarce()
    }

    /// Returns how often an isolate should ask during a shortage: all together once in a hundred requests, or in fifty if
    /// what is here would be full before.
    fn pace(&self, holder: u64) -> u128 {
        let member = self.loans.members.get(holder);
        if member.is_some_and(|member| member.demand <= self.fair.little) {
            return 0;
        }
        let lends = member.is_some_and(|member| member.lease.is_some());
        // Who has no lease waits for nothing else.
        let longest = if lends { LONGEST / 2 } else { LONGEST / 4 };
        let (members, demand) = (u128::from(self.fair.members), u128::from(self.fair.demand.max(1)));
        let hundred = members.saturating_mul(100_000).saturating_mul(SECOND).checked_div(demand).unwrap_or(longest);
        let fills = time_for(u128::from(self.own_capacity()), self.loans.own_share()) / 2;
        fills.saturating_mul(members).clamp(hundred / 2, hundred).min(longest)
    }

    /// Weighs demands anew, at most every tenth of a second where there are many.
    fn weigh(&mut self) {
        let patience = if self.loans.members.len() <= 32 { 0 } else { 100 * MILLI };
        if self.fair_at.saturating_add(patience) <= self.now {
            self.fair = Fair::of(&self.loans, &self.rate, self.now);
            self.fair_at = self.now;
        }
    }
}

/// Returns whether a row that says `stored` covers what is lent.
pub(super) fn covers(stored: &Promise, lent: &Promise) -> bool {
    let nothing = lent.share == 0 && lent.capacity == 0;
    nothing || (stored.share >= lent.share && stored.capacity >= lent.capacity && stored.until >= lent.until)
}

/// Returns what a row should say, so that it is not written for every loan: twice as much, and for longer.
pub(super) fn ahead(lent: &Promise, rate: &Rate) -> Promise {
    if lent.share == 0 && lent.capacity == 0 {
        return Promise::default();
    }
    let most = (rate.fill_nanos() / 10).saturating_mul(9);
    Promise {
        share: lent.share.saturating_mul(2).min(LENDABLE).max(lent.share),
        capacity: lent.capacity.saturating_mul(2).min(most).max(lent.capacity),
        until: lent.until.saturating_add(ROW_AHEAD),
    }
}

/// Returns what a row should say of the reserve.
pub(super) fn reserve_ahead(lent: &Promise, rate: &Rate) -> Promise {
    if lent.capacity == 0 {
        return Promise::default();
    }
    let Promise { share, capacity, .. } = reserve(rate);
    Promise {
        share: share.max(lent.share),
        capacity: capacity.max(lent.capacity),
        until: lent.until.saturating_add(RESERVE_LIFETIME),
    }
}

/// Returns all that is set aside for outages: a twentieth, at least one request of those that a bucket has at least two.
fn reserve(rate: &Rate) -> Promise {
    let (fill, interval) = (rate.fill_nanos(), rate.interval_nanos().get());
    let capacity = if rate.burst() < 2 { 0 } else { (fill / RESERVE_PART).max(interval) };
    Promise { share: WHOLE / RESERVE_PART, capacity, until: 0 }
}

/// A lease that is renewed while half of it or more is still to come keeps its length; one that was used up is doubled.
fn lifetime(last_ms: u32, latest: Option<Promise>, now: u128) -> u32 {
    let Some(latest) = latest else { return FIRST_MS };
    let last_ms = last_ms.max(FIRST_MS);
    // The holder's half is a little earlier than this clock's: its lease ends a guard before.
    let half = u128::from(last_ms).saturating_mul(MILLI * 5) / 8;
    if latest.until.saturating_sub(now) > half { last_ms } else { last_ms.saturating_mul(2).min(LONGEST_MS) }
}

/// A lease shrinks only by a quarter or more, where others don't wait for it: what was promised is set aside anyway.
fn steady(target: u64, latest: u64, scarce: bool) -> u64 {
    let least = latest.saturating_sub(if scarce { latest / 32 } else { latest / 4 });
    if target < latest && target >= least { latest } else { target }
}

fn small(units: u128) -> u64 {
    u64::try_from(units).unwrap_or(u64::MAX)
}
