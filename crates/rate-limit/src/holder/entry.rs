//! One limit in an isolate's memory.

mod answers;

use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use super::demand::Demand;
use super::lease::{Lease, PATIENCE};
use super::permits::Permits;
use crate::account::bucket::{WHOLE, refill};
use crate::allowance::Allowance;
use crate::nanos::duration;
use crate::question::{Flags, Held, Item, Remains, Terms};
use crate::verdict::Verdict;
use crate::want::{Accuracy, Mode, Want, WhenUnreachable};

/// The longest time for which a denial is believed: an operator may reset a limit.
const LONGEST_DENIAL: u64 = 30_000_000_000;
/// For how long others wait for the answer to one that asks in a shortage.
const PROBE: u64 = 250_000_000;
/// For how long the number of requests in progress elsewhere says something.
const PROGRESS_KNOWN: Duration = Duration::from_secs(1);
/// At most so many answers are waited for at once. Of others, one that was overtaken brings nothing.
const MAX_OPEN: usize = 256;
/// An isolate's part of a bounded limit's tolerance: there may be so many isolates.
const ISOLATES: u128 = 64;

/// What is known of one limit.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Rc<str>,
    allowance: Allowance,
    demand: Demand,
    /// The demand before the last request, in thousandths of a request of cost one.
    per_second: u64,
    lease: Option<Lease>,
    /// A slice for when the object cannot be reached.
    reserve: Option<Box<Lease>>,
    /// What was left when a lease had expired: it can't be spent, but goes back.
    frozen: Option<Remains>,
    /// The question of the latest answer that lent something. Answers to earlier ones lend nothing any more.
    last_loan: u64,
    /// The question of the latest answer.
    last_answer: u64,
    /// The questions whose answers may still bring something, and when they were sent. What they may bring is reported as
    /// if it were here.
    open: Vec<(u64, u64)>,
    /// Answers to questions up to this one belong to an entry that was forgotten.
    born: u64,
    quiet: Option<Quiet>,
    /// When the object said that there is nothing. An answer to a question that was sent after this may say that there is
    /// something again; one that was under way then can't.
    refused_at: Option<u64>,
    /// There was a shortage when the object last answered.
    short: bool,
    /// What the object had when it last answered.
    elsewhere: u64,
    /// When a question was sent for which nobody waits.
    asked_at: Option<u64>,
    /// Cost that was admitted without having it, and that the object does not know of.
    pub(super) debt: u64,
    /// When the last of it was admitted.
    pub(super) debt_at: u64,
    /// The same, on its way.
    debt_sent: u64,
    /// Cost to be given back to the object, and the era in which it was charged.
    credit: u64,
    era: u64,
    /// Where requests in progress are counted, instead of all of the above.
    pub(super) permits: Option<Box<Permits>>,
    /// The last request that used this entry.
    pub(super) touched: u64,
    pub(super) used: bool,
}

/// What a limit can do about a request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is enough.
    Pays,
    /// There is not, but a bounded limit lets it pass and asks later.
    Owes,
    /// There is not, and the object has nothing either for so many nanoseconds.
    Waits(u64),
    /// Nobody here knows.
    Asks,
}

impl Entry {
    pub(super) fn new(want: &Want, born: u64, now: u64) -> Entry {
        let mut entry = Entry {
            key: Rc::clone(want.key()),
            allowance: want.allowance().clone(),
            demand: Demand::default(),
            per_second: 0,
            lease: None,
            reserve: None,
            frozen: None,
            last_loan: 0,
            last_answer: 0,
            open: Vec::new(),
            born,
            quiet: None,
            refused_at: None,
            short: false,
            elsewhere: 0,
            asked_at: None,
            debt: 0,
            debt_at: 0,
            debt_sent: 0,
            credit: 0,
            era: 0,
            permits: matches!(want.allowance(), Allowance::Concurrency(_)).then(Box::default),
            touched: 0,
            used: true,
        };
        entry.localize(want, now);
        entry
    }

    fn localize(&mut self, want: &Want, now: u64) {
        if let (Accuracy::Local, Allowance::Rate(rate)) = (want.accuracy(), want.allowance()) {
            self.lease = Some(Lease::whole(WHOLE, rate.fill_nanos(), now));
        }
    }

    /// Brings the entry to `now` for a request, and counts the request.
    pub(super) fn meet(&mut self, want: &Want, now: u64, sequence: u64) {
        self.used = true;
        if self.allowance != *want.allowance() {
            // Other numbers: what was lent, and what is on its way, counts in another unit.
            let (debt, debt_at, debt_sent) = (self.debt, self.debt_at, self.debt_sent);
            let (refused_at, touched) = (self.refused_at, self.touched);
            let new = Entry::new(want, sequence, now);
            // What is in progress goes on.
            let permits = new.permits.and_then(|permits| self.permits.take().or(Some(permits)));
            // Nor is what was owed forgiven, or that there was nothing to owe of.
            *self = Entry { debt, debt_at, debt_sent, refused_at, touched, permits, ..new };
            if let (Some(permits), Allowance::Concurrency(concurrency)) = (&mut self.permits, &self.allowance) {
                permits.lower(u64::from(concurrency.requests()));
                // As of everything else, answers to what was asked before are not taken.
                permits.close_all();
            }
        }
        self.roll(now);
        self.per_second = self.demand.note(want.cost(), now);
    }

    pub(super) fn roll(&mut self, now: u64) {
        if let Some(permits) = &mut self.permits {
            permits.roll(now);
        }
        if let Some(lease) = &mut self.lease {
            lease.roll(now);
            if !lease.is_live(now) {
                self.frozen = (lease.stored > 0).then_some(Remains { id: lease.id, left: lease.stored });
                self.lease = None;
            }
        }
        if let Some(reserve) = &mut self.reserve {
            reserve.roll(now);
            if !reserve.is_live(now) {
                self.reserve = None;
            }
        }
        self.open.retain(|(_, sent)| sent.saturating_add(PATIENCE) > now);
        if self.quiet.is_some_and(|quiet| quiet.until <= now) {
            self.quiet = None;
        }
        if self.asked_at.is_some_and(|at| at.saturating_add(PATIENCE) <= now) {
            self.asked_at = None;
            self.debt_sent = 0;
        }
    }

    /// Forgets what was lent: the clock can no longer say when it ends.
    pub(super) fn drop_leases(&mut self, sequence: u64, now: u64) {
        let local = self.lease.filter(|lease| lease.expiry == u64::MAX);
        (self.lease, self.reserve, self.frozen, self.quiet, self.asked_at) = (None, None, None, None, None);
        self.open.clear();
        self.born = sequence;
        if let Some(permits) = &mut self.permits {
            permits.drop_lent();
        }
        if let Some(local) = local {
            self.lease = Some(local.emptied(now));
        }
    }

    pub(super) fn standing(&self, want: &Want, price: u64, now: u64) -> Standing {
        if self.holds(price, now) {
            return Standing::Pays;
        }
        if let Some(local) = self.lease.filter(|lease| lease.expiry == u64::MAX) {
            return Standing::Waits(local.wait(price, now).unwrap_or(LONGEST_DENIAL));
        }
        if let Some(quiet) = self.quiet.filter(|quiet| now < quiet.until && price >= quiet.price) {
            let here = self.lease.and_then(|lease| lease.wait(price, now)).unwrap_or(u64::MAX);
            return Standing::Waits(quiet.fits_at.saturating_sub(now).min(here));
        }
        match want.accuracy() {
            // A request in progress is no debt that could be repaid.
            _ if self.permits.is_some() => Standing::Asks,
            // The object has said that there is nothing: to owe again would be to exceed the limit again.
            Accuracy::Bounded { .. } if self.refused_at.is_some() || self.quiet.is_some() => Standing::Asks,
            Accuracy::Bounded { parts_per_million } => {
                let bound = u128::from(want.allowance().capacity()).saturating_mul(u128::from(parts_per_million));
                let owed = self.debt.saturating_add(self.debt_sent).saturating_add(u64::from(want.cost()));
                if u128::from(owed) <= bound / 1_000_000 / ISOLATES { Standing::Owes } else { Standing::Asks }
            }
            Accuracy::Exact | Accuracy::Local => Standing::Asks,
        }
    }

    pub(super) fn pay(&mut self, price: u64, comes_back: bool, now: u64) -> bool {
        let timeout = self.timeout();
        if let Some(permits) = &mut self.permits {
            return permits.try_start(price, timeout, now);
        }
        let Some(lease) = &mut self.lease else { return false };
        let paid = lease.pay(price);
        if paid && comes_back {
            lease.expect_back(price);
        }
        paid
    }

    /// Undoes a payment of the same request.
    pub(super) fn undo(&mut self, price: u64, came_back: bool) {
        if let Some(permits) = &mut self.permits {
            return permits.undo();
        }
        if let Some(lease) = &mut self.lease {
            if came_back {
                lease.expect_no_more(price);
            }
            lease.deposit(price);
        }
    }

    /// Returns what one request of cost one is in the limit's unit.
    pub(super) fn unit(&self) -> NonZeroU64 {
        NonZeroU64::new(self.allowance.price(1)).unwrap_or(NonZeroU64::MIN)
    }

    pub(super) fn stored(&self) -> u64 {
        self.lease.map_or(0, |lease| lease.stored)
    }

    /// Returns whether the want has the numbers that this entry counts in.
    pub(super) fn is_of(&self, want: &Want) -> bool {
        self.allowance == *want.allowance()
    }

    /// Pays what is there of a price, until the object has said whether the request passes.
    ///
    /// In a shortage one request asks, and those that come before the answer don't.
    pub(super) fn send_part(&mut self, price: u64, sequence: u64, now: u64) -> u64 {
        let timeout = self.timeout();
        if let Some(permits) = &mut self.permits
            && permits.try_start(price, timeout, now)
        {
            permits.ask(sequence);
            return price;
        }
        if self.short {
            let until = now.saturating_add(PROBE);
            self.quiet = Some(Quiet { until, fits_at: until, price });
        }
        self.lease.as_mut().map_or(0, |lease| lease.send_part(price, now))
    }

    pub(super) fn give_back(&mut self, era: u64, price: u64) {
        if let Some(lease) = &mut self.lease {
            lease.give_back(era, price);
        }
    }

    pub(super) fn lease_era(&self) -> u64 {
        self.lease.map_or(0, |lease| lease.era())
    }

    pub(super) fn pay_from_reserve(&mut self, price: u64) -> bool {
        self.reserve.as_mut().is_some_and(|reserve| reserve.pay(price))
    }

    pub(super) fn reserve_holds(&self, price: u64) -> bool {
        self.reserve.as_ref().is_some_and(|reserve| reserve.stored >= price)
    }

    pub(super) fn holds(&self, price: u64, now: u64) -> bool {
        if let Some(permits) = &self.permits {
            return permits.free(self.timeout(), now) >= price;
        }
        self.lease.is_some_and(|lease| lease.stored >= price)
    }

    /// Returns whether a question in the background pays: the lease nears its end, or what it holds does.
    pub(super) fn wants_refresh(&mut self, price: u64, now: u64) -> bool {
        if self.asked_at.is_some() {
            return false;
        }
        if self.debt > 0 {
            return true;
        }
        let timeout = self.timeout();
        if let Some(permits) = &mut self.permits {
            return permits.is_to_renew(timeout, now);
        }
        let Some(lease) = self.lease.filter(|lease| lease.expiry != u64::MAX) else { return false };
        // Of a window the next part comes when it is free, and what is left of this one goes back by itself.
        let is_window = matches!(self.allowance, Allowance::Window(_));
        if self.quiet.is_some() && is_window && lease.stored < price {
            return false;
        }
        if lease.is_old(now) {
            return true;
        }
        if self.quiet.is_some() {
            return false;
        }
        // A quarter of a second before it runs out, so that nobody has to wait.
        let unit = u128::from(self.allowance.price(1));
        let demand = u128::from(self.per_second).saturating_mul(unit) / 1_000;
        let life = u128::from(lease.expiry.saturating_sub(now));
        let spent = demand.saturating_mul(life) / 1_000_000_000;
        let earned = refill(life, lease.share).saturating_add(u128::from(lease.stored));
        let soon = (demand / 4).max(u128::from(price).saturating_mul(2));
        u128::from(lease.stored) < soon && earned < spent && self.elsewhere >= price
    }

    /// Returns what to ask the object. Debts and credits go along; without an answer the debts come back.
    pub(super) fn item(&mut self, want: &Want, paid: u64, sequence: u64, now: Duration) -> Item {
        let terms = terms(&self.allowance, now);
        let slice_ends = self.reserve.as_ref().is_none_or(|slice| slice.is_old(nanos(now)));
        let flags = Flags {
            shadow: want.mode() == Mode::Shadow,
            reserved: want.charge() == crate::Charge::Reserved,
            reserve: want.when_unreachable() == WhenUnreachable::Reserve && slice_ends,
        };
        let held = self.lease.map(|lease| Held {
            id: lease.id,
            share: u32::try_from(lease.share).unwrap_or(u32::MAX),
            // What does not refill is lent only as far as it was not used; or is on its way, overtaken by what came later.
            capacity: match lease.share {
                0 if self.waits_for(lease.id) => lease.usable_with_missing(),
                0 => lease.usable(),
                _ => lease.capacity,
            },
            stored: lease.with_sent(),
        });
        if self.permits.is_none() && self.open.len() < MAX_OPEN {
            self.open.push((sequence, nanos(now)));
        }
        let held = self.permits.as_mut().map(|permits| permits.report(sequence, nanos(now))).or(held);
        let era = self.permits.as_ref().map_or(self.era, |permits| permits.era());
        let (debt, credit) = (std::mem::take(&mut self.debt), std::mem::take(&mut self.credit));
        self.debt_sent = self.debt_sent.saturating_add(debt);
        Item {
            key: self.key.to_string(),
            terms,
            cost: want.cost(),
            flags,
            demand: self.per_second,
            remains: self.frozen,
            held,
            paid,
            debt,
            debt_age_ms: u32::try_from(nanos(now).saturating_sub(self.debt_at) / 1_000_000).unwrap_or(u32::MAX),
            credit,
            era,
        }
    }

    /// Returns whether an answer to a question before this one may still come.
    fn waits_for(&self, id: u64) -> bool {
        self.open.iter().any(|(sequence, _)| *sequence < id)
    }

    /// Waits no longer for an answer. Returns whether it was waited for.
    fn close(&mut self, sequence: u64) -> bool {
        let place = self.open.iter().position(|(open, _)| *open == sequence);
        place.map(|place| self.open.swap_remove(place)).is_some()
    }

    /// Remembers to give back a cost that the object charged too much in an era.
    pub(super) fn credit(&mut self, era: u64, cost: u64) {
        if era == 0 {
            return;
        }
        if era != self.era {
            (self.era, self.credit) = (era, 0);
        }
        self.credit = self.credit.saturating_add(cost);
    }

    pub(super) fn asked(&mut self, now: u64) {
        self.asked_at = Some(now);
    }

    /// Returns what a request hears that fits, as far as is known here.
    pub(super) fn allowed(&self, now: Duration) -> Verdict {
        let unit = self.allowance.price(1);
        let stored = self.here(nanos(now));
        let remaining = stored.saturating_add(self.elsewhere).checked_div(unit).unwrap_or(0);
        let effective_window = match &self.allowance {
            Allowance::Rate(_) => Duration::from_nanos(unit.saturating_mul(remaining.max(1))),
            Allowance::Window(window) => window.per(),
            Allowance::Quota(quota) => quota.calendar().windows(now).end.saturating_sub(now),
            Allowance::Concurrency(_) => PROGRESS_KNOWN,
        };
        Verdict::Allowed { remaining, effective_window }
    }

    pub(super) fn denied(&self, wait: u64) -> Verdict {
        let unit = self.allowance.price(1);
        let remaining = self.lease.map_or(0, |lease| lease.stored).checked_div(unit).unwrap_or(0);
        Verdict::Denied { remaining, retry_after: duration(u128::from(wait)) }
    }
}

/// A time in which it is useless to ask.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    until: u64,
    /// When a request of this price fits, if nobody comes before. Later than `until` if that is far away.
    fits_at: u64,
    /// For this price or more.
    price: u64,
}

/// A question as its sender remembers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) sequence: u64,
    pub(super) sent: u64,
}

fn terms(allowance: &Allowance, now: Duration) -> Terms {
    match allowance {
        Allowance::Rate(rate) => Terms::Rate(*rate),
        Allowance::Window(window) => Terms::Window(*window),
        Allowance::Quota(quota) => Terms::Quota { requests: quota.requests(), windows: quota.calendar().windows(now) },
        Allowance::Concurrency(concurrency) => Terms::Concurrency(*concurrency),
    }
}

/// Returns what asks about a limit and says nothing.
pub(super) fn look(want: &Want, now: Duration) -> Item {
    Item {
        key: want.key().to_string(),
        terms: terms(want.allowance(), now),
        cost: want.cost(),
        flags: Flags { reserve: want.when_unreachable() == WhenUnreachable::Reserve, ..Flags::default() },
        demand: 0,
        remains: None,
        held: None,
        paid: 0,
        debt: 0,
        debt_age_ms: 0,
        credit: 0,
        era: 0,
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
