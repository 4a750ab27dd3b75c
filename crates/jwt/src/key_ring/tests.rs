#![allow(clippy::arithmetic_side_effects)]

use super::*;

fn seconds(seconds: u64) -> Duration {
    // An arbitrary point in time: the ring only sees differences.
    Duration::from_secs(1_700_000_000 + seconds)
}

fn key_set(key_id: &str) -> KeySet {
    KeySet::parse(&format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"{key_id}"}}]}}"#
    ))
    .unwrap()
}

/// A ring that fetched the key "old" at second 0.
fn filled() -> KeyRing {
    let mut ring = KeyRing::new();
    ring.attempt(seconds(0));
    ring.fetched(key_set("old"), seconds(0));
    ring
}

#[track_caller]
fn check(ring: &KeyRing, key_id: Option<&str>, now: Duration, expected: KeyPlan) {
    assert_eq!(ring.plan(key_id, now), expected);
}

#[track_caller]
fn check_unavailable(ring: &KeyRing, now: Duration, retry_after: u64) {
    check(ring, None, now, KeyPlan::Unavailable { retry_after: Duration::from_secs(retry_after) });
}

#[test]
fn a_fresh_set_is_used_as_it_is() {
    let ring = filled();
    for key_id in [None, Some("old")] {
        check(&ring, key_id, seconds(0), KeyPlan::Use);
        check(&ring, key_id, seconds(599), KeyPlan::Use);
        check(&ring, key_id, seconds(600), KeyPlan::UseThenRefresh);
    }
}

#[test]
fn one_request_refreshes_for_all() {
    let mut ring = filled();
    ring.attempt(seconds(600));
    check(&ring, Some("old"), seconds(600), KeyPlan::Use);
    ring.fetched(key_set("old"), seconds(601));
    check(&ring, Some("old"), seconds(1_200), KeyPlan::Use);
    check(&ring, Some("old"), seconds(1_201), KeyPlan::UseThenRefresh);
}

#[test]
fn a_refresh_that_never_reports_is_tried_again() {
    let mut ring = filled();
    ring.attempt(seconds(600));
    check(&ring, Some("old"), seconds(629), KeyPlan::Use);
    check(&ring, Some("old"), seconds(630), KeyPlan::UseThenRefresh);
}

#[test]
fn an_unknown_key_is_fetched_once_per_cooldown() {
    let mut ring = filled();
    check(&ring, Some("new"), seconds(30), KeyPlan::Fetch);
    ring.attempt(seconds(30));
    ring.fetched(key_set("old"), seconds(31));
    check(&ring, Some("new"), seconds(60), KeyPlan::Use);
    check(&ring, Some("new"), seconds(61), KeyPlan::Fetch);
    check(&ring, Some("old"), seconds(61), KeyPlan::Use);
}

#[test]
fn an_issuer_that_rotates_right_after_the_first_fetch_is_asked_again_at_once() {
    check(&filled(), Some("new"), seconds(0), KeyPlan::Fetch);
}

#[test]
fn a_new_key_is_found() {
    let mut ring = filled();
    ring.attempt(seconds(30));
    ring.fetched(key_set("new"), seconds(30));
    check(&ring, Some("new"), seconds(30), KeyPlan::Use);
    assert!(ring.keys(seconds(30)).unwrap().may_hold(Some("new")));
}

#[test]
fn requests_with_a_new_key_fetch_together_up_to_a_bound() {
    let mut ring = filled();
    for _ in 0..16 {
        check(&ring, Some("new"), seconds(30), KeyPlan::Fetch);
        ring.attempt(seconds(30));
    }
    check(&ring, Some("new"), seconds(30), KeyPlan::Use);
    check(&ring, Some("new"), seconds(59), KeyPlan::Use);
    check(&ring, Some("new"), seconds(60), KeyPlan::Fetch);
    ring.attempt(seconds(60));
    check(&ring, Some("new"), seconds(60), KeyPlan::Fetch);
}

#[test]
fn an_outcome_ends_the_fetching_together() {
    let mut ring = filled();
    ring.attempt(seconds(30));
    ring.attempt(seconds(30));
    ring.failed(seconds(31));
    check(&ring, Some("new"), seconds(31), KeyPlan::Use);
    check(&ring, Some("new"), seconds(60), KeyPlan::Use);
    check(&ring, Some("new"), seconds(61), KeyPlan::Fetch);
}

#[test]
fn a_failure_keeps_the_last_good_set_for_a_day() {
    let mut ring = filled();
    ring.attempt(seconds(600));
    ring.failed(seconds(600));
    check(&ring, Some("old"), seconds(600), KeyPlan::Use);
    check(&ring, Some("old"), seconds(601), KeyPlan::UseThenRefresh);
    check(&ring, Some("old"), seconds(86_399), KeyPlan::UseThenRefresh);
    assert!(ring.keys(seconds(86_399)).is_some());
    check(&ring, Some("old"), seconds(86_400), KeyPlan::Fetch);
    assert!(ring.keys(seconds(86_400)).is_none());
}

#[test]
fn an_empty_ring_fetches() {
    let mut ring = KeyRing::new();
    assert!(ring.keys(seconds(0)).is_none());
    check(&ring, None, seconds(0), KeyPlan::Fetch);
    ring.attempt(seconds(0));
    check(&ring, Some("any"), seconds(0), KeyPlan::Fetch);
}

#[test]
fn pauses_after_failures_double_up_to_thirty_seconds() {
    let mut ring = KeyRing::new();
    let mut now = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        check(&ring, None, seconds(now), KeyPlan::Fetch);
        ring.attempt(seconds(now));
        ring.failed(seconds(now));
        check_unavailable(&ring, seconds(now), pause);
        check_unavailable(&ring, seconds(now + pause - 1), 1);
        now += pause;
    }
    ring.fetched(key_set("old"), seconds(now));
    check(&ring, None, seconds(now), KeyPlan::Use);
    // A success ends the series.
    ring.failed(seconds(now + 600));
    check(&ring, None, seconds(now + 600), KeyPlan::Use);
    check(&ring, None, seconds(now + 601), KeyPlan::UseThenRefresh);
}

#[test]
fn after_a_failure_one_request_tries_at_a_time() {
    let mut ring = KeyRing::new();
    ring.failed(seconds(0));
    check(&ring, None, seconds(1), KeyPlan::Fetch);
    ring.attempt(seconds(1));
    check_unavailable(&ring, seconds(1), 1);
    check(&ring, None, seconds(2), KeyPlan::Fetch);
}

#[test]
fn failures_that_set_out_together_count_once() {
    let mut ring = KeyRing::new();
    for _ in 0..100 {
        ring.attempt(seconds(0));
    }
    for _ in 0..100 {
        ring.failed(seconds(0));
    }
    check_unavailable(&ring, seconds(0), 1);
}

#[test]
fn a_clock_that_steps_back_takes_no_keys_away() {
    let ring = filled();
    check(&ring, Some("old"), Duration::ZERO, KeyPlan::Use);
    assert!(ring.keys(Duration::ZERO).is_some());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Event {
        Attempt,
        Fetched,
        Failed,
        Wait(u64),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            Just(Event::Attempt),
            Just(Event::Fetched),
            Just(Event::Failed),
            (0_u64..100).prop_map(Event::Wait),
            (0_u64..100_000).prop_map(Event::Wait),
        ];
        proptest::collection::vec(event, 0..40)
    }

    fn run(events: &[Event]) -> (KeyRing, u64, Option<u64>) {
        let (mut ring, mut now, mut fetched) = (KeyRing::new(), 0, None);
        for event in events {
            match event {
                Event::Attempt => ring.attempt(seconds(now)),
                Event::Fetched => {
                    ring.fetched(key_set("old"), seconds(now));
                    fetched = Some(now);
                }
                Event::Failed => ring.failed(seconds(now)),
                Event::Wait(pause) => now += pause,
            }
        }
        (ring, now, fetched)
    }

    proptest! {
        #[test]
        fn keys_are_at_hand_for_exactly_a_day_after_the_last_fetch(events in events()) {
            let (ring, now, fetched) = run(&events);
            let expected = fetched.is_some_and(|at| now - at < 86_400);
            prop_assert_eq!(ring.keys(seconds(now)).is_some(), expected);
            let plan = ring.plan(Some("old"), seconds(now));
            prop_assert_eq!(matches!(plan, KeyPlan::Use | KeyPlan::UseThenRefresh), expected);
        }

        #[test]
        fn whatever_happened_the_ring_asks_again_after_thirty_seconds(events in events()) {
            let (ring, now, _) = run(&events);
            let later = seconds(now + 30);
            prop_assert_eq!(ring.plan(Some("new"), later), KeyPlan::Fetch);
        }

        #[test]
        fn an_unknown_key_costs_a_bounded_number_of_requests(events in events(), flood in 1_u64..200) {
            let (mut ring, now, _) = run(&events);
            ring.fetched(key_set("old"), seconds(now));
            let mut requests = 0;
            for moment in 0..flood {
                if ring.plan(Some("made-up"), seconds(now + moment)) == KeyPlan::Fetch {
                    requests += 1;
                    ring.attempt(seconds(now + moment));
                    ring.fetched(key_set("old"), seconds(now + moment));
                }
            }
            prop_assert!(requests <= 1 + flood / 30);
        }
    }
}
