//! What an isolate was lent.

use crate::account::bucket::refill;
use crate::answer::Loan;
use crate::mutation::{Mutation, makes};

/// How much earlier a lease ends here than at the object, beside a hundredth of its length: between reading the clock and
/// taking from the lease a process may pause, and no two clocks run at the same speed.
pub(super) const GUARD: u64 = 50_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// After this time a question that was not answered is forgotten.
pub(super) const PATIENCE: u64 = 3_000_000_000;

/// A lease, in the unit of its kind. Times are nanoseconds since the Unix epoch by the isolate's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// The sequence number of the question that brought it.
    pub(super) id: u64,
    /// The lease that this one has renewed without a gap, and that one, and so on.
    pub(super) first: u64,
    /// In 2^-32 of the full rate.
    pub(super) share: u64,
    pub(super) capacity: u64,
    pub(super) stored: u64,
    /// What went along with questions that were not answered yet. It is still a part of the lease: a request counts when
    /// the object decides it. Invariant: with `stored` at most the capacity.
    in_flight: u64,
    in_flight_since: u64,
    /// What was taken and may come back, in this era. Invariant: with the two above at most the capacity. When it would
    /// be more, the lease has been full since, nothing comes back, and a new era begins.
    expected: u64,
    era: u64,
    /// What the object may have lent in answers that were overtaken by the one that brought this, at most.
    missing: u64,
    at: u64,
    pub(super) expiry: u64,
    lifetime: u64,
}

impl Lease {
    /// The lease that an answer brings: its life counts from when the question was sent.
    pub(super) fn new(id: u64, loan: &Loan, sent: u64, now: u64) -> Lease {
        let lifetime = u64::from(loan.lifetime_ms).saturating_mul(NANOS_PER_MILLI);
        let early = if makes(Mutation::NoGuard) { 0 } else { GUARD.saturating_add(lifetime / 100) };
        let lifetime = lifetime.saturating_sub(early);
        let expiry = if makes(Mutation::ExpiryFromReceipt) { now } else { sent }.saturating_add(lifetime);
        let (share, capacity) = (u64::from(loan.share), loan.capacity);
        Lease { share, lifetime, expiry, ..Lease::filled(id, capacity, loan.deposit.min(capacity), now) }
    }

    /// A lease of everything, for ever: for a limit that each isolate counts for itself.
    pub(super) fn whole(share: u64, capacity: u64, now: u64) -> Lease {
        Lease { share, ..Lease::filled(0, capacity, capacity, now) }
    }

    fn filled(id: u64, capacity: u64, stored: u64, now: u64) -> Lease {
        let (expected, in_flight, in_flight_since, missing) = (0, 0, 0, 0);
        let (expiry, lifetime) = (u64::MAX, u64::MAX);
        // Every lease has eras of its own.
        let era = (id << 32) | 1;
        Lease {
            id,
            first: id,
            share: 0,
            capacity,
            stored,
            in_flight,
            in_flight_since,
            expected,
            era,
            missing,
            at: now,
            expiry,
            lifetime,
        }
    }

    pub(super) fn emptied(self, now: u64) -> Lease {
        Lease { stored: 0, expected: 0, in_flight: 0, at: now, ..self }
    }

    pub(super) fn is_live(&self, now: u64) -> bool {
        now < self.expiry
    }

    /// Returns whether less than half of its life is left.
    pub(super) fn is_old(&self, now: u64) -> bool {
        self.expiry.saturating_sub(now) < self.lifetime / 2
    }

    /// Refills until `now`, but not past the end.
    pub(super) fn roll(&mut self, now: u64) {
        if self.in_flight > 0 && self.in_flight_since.saturating_add(PATIENCE) <= now {
            self.in_flight = 0;
        }
        let until = now.min(self.expiry);
        let gained = refill(u128::from(until.saturating_sub(self.at)), self.share);
        self.at = self.at.max(until);
        self.stored = self.stored.saturating_add(u64::try_from(gained).unwrap_or(u64::MAX));
        self.clip();
    }

    /// Goes on as a later answer says, with what is there and what comes with it.
    pub(super) fn replace(&mut self, later: Lease, deposit: u64) {
        let Lease { first, in_flight, in_flight_since, expected, era, .. } = *self;
        let stored = self.stored.saturating_add(deposit);
        *self = Lease { stored, first, in_flight, in_flight_since, expected, era, ..later };
        self.clip();
        self.missing = self.capacity.saturating_sub(self.usable());
    }

    /// Takes what comes with an answer that was overtaken by the one that brought this.
    pub(super) fn deposit_late(&mut self, units: u64) {
        // What does not refill was reported without it.
        let units = if self.share == 0 { units.min(self.missing) } else { units };
        self.missing = self.missing.saturating_sub(units);
        self.deposit(units);
    }

    pub(super) fn deposit(&mut self, units: u64) {
        self.stored = self.stored.saturating_add(units);
        self.clip();
    }

    pub(super) fn pay(&mut self, price: u64) -> bool {
        let left = self.stored.checked_sub(price);
        self.stored = left.unwrap_or(self.stored);
        left.is_some()
    }

    /// Promises that so much of what was just paid may come back.
    pub(super) fn expect_back(&mut self, price: u64) {
        self.expected = self.expected.saturating_add(price);
        self.clip();
    }

    pub(super) fn expect_no_more(&mut self, price: u64) {
        self.expected = self.expected.saturating_sub(price);
    }

    /// Sends along what is there of a price.
    pub(super) fn send_part(&mut self, price: u64, now: u64) -> u64 {
        let part = self.stored.min(price);
        self.stored = self.stored.saturating_sub(part);
        self.in_flight = self.in_flight.saturating_add(part);
        self.in_flight_since = now;
        part
    }

    /// What was sent along was used.
    pub(super) fn sent_part_used(&mut self, part: u64) {
        self.in_flight = self.in_flight.saturating_sub(part);
    }

    /// What was sent along was not used.
    pub(super) fn sent_part_back(&mut self, part: u64) {
        let back = part.min(self.in_flight);
        self.in_flight = self.in_flight.saturating_sub(back);
        self.stored = self.stored.saturating_add(back);
        self.clip();
    }

    /// Returns the era of what was just promised, zero if it was clipped at once.
    pub(super) fn era(&self) -> u64 {
        if self.expected == 0 { 0 } else { self.era }
    }

    pub(super) fn give_back(&mut self, era: u64, price: u64) {
        if era == 0 || era != self.era {
            return;
        }
        let back = price.min(self.expected);
        self.expected = self.expected.saturating_sub(back);
        self.stored = self.stored.saturating_add(back);
        self.clip();
    }

    /// Returns the time until a price is there, if nobody else comes; none if that is never.
    pub(super) fn wait(&self, price: u64, now: u64) -> Option<u64> {
        let missing = u128::from(price.saturating_sub(self.stored));
        let time = missing.saturating_mul(1 << 32).checked_add(u128::from(self.share.saturating_sub(1)))?;
        let time = u64::try_from(time.checked_div(u128::from(self.share))?).ok()?;
        (price <= self.capacity && now.saturating_add(time) < self.expiry).then_some(time)
    }

    /// Returns what is here and what was sent along with questions.
    pub(super) fn with_sent(&self) -> u64 {
        self.stored.saturating_add(self.in_flight)
    }

    /// Returns all that may still be used of it.
    pub(super) fn usable(&self) -> u64 {
        self.stored.saturating_add(self.in_flight).saturating_add(self.expected)
    }

    /// Returns all that may still be used of it, and what answers may still bring that were overtaken.
    pub(super) fn usable_with_missing(&self) -> u64 {
        self.usable().saturating_add(self.missing)
    }

    fn clip(&mut self) {
        let capacity = self.capacity.saturating_sub(self.in_flight);
        self.stored = self.stored.min(capacity);
        if self.expected > capacity.saturating_sub(self.stored) {
            self.expected = 0;
            self.era = self.era.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_lost_at_once_is_not_paid_from_the_next_one() {
        let mut lease = Lease::whole(0, 10, 0);
        lease.pay(3);
        lease.expect_back(3);
        let first = lease.era();
        lease.deposit(3);
        let lost = lease.era();
        lease.pay(4);
        lease.expect_back(4);
        lease.give_back(first, 3);
        lease.give_back(lost, 3);
        assert_eq!(lease.stored, 6);
        lease.give_back(lease.era(), 4);
        assert_eq!(lease.stored, 10);
    }
}
