//! What a client gets: no waiting, a fair share, and all that a limit allows.

use tidegate_simulation::plan::{Kind, Load, Network, Shape};
use tidegate_simulation::{Counts, Family, Outcome, Plan, Weather, World};

/// One region, nothing fails: `weights` are the isolates, `per_second` the requests of all of them.
fn calm(seed: u64, kind: Kind, weights: &[u32], per_second: u64, seconds: u64) -> Plan {
    let mut plan = Plan::draw(seed, Family::Rate, Weather::Calm);
    plan.limits.truncate(1);
    plan.limits[0].kind = kind;
    plan.limits[0].keys = vec![1];
    plan.limits[0].most_cost = 1;
    plan.limits[0].settled = false;
    plan.limits[0].mode = tidegate_rate_limit::Mode::Enforce;
    plan.limits[0].accuracy = tidegate_rate_limit::Accuracy::Exact;
    plan.isolates = weights.to_vec();
    plan.end = seconds * 1_000;
    plan.load = Load { gap_us: 1_000_000 / per_second, shape: Shape::Steady };
    let one_way_ms = (0..weights.len()).map(|index| 2 + u64::try_from(index % 8).unwrap()).collect();
    plan.network = Network { one_way_ms, jitter_ms: 3, ..plan.network };
    plan.store_ms = 5;
    plan
}

fn run(plan: Plan) -> Outcome {
    let outcome = World::run(plan);
    assert_eq!(outcome.violation, None);
    outcome
}

fn per_second(requests: u32) -> Kind {
    Kind::Rate { requests, per: 1_000, burst: requests }
}

fn calls(counts: &Counts) -> u64 {
    counts.calls_permille()
}

#[test]
fn i11_at_half_of_the_limit_nobody_is_refused_and_next_to_nobody_waits() {
    let Outcome { counts, .. } = run(calm(1, per_second(800), &[1; 10], 400, 60));
    assert!(counts.undershoot_permille() <= 20, "{counts:?}");
    assert!(calls(&counts) <= 20, "{} calls of a thousand: {counts:?}", calls(&counts));
    assert!(counts.from_memory * 100 >= counts.requests * 99, "{counts:?}");
}

#[test]
fn i11_at_four_times_the_limit_all_that_it_allows_is_used() {
    let Outcome { counts, .. } = run(calm(2, per_second(100), &[1; 10], 400, 60));
    assert!(counts.undershoot_permille() <= 50, "{counts:?}");
    assert!(calls(&counts) <= 100, "{} calls of a thousand: {counts:?}", calls(&counts));
}

#[test]
fn an_attack_on_a_small_limit_costs_few_calls() {
    let Outcome { counts, .. } = run(calm(5, per_second(10), &[1; 50], 2_000, 30));
    assert!(calls(&counts) <= 20, "{} calls of a thousand: {counts:?}", calls(&counts));
}

#[test]
fn five_seconds_without_the_object_are_hardly_noticed() {
    let mut plan = calm(6, per_second(800), &[1; 10], 400, 60);
    plan.network.deadline_ms = 500;
    let away = tidegate_simulation::plan::Fault::Outage { millis: 5_000 };
    plan.faults = vec![(30_000, away)];
    let Outcome { counts, .. } = run(plan);
    assert!(counts.closed * 100 <= counts.requests, "{counts:?}");
}
