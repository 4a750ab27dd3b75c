//! The limits of a schedule, in proportion to its load.

use std::rc::Rc;
use std::time::Duration;

use tidegate_rate_limit::{
    Accuracy, Allowance, Calendar, Concurrency, Mode, Period, Quota, Rate, WhenUnreachable, Window, Zone,
};

use crate::random::Random;

/// How long a schedule is, and how busy.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When the load ends, in milliseconds.
    pub end: u64,
    /// How many requests there are by then, about.
    pub requests: u64,
}

/// Which kinds of limits a schedule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Token buckets.
    Rate,
    /// Sliding windows.
    Window,
    /// Calendar windows.
    Quota,
    /// Requests at the same time.
    Concurrency,
    /// All of them on one request.
    Mixed,
}

/// The numbers of a limit, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token bucket.
    Rate {
        /// So many come back in every `per`.
        requests: u32,
        /// Milliseconds.
        per: u64,
        /// So many at once.
        burst: u32,
    },
    /// So many in any interval of `per`.
    Window {
        /// So many.
        requests: u32,
        /// Milliseconds.
        per: u64,
    },
    /// So many in each window of a calendar.
    Quota {
        /// So many.
        requests: u64,
        /// Which windows.
        period: Period,
        /// The offset before the first transition.
        first_offset: i32,
        /// When clocks on the wall change, in seconds since the epoch, and to what.
        transitions: Vec<(i64, i32)>,
    },
    /// So many at the same time.
    Concurrency {
        /// So many.
        requests: u32,
        /// After so many milliseconds a request no longer counts.
        timeout: u64,
    },
}

/// A limit, its keys, and how it is held.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its numbers.
    pub kind: Kind,
    /// One for each key: its share of the requests.
    pub keys: Vec<u32>,
    /// What a request costs at most.
    pub most_cost: u32,
    /// How exactly it holds.
    pub accuracy: Accuracy,
    /// What happens when the object cannot be asked.
    pub when_unreachable: WhenUnreachable,
    /// Whether it refuses.
    pub mode: Mode,
    /// Whether costs are guesses that are settled at the end of a request.
    pub settled: bool,
}

impl Kind {
    /// Returns the allowance that an isolate is configured with.
    pub fn allowance(&self) -> Allowance {
        let millis = Duration::from_millis;
        match *self {
            Kind::Rate { requests, per, burst } => Allowance::Rate(Rate::new(requests, millis(per), burst).unwrap()),
            Kind::Window { requests, per } => Allowance::Window(Window::new(requests, millis(per)).unwrap()),
            Kind::Quota { requests, period, first_offset, ref transitions } => {
                let zone = Zone::new(first_offset, transitions.clone()).unwrap();
                Allowance::Quota(Quota::new(requests, Rc::new(Calendar::new(period, zone))).unwrap())
            }
            Kind::Concurrency { requests, timeout } => {
                Allowance::Concurrency(Concurrency::new(requests, millis(timeout)).unwrap())
            }
        }
    }

    /// Returns the most that one request can cost.
    pub fn capacity(&self) -> u64 {
        match *self {
            Kind::Rate { burst: requests, .. } | Kind::Window { requests, .. } | Kind::Concurrency { requests, .. } => {
                u64::from(requests)
            }
            Kind::Quota { requests, .. } => requests,
        }
    }

    /// Returns the same limit with so much more at once.
    #[must_use]
    pub fn with_more(&self, more: u64) -> Kind {
        let mut kind = self.clone();
        match &mut kind {
            Kind::Rate { burst: requests, .. } | Kind::Window { requests, .. } | Kind::Concurrency { requests, .. } => {
                *requests += u32::try_from(more).unwrap();
            }
            Kind::Quota { requests, .. } => *requests += more,
        }
        kind
    }

    /// Returns the same limit with other numbers.
    pub fn changed(&self, random: &mut Random) -> Kind {
        let mut scale = |number: u64| (number * random.of(&[1, 2, 3, 8, 12]) / 4).max(1);
        let mut narrow = |number: u32| u32::try_from(scale(u64::from(number))).unwrap();
        let mut kind = self.clone();
        match &mut kind {
            Kind::Rate { requests, burst, .. } => (*requests, *burst) = (narrow(*requests), narrow(*burst)),
            Kind::Window { requests, .. } | Kind::Concurrency { requests, .. } => *requests = narrow(*requests),
            Kind::Quota { requests, .. } => *requests = scale(*requests),
        }
        kind
    }
}

/// Draws what true time shows at the beginning, so that a calendar's window ends while the schedule runs.
pub(super) fn epoch(random: &mut Random, end: u64) -> i64 {
    let boundary = random.of(&[SPRING_MIDNIGHT, AUTUMN_MIDNIGHT, AUTUMN_SWITCH, SPRING_SWITCH]);
    boundary * 1_000 - i64::try_from(random.between(0, end)).unwrap()
}

// Berlin in 2026: clocks go forward on 29 March at 01:00 UTC, and back on 25 October at 01:00 UTC.
const SPRING_SWITCH: i64 = 1_774_746_000;
const AUTUMN_SWITCH: i64 = 1_792_890_000;
/// Midnight at the end of each of these days, in UTC+2 and UTC+1.
const SPRING_MIDNIGHT: i64 = SPRING_SWITCH + 21 * 3_600;
const AUTUMN_MIDNIGHT: i64 = AUTUMN_SWITCH + 22 * 3_600;

pub(super) fn draw(random: &mut Random, family: Family, span: &Span, epoch_ms: i64) -> Vec<Limit> {
    let families = match family {
        Family::Mixed => {
            let all = [Family::Rate, Family::Window, Family::Quota, Family::Concurrency];
            (0..random.between(2, 3)).map(|_| random.of(&all)).collect()
        }
        one if random.permille(200) => vec![one, one],
        one => vec![one],
    };
    families.into_iter().map(|family| limit(random, family, span, epoch_ms)).collect()
}

fn limit(random: &mut Random, family: Family, span: &Span, epoch_ms: i64) -> Limit {
    let most_cost = random.of(&[1, 1, 1, 3, 10]);
    let keys = random.of(&[1, 1, 2, 6]);
    let skew = u32::try_from(random.between(0, 2)).unwrap();
    // The load is from a fifth of the limit to 4.2 times the limit. What a request costs on average counts.
    let load_permille = random.scaled(200, 4_200);
    let cost = span.requests * u64::from(most_cost + 1) / 2;
    let whole = (cost * 1_000 / load_permille / if skew == 0 { u64::from(keys) } else { 1 }).max(1);
    let accuracy = if random.permille(100) {
        Accuracy::Bounded { parts_per_million: random.of(&[10_000, 100_000, 500_000]) }
    } else {
        Accuracy::Exact
    };
    let kind = kind(random, family, span, whole, u64::from(most_cost), epoch_ms);
    Limit {
        kind,
        keys: (1..=keys).map(|rank: u32| (1_000 / rank.pow(skew)).max(1)).collect(),
        most_cost,
        accuracy,
        when_unreachable: random.of(&[WhenUnreachable::Closed, WhenUnreachable::Reserve, WhenUnreachable::Open]),
        mode: if random.permille(50) { Mode::Shadow } else { Mode::Enforce },
        settled: random.permille(150),
    }
}

/// Draws the numbers of a limit that admits about `whole` in the span.
fn kind(random: &mut Random, family: Family, span: &Span, whole: u64, least: u64, epoch_ms: i64) -> Kind {
    let narrow = |number: u64| u32::try_from(number.max(least)).unwrap();
    match family {
        Family::Window => {
            let per = random.scaled(1_000, span.end.max(1_001));
            Kind::Window { requests: narrow(whole * per / span.end), per }
        }
        Family::Quota => quota(random, whole.max(least), epoch_ms),
        Family::Concurrency => {
            // Requests take 20 to 2,000 ms: see `World`.
            let timeout = random.scaled(1_000, 20_000);
            Kind::Concurrency { requests: narrow(random.between(1, (whole * 600 / span.end).max(2))), timeout }
        }
        Family::Rate | Family::Mixed => {
            let per = random.of(&[100, 1_000, 1_000, 10_000, 60_000]);
            let requests = u32::try_from((whole * per / span.end).max(1)).unwrap();
            let share = random.of(&[1, 10, 100, 500]);
            Kind::Rate { requests, per, burst: narrow(whole * share / 1_000) }
        }
    }
}

fn quota(random: &mut Random, requests: u64, epoch_ms: i64) -> Kind {
    let period = random.of(&[Period::Minute, Period::Hour, Period::Day, Period::Day, Period::Week, Period::Month]);
    let berlin = vec![(SPRING_SWITCH, 7_200), (AUTUMN_SWITCH, 3_600)];
    let (first_offset, transitions) = match random.below(3) {
        0 => (0, Vec::new()),
        1 => (3_600, berlin),
        _ => {
            // Clocks that change while the schedule runs, as far as they like.
            let at = epoch_ms / 1_000 + i64::try_from(random.between(1, 40)).unwrap();
            (random.of(&[3_600, 37_800, -12_600]), vec![(at, random.of(&[0, 7_200, 39_600, -9_000]))])
        }
    };
    Kind::Quota { requests, period, first_offset, transitions }
}
