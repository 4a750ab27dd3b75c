//! Whatever keys clients invent, and however many isolates ask for them: memory is bounded, and no limit is exceeded.

use super::*;
use crate::WhenUnreachable;

const LONG: Duration = Duration::from_secs(3_600);

fn long(key: &str, burst: u32) -> [Want; 1] {
    let rate = Allowance::Rate(rate(burst, LONG, burst));
    [Want::new(key, rate, 1).unwrap().with_unreachable(WhenUnreachable::Closed)]
}

/// So many isolates ask for so many keys each, one after the other: the memory of everybody in the end.
#[track_caller]
fn check(isolates: usize, keys: u32, same: bool, remembered: usize) -> World {
    let mut world = World::new(1, isolates, Weather { steady_us: 100, ..Weather::default() });
    let mut heaviest = 0;
    for key in 0..keys {
        for isolate in 0..isolates {
            let name = if same { format!("k{key}") } else { format!("k{key} of {isolate}") };
            world.request(isolate, &long(&name, 1_000));
        }
        world.pass(MILLI);
        heaviest = heaviest.max(world.authority.weight());
    }
    let all = u64::try_from(isolates).unwrap() * u64::from(keys);
    world.pass(SECOND);
    assert_eq!((world.seen.requests, world.seen.allowed), (all, all));
    assert!(heaviest <= 125_000, "{heaviest} parts of 200 bytes");
    for holder in &world.holders {
        assert_eq!(holder.counters().entries, remembered);
    }
    world
}

#[test]
fn a_hundred_thousand_keys_take_the_memory_of_a_part_of_them() {
    check(1, 100_000, false, 20_000);
    check(4, 25_000, false, 20_000);
}

#[test]
fn a_thousand_keys_of_two_hundred_isolates_take_the_memory_of_a_part_of_them() {
    check(200, 1_000, true, 1_000);
}

#[test]
fn a_key_that_both_have_forgotten_gives_nothing_twice() {
    let mut world = World::new(1, 1, Weather::default());
    let ask = |world: &mut World| (0..15).filter(|_| world.ask(0, &long("k", 20)).allowed).count();
    assert_eq!(ask(&mut world), 15);
    // Nobody asks for it any more, so it is not kept before others.
    world.pass(60 * SECOND);
    for key in 0..30_000 {
        let _ = world.ask(0, &long(&format!("k{key}"), 20));
    }
    assert_eq!(world.authority.usage("k", world.clock()), None);
    // A row is ahead of what was used: so much is lost, and nothing comes back.
    let after = ask(&mut world);
    assert!((1..=5).contains(&after), "{after}");
}
