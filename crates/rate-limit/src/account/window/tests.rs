#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::account::lab::{MS, World, schedules};
use crate::question::Held;

const SECOND: u128 = 1_000_000_000;
/// A moment in 2026, at the start of a slot of each window below.
const START: u128 = 1_795_046_400 * SECOND;

fn window(requests: u32, per_ms: u64) -> Window {
    Window::new(requests, Duration::from_millis(per_ms)).unwrap()
}

fn opened(requests: u32, per_ms: u64, row: Option<&[u8]>, now: u128) -> Ring {
    Ring::open(window(requests, per_ms), row, now, 1)
}

/// Takes one request after the other, at these milliseconds, from a window of 64 seconds, whose slots are seconds.
#[track_caller]
fn check(requests: u32, taken: &[(u128, Result<(), u64>)]) {
    let mut account = opened(requests, 64_000, None, START);
    for (ms, expected) in taken {
        account.advance(START + ms * MS);
        let found = match account.take(1, 1) {
            true => Ok(()),
            false => Err(account.wait(1) / MS),
        };
        assert_eq!(found, expected.map_err(u128::from), "at {ms} ms");
    }
}

#[test]
fn a_request_counts_until_a_window_after_the_end_of_its_slot() {
    check(
        2,
        &[
            (0, Ok(())),
            (10_500, Ok(())),
            (10_500, Err(54_500)),
            (64_999, Err(1)),
            (65_000, Ok(())),
            (65_000, Err(10_000)),
            (75_000, Ok(())),
        ],
    );
}

#[test]
fn a_large_cost_waits_until_enough_has_come_free() {
    let mut account = opened(10, 64_000, None, START);
    for (second, price) in [(0, 4), (5, 4), (9, 2)] {
        account.advance(START + second * SECOND);
        assert!(account.take(1, price));
    }
    let waits = [1, 4, 5, 8, 9, 10].map(|price| account.wait(price) / SECOND);
    assert_eq!(waits, [56, 56, 61, 61, 65, 65]);
    assert_eq!(account.denied(5), Verdict::Denied { remaining: 0, retry_after: Duration::from_secs(61) });
}

#[test]
fn tickets_come_due_one_after_the_other() {
    let mut account = opened(2, 64_000, None, START);
    account.take(1, 1);
    account.advance(START + 10 * SECOND);
    account.take(1, 1);
    let due = |account: &mut Ring, holder| (account.ticket(holder, 1, false) - START) / SECOND;
    assert_eq!([due(&mut account, 1), due(&mut account, 2), due(&mut account, 1)], [65, 75, 65]);
}

#[test]
fn what_is_lent_is_charged_where_the_lease_ends() {
    let mut account = opened(400, 64_000, None, START);
    let borrower = Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 };
    let loan = account.lend(&borrower).unwrap();
    assert_eq!((loan.deposit, loan.lifetime_ms), (25, 2_000));
    account.advance(START + 66 * SECOND);
    assert_eq!(account.slots.sum(), 25);
    account.advance(START + 67 * SECOND);
    assert_eq!(account.slots.sum(), 0);
}

#[test]
fn what_is_left_of_a_lease_moves_on_with_it_and_what_was_spent_does_not() {
    let mut account = opened(400, 64_000, None, START);
    let borrower = Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 };
    account.lend(&borrower).unwrap();
    account.advance(START + SECOND);
    account.claim(&Report {
        holder: 1,
        sequence: 2,
        era: 0,
        held: Some(&Held { id: 1, share: 0, capacity: 10, stored: 0 }),
    });
    let loan = account.lend(&Borrower { sequence: 2, ..borrower }).unwrap();
    assert_eq!((loan.deposit, loan.lifetime_ms), (40, 4_000));
    account.advance(START + 67 * SECOND);
    assert_eq!(account.slots.sum(), 50);
}

#[test]
fn what_remains_of_a_lease_is_taken_back_once() {
    let mut account = opened(400, 64_000, None, START);
    account.lend(&Borrower { holder: 1, sequence: 7, demand: 10_000, cost: 1, lease: 0, held: 0 }).unwrap();
    account.advance(START + 3 * SECOND);
    for (holder, id, sum) in [(1, 6, 25), (2, 7, 25), (1, 7, 5), (1, 7, 5)] {
        account.take_back(holder, Remains { id, left: 20 });
        assert_eq!(account.slots.sum(), sum);
    }
}

#[test]
fn an_undone_charge_leaves_nothing_and_a_guess_comes_back_as_promised() {
    let mut account = opened(10, 64_000, None, START);
    account.take(1, 3);
    account.undo(1, 3);
    assert_eq!(account.slots.sum(), 0);
    account.take(1, 5);
    account.expect_back(4);
    account.advance(START + 2 * SECOND);
    let era = account.era();
    account.give_back(era, 3);
    let era = account.era();
    account.give_back(era, 3);
    assert_eq!(account.slots.sum(), 1);
    account.owe(100, 0);
    assert_eq!(account.slots.sum(), 20);
}

#[test]
fn a_debt_counts_from_when_it_was_made() {
    let mut account = opened(10, 64_000, None, START + 100 * SECOND);
    account.owe(3, 65 * SECOND);
    assert_eq!(account.slots.sum(), 0);
    account.owe(3, 60 * SECOND);
    account.advance(START + 105 * SECOND - 1);
    assert_eq!(account.slots.sum(), 3);
    account.advance(START + 105 * SECOND);
    assert_eq!(account.slots.sum(), 0);
}

#[test]
fn a_longer_window_keeps_what_the_shorter_one_knows() {
    let mut account = opened(10, 64_000, None, START);
    account.take(1, 6);
    assert!(account.adapt(&Terms::Window(window(10, 640_000))));
    account.advance(START + 600 * SECOND);
    assert_eq!(account.slots.sum(), 6);
    assert!(!account.adapt(&Terms::Quota { requests: 1, windows: calendar() }));
}

fn calendar() -> crate::Windows {
    crate::Calendar::new(crate::Period::Day, crate::Zone::utc()).windows(Duration::from_secs(86_400))
}

#[test]
fn a_row_covers_what_was_charged_and_another_one_says_nothing() {
    let mut account = opened(100, 64_000, None, START);
    for step in 0..60_u128 {
        account.advance(START + step * SECOND);
        account.take(1, 1);
        let Some(row) = account.row() else { continue };
        let restarted = opened(100, 64_000, Some(&row.bytes), account.now);
        assert!(restarted.slots.sum() >= account.slots.sum() && restarted.slots.sum() <= account.slots.sum() + 10);
        let forget = u128::from(row.forget_after_ms) * MS;
        assert_eq!(opened(100, 64_000, Some(&row.bytes), forget).slots.sum(), 0);
        for cut in 0..row.bytes.len() {
            assert_eq!(opened(100, 64_000, Some(&row.bytes[..cut]), account.now).slots.sum(), 0);
        }
    }
    for other in [&[][..], b"W", b"W\x02\x00", b"Q\x01\x00\x00\x00", &[0xff; 40]] {
        assert_eq!(opened(100, 64_000, Some(other), START).slots.sum(), 0);
    }
}

#[test]
fn a_row_from_a_clock_that_was_far_ahead_locks_nobody_out() {
    let mut wrong = opened(10, 64_000, None, START + 1_000_000 * SECOND);
    wrong.take(1, 10);
    let mut account = opened(10, 64_000, Some(&wrong.row().unwrap().bytes), START);
    assert_eq!(account.slots.sum(), 10);
    account.advance(START + 190 * SECOND);
    assert_eq!(account.slots.sum(), 0);
}

#[test]
fn a_hot_window_writes_few_rows() {
    for (per_ms, most) in [(1_000, 40), (10_000, 60), (3_600_000, 60)] {
        let terms = |_| Terms::Window(window(1_000, per_ms));
        let mut world = World::new(&terms, START, false);
        // A window and a half at the full rate.
        for _ in 0..1_500 {
            world.take();
            world.now += u128::from(per_ms) * 1_000;
        }
        assert!(world.rows <= most, "{} rows at {per_ms} ms", world.rows);
    }
}

/// In every interval `(t, t + per]` at most `requests`.
fn within_definition(requests: usize, per: u128, admitted: &[u128]) -> bool {
    let mut admitted = admitted.to_vec();
    admitted.sort_unstable();
    admitted.iter().zip(admitted.iter().skip(requests)).all(|(first, last)| last - first >= per)
}

fn schedule() -> impl Strategy<Value = (u64, Vec<crate::account::lab::Step>)> {
    prop::sample::select(vec![1_000_u64, 3_000, 20_000, 64_000, 100_001])
        .prop_flat_map(|per_ms| (Just(per_ms), schedules((per_ms / 8).max(100))))
}

proptest! {
    #[test]
    fn no_interval_admits_more_than_the_window_whatever_is_lost_repeated_or_restarted(
        requests in 1..60_u32, (per_ms, schedule) in schedule(), reserve in any::<bool>(),
    ) {
        let terms = |_| Terms::Window(window(requests, per_ms));
        let mut world = World::new(&terms, START, reserve);
        world.run(&schedule);
        let per = u128::from(per_ms) * MS;
        prop_assert!(within_definition(requests as usize, per, &world.admitted), "{:?}", world.admitted);
    }

    #[test]
    fn a_request_that_does_not_fit_fits_exactly_when_its_wait_is_over(
        requests in 1..20_u32, per_ms in 1_000..100_000_u64, pauses in prop::collection::vec(0..5_000_u64, 1..200),
        price in 1..20_u64,
    ) {
        let price = price.min(u64::from(requests));
        let terms = |_| Terms::Window(window(requests, per_ms));
        let mut world = World::new(&terms, START, false);
        for pause in pauses {
            world.now += u128::from(pause) * MS;
            world.take();
            if world.account.kind().fits(price) {
                continue;
            }
            let wait = world.wait(price).as_nanos();
            let fits = |after: u128| {
                let mut account = world.account.clone();
                account.kind_mut().advance(world.now + after);
                account.kind().fits(price)
            };
            prop_assert!(!fits(wait - 1) && fits(wait));
        }
    }
}

#[test]
fn what_was_charged_before_a_reset_comes_back_to_nobody() {
    let mut account = opened(100, 64_000, None, START);
    assert!(account.take(1, 50));
    account.expect_back(50);
    let before = account.era();
    account.reset();
    assert!(account.take(1, 30));
    account.expect_back(30);
    account.give_back(before, 50);
    assert_eq!(account.slots.sum(), 30);
    account.give_back(account.era(), 20);
    assert_eq!(account.slots.sum(), 10);
}

#[test]
fn a_guess_comes_back_until_the_first_slot_of_its_era_may_be_free() {
    let mut account = opened(100, 64_000, None, START);
    account.advance(START + 63 * SECOND);
    assert!(account.take(1, 50));
    account.expect_back(50);
    let first = account.era();
    account.advance(START + 64 * SECOND);
    account.give_back(first, 50);
    assert_eq!(account.slots.sum(), 50);
}

#[test]
fn a_reset_after_a_restart_keeps_what_may_be_lent() {
    let mut account = opened(1_000, 64_000, None, START);
    assert!(account.take(1, 300));
    account.advance(START + 2 * SECOND);
    let borrower = Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 };
    assert_eq!(account.lend(&borrower).map(|loan| loan.deposit), Some(25));
    let row = account.row().unwrap();
    let mut account = opened(1_000, 64_000, Some(&row.bytes), START + 2 * SECOND);
    account.reset();
    // The block that the row is ahead by may have been lent as well.
    assert!((25..=125).contains(&account.slots.sum()), "{}", account.slots.sum());
    account.advance(START + 15 * SECOND);
    account.reset();
    assert_eq!(account.slots.sum(), 0);
}
