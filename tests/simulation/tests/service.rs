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
    assert!(calls(&counts) <= 50, "{} calls of a thousand: {counts:?}", calls(&counts));
}

#[test]
fn i8_who_wants_the_same_gets_the_same() {
    let Outcome { shares, .. } = run(calm(3, per_second(100), &[1; 5], 400, 60));
    fair(&shares, &[20; 5]);
}

#[test]
fn i8_who_wants_little_gets_it_and_the_others_share_the_rest() {
    // They want 10, 10, 100, 100 and 180 a second of 200.
    let Outcome { shares, .. } = run(calm(4, per_second(200), &[1, 1, 10, 10, 18], 400, 60));
    fair(&shares, &[10, 10, 60, 60, 60]);
}

/// Within a tenth of the max-min share, over the last half minute. The small ones come at random: three deviations.
#[track_caller]
fn fair(shares: &[u64], per_second: &[u64]) {
    for (share, per_second) in shares.iter().zip(per_second) {
        let fair = per_second * 30;
        let chance = 3 * fair.isqrt();
        assert!(share.abs_diff(fair) <= (fair / 10).max(chance), "{shares:?} for {per_second:?} a second");
    }
}

/// Four times as much as the limit gives comes, and the first isolate wants less than its fair part: which share of what it
/// wants it gets in the last half minute, in hundredths, for each of so many seeds.
fn of_little(limit: u32, weights: &[u32]) -> Vec<u64> {
    let load = u64::from(limit) * 4;
    let wanted = load * 30 * u64::from(weights[0]) / u64::from(weights.iter().sum::<u32>());
    let got = (0..10).map(|seed| run(calm(seed, per_second(limit), weights, load, 60)).shares[0]);
    got.map(|got| got * 100 / wanted).collect()
}

#[test]
fn i8_who_wants_little_is_not_starved_in_a_shortage() {
    // From one request in two seconds up. How many come is chance: the fewer, the more.
    let loads = [
        (500, &[1, 100, 100, 100, 100, 100][..], 50),
        (100, &[1, 20, 20, 20, 20], 66),
        (100, &[1, 100, 100, 100, 100], 50),
        (20, &[1, 10, 10, 10], 50),
        (20, &[1, 40, 40, 40], 50),
        (10, &[1, 10, 10, 10, 10, 10], 33),
    ];
    for (limit, weights, least) in loads {
        let got = of_little(limit, weights);
        let mean = got.iter().sum::<u64>() / 10;
        assert!(got.iter().all(|got| *got >= least) && mean >= 70, "{got:?} of {limit} for {weights:?}");
    }
}

#[test]
fn i11_above_a_window_s_limit_nearly_all_that_it_allows_is_used_with_few_questions() {
    // Requests in so many seconds, isolates, requests a second, the most calls of a thousand.
    let loads = [
        (500, 10, &[1; 1][..], 200, 40),
        (500, 10, &[1; 4], 200, 50),
        (500, 10, &[1; 4], 2_000, 30),
        (1_000, 60, &[1; 4], 67, 90),
        (10_000, 60, &[1; 10], 667, 50),
    ];
    for (requests, seconds, isolates, load, most) in loads {
        let window = Kind::Window { requests, per: seconds * 1_000 };
        let Outcome { counts, .. } = run(calm(8, window, isolates, load, seconds * 5));
        let undershoot = counts.undershoot_permille();
        let case = format!("{requests} in {seconds} s, {load} a second at {}", isolates.len());
        assert!(undershoot <= 50, "{undershoot} of a thousand are missing: {case}");
        assert!(calls(&counts) <= most, "{} calls of a thousand: {case}", calls(&counts));
    }
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

/// The rows that are written for a thousand requests.
fn rows(kind: Kind, weights: &[u32], load: u64) -> u64 {
    let Outcome { counts, .. } = run(calm(1, kind, weights, load, 300));
    counts.rows * 1_000 / counts.requests
}

#[test]
fn a_key_with_few_requests_writes_a_row_for_one_in_eight_at_most() {
    let slow = || Kind::Rate { requests: 100, per: 60_000, burst: 100 };
    let loads = [
        (per_second(10), &[1; 50][..], 8),
        (per_second(10), &[1; 10], 2),
        (per_second(10), &[1], 1),
        (slow(), &[1; 4], 1),
        (slow(), &[1; 4], 7),
    ];
    for (kind, weights, load) in loads {
        let rows = rows(kind.clone(), weights, load);
        assert!(rows <= 125, "{rows} rows for 1,000 requests, {load} a second of {kind:?}");
    }
}

#[test]
fn a_short_window_under_its_limit_is_decided_from_memory_as_well() {
    let window = Kind::Window { requests: 500, per: 10_000 };
    let Outcome { counts, .. } = run(calm(1, window, &[1; 4], 40, 30));
    assert_eq!(counts.admitted, counts.requests);
    assert!(counts.from_memory * 100 >= counts.requests * 96, "{counts:?}");
}
