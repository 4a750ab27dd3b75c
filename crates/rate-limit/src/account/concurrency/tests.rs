#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::holder::permits::{Brought, Permits, Started};
use crate::question::Held;

const MS: u128 = 1_000_000;
const SECOND: u128 = 1_000_000_000;
const ERA: u64 = 7;
const START: u128 = 1_795_046_400 * SECOND;

fn terms(requests: u32, timeout_ms: u64) -> Concurrency {
    Concurrency::new(requests, Duration::from_millis(timeout_ms)).unwrap()
}

fn opened(requests: u32, row: Option<&[u8]>, now: u128) -> InProgress {
    InProgress::open(terms(requests, 10_000), row, now, ERA)
}

/// A holder says that it keeps so many permits of the answers up to `closed`.
fn tell(account: &mut InProgress, holder: u64, sequence: u64, closed: u64, kept: u64) {
    let held = Held { id: closed, share: 0, capacity: kept, stored: 0 };
    account.advance(account.now);
    account.claim(&Report { holder, sequence, era: account.era, held: Some(&held) });
}

/// The same, and wants one more.
fn ask(account: &mut InProgress, holder: u64, sequence: u64, closed: u64, kept: u64) -> bool {
    tell(account, holder, sequence, closed, kept);
    account.take(holder, 1)
}

#[test]
fn at_most_so_many_are_out_and_each_comes_home_when_its_timeout_is_over() {
    let mut account = opened(2, None, START);
    assert!(ask(&mut account, 1, 1, 0, 0) && ask(&mut account, 2, 1, 0, 0) && !ask(&mut account, 3, 1, 0, 0));
    // The timeout, a fiftieth for clocks, and two seconds in which the answer arrives.
    account.advance(START + 12_200 * MS - 1);
    assert!(!account.fits(1));
    account.advance(START + 12_200 * MS);
    assert!(account.fits(2) && !account.fits(3));
}

#[test]
fn what_a_holder_no_longer_keeps_comes_home_and_what_is_on_its_way_does_not() {
    let mut account = opened(10, None, START);
    for sequence in 1..=4 {
        let heard = 2.min(sequence - 1);
        assert!(ask(&mut account, 1, sequence, heard, heard));
    }
    assert_eq!(account.lent, 4);
    // The answers to 3 and 4 are on their way.
    tell(&mut account, 1, 5, 2, 1);
    assert_eq!(account.lent, 3);
    tell(&mut account, 1, 6, 5, 1);
    assert_eq!(account.lent, 1);
    // This one was sent before.
    tell(&mut account, 1, 5, 2, 2);
    assert_eq!(account.lent, 1);
    tell(&mut account, 1, 7, 6, 0);
    assert_eq!(account.lent, 0);
}

#[test]
fn answers_in_any_order_are_counted_once() {
    let mut account = opened(10, None, START);
    // The question 2 comes before the question 1, and its answer is heard first.
    assert!(ask(&mut account, 1, 2, 0, 0) && ask(&mut account, 1, 1, 0, 0));
    assert_eq!(account.lent, 2);
    // It is not told of, because an earlier one is still waited for.
    tell(&mut account, 1, 3, 0, 0);
    assert_eq!(account.lent, 2);
    tell(&mut account, 1, 4, 3, 2);
    assert_eq!(account.lent, 2);
}

#[test]
fn nothing_is_given_to_a_question_whose_answer_is_not_taken_any_more() {
    let mut account = opened(10, None, START);
    assert!(ask(&mut account, 1, 1, 0, 0));
    tell(&mut account, 1, 3, 2, 1);
    assert!(!ask(&mut account, 1, 2, 0, 0));
    assert_eq!(account.lent, 1);
}

#[test]
fn a_lowered_limit_lends_nothing_until_what_is_above_it_is_home() {
    let mut account = opened(10, None, START);
    tell(&mut account, 1, 1, 0, 0);
    assert!(account.take(1, 8) && account.adapt(&Terms::Concurrency(terms(4, 10_000))));
    let borrower = Borrower { holder: 1, sequence: 2, demand: 10_000, cost: 1, held: 0, lease: 0 };
    tell(&mut account, 1, 2, 1, 8);
    assert!(account.lend(&borrower).is_none() && !account.fits(1));
    tell(&mut account, 1, 3, 2, 3);
    assert!(account.lend(&borrower).is_some() && account.fits(1));
}

#[test]
fn an_undone_permit_leaves_nothing() {
    let mut account = opened(10, None, START);
    ask(&mut account, 1, 1, 0, 0);
    account.advance(START + SECOND);
    tell(&mut account, 1, 2, 1, 1);
    let before = account.holders.get(1).unwrap().until;
    assert!(account.take(1, 2) && account.take(1, 3));
    account.undo(1, 3);
    account.undo(1, 2);
    assert_eq!((account.holders.get(1).unwrap().until, account.lent), (before, 1));
    tell(&mut account, 2, 1, 0, 0);
    assert!(account.take(2, 1));
    account.undo(2, 1);
    assert_eq!((account.lent, account.holders.len()), (1, 1));
}

#[test]
fn whoever_waits_comes_again_in_a_second_or_when_a_permit_expires() {
    let mut account = opened(1, None, START);
    ask(&mut account, 1, 1, 0, 0);
    assert_eq!(account.denied(1), Verdict::Denied { remaining: 0, retry_after: Duration::from_secs(1) });
    account.advance(START + 12_000 * MS);
    assert_eq!(account.denied(1), Verdict::Denied { remaining: 0, retry_after: Duration::from_millis(200) });
}

#[test]
fn a_holder_that_comes_often_gets_a_quarter_more_for_longer() {
    let mut account = opened(100, None, START);
    tell(&mut account, 1, 1, 0, 0);
    account.take(1, 8);
    let mut borrower = Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 };
    let mut lend = |sequence, demand| {
        borrower = Borrower { sequence, demand, ..borrower };
        tell(&mut account, 1, sequence, sequence - 1, 8);
        account.lend(&borrower).map(|loan| (loan.deposit, loan.capacity, loan.lifetime_ms))
    };
    assert_eq!(lend(2, 1_000), None);
    assert_eq!(lend(2, 10_000), Some((2, 10, 12_200)));
    assert_eq!(lend(3, 10_000), Some((2, 10, 14_200)));
}

#[test]
fn after_a_restart_what_was_out_stays_out_until_its_holders_claim_it_or_it_expires() {
    let mut account = opened(20, None, START);
    for sequence in 1..=4 {
        ask(&mut account, 1, sequence, sequence - 1, sequence - 1);
    }
    let row = account.row().unwrap();
    let mut account = InProgress::open(terms(20, 10_000), Some(&row.bytes), START + SECOND, ERA + 1);
    assert_eq!((account.unclaimed.sum(), account.available()), (6, 14));
    // A question of a holder that has not heard of this instance proves nothing.
    let held = Held { id: 4, share: 0, capacity: 4, stored: 0 };
    account.claim(&Report { holder: 1, sequence: 5, era: ERA, held: Some(&held) });
    assert!(account.take(1, 1));
    assert_eq!((account.unclaimed.sum(), account.lent), (6, 1));
    // One that has does, once.
    assert!(ask(&mut account, 1, 6, 5, 5));
    assert_eq!((account.unclaimed.sum(), account.lent), (2, 6));
    tell(&mut account, 1, 8, 7, 0);
    tell(&mut account, 1, 6, 5, 5);
    assert_eq!((account.unclaimed.sum(), account.lent), (2, 0));
    account.advance(START + 40 * SECOND);
    assert_eq!(account.out(), 0);
}

#[test]
fn a_row_covers_what_is_out_and_another_one_says_nothing() {
    let mut account = opened(20, None, START);
    let mut rows = 0;
    for sequence in 1..=40 {
        ask(&mut account, 1, sequence, sequence - 1, sequence.min(12) - 1);
        account.now += SECOND / 2;
        let Some(row) = account.row() else { continue };
        rows += 1;
        let restarted = opened(20, Some(&row.bytes), account.now);
        assert!(restarted.out() >= account.out() && restarted.until() >= account.until());
        assert_eq!(opened(20, Some(&row.bytes), u128::from(row.forget_after_ms) * MS).out(), 0);
        for cut in 0..row.bytes.len() {
            assert_eq!(opened(20, Some(&row.bytes[..cut]), account.now).out(), 0);
        }
    }
    assert!(rows <= 8, "{rows} rows");
    for other in [&[][..], b"C", b"C\x02\x01\x01\x01", b"Q\x01\x01\x01\x01", &[0xff; 40]] {
        assert_eq!(opened(20, Some(other), START).out(), 0);
    }
}

#[test]
fn a_row_from_a_clock_that_was_far_ahead_locks_nobody_out() {
    let mut wrong = opened(1, None, START + 1_000_000 * SECOND);
    ask(&mut wrong, 1, 1, 0, 0);
    let mut account = opened(1, Some(&wrong.row().unwrap().bytes), START);
    assert!(!account.fits(1));
    account.advance(START + 2 * 3_600 * SECOND);
    assert!(account.fits(1));
}

#[test]
fn an_object_that_restarts_all_the_time_goes_on_admitting() {
    let (mut row, mut now) = (None, START);
    for sequence in 1..=100 {
        let mut account = opened(10, row.as_deref(), now);
        assert!(ask(&mut account, 1, sequence, 0, 0), "request {sequence}");
        row = account.row().map(|row| row.bytes).or(row);
        now += 5 * SECOND;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Request(usize),
    /// A question that only reports; all that is idle is given back.
    Report(usize, bool),
    /// A request ends; the isolate may not hear of it.
    End(usize, bool),
    Deliver(usize, bool),
    Lose(usize),
    Restart,
    Kill(usize),
    /// The isolate forgets what it was lent.
    Forget(usize),
}

fn schedules() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..300_u64).prop_map(Step::Pass),
        1 => (0..6_000_u64).prop_map(Step::Pass),
        12 => (0..3_usize).prop_map(Step::Request),
        2 => (0..3_usize, any::<bool>()).prop_map(|(index, all)| Step::Report(index, all)),
        6 => (0..6_usize, prop::bool::weighted(0.8)).prop_map(|(index, heard)| Step::End(index, heard)),
        12 => (0..4_usize, prop::bool::weighted(0.1)).prop_map(|(index, again)| Step::Deliver(index, again)),
        1 => (0..4_usize).prop_map(Step::Lose),
        1 => Just(Step::Restart),
        1 => (0..3_usize).prop_map(Step::Kill),
        1 => (0..3_usize).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..400)
}

#[derive(Clone, Debug)]
enum Message {
    Question { holder: u64, sequence: u64, sent: u128, waits: bool, era: u64, held: Held },
    Answer { holder: u64, sequence: u64, sent: u128, taken: bool, waits: bool, era: u64, loan: Option<Loan> },
}

#[derive(Default)]
struct Isolate {
    id: u64,
    sequence: u64,
    permits: Permits,
    /// The questions that wait for an answer.
    pending: BTreeSet<u64>,
}

struct World {
    limit: Concurrency,
    account: InProgress,
    row: Option<Vec<u8>>,
    answered: BTreeSet<(u64, u64)>,
    now: u128,
    isolates: Vec<Isolate>,
    wire: Vec<Message>,
    /// What is in progress: since when, where, and its receipt.
    running: Vec<(u128, u64, Option<Started>)>,
}

impl World {
    fn new(limit: Concurrency) -> World {
        World {
            limit,
            account: InProgress::open(limit, None, START, ERA),
            row: None,
            answered: BTreeSet::new(),
            now: START,
            isolates: (1..=3).map(|id| Isolate { id, ..Isolate::default() }).collect(),
            wire: Vec::new(),
            running: Vec::new(),
        }
    }

    fn in_progress(&self) -> usize {
        let timeout = self.limit.timeout().as_nanos();
        self.running.iter().filter(|(since, ..)| since + timeout > self.now).count()
    }

    fn start(&mut self, index: usize) -> bool {
        let timeout = self.limit.timeout().as_nanos() as u64;
        let isolate = &mut self.isolates[index];
        let Some(started) = isolate.permits.start(1, timeout, self.now as u64) else { return false };
        self.running.push((self.now, isolate.id, Some(started)));
        assert!(self.in_progress() <= self.limit.requests() as usize, "{} in progress", self.in_progress());
        true
    }

    fn ask(&mut self, index: usize, waits: bool) {
        let isolate = &mut self.isolates[index];
        isolate.sequence += 1;
        isolate.pending.insert(isolate.sequence);
        let held = isolate.permits.report(isolate.sequence, self.now as u64);
        let (era, sent) = (isolate.permits.era(), self.now);
        let Isolate { id: holder, sequence, .. } = *isolate;
        self.wire.push(Message::Question { holder, sequence, sent, waits, era, held });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(ms) => self.now += u128::from(ms) * MS,
            Step::Request(index) => {
                if !self.start(index) {
                    self.ask(index, true);
                }
            }
            Step::Report(index, all) => {
                if all {
                    self.isolates[index].permits.return_idle();
                }
                self.ask(index, false);
            }
            Step::End(index, heard) => {
                if index < self.running.len() {
                    let (_, holder, started) = self.running.remove(index);
                    let isolate = self.isolates.iter_mut().find(|isolate| isolate.id == holder && heard);
                    if let (Some(isolate), Some(started)) = (isolate, started) {
                        isolate.permits.finish(started);
                    }
                }
            }
            Step::Deliver(index, again) if index < self.wire.len() => {
                let message = if again { self.wire[index].clone() } else { self.wire.remove(index) };
                self.deliver(message);
            }
            Step::Lose(index) if index < self.wire.len() => drop(self.wire.remove(index)),
            Step::Deliver(..) | Step::Lose(_) => {}
            Step::Restart => {
                self.account = InProgress::open(self.limit, self.row.as_deref(), self.now, self.account.era + 1);
                self.answered.clear();
            }
            Step::Kill(index) => {
                let id = self.isolates[index].id + 3;
                self.isolates[index] = Isolate { id, ..Isolate::default() };
            }
            Step::Forget(index) => self.isolates[index].permits.drop_lent(),
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Question { holder, sequence, sent, waits, era, held } => {
                if !self.answered.insert((holder, sequence)) {
                    return;
                }
                let account = &mut self.account;
                account.advance(self.now);
                account.claim(&Report { holder, sequence, era, held: Some(&held) });
                let taken = waits && account.take(holder, 1);
                let loan = account.lend(&Borrower { holder, sequence, demand: 4_000, cost: 1, lease: 0, held: 0 });
                if let Some(row) = account.row() {
                    self.row = Some(row.bytes);
                }
                let sum: u64 = account.holders.all().map(|record| record.permits()).sum();
                assert_eq!(account.lent, sum);
                assert!(account.out() <= u64::from(self.limit.requests()));
                let era = account.era();
                self.wire.push(Message::Answer { holder, sequence, sent, taken, waits, era, loan });
            }
            Message::Answer { holder, sequence, sent, taken, waits, era, loan } => {
                let Some(index) = self.isolates.iter().position(|isolate| isolate.id == holder) else { return };
                let isolate = &mut self.isolates[index];
                if !isolate.pending.remove(&sequence) {
                    return;
                }
                let timeout = self.limit.timeout().as_nanos() as u64;
                let (sent, now) = (sent as u64, self.now as u64);
                let brought = Brought { sequence, sent, era, taken: u64::from(taken), loan: loan.as_ref() };
                isolate.permits.receive(&brought, timeout, now);
                if waits && taken {
                    self.start(index);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn never_more_are_in_progress_whatever_is_lost_repeated_or_restarted(
        requests in 1..40_u32, timeout_ms in 1_000..8_000_u64, schedule in schedules(),
    ) {
        let mut world = World::new(terms(requests, timeout_ms));
        for step in schedule {
            world.step(step);
        }
    }

    #[test]
    fn when_nobody_comes_any_more_everything_comes_home(
        requests in 1..40_u32, timeout_ms in 1_000..8_000_u64, schedule in schedules(),
    ) {
        let mut world = World::new(terms(requests, timeout_ms));
        for step in schedule {
            world.step(step);
        }
        world.account.advance(world.now + 40 * SECOND);
        prop_assert!(world.account.fits(u64::from(requests)));
    }
}
