//! The whole of a slow limit is there for whoever comes, wherever.

use std::rc::Rc;

use super::*;
use crate::{Calendar, Period, Quota, Window, Zone};

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

/// All of `requests` pass, one edge after the other or at random, and the next one does not.
#[track_caller]
fn check(allowance: &Allowance, requests: u64, edges: usize, together: u64) {
    for seed in 0..4 {
        let mut world = World::new(seed, edges, Weather { steady_us: 1_000, ..Weather::default() });
        let wants = [Want::new("k", allowance.clone(), 1).unwrap()];
        let passed = passed(&mut world, &wants, requests, together, |sent, random| match seed {
            0 => usize::try_from(sent).unwrap() % edges,
            _ => usize::try_from(random.below(edges as u64)).unwrap(),
        });
        let case = format!("{allowance:?}, {edges} edges, {together} at a time, seed {seed}");
        // Who sends more at once than is kept for the last ones finds two or three of them elsewhere.
        let least = if together <= 16 { requests } else { requests - 3 };
        assert!((least..=requests).contains(&passed), "{passed} of {case}");
        world.weather = Weather::default();
        for edge in 0..edges {
            assert!(!world.ask(edge, &wants).allowed || passed < requests, "one too many of {case}");
        }
    }
}

#[test]
fn all_of_a_slow_limit_passes_however_it_is_spread() {
    for requests in [10, 20, 50, 100, 300, 1_000, 10_000] {
        for allowance in slow(requests) {
            for edges in [1, 2, 5] {
                for together in [1, 4, 16, 64] {
                    check(&allowance, requests.into(), edges, together);
                }
            }
        }
    }
}
