//! What a client sees of leases: nothing.

use super::*;
use crate::{Accuracy, Mode, Verdict, WhenUnreachable};

fn minute(requests: u32, burst: u32) -> Rate {
    rate(requests, Duration::from_secs(60), burst)
}

fn calm(holders: usize) -> World {
    World::new(3, holders, Weather::default())
}

/// Sends requests one after the other, each so many milliseconds after the one before, to the isolate that `to` names, and
/// returns how many passed before the first that didn't.
fn until_refused(world: &mut World, limit: Rate, pause_ms: u64, to: impl Fn(u32) -> usize) -> u32 {
    for sent in 0..10_000 {
        world.pass(pause_ms * MILLI);
        if !world.ask(to(sent), &[want("k", limit, 1)]).allowed {
            return sent;
        }
    }
    10_000
}

#[test]
fn a_whole_burst_at_one_edge_passes_to_the_last_request_and_then_every_edge_refuses() {
    for burst in [1, 2, 3, 5, 20, 100, 1_000] {
        for pause_ms in [0, 1] {
            let mut world = calm(3);
            // So slow that nothing comes back meanwhile.
            let limit = rate(1, Duration::from_secs(3_600), burst);
            assert_eq!(until_refused(&mut world, limit, pause_ms, |_| 0), burst);
            for edge in [0, 1, 2] {
                assert!(!world.ask(edge, &[want("k", limit, 1)]).allowed);
            }
        }
    }
}

#[test]
fn a_client_that_changes_edges_gets_all_of_its_burst() {
    for edges in [2, 3] {
        for pause_ms in [0, 3, 20, 100] {
            let mut world = calm(edges);
            let limit = rate(1, Duration::from_secs(3_600), 100);
            let passed = until_refused(&mut world, limit, pause_ms, |sent| sent as usize % edges);
            assert_eq!(passed, 100, "{edges} edges, a request every {pause_ms} ms");
        }
    }
}

#[test]
fn half_of_the_burst_at_one_edge_leaves_the_other_half_at_another() {
    let mut world = calm(2);
    let limit = minute(100, 100);
    for _ in 0..50 {
        assert!(world.ask(0, &[want("k", limit, 1)]).allowed);
    }
    // What the first edge was lent and doesn't use comes home within two seconds and its next request.
    world.pass(3 * SECOND);
    let passed = until_refused(&mut world, limit, 1, |_| 1);
    assert!(passed >= 25, "{passed}");
}

#[test]
fn what_is_left_counts_down_by_one_wherever_it_is() {
    let mut world = calm(1);
    let limit = rate(1, Duration::from_secs(3_600), 50);
    for left in (0..50).rev() {
        let decision = world.ask(0, &[want("k", limit, 1)]);
        let Verdict::Allowed { remaining, .. } = decision.verdicts[0] else { panic!("{decision:?}") };
        assert_eq!(remaining, left);
    }
}

#[test]
fn a_client_that_waits_as_it_is_told_passes() {
    for limit in [minute(100, 20), rate(10, Duration::from_secs(1), 10), minute(6, 1)] {
        let mut world = calm(2);
        for round in 0..30 {
            let decision = world.ask(round % 2, &[want("k", limit, 1)]);
            if let Some(wait) = decision.verdicts[0].retry_after() {
                // A clock has milliseconds.
                world.pass(u64::try_from(wait.as_nanos()).unwrap() + MILLI);
                let decision = world.ask(round % 2, &[want("k", limit, 1)]);
                assert!(decision.allowed, "{limit:?} {decision:?} after {wait:?}");
            }
        }
    }
}

#[test]
fn all_limits_are_charged_or_none() {
    let mut world = calm(1);
    let (wide, narrow) = (rate(1, Duration::from_secs(3_600), 100), rate(1, Duration::from_secs(3_600), 10));
    let both = [want("wide", wide, 1), want("narrow", narrow, 1)];
    for _ in 0..10 {
        assert!(world.ask(0, &both).allowed);
    }
    for _ in 0..50 {
        assert!(!world.ask(0, &both).allowed);
    }
    // Fifty refusals cost the wide limit nothing.
    for left in (0..90).rev() {
        let decision = world.ask(0, &both[..1]);
        assert!(decision.allowed, "{left} {decision:?}");
    }
    assert!(!world.ask(0, &both[..1]).allowed);
}

#[test]
fn limits_of_one_key_are_charged_one_after_the_other() {
    let mut world = calm(1);
    let limit = rate(1, Duration::from_secs(3_600), 21);
    let twice = [want("k", limit, 1), want("k", limit, 1)];
    for _ in 0..10 {
        assert!(world.ask(0, &twice).allowed);
    }
    assert!(!world.ask(0, &twice).allowed);
    assert!(world.ask(0, &twice[..1]).allowed);
    assert!(!world.ask(0, &twice[..1]).allowed);
}

#[test]
fn a_limit_that_is_not_enforced_refuses_nothing_and_says_so() {
    let mut world = calm(1);
    let limit = rate(1, Duration::from_secs(3_600), 5);
    let shadow = [want("k", limit, 1).with_mode(Mode::Shadow)];
    for sent in 0..20 {
        let decision = world.ask(0, &shadow);
        assert!(decision.allowed);
        assert_eq!(decision.verdicts[0].is_allowed(), sent < 5);
    }
    assert_eq!(world.holders[0].counters().would_deny, 15);
}

#[test]
fn a_local_limit_never_asks() {
    let mut world = calm(2);
    let limit = rate(1, Duration::from_secs(3_600), 5);
    let local = [want("k", limit, 1).with_accuracy(Accuracy::Local)];
    for edge in [0, 1] {
        for sent in 0..7 {
            assert_eq!(world.ask(edge, &local).allowed, sent < 5);
        }
    }
    assert_eq!((world.seen.asks, world.seen.refreshes), (0, 0));
}

#[test]
fn a_bounded_limit_does_not_wait_for_a_cold_key_and_exceeds_the_limit_by_its_tolerance_at_most() {
    let mut world = calm(1);
    world.weather.latency_ms = 50;
    let limit = rate(1, Duration::from_secs(3_600), 6_400);
    let bounded = [want("k", limit, 1).with_accuracy(Accuracy::Bounded { parts_per_million: 50_000 })];
    for _ in 0..8_000 {
        world.pass(MILLI);
        world.request(0, &bounded);
    }
    world.pass(5 * SECOND);
    // A twentieth of 6400, for one of 64 isolates: 5 requests.
    assert!(
        (6_400..=6_405).contains(&world.seen.allowed),
        "{:?} {:?}",
        world.holders[0].counters(),
        world.authority.usage("k", world.clock())
    );
    let counters = world.holders[0].counters();
    assert!(counters.overshoot >= 5 && counters.debt == 0, "{counters:?}");
}

#[test]
fn an_outage_of_five_seconds_is_not_seen_by_a_hot_key() {
    let mut world = calm(1);
    let limit = rate(100, Duration::from_secs(1), 100);
    world.weather.outage = (20 * SECOND, 25 * SECOND);
    for _ in 0..40_000 / 20 {
        world.pass(20 * MILLI);
        world.request(0, &[want("k", limit, 1)]);
    }
    assert_eq!((world.seen.denied, world.seen.unreachable), (0, 0));
}

#[test]
fn when_nobody_can_be_asked_each_limit_goes_its_own_way() {
    let limit = rate(1, Duration::from_secs(3_600), 100);
    let mut world = calm(1);
    world.weather.outage = (0, u64::MAX);
    let closed = world.ask(0, &[want("closed", limit, 1)]);
    assert!(!closed.allowed && matches!(closed.verdicts[0], Verdict::Closed { .. }));
    let open = [want("open", limit, 1).with_unreachable(WhenUnreachable::Open)];
    for _ in 0..30 {
        assert!(world.ask(0, &open).allowed);
    }
    assert_eq!(world.holders[0].counters().overshoot, 30);
    // What passed is charged when the object is back.
    world.weather.outage = (0, 0);
    world.pass(3 * SECOND);
    assert_eq!(world.holders[0].counters().debt, 30);
    let Verdict::Allowed { remaining, .. } = world.ask(0, &open).verdicts[0] else { panic!() };
    assert_eq!(remaining, 69);
    assert_eq!(world.holders[0].counters().debt, 0);
}

#[test]
fn a_reserve_lasts_for_a_while_and_no_longer() {
    let limit = rate(100, Duration::from_secs(1), 1_000);
    let reserve = [want("k", limit, 1).with_unreachable(WhenUnreachable::Reserve)];
    let mut world = calm(1);
    for _ in 0..3_000 {
        world.pass(20 * MILLI);
        assert!(world.ask(0, &reserve).allowed);
    }
    let now = world.elapsed();
    world.weather.outage = (now, u64::MAX);
    // The lease lasts for twelve seconds at most, then the reserve is used.
    world.pass(13 * SECOND);
    let mut passed = 0;
    for _ in 0..200 {
        passed += u32::from(world.ask(0, &reserve).allowed);
    }
    assert!((1..=50).contains(&passed), "{passed}");
    assert!(!world.ask(0, &reserve).allowed);
}

#[test]
fn a_bucket_that_was_left_alone_is_full_again() {
    for direction in [WhenUnreachable::Closed, WhenUnreachable::Reserve] {
        let mut world = calm(1);
        let wants = [want("k", minute(6, 3), 1).with_unreachable(direction)];
        for (second, passes) in [(0, 3), (10, 1), (110, 3), (200, 3)] {
            world.run_until(world.now - world.elapsed() + second * SECOND);
            for sent in 0..5 {
                let decision = world.ask(0, &wants);
                assert_eq!(decision.allowed, sent < passes, "{second} s, {sent}: {decision:?}");
            }
        }
    }
}
