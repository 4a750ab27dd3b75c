//! The whole of a slow limit is there for whoever comes, wherever.

use std::rc::Rc;

use super::*;
use crate::{Calendar, Period, Quota, Verdict, WhenUnreachable, Window, Zone};

const HOUR: Duration = Duration::from_secs(3_600);

/// The limits of so many requests that give next to nothing back meanwhile.
fn slow(requests: u32) -> [Allowance; 3] {
    let day = Rc::new(Calendar::new(Period::Day, Zone::utc()));
    [
        Allowance::Rate(rate(requests, HOUR * 24, requests)),
        Allowance::Window(Window::new(requests, HOUR).unwrap()),
        Allowance::Quota(Quota::new(requests.into(), day).unwrap()),
    ]
}

/// How many of `requests` pass when a client has so many under way at any time. `to` says where the next one goes.
fn passed(
    world: &mut World,
    wants: &[Want],
    requests: u64,
    together: u64,
    to: impl Fn(u64, &mut Random) -> usize,
) -> u64 {
    let before = world.seen.clone();
    let decided = |seen: &Seen| seen.allowed + seen.denied - before.allowed - before.denied;
    for sent in 0..requests {
        while sent - decided(&world.seen) >= together {
            world.pass(MILLI / 4);
        }
        let holder = to(sent, &mut world.random);
        world.request(holder, wants);
    }
    world.pass(2 * SECOND);
    world.seen.allowed - before.allowed
}

/// One edge after the other, or one at random.
fn spread(world: &mut World, allowance: &Allowance, requests: u32, together: u64, seed: u64) -> u64 {
    let wants = [Want::new("k", allowance.clone(), 1).unwrap()];
    let edges = world.holders.len();
    passed(world, &wants, requests.into(), together, |sent, random| match seed {
        0 => usize::try_from(sent).unwrap() % edges,
        _ => usize::try_from(random.below(edges as u64)).unwrap(),
    })
}

/// All of `requests` pass, and the next one does not.
#[track_caller]
fn check(allowance: &Allowance, requests: u32, edges: usize, together: u64) {
    for seed in 0..4 {
        let mut world = World::new(seed, edges, Weather { steady_us: 1_000, ..Weather::default() });
        let passed = spread(&mut world, allowance, requests, together, seed);
        let case = format!("{allowance:?}, {edges} edges, {together} at a time, seed {seed}");
        // Who sends more at once than is kept for the last ones finds two or three of them elsewhere.
        let least = u64::from(if together <= 16 { requests } else { requests - 3 });
        assert!((least..=requests.into()).contains(&passed), "{passed} of {case}");
        world.weather = Weather::default();
        for edge in 0..edges {
            let allowed = world.ask(edge, &[Want::new("k", allowance.clone(), 1).unwrap()]).allowed;
            assert!(!allowed || passed < requests.into(), "one too many of {case}");
        }
    }
}

#[test]
fn all_of_a_slow_limit_passes_however_it_is_spread() {
    for requests in [10, 20, 50, 100, 300, 1_000, 10_000] {
        for allowance in slow(requests) {
            for edges in [1, 2, 5] {
                for together in [1, 4, 16, 64] {
                    check(&allowance, requests, edges, together);
                }
            }
        }
    }
}

#[test]
fn next_to_nothing_is_lost_of_a_quota_when_answers_overtake_each_other() {
    for requests in [100, 1_000, 10_000] {
        for allowance in slow(requests).into_iter().filter(|allowance| !matches!(allowance, Allowance::Rate(_))) {
            for (edges, together) in [(1, 1), (1, 16), (2, 4), (2, 16), (5, 16)] {
                for seed in 0..4 {
                    let mut world = World::new(seed, edges, Weather { latency_ms: 20, ..Weather::default() });
                    let passed = spread(&mut world, &allowance, requests, together, seed);
                    let least = u64::from(requests * 9 / 10);
                    let case = format!("{allowance:?}, {edges} edges, {together} at a time, seed {seed}");
                    assert!((least..=requests.into()).contains(&passed), "{passed} of {case}");
                }
            }
        }
    }
}

/// What each of the first requests hears is left, beside what has been used.
fn told(allowance: &Allowance, direction: WhenUnreachable) -> Vec<u64> {
    let mut world = World::new(1, 1, Weather::default());
    let wants = [Want::new("k", allowance.clone(), 1).unwrap().with_unreachable(direction)];
    let mut told = Vec::new();
    for sent in 1..=100 {
        world.pass(10 * MILLI);
        let decision = world.ask(0, &wants);
        let Verdict::Allowed { remaining, .. } = decision.verdicts[0] else { panic!("{decision:?}") };
        told.push(remaining + sent);
    }
    told
}

#[test]
fn what_is_left_counts_down_by_one_whatever_is_lent_and_set_aside() {
    let [_, window, quota] = slow(10_000);
    for allowance in slow(10_000) {
        assert_eq!(told(&allowance, WhenUnreachable::Closed), [10_000; 100], "{allowance:?}");
    }
    for allowance in [window, quota] {
        // A twentieth is for outages.
        assert_eq!(told(&allowance, WhenUnreachable::Reserve), [9_500; 100], "{allowance:?}");
    }
}
