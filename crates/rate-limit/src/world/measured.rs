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

fn check(name: &str, limit: Rate, holders: usize, per_second: u64, least: f64, most: f64) {
    let weather = Weather { latency_ms: 40, ..Weather::default() };
    let (admitted, calls, seen) = run(limit, holders, per_second, 60, weather, 7);
    eprintln!(
        "{name:45} admitted {admitted:.4} calls {calls:.4} asks {} refreshes {} rows {} requests {} by lease {}",
        seen.asks, seen.refreshes, seen.rows, seen.requests, seen.by_lease
    );
    assert!(admitted >= least && calls <= most, "{name}: admitted {admitted}, calls {calls}");
}

const S: Duration = Duration::from_secs(1);
const M: Duration = Duration::from_secs(60);

#[test]
fn figures() {
    check("hot, 50 isolates, 2000/s of 5000/s", rate(5_000, S, 5_000), 50, 2_000, 0.0, 9.);
    check("hot, 4 isolates, 400/s of 1000/s", rate(1_000, S, 1_000), 4, 400, 0.0, 9.);
    check("hot, 1 isolate, 50/s of 6000/min b 100", rate(6_000, M, 100), 1, 50, 0.0, 9.);
    check("90 % of 500/s, 20 isolates", rate(500, S, 500), 20, 450, 0.0, 9.);
    check("overload 4x 1000/s b 1000, 4", rate(1_000, S, 1_000), 4, 4_000, 0.0, 9.);
    check("overload 4x 100/s b 100, 4", rate(100, S, 100), 4, 400, 0.0, 9.);
    check("overload 4x 100/s b 20, 4", rate(100, S, 20), 4, 400, 0.0, 9.);
    check("overload 4x 10/s b 10, 4", rate(10, S, 10), 4, 40, 0.0, 9.);
    check("overload 4x 100/min b 20, 4", rate(100, M, 20), 4, 7, 0.0, 9.);
    check("overload 4x 500/s b 500, 50", rate(500, S, 500), 50, 2_000, 0.0, 9.);
    check("attack 2000/s on 10/s b 10, 50", rate(10, S, 10), 50, 2_000, 0.0, 9.);
    check("one client 5/s on 10/s", rate(10, S, 10), 1, 5, 0.0, 9.);
    check("one client 20/s on 10/s", rate(10, S, 10), 1, 20, 0.0, 9.);
    check("cold everywhere: 50 share 8/s on 10/s", rate(10, S, 10), 50, 8, 0.0, 9.);
}
