//! Thousands of schedules of each kind, drawn from seeds. A seed that fails says how to see it again.

use std::ops::Range;

use tidegate_simulation::{Counts, Family, Plan, Weather, World};

/// Runs the seeds, or only the one that `TIDEGATE_SIMULATION_SEED` names.
pub(crate) fn run(name: &str, seeds: Range<u64>, draw: impl Fn(u64) -> Plan) -> Counts {
    let only = std::env::var("TIDEGATE_SIMULATION_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = only.map_or(seeds, |seed| seed..seed + 1);
    let mut total = Counts::default();
    for seed in seeds {
        let outcome = World::run(draw(seed));
        if let Some(violation) = outcome.violation {
            let trace = World::traced(draw(seed)).trace;
            let last = trace.iter().rev().take(60).rev();
            last.for_each(|line| eprintln!("{line}"));
            panic!("{violation:?}\nTIDEGATE_SIMULATION_SEED={seed} cargo test -p tidegate-simulation {name}");
        }
        total.add(&outcome.counts);
    }
    total
}

/// The seeds of a family, in any weather. The run means something only if much was admitted and much went wrong.
#[track_caller]
fn check(name: &str, family: Family, seeds: Range<u64>) {
    let count = seeds.end - seeds.start;
    let counts = run(name, seeds, |seed| Plan::draw(seed, family, Weather::Hostile));
    if counts.schedules == count {
        assert!(counts.admitted > count * 50, "{} admitted", counts.admitted);
        assert!(counts.faults > count, "{} faults", counts.faults);
    }
}

#[test]
fn i1_i9_i10_a_rate_admits_in_no_interval_more_than_burst_and_rate() {
    check("i1", Family::Rate, 0..2_000);
}

#[test]
fn a_schedule_is_the_same_each_time() {
    for seed in 0..20 {
        let [first, second] = [0, 1].map(|_| World::traced(Plan::draw(seed, Family::Mixed, Weather::Hostile)));
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.counts, second.counts);
    }
}
