//! Thousands of schedules of each kind, drawn from seeds. A seed that fails says how to see it again.

use std::ops::Range;

use tidegate_simulation::plan::Fault;
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
fn i3_a_window_admits_in_no_interval_of_its_length_more_than_its_number() {
    check("i3_a_window", Family::Window, 0..1_000);
}

#[test]
fn i3_a_quota_admits_in_no_window_of_its_calendar_more_than_its_number() {
    check("i3_a_quota", Family::Quota, 0..1_000);
}

#[test]
fn concurrency_never_has_more_requests_running_than_its_number() {
    check("concurrency", Family::Concurrency, 0..1_000);
}

#[test]
fn every_kind_keeps_its_rule_when_they_decide_together() {
    check("every_kind", Family::Mixed, 0..1_000);
}

#[test]
fn what_was_lent_before_a_restart_and_a_reset_counts_after_it_has_ended() {
    run("what_was_lent_before", 0..1_000, |seed| {
        let mut plan = Plan::draw(seed, Family::Quota, Weather::Hostile);
        plan.limits.truncate(1);
        plan.limits[0].keys = vec![1];
        plan.limits[0].settled = false;
        let restart = plan.end / 4;
        plan.faults = vec![(restart, Fault::Supersede), (restart + 1_500, Fault::Reset { limit: 0, key: 0 })];
        plan
    });
}

/// Seeds at which a rule was broken once, in schedules that are drawn as they were then.
#[test]
fn what_was_broken_once_stays_whole() {
    let broken = [
        // An operator's reset, or a restart, and costs that were settled after it.
        (Family::Window, &[200_555, 201_839, 203_774, 206_041, 208_703, 210_263, 212_861, 624_273, 627_524][..]),
        // A reset after a restart: what the instance before had lent was used on top, at once or after it had ended.
        (Family::Quota, &[202_481, 206_701, 206_703, 209_502, 600_199, 11_000_749]),
        // A bounded quota that was lowered below what was used: what its accuracy adds was not counted beside that.
        (Family::Quota, &[7_478_695]),
        (Family::Mixed, &[201_123, 205_239]),
        // Answers that overtook each other, and permits that were claimed with a report from before a restart.
        (Family::Concurrency, &[1_940, 209_470, 217_476, 218_322, 219_047, 220_644]),
        // A clock that is set forward while a request waits: it was judged as if it had been in progress meanwhile.
        (Family::Mixed, &[5_928_618]),
        (Family::Concurrency, &[7_376_540, 7_434_445]),
    ];
    for (family, seeds) in broken {
        for seed in seeds {
            let outcome = World::run(Plan::draw(*seed, family, Weather::Hostile));
            assert_eq!(outcome.violation, None, "{family:?} {seed}");
        }
    }
}

#[test]
fn a_schedule_is_the_same_each_time() {
    for seed in 0..20 {
        let [first, second] = [0, 1].map(|_| World::traced(Plan::draw(seed, Family::Mixed, Weather::Hostile)));
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.counts, second.counts);
    }
}
