//! What leases achieve, as figures that must not get worse.

use super::*;

/// Sends requests at random moments for a time, and returns admitted as a share of what the limit gives, and calls a
/// request.
fn run(limit: Rate, holders: usize, per_second: u64, seconds: u64, weather: Weather, seed: u64) -> (f64, f64, Seen) {
    let mut world = World::new(seed, holders, weather);
    let wants = [want("k", limit, 1)];
    let end = world.now + seconds * SECOND;
    while world.now < end {
        let gap = world.random.below(2 * SECOND / per_second);
        world.pass(gap);
        let holder = world.random.below(holders as u64) as usize;
        world.request(holder, &wants);
    }
    world.pass(2 * SECOND);
    let seen = world.seen.clone();
    let admitted = seen.admitted.get("k").cloned().unwrap_or_default();
    Definition::check(&limit, &admitted).unwrap();
    let demand = seen.requests as f64;
    let given = limit.requests() as f64 / limit.per().as_secs_f64() * seconds as f64 + f64::from(limit.burst());
    (seen.allowed as f64 / demand.min(given), seen.calls_per_request(), seen)
}

/// Isolates, requests a second, the least share of what the limit gives, the most calls a request. Holds for every seed.
#[track_caller]
fn check(limit: Rate, holders: usize, per_second: u64, least: f64, most: f64) {
    let weather = Weather { latency_ms: 40, ..Weather::default() };
    for seed in [7, 8] {
        let (admitted, calls, seen) = run(limit, holders, per_second, 60, weather, seed);
        assert!(admitted >= least && calls <= most, "admitted {admitted:.4}, calls {calls:.4}: {}", seen.rows);
    }
}

const S: Duration = Duration::from_secs(1);
const M: Duration = Duration::from_secs(60);

#[test]
fn a_hot_key_under_its_limit_asks_for_one_request_in_fifty_at_most() {
    check(rate(5_000, S, 5_000), 50, 2_000, 1.0, 0.012);
    check(rate(1_000, S, 1_000), 4, 400, 1.0, 0.008);
    check(rate(6_000, M, 100), 1, 50, 1.0, 0.012);
    check(rate(500, S, 500), 20, 450, 0.999, 0.02);
}

#[test]
fn in_an_overload_nearly_all_that_the_limit_gives_is_admitted_with_few_questions() {
    check(rate(1_000, S, 1_000), 4, 4_000, 0.97, 0.02);
    check(rate(100, S, 100), 4, 400, 0.97, 0.03);
    check(rate(100, S, 20), 4, 400, 0.95, 0.03);
    check(rate(500, S, 500), 50, 2_000, 0.95, 0.03);
    check(rate(10, S, 10), 50, 2_000, 0.9, 0.02);
    check(rate(10, S, 10), 4, 40, 0.9, 0.05);
}

#[test]
fn one_client_of_a_slow_limit_is_decided_here_most_of_the_time() {
    check(rate(10, S, 10), 1, 5, 1.0, 0.1);
    check(rate(10, S, 10), 1, 20, 0.94, 0.06);
}

#[test]
fn a_few_requests_everywhere_are_all_admitted() {
    check(rate(10, S, 10), 50, 8, 0.97, 1.0);
}

/// Requests come in clumps, so many milliseconds apart. Returns admitted as a share of what the limit gives.
fn in_clumps(limit: Rate, holders: usize, per_second: u64, clump_ms: u64) -> f64 {
    let mut world = World::new(1, holders, Weather { latency_ms: 10, ..Weather::default() });
    let wants = [want("k", limit, 1)];
    let seconds = 40;
    for _ in 0..seconds * 1_000 / clump_ms {
        world.pass(clump_ms * MILLI);
        for _ in 0..per_second * clump_ms / 1_000 {
            let holder = world.random.below(holders as u64) as usize;
            world.request(holder, &wants);
        }
    }
    world.pass(2 * SECOND);
    Definition::check(&limit, &world.seen.admitted["k"]).unwrap();
    world.seen.allowed as f64 / (f64::from(limit.requests()) * seconds as f64 + f64::from(limit.burst()))
}

#[test]
fn in_an_overload_that_comes_in_clumps_nearly_all_that_the_limit_gives_is_admitted() {
    for (limit, holders, per_second) in
        [(rate(150, S, 150), 4, 600), (rate(100, S, 100), 10, 400), (rate(500, S, 500), 50, 2_000)]
    {
        for (clump_ms, least) in [(50, 0.97), (100, 0.97), (200, 0.94), (400, 0.88)] {
            let admitted = in_clumps(limit, holders, per_second, clump_ms);
            assert!(admitted >= least, "{admitted:.4} of {limit:?} with {holders}, a clump each {clump_ms} ms");
        }
    }
}
