//! What an isolate knows of its limits, as a state machine: it decides without asking where it was lent enough.

mod ask;
mod circuit;
mod clock;
mod counters;
mod demand;
mod entry;
mod in_progress;
mod lease;
pub(crate) mod permits;
mod receipt;
mod table;
mod unreachable;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::answer::{Answer, Grant, Outcome};
use crate::decision::{Admission, Decided, Decision};
use crate::question::{Intent, Question};
use crate::verdict::Verdict;
use crate::want::{Charge, Mode, Want};
use circuit::Circuits;
use clock::Clock;
use entry::{Standing, nanos};
use receipt::Charged;
use table::Table;

pub use ask::Ask;
pub use counters::HolderCounters;
pub use receipt::Receipt;

/// At most so many questions are waited for. The answer to one that was forgotten decides its request and lends nothing.
const MAX_PENDING: usize = 4_096;

/// Why an object gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be reached, or not in time, or it answered nonsense.
    Unreachable,
    /// It has more to do than it can, and must not be asked again soon.
    Overloaded,
}

/// The memory of one isolate.
#[derive(Debug)]
pub struct Holder {
    id: u64,
    sequence: u64,
    /// How many requests were seen.
    request: u64,
    clock: Clock,
    epoch: u64,
    table: Table,
    circuits: Circuits,
    /// The questions that were not answered yet.
    pending: BTreeSet<u64>,
    counters: HolderCounters,
    /// Kept from request to request, so that the hot path does not allocate it.
    places: Vec<Placed>,
}

/// One want of the request that is being decided.
#[derive(Clone, Copy, Debug)]
struct Placed {
    place: usize,
    price: u64,
    standing: Standing,
    comes_back: bool,
}

impl Holder {
    /// Creates the memory of an isolate. The id is random, so that no two isolates have the same.
    pub fn new(id: u64) -> Holder {
        Holder {
            id,
            sequence: 0,
            request: 0,
            clock: Clock::default(),
            epoch: 0,
            table: Table::default(),
            circuits: Circuits::default(),
            pending: BTreeSet::new(),
            counters: HolderCounters::default(),
            places: Vec::new(),
        }
    }

    /// Decides from memory whether a request passes all of `wants`, or says whom to ask. Does no I/O.
    ///
    /// `object` is the name of the object that has all of the keys. `random` is drawn anew for each call.
    pub fn admit(&mut self, object: &str, wants: &[Want], now: Duration, random: u64) -> Admission {
        let _ = random;
        let clock = self.read_clock(now);
        let mut places = std::mem::take(&mut self.places);
        self.place(wants, clock, &mut places);
        let admission = self.decide(object, wants, &places, now, clock);
        self.places = places;
        admission
    }

    fn decide(&mut self, object: &str, wants: &[Want], places: &[Placed], now: Duration, clock: u64) -> Admission {
        let enforced = || places.iter().zip(wants).filter(|(_, want)| want.mode() == Mode::Enforce);
        if enforced().any(|(placed, _)| matches!(placed.standing, Standing::Waits(_))) {
            let verdicts = self.verdicts(places, now);
            let refresh = self.refresh(object, wants, places, now, clock);
            return Admission::Decided(self.decision(wants, verdicts, None, refresh, Decided::Lease));
        }
        let known = !places.iter().any(|placed| placed.standing == Standing::Asks);
        if known && self.pay(wants, places, clock) {
            let mut verdicts = self.verdicts(places, now);
            let receipt = self.receipt(wants, places);
            let receipt = self.in_progress(object, wants, &mut verdicts, receipt);
            let refresh = self.refresh(object, wants, places, now, clock);
            return Admission::Decided(self.decision(wants, verdicts, receipt, refresh, Decided::Lease));
        }
        if !self.circuits.allows(object, clock) {
            return Admission::Decided(self.unreachable(object, wants, now, clock));
        }
        self.counters.asks = self.counters.asks.saturating_add(1);
        Admission::Ask(self.ask(object, wants, places, Intent::Request, now, clock))
    }

    /// Decides with the object's answer. An answer that can't be read is a failure.
    pub fn answered(&mut self, ask: &Ask, wants: &[Want], answer: &[u8], now: Duration, random: u64) -> Decision {
        let clock = self.read_clock(now);
        let Some((grants, charged)) = self.grants(ask, answer).filter(|(grants, _)| grants.len() == wants.len()) else {
            return self.failed(ask, wants, Failure::Unreachable, now, random);
        };
        self.circuits.succeeded(ask.object());
        self.receive(ask, &grants, charged, clock);
        if !charged && let Some(decision) = self.decide_after_all(ask.object(), wants, now, clock) {
            return decision;
        }
        let mut verdicts: Vec<Verdict> = grants.iter().map(|grant| grant.verdict).collect();
        let receipt = self.receipt_of_answer(ask, wants, &grants).filter(|_| charged);
        let receipt = if charged { self.in_progress(ask.object(), wants, &mut verdicts, receipt) } else { receipt };
        let decision = self.decision(wants, verdicts, receipt, None, Decided::Authority);
        Decision { allowed: decision.allowed && charged, ..decision }
    }

    /// Lets a request pass that the object has refused, if this isolate has enough by now: while the question was on its
    /// way, what is missing there may have been lent here.
    fn decide_after_all(&mut self, object: &str, wants: &[Want], now: Duration, clock: u64) -> Option<Decision> {
        let mut places = Vec::with_capacity(wants.len());
        for want in wants {
            let place = self.table.index(want.key())?;
            let price = want.allowance().price(want.cost());
            let entry = self.table.at(place).filter(|entry| entry.is_of(want))?;
            let standing = entry.standing(want, price, clock);
            if standing != Standing::Pays && want.mode() == Mode::Enforce {
                return None;
            }
            places.push(Placed { place, price, standing, comes_back: want.charge() == Charge::Reserved });
        }
        if !self.pay(wants, &places, clock) {
            return None;
        }
        let mut verdicts = self.verdicts(&places, now);
        let receipt = self.receipt(wants, &places);
        let receipt = self.in_progress(object, wants, &mut verdicts, receipt);
        Some(self.decision(wants, verdicts, receipt, None, Decided::Lease))
    }

    /// Decides without an answer: by what is still live, then by the direction that each limit names.
    pub fn failed(&mut self, ask: &Ask, wants: &[Want], failure: Failure, now: Duration, random: u64) -> Decision {
        let clock = self.read_clock(now);
        self.circuits.failed(ask.object(), failure, clock, random);
        self.unanswered(ask, clock);
        self.unreachable(ask.object(), wants, now, clock)
    }

    /// Takes in the answer to a [`Decision::refresh`], or that there was none.
    pub fn refreshed(&mut self, ask: &Ask, answer: Result<&[u8], Failure>, now: Duration, random: u64) {
        let clock = self.read_clock(now);
        let failure = match answer {
            Ok(bytes) => match self.grants(ask, bytes) {
                Some((grants, charged)) => {
                    self.circuits.succeeded(ask.object());
                    return self.receive(ask, &grants, charged, clock);
                }
                None => Failure::Unreachable,
            },
            Err(failure) => failure,
        };
        self.circuits.failed(ask.object(), failure, clock, random);
        self.unanswered(ask, clock);
    }

    /// Replaces the cost that was reserved for the want at `index` by what the request really cost.
    pub fn settle(&mut self, receipt: &mut Receipt, index: usize, actual_cost: u32, now: Duration) {
        let clock = self.read_clock(now);
        let Some(charge) = receipt.charges.iter_mut().find(|charge| charge.index == index && !charge.settled) else {
            return;
        };
        charge.settled = true;
        // What is in progress is counted, not priced.
        let Some(entry) = self.table.find(&charge.key).filter(|entry| entry.permits.is_none()) else { return };
        entry.roll(clock);
        let unit = entry.unit();
        if let Some(more) = actual_cost.checked_sub(charge.reserved).filter(|more| *more > 0) {
            let here = u32::try_from(entry.stored() / unit).unwrap_or(u32::MAX).min(more);
            entry.pay(unit.get().saturating_mul(u64::from(here)), false, clock);
            let owed = u64::from(more.saturating_sub(here));
            entry.debt = entry.debt.saturating_add(owed);
            entry.debt_at = clock;
            self.counters.debt = self.counters.debt.saturating_add(owed);
            self.counters.overshoot = self.counters.overshoot.saturating_add(owed);
            return;
        }
        let less = u64::from(charge.reserved.saturating_sub(actual_cost));
        let paid_here = charge.paid / unit;
        let back_there = less.min(u64::from(charge.reserved).saturating_sub(paid_here));
        entry.credit(charge.era_there, back_there);
        entry.give_back(charge.era, unit.get().saturating_mul(less.saturating_sub(back_there)));
    }

    /// Ends a request: what it held comes back.
    ///
    /// A question that comes back is to be sent like a [`Decision::refresh`].
    pub fn release(&mut self, receipt: Receipt, now: Duration) -> Option<Ask> {
        let clock = self.read_clock(now);
        self.finish(receipt, now, clock)
    }

    /// Returns a question that only looks: nothing is charged or lent, and nothing changes at the object.
    pub fn peek(&mut self, object: &str, wants: &[Want], now: Duration) -> Ask {
        let clock = self.read_clock(now);
        self.sequence = self.sequence.saturating_add(1);
        let items = wants.iter().map(|want| entry::look(want, now)).collect();
        let question = Question { holder: self.id, sequence: self.sequence, intent: Intent::Peek, items };
        Ask::new(object, question, clock, self.epoch)
    }

    /// Returns what the object answered to a look, one verdict per want.
    pub fn peeked(&self, ask: &Ask, answer: &[u8]) -> Option<Vec<Verdict>> {
        let (grants, _) = self.grants(ask, answer)?;
        Some(grants.iter().map(|grant| grant.verdict).collect())
    }

    /// Returns what this isolate has counted since it started.
    pub fn counters(&self) -> &HolderCounters {
        &self.counters
    }

    fn read_clock(&mut self, now: Duration) -> u64 {
        let clock = self.clock.read(nanos(now));
        if self.clock.epoch != self.epoch {
            self.epoch = self.clock.epoch;
            let sequence = self.sequence;
            self.table.all().for_each(|entry| entry.drop_leases(sequence, clock));
        }
        clock
    }

    /// Finds each want's entry and what it can do about the request.
    fn place(&mut self, wants: &[Want], clock: u64, places: &mut Vec<Placed>) {
        self.request = self.request.saturating_add(1);
        places.clear();
        for want in wants {
            let (place, forgotten) = self.table.place(want, self.request, self.sequence, clock);
            self.counters.debt = self.counters.debt.saturating_sub(forgotten);
            let price = want.allowance().price(want.cost());
            let standing = self.table.at(place).map_or(Standing::Asks, |entry| {
                entry.meet(want, clock, self.sequence);
                entry.standing(want, price, clock)
            });
            places.push(Placed { place, price, standing, comes_back: want.charge() == Charge::Reserved });
        }
        self.counters.entries = self.table.len();
    }

    /// Takes the cost from every limit that has it, or from none if one that is enforced turns out not to have it: that
    /// is so when two wants name the same key.
    fn pay(&mut self, wants: &[Want], places: &[Placed], clock: u64) -> bool {
        for (index, (placed, want)) in places.iter().zip(wants).enumerate() {
            let Some(entry) = self.table.at(placed.place) else { continue };
            let paid = match placed.standing {
                Standing::Pays => entry.pay(placed.price, placed.comes_back, clock),
                Standing::Owes => {
                    let cost = u64::from(want.cost());
                    entry.debt = entry.debt.saturating_add(cost);
                    entry.debt_at = clock;
                    self.counters.debt = self.counters.debt.saturating_add(cost);
                    self.counters.overshoot = self.counters.overshoot.saturating_add(cost);
                    true
                }
                Standing::Waits(_) | Standing::Asks => true,
            };
            if !paid && want.mode() == Mode::Enforce {
                self.undo(wants, places, index);
                return false;
            }
        }
        true
    }

    fn undo(&mut self, wants: &[Want], places: &[Placed], paid: usize) {
        for (placed, want) in places.iter().zip(wants).take(paid) {
            let Some(entry) = self.table.at(placed.place) else { continue };
            match placed.standing {
                Standing::Pays => entry.undo(placed.price, placed.comes_back),
                Standing::Owes => {
                    let cost = u64::from(want.cost());
                    entry.debt = entry.debt.saturating_sub(cost);
                    self.counters.debt = self.counters.debt.saturating_sub(cost);
                    self.counters.overshoot = self.counters.overshoot.saturating_sub(cost);
                }
                Standing::Waits(_) | Standing::Asks => {}
            }
        }
    }

    fn verdicts(&mut self, places: &[Placed], now: Duration) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(places.len());
        for placed in places {
            verdicts.push(match (self.table.at(placed.place), placed.standing) {
                (Some(entry), Standing::Waits(wait)) => entry.denied(wait),
                (Some(entry), Standing::Pays | Standing::Owes) => entry.allowed(now),
                // The request is refused by another limit, and this one was not asked.
                (_, Standing::Asks) | (None, _) => Verdict::Open,
            });
        }
        verdicts
    }

    /// Returns a question to be sent in the background, if one pays.
    fn refresh(&mut self, object: &str, wants: &[Want], places: &[Placed], now: Duration, clock: u64) -> Option<Ask> {
        let pays = |placed: &Placed| {
            let entry = self.table.at(placed.place);
            entry.is_some_and(|entry| entry.wants_refresh(placed.price, clock))
        };
        if !places.iter().any(pays) || !self.circuits.allows(object, clock) {
            return None;
        }
        self.counters.refreshes = self.counters.refreshes.saturating_add(1);
        Some(self.ask(object, wants, places, Intent::Refresh, now, clock))
    }

    fn ask(
        &mut self,
        object: &str,
        wants: &[Want],
        places: &[Placed],
        intent: Intent,
        now: Duration,
        clock: u64,
    ) -> Ask {
        self.sequence = self.sequence.saturating_add(1);
        let mut items = Vec::with_capacity(wants.len());
        for (placed, want) in places.iter().zip(wants) {
            let Some(entry) = self.table.at(placed.place) else { continue };
            let paid = match intent {
                Intent::Request => entry.send_part(placed.price, self.sequence, clock),
                Intent::Refresh | Intent::Peek => {
                    entry.asked(clock);
                    0
                }
            };
            self.counters.debt = self.counters.debt.saturating_sub(entry.debt);
            items.push(entry.item(want, paid, self.sequence, now));
        }
        self.pending.insert(self.sequence);
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_first();
        }
        let question = Question { holder: self.id, sequence: self.sequence, intent, items };
        Ask::new(object, question, clock, self.epoch)
    }

    /// Returns what is to be settled of a request that was charged here.
    fn receipt(&mut self, wants: &[Want], places: &[Placed]) -> Option<Receipt> {
        if !places.iter().any(|placed| placed.comes_back) {
            return None;
        }
        let mut charges = Vec::new();
        for (index, (want, placed)) in wants.iter().zip(places).enumerate().filter(|(_, (_, placed))| placed.comes_back)
        {
            let era = self.table.at(placed.place).map_or(0, |entry| entry.lease_era());
            let paid = if placed.standing == Standing::Pays { placed.price } else { 0 };
            let (key, reserved) = (want.key().clone(), want.cost());
            charges.push(Charged { index, key, reserved, paid, era, era_there: 0, settled: false });
        }
        Some(Receipt { charges, ..Receipt::default() })
    }

    /// Returns what is to be settled of a request that was charged there.
    fn receipt_of_answer(&mut self, ask: &Ask, wants: &[Want], grants: &[Grant]) -> Option<Receipt> {
        let mut charges = Vec::new();
        for (index, ((want, item), grant)) in wants.iter().zip(&ask.question.items).zip(grants).enumerate() {
            if want.charge() == Charge::Reserved && grant.verdict.is_allowed() {
                let era = self.table.find(want.key()).map_or(0, |entry| entry.lease_era());
                let (key, reserved, era_there) = (want.key().clone(), want.cost(), grant.era);
                charges.push(Charged { index, key, reserved, paid: item.paid, era, era_there, settled: false });
            }
        }
        (!charges.is_empty()).then_some(Receipt { charges, ..Receipt::default() })
    }

    fn grants(&self, ask: &Ask, answer: &[u8]) -> Option<(Vec<Grant>, bool)> {
        let Ok(Answer { sequence, outcome: Outcome::Granted { grants, charged } }) = Answer::decode(answer) else {
            return None;
        };
        let right = sequence == ask.sequence() && grants.len() == ask.question.items.len();
        right.then_some((grants, charged))
    }

    fn receive(&mut self, ask: &Ask, grants: &[Grant], charged: bool, clock: u64) {
        if !self.pending.remove(&ask.sequence()) || ask.epoch != self.epoch {
            return;
        }
        for (item, grant) in ask.question.items.iter().zip(grants) {
            if let Some(entry) = self.table.find(&item.key) {
                entry.receive(item, grant, ask.as_sent(), charged, clock);
            }
        }
    }

    fn unanswered(&mut self, ask: &Ask, clock: u64) {
        if !self.pending.remove(&ask.sequence()) {
            return;
        }
        for item in &ask.question.items {
            if let Some(entry) = self.table.find(&item.key) {
                entry.unanswered(item, ask.as_sent(), clock);
                self.counters.debt = self.counters.debt.saturating_add(item.debt);
            }
        }
    }

    fn decision(
        &mut self,
        wants: &[Want],
        verdicts: Vec<Verdict>,
        receipt: Option<Receipt>,
        refresh: Option<Ask>,
        decided: Decided,
    ) -> Decision {
        let passes = |(want, verdict): (&Want, &Verdict)| want.mode() == Mode::Shadow || verdict.is_allowed();
        // Unknown means deny: no verdict is not a permission.
        let allowed = !verdicts.is_empty() && wants.iter().zip(&verdicts).all(passes);
        let by = match decided {
            Decided::Lease => &mut self.counters.by_lease,
            Decided::Authority => &mut self.counters.by_authority,
            Decided::Unreachable => &mut self.counters.unreachable,
        };
        *by = by.saturating_add(1);
        if !allowed {
            self.counters.denials = self.counters.denials.saturating_add(1);
        } else if !verdicts.iter().all(Verdict::is_allowed) {
            self.counters.would_deny = self.counters.would_deny.saturating_add(1);
        }
        Decision { verdicts, allowed, receipt, refresh, decided }
    }
}
