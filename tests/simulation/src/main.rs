//! `cargo run --release -p tidegate-simulation -- --schedules 1000000`
//!
//! Runs schedules by their seeds and prints what they came to, by kind; or one of them, event by event.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for developers"
)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tidegate_simulation::{Counts, Family, Plan, Weather, World};

const FAMILIES: [(&str, Family); 5] = [
    ("rate", Family::Rate),
    ("window", Family::Window),
    ("quota", Family::Quota),
    ("concurrency", Family::Concurrency),
    ("mixed", Family::Mixed),
];

const USAGE: &str = "\
usage: cargo run --release -p tidegate-simulation -- [options]

  --schedules N     how many (100000), a fifth of each family
  --from SEED       the first seed (0)
  --family FAMILY   only rate, window, quota, concurrency or mixed
  --threads N       how many at the same time (2)
  --calm            without failures
  --seed SEED       one schedule of that family, event by event";

struct Options {
    schedules: u64,
    from: u64,
    families: Vec<(&'static str, Family)>,
    threads: u64,
    weather: Weather,
    seed: Option<u64>,
}

fn options() -> Option<Options> {
    let mut options = Options {
        schedules: 100_000,
        from: 0,
        families: FAMILIES.to_vec(),
        threads: 2,
        weather: Weather::Hostile,
        seed: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse().ok();
        match argument.as_str() {
            "--schedules" => options.schedules = number()?,
            "--from" => options.from = number()?,
            "--threads" => options.threads = number().filter(|threads| *threads > 0)?,
            "--seed" => options.seed = Some(number()?),
            "--calm" => options.weather = Weather::Calm,
            "--family" => {
                let name = arguments.next()?;
                options.families.retain(|(family, _)| *family == name);
            }
            _ => return None,
        }
    }
    (!options.families.is_empty()).then_some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if let Some(seed) = options.seed {
        return one(&options, seed);
    }
    println!("{}", header());
    let mut total = Counts::default();
    let began = Instant::now();
    for &(name, family) in &options.families {
        let schedules = options.schedules / u64::try_from(options.families.len()).unwrap();
        let began = Instant::now();
        let counts = many(&options, (name, family), schedules);
        println!("{}", line(name, &counts, began));
        total.add(&counts);
    }
    println!("{}", line("all", &total, began));
    ExitCode::from(u8::from(total.violations > 0))
}

/// Runs one schedule and tells what happens.
fn one(options: &Options, seed: u64) -> ExitCode {
    let Some((_, family)) = options.families.first() else { return ExitCode::from(2) };
    let plan = Plan::draw(seed, *family, options.weather);
    println!("{plan:#?}");
    let outcome = World::traced(plan);
    for line in &outcome.trace {
        println!("{line}");
    }
    println!("{:?}\n{:?}", outcome.counts, outcome.violation);
    ExitCode::from(u8::from(outcome.violation.is_some()))
}

fn many(options: &Options, (name, family): (&str, Family), schedules: u64) -> Counts {
    let next = AtomicU64::new(options.from);
    let end = options.from + schedules;
    let mut total = Counts::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut counts = Counts::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return counts;
                }
                let outcome = World::run(Plan::draw(seed, family, options.weather));
                if let Some(violation) = &outcome.violation {
                    eprintln!("--family {name} --seed {seed}: {violation:?}");
                }
                counts.add(&outcome.counts);
                if (seed + 1 - options.from).is_multiple_of(50_000) {
                    eprintln!("{name}: {} of {schedules} schedules", seed + 1 - options.from);
                }
            }
        };
        let workers: Vec<_> = (0..options.threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            total.add(&worker.join().unwrap());
        }
    });
    total
}

fn header() -> String {
    format!(
        "| {:<11} | {:>9} | {:>11} | {:>11} | {:>10} | {:>13} | {:>10} | {:>11} | {:>8} |",
        "kind",
        "schedules",
        "requests",
        "admitted",
        "violations",
        "calls/request",
        "undershoot",
        "from memory",
        "per s"
    )
}

fn line(name: &str, counts: &Counts, began: Instant) -> String {
    let permille = |number: u64| format!("{}.{:03}", number / 1_000, number % 1_000);
    let percent =
        |number: i64| format!("{}{}.{} %", if number < 0 { "-" } else { "" }, number.abs() / 10, number.abs() % 10);
    let memory = i64::try_from(counts.from_memory * 1_000 / counts.requests.max(1)).unwrap();
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap().max(1);
    format!(
        "| {name:<11} | {:>9} | {:>11} | {:>11} | {:>10} | {:>13} | {:>10} | {:>11} | {:>8} |",
        counts.schedules,
        counts.requests,
        counts.admitted,
        counts.violations,
        permille(counts.calls_permille()),
        if counts.ideal == 0 { "-".to_owned() } else { percent(counts.undershoot_permille()) },
        percent(memory),
        counts.schedules * 1_000 / millis,
    )
}
