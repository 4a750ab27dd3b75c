//! Random schedules: whatever is lost, repeated or restarted, no limit is exceeded.

use super::*;

fn any_rate(random: &mut Random) -> Rate {
    loop {
        let per = [1_000, 1_000, 10_000, 60_000, 3_600_000][random.below(5) as usize];
        let (requests, burst) = (1 + random.below(200) as u32, 1 + random.below(100) as u32);
        if let Ok(rate) = Rate::new(requests, Duration::from_millis(per), burst) {
            return rate;
        }
    }
}

fn any_weather(random: &mut Random) -> Weather {
    let from = random.below(20) * SECOND;
    Weather {
        latency_ms: [0, 5, 80, 400][random.below(4) as usize],
        steady_us: 0,
        lost_percent: [0, 0, 2, 20][random.below(4) as usize],
        doubled_percent: [0, 0, 5][random.below(3) as usize],
        restart_permille: [0, 0, 1, 20][random.below(4) as usize],
        death_permille: [0, 0, 2][random.below(3) as usize],
        outage: if random.percent(20) { (from, from + random.below(10) * SECOND) } else { (0, 0) },
    }
}

/// One schedule: several isolates, several keys, bursts and pauses.
fn schedule(seed: u64) -> Seen {
    let mut random = Random(seed);
    let weather = any_weather(&mut random);
    let holders = 1 + random.below(8) as usize;
    let rates: Vec<Rate> = (0..1 + random.below(3)).map(|_| any_rate(&mut random)).collect();
    let mut world = World::new(random.next(), holders, weather);
    let gap = [1, 5, 20, 200][random.below(4) as usize] * MILLI;
    for _ in 0..200 + random.below(1_500) {
        world.pass(random.below(2 * gap));
        if random.percent(1) {
            world.pass(random.below(20) * SECOND);
        }
        let count = 1 + random.below(rates.len() as u64) as usize;
        let cost = |rate: &Rate, random: &mut Random| 1 + random.below(u64::from(rate.burst().min(4))) as u32;
        let wants: Vec<Want> = rates[..count]
            .iter()
            .enumerate()
            .map(|(index, rate)| {
                let cost = if random.percent(80) { 1 } else { cost(rate, &mut random) };
                let direction = [crate::WhenUnreachable::Closed, crate::WhenUnreachable::Reserve];
                want(&format!("k{index}"), *rate, cost).with_unreachable(direction[index % 2])
            })
            .collect();
        let holder = if random.percent(50) { 0 } else { random.below(holders as u64) as usize };
        world.request(holder, &wants);
    }
    world.pass(5 * SECOND);
    for (index, rate) in rates.iter().enumerate() {
        let admitted = world.seen.admitted.get(&format!("k{index}")).cloned().unwrap_or_default();
        if let Err(over) = Definition::check(rate, &admitted) {
            panic!(
                "seed {seed}: k{index} {rate:?}: {over} in {weather:?} with {holders} isolates, {:?}",
                world.seen.restarts
            );
        }
    }
    world.seen
}

/// Twenty thousand pass as well; the simulator runs more.
const SCHEDULES: u64 = 150;

#[test]
fn no_schedule_exceeds_a_limit() {
    let (mut restarts, mut by_lease, mut unreachable) = (0, 0, 0);
    for seed in 0..SCHEDULES {
        let seen = schedule(seed);
        restarts += seen.restarts;
        by_lease += seen.by_lease;
        unreachable += seen.unreachable;
    }
    assert!(restarts > 50 && by_lease > 5_000 && unreachable > 50, "{restarts} {by_lease} {unreachable}");
}
