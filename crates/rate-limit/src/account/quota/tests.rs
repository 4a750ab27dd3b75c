#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::account::lab::{MS, Step, World, schedules};
use crate::allowance::{Calendar, Period, Zone};

const SECOND: u128 = 1_000_000_000;

fn calendar(period: Period, name: &str) -> Rc<Calendar> {
    let tz: TimeZone = TimeZoneDatabase::bundled().get(name).unwrap();
    let [from, until] = [1_577_836_800, 2_524_608_000].map(|second| Timestamp::from_second(second).unwrap());
    let transitions = tz.following(from).take_while(|transition| transition.timestamp() < until);
    let transitions = transitions.map(|transition| (transition.timestamp().as_second(), transition.offset().seconds()));
    Rc::new(Calendar::new(period, Zone::new(tz.to_offset(from).seconds(), transitions.collect()).unwrap()))
}

fn at(time: &str) -> u128 {
    time.parse::<Timestamp>().unwrap().as_nanosecond() as u128
}

fn terms(requests: u64, calendar: &Calendar, now: u128) -> Terms {
    Terms::Quota { requests, windows: calendar.windows(duration(now)) }
}

fn opened(requests: u64, row: Option<&[u8]>, now: u128) -> Escrow {
    Escrow::open(requests, calendar(Period::Day, "UTC").windows(duration(now)), row, now, 1)
}

/// Takes one request after the other, at these times, from a quota per day in this zone.
#[track_caller]
fn check(zone: &str, requests: u64, taken: &[(&str, bool)]) {
    let calendar = calendar(Period::Day, zone);
    let terms = |now| terms(requests, &calendar, now);
    let mut world = World::new(&terms, at(taken[0].0), false);
    for (time, fits) in taken {
        world.now = at(time);
        assert_eq!(world.take(), *fits, "at {time}");
    }
}

#[test]
fn a_quota_starts_over_at_midnight_where_the_zone_is() {
    check(
        "Europe/Berlin",
        2,
        &[
            ("2026-07-01T21:00:00Z", true),
            ("2026-07-01T21:30:00Z", true),
            ("2026-07-01T21:59:59.999Z", false),
            ("2026-07-01T22:00:00Z", true),
        ],
    );
}

#[test]
fn a_day_of_25_hours_has_one_quota_and_one_of_23_as_well() {
    check(
        "Europe/Berlin",
        1,
        &[("2026-10-24T22:00:00Z", true), ("2026-10-25T22:59:59Z", false), ("2026-10-25T23:00:00Z", true)],
    );
    check(
        "America/Havana",
        1,
        &[("2026-11-01T04:30:00Z", true), ("2026-11-01T05:30:00Z", false), ("2026-11-02T05:00:00Z", true)],
    );
    check(
        "Asia/Beirut",
        1,
        &[("2026-03-28T21:59:59Z", true), ("2026-03-28T22:00:00Z", true), ("2026-03-29T20:59:59Z", false)],
    );
}

#[test]
fn a_request_that_does_not_fit_hears_when_the_window_ends() {
    let mut account = opened(1, None, at("2026-07-01T23:59:00Z"));
    assert!(account.take(1, 1));
    assert_eq!(account.denied(1), Verdict::Denied { remaining: 0, retry_after: Duration::from_secs(60) });
    let sixty = Duration::from_secs(60);
    assert_eq!(account.allowed(0), Verdict::Allowed { remaining: 0, effective_window: sixty });
}

#[test]
fn questions_of_yesterday_and_of_clocks_that_are_far_off() {
    let calendar = calendar(Period::Day, "UTC");
    let (today, tomorrow) = (at("2026-07-01T12:00:00Z"), at("2026-07-02T00:00:00Z"));
    let mut account = opened(5, None, tomorrow);
    account.take(1, 3);
    // The isolate's clock is behind: its windows have the object's day as the next one.
    assert!(account.adapt(&terms(5, &calendar, today)));
    assert_eq!(account.used, 3);
    // Its windows are those of another month: the account goes on with the window that it knows, as long as it lasts.
    assert!(account.adapt(&terms(5, &calendar, at("2026-09-01T00:00:00Z"))));
    assert!(account.fits(2) && !account.fits(3));
    account.advance(at("2026-07-03T00:00:00Z"));
    assert!(!account.fits(1));
    assert_eq!(account.denied(1), Verdict::Denied { remaining: 0, retry_after: UNKNOWN_WINDOW });
    assert!(account.adapt(&terms(5, &calendar, at("2026-07-03T00:00:00Z"))));
    assert!(account.fits(5));
}

#[test]
fn a_lease_is_worth_the_demand_and_at_most_a_fourth_of_what_is_left_before_the_last_ones() {
    let now = at("2026-07-01T12:00:00Z");
    let deposit = |requests, demand| {
        let mut account = opened(requests, None, now);
        let borrower = Borrower { holder: 1, sequence: 1, demand, cost: 1, lease: 0, held: 0 };
        account.lend(&borrower).map(|loan| (loan.deposit, loan.lifetime_ms))
    };
    // Ten a second for two seconds, and a quarter more.
    assert_eq!(deposit(1_000, 10_000), Some((25, 2_000)));
    assert_eq!(deposit(100, 10_000), Some((17, 2_000)));
    // Less than three requests save no question.
    assert_eq!(deposit(44, 10_000), Some((3, 2_000)));
    assert_eq!(deposit(43, 10_000), None);
    assert_eq!(deposit(1_000, 1_000), None);
    assert_eq!(deposit(1_000, 0), None);
}

#[test]
fn a_lease_doubles_its_life_and_ends_before_its_window() {
    let mut account = opened(1_000, None, at("2026-07-01T23:59:40Z"));
    let lifetimes = (1..=6_u64).map(|sequence| {
        account.advance(account.now + SECOND * 3);
        let borrower = Borrower { holder: 1, sequence, demand: 10_000, cost: 1, lease: 0, held: 0 };
        account.lend(&borrower).map(|loan| loan.lifetime_ms)
    });
    let expected = [Some(2_000), Some(4_000), Some(8_000), Some(7_950), Some(4_950), Some(1_950)];
    assert_eq!(lifetimes.collect::<Vec<_>>(), expected);
}

#[test]
fn what_remains_of_a_lease_is_taken_back_once() {
    let now = at("2026-07-01T12:00:00Z");
    let mut account = opened(1_000, None, now);
    let borrower = Borrower { holder: 1, sequence: 7, demand: 10_000, cost: 1, lease: 0, held: 0 };
    assert_eq!(account.lend(&borrower).map(|loan| loan.deposit), Some(25));
    account.advance(now + 3 * SECOND);
    account.take_back(1, Remains { id: 6, left: 20 });
    account.take_back(2, Remains { id: 7, left: 20 });
    assert_eq!(account.used, 25);
    account.take_back(1, Remains { id: 7, left: 20 });
    assert_eq!(account.used, 5);
    account.take_back(1, Remains { id: 7, left: 20 });
    assert_eq!(account.used, 5);
}

#[test]
fn a_guess_comes_back_as_far_as_it_was_promised() {
    let mut account = opened(100, None, at("2026-07-01T12:00:00Z"));
    account.take(1, 50);
    account.expect_back(30);
    let era = account.era();
    account.give_back(era, 20);
    assert_eq!(account.used, 30);
    let era = account.era();
    account.give_back(era, 20);
    assert_eq!(account.used, 20);
    account.owe(500, 0);
    assert_eq!(account.used, 200);
}

#[test]
fn a_twentieth_is_set_aside_once_somebody_wants_a_reserve() {
    let now = at("2026-07-01T12:00:00Z");
    let mut account = opened(100, None, now);
    let borrower = Borrower { holder: 1, sequence: 1, demand: 1_000, cost: 1, lease: 0, held: 0 };
    assert_eq!(account.available(), 100);
    assert_eq!(account.lend_reserve(&borrower).map(|loan| (loan.deposit, loan.lifetime_ms)), Some((3, 600_000)));
    assert_eq!((account.available(), account.used), (95, 3));
    assert_eq!(account.lend_reserve(&borrower), None);
    let other = Borrower { holder: 2, ..borrower };
    assert_eq!(account.lend_reserve(&other).map(|loan| loan.deposit), Some(1));
    assert!(!account.fits(96) && account.take(1, 95));
    assert_eq!((account.available(), account.used), (0, 99));
}

#[test]
fn a_row_says_at_least_what_was_used_and_another_one_says_nothing() {
    let now = at("2026-07-01T12:00:00Z");
    let mut account = opened(1_000, None, now);
    for _ in 0..30 {
        account.take(1, 1);
        let row = account.row();
        if let Some(row) = row {
            assert_eq!(row.forget_after_ms, (at("2026-07-02T00:01:00Z") / MS) as u64);
            let restarted = opened(1_000, Some(&row.bytes), now);
            assert!(restarted.used >= account.used && restarted.used <= account.used + 10);
            assert_eq!(opened(1_000, Some(&row.bytes), at("2026-07-02T00:00:00Z")).used, 0);
            for cut in 0..row.bytes.len() {
                assert_eq!(opened(1_000, Some(&row.bytes[..cut]), now).used, 0);
            }
            let longer: Vec<u8> = row.bytes.iter().copied().chain([0]).collect();
            assert_eq!(opened(1_000, Some(&longer), now).used, 0);
        }
    }
    for other in [&[][..], b"R", b"R\x01\x00\x00", b"Q\x02\x00\x00\x00", &[0xff; 40]] {
        assert_eq!(opened(1_000, Some(other), now).used, 0);
    }
}

#[test]
fn a_row_from_a_clock_that_was_far_ahead_locks_nobody_out() {
    let (now, ahead) = (at("2026-07-01T12:00:00Z"), at("2027-07-01T12:00:00Z"));
    let mut wrong = opened(10, None, ahead);
    wrong.take(1, 4);
    let row = wrong.row().unwrap();
    let mut account = opened(10, Some(&row.bytes), now);
    assert!(account.used >= 4);
    account.advance(at("2026-07-02T00:00:00Z"));
    assert_eq!(account.used, 0);
}

#[test]
fn a_window_writes_about_a_hundred_rows() {
    let calendar = calendar(Period::Day, "UTC");
    let terms = |now| terms(100_000, &calendar, now);
    let mut world = World::new(&terms, at("2026-07-01T00:00:00Z"), false);
    while world.take() {}
    assert_eq!(world.admitted.len(), 100_000);
    assert!(world.rows <= 125, "{} rows", world.rows);
}

#[test]
fn what_was_charged_before_a_reset_or_a_restart_comes_back_to_nobody() {
    let now = at("2026-07-01T12:00:00Z");
    let mut account = opened(100, None, now);
    assert!(account.take(1, 50));
    account.expect_back(50);
    let before = account.era();
    account.reset();
    assert!(account.take(1, 30));
    account.expect_back(30);
    account.give_back(before, 50);
    assert_eq!(account.used, 30);
    // Two instances of one key, and two days of it, never have the same era.
    let eras = [before, account.era()];
    account.advance(at("2026-07-02T12:00:00Z"));
    assert!(!eras.contains(&account.era()));
}

#[test]
fn a_reset_after_a_restart_keeps_what_may_be_lent_and_one_after_it_has_ended_does_not() {
    let now = at("2026-07-01T12:00:00Z");
    let mut account = opened(1_000, None, now);
    assert!(account.take(1, 300));
    let borrower = Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 };
    assert_eq!(account.lend(&borrower).map(|loan| loan.deposit), Some(25));
    assert_eq!(account.lend_reserve(&borrower).map(|loan| loan.deposit), Some(25));
    let row = account.row().unwrap();
    let mut account = opened(1_000, Some(&row.bytes), now);
    account.reset();
    let kept = account.used;
    assert!((50..=100).contains(&kept), "{kept}");
    // The row that is stored now says the same.
    let again = account.row().unwrap();
    assert!(opened(1_000, Some(&again.bytes), now).used >= 50);
    assert!(account.take(2, 7));
    // The lease may have been used up after the reset: its end gives nothing back.
    account.advance(now + LONGEST_LIFETIME);
    assert_eq!(account.used, kept + 7);
    account.reset();
    assert!((25..=50).contains(&account.used), "{}", account.used);
    account.advance(now + RESERVE_LIFETIME);
    account.reset();
    assert_eq!(account.used, 0);
}

#[test]
fn a_row_of_the_version_before_counts_all_of_it_as_lent() {
    let now = at("2026-07-01T12:00:00Z");
    let mut old = opened(10, None, now);
    assert!(old.take(1, 4));
    let mut bytes = old.row().unwrap().bytes;
    bytes[1] = 1;
    bytes.truncate(bytes.len() - 2);
    let mut account = opened(10, Some(&bytes), now);
    let used = account.used;
    assert!(used >= 4);
    account.reset();
    assert_eq!(account.used, used);
}

#[test]
fn a_reset_forgets_what_was_used_and_keeps_what_is_lent() {
    let mut account = opened(1_000, None, at("2026-07-01T12:00:00Z"));
    account.take(1, 500);
    account.lend(&Borrower { holder: 1, sequence: 1, demand: 10_000, cost: 1, lease: 0, held: 0 });
    account.row();
    account.reset();
    assert_eq!((account.used, account.available()), (25, 975));
    assert_eq!(opened(1_000, Some(&account.row().unwrap().bytes), account.now).used, 25);
}

#[test]
fn a_debt_of_yesterday_is_not_charged_today() {
    let midnight = at("2026-07-02T00:00:00Z");
    for (age, used) in [(10, 5), (11, 0)] {
        let mut account = opened(100, None, midnight + 10 * SECOND);
        account.owe(5, age * SECOND);
        assert_eq!(account.used, used, "{age} s ago");
    }
}

/// How many were admitted in each window.
fn by_window(calendar: &Calendar, admitted: &[u128]) -> BTreeMap<Duration, u64> {
    let mut windows = BTreeMap::new();
    for time in admitted {
        *windows.entry(calendar.windows(duration(*time)).start).or_default() += 1;
    }
    windows
}

/// A minute before something happens to a clock on a wall.
fn moments() -> impl Strategy<Value = (Period, &'static str, &'static str)> {
    prop::sample::select(vec![
        (Period::Minute, "UTC", "2026-07-01T11:59:30Z"),
        (Period::Hour, "Europe/Berlin", "2026-10-25T00:59:30Z"),
        (Period::Hour, "Australia/Lord_Howe", "2026-04-04T14:59:30Z"),
        (Period::Day, "Europe/Berlin", "2026-10-25T22:59:30Z"),
        (Period::Day, "Asia/Beirut", "2026-03-28T21:59:30Z"),
        (Period::Day, "America/Havana", "2026-11-01T03:59:30Z"),
        (Period::Week, "America/New_York", "2026-11-02T04:59:30Z"),
        (Period::Month, "Asia/Kolkata", "2028-02-29T18:29:30Z"),
    ])
}

proptest! {
    #[test]
    fn no_window_admits_more_than_the_quota_whatever_is_lost_repeated_or_restarted(
        (period, zone, start) in moments(), requests in 1..200_u64, reserve in any::<bool>(),
        schedule in schedules(6_000),
    ) {
        let calendar = calendar(period, zone);
        let terms = |now| terms(requests, &calendar, now);
        let mut world = World::new(&terms, at(start), reserve);
        world.run(&schedule);
        let windows = by_window(&calendar, &world.admitted);
        prop_assert!(windows.values().all(|admitted| *admitted <= requests), "{windows:?} of {requests}");
    }

    #[test]
    fn restarts_with_clocks_that_disagree_start_no_window_twice(
        requests in 1..30_u64, steps in prop::collection::vec((0..9_000_u64, prop::option::of(0..50_000_u64)), 1..100),
    ) {
        let calendar = calendar(Period::Minute, "UTC");
        let terms = |now| terms(requests, &calendar, now);
        let mut world = World::new(&terms, at("2026-07-01T12:00:00Z"), false);
        let (mut latest, mut windows) = (0, BTreeMap::<Duration, u64>::new());
        for (pause, ahead) in steps {
            world.step(Step::Pass(pause));
            if let Some(ahead) = ahead {
                world.ahead = u128::from(ahead) * MS;
                world.step(Step::Restart);
            }
            // By the latest time that any instance has seen.
            latest = (world.now + world.ahead).max(latest);
            if world.take() {
                *windows.entry(calendar.windows(duration(latest)).start).or_default() += 1;
            }
        }
        prop_assert!(windows.values().all(|admitted| *admitted <= requests), "{windows:?} of {requests}");
    }
}
