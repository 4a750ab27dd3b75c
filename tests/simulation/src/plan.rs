//! What will happen, drawn from a seed before anything happens: limits, load, network and failures.

mod faults;
mod limits;
mod load;

pub use faults::Fault;
pub use limits::{Family, Kind, Limit, Span};
pub use load::{Load, Shape, moment};

use crate::clock::{MAX_DRIFT, Moment};
use crate::mutation::Mutation;
use crate::random::Random;

/// Which schedules are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// No message is lost, no clock is wrong, nobody fails.
    Calm,
    /// Everything that the assumptions allow.
    Hostile,
}

/// One schedule, complete: two runs of the same plan are the same.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it was drawn from.
    pub seed: u64,
    /// What true time shows at moment zero: milliseconds since the Unix epoch.
    pub epoch_ms: i64,
    /// When the load ends.
    pub end: Moment,
    /// The limits. A request wants the first, and each of the others by chance.
    pub limits: Vec<Limit>,
    /// How often a request also wants another limit, in thousandths.
    pub also_permille: u64,
    /// One for each isolate: its share of the requests.
    pub isolates: Vec<u32>,
    /// When requests come.
    pub load: Load,
    /// What happens to messages.
    pub network: Network,
    /// How wrong clocks are.
    pub clocks: Clocks,
    /// How long a row takes to be stored.
    pub store_ms: u64,
    /// What else goes wrong, in order.
    pub faults: Vec<(Moment, Fault)>,
    /// What is broken on purpose.
    pub mutation: Option<Mutation>,
}

/// What happens to messages between isolates and the object.
#[derive(Clone, Debug)]
pub struct Network {
    /// For each isolate: milliseconds of one way.
    pub one_way_ms: Vec<u64>,
    /// How many messages take up to ten times as long, in thousandths.
    pub slow_permille: u64,
    /// How much longer others take at most, in milliseconds. It reorders messages.
    pub jitter_ms: u64,
    /// How many are lost.
    pub lost_permille: u64,
    /// How many arrive twice.
    pub twice_permille: u64,
    /// How many answers arrive cut off.
    pub cut_permille: u64,
    /// When an isolate gives up on a question.
    pub deadline_ms: u64,
    /// Whether it sends a question again after half of that time.
    pub again: bool,
}

/// How wrong clocks are, within what is assumed.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// By how many millionths a clock runs wrong at most.
    pub drift_ppm: u64,
    /// How far the clocks of two machines that run the object are from the true time at most.
    pub apart_ms: u64,
}

impl Clocks {
    /// Clocks that all show the true time.
    pub const RIGHT: Clocks = Clocks { drift_ppm: 0, apart_ms: 0 };

    /// Returns whether a clock can be wrong.
    pub fn are_right(&self) -> bool {
        self.drift_ppm == 0 && self.apart_ms == 0
    }
}

impl Plan {
    /// Draws the schedule of a seed, with limits of this family.
    pub fn draw(seed: u64, family: Family, weather: Weather) -> Plan {
        let mut random = Random::new(seed);
        let random = &mut random;
        let end = random.scaled(3_000, 60_000);
        let requests = random.between(120, 360);
        let isolates = isolates(random);
        let span = Span { end, requests };
        let epoch_ms = limits::epoch(random, end);
        let limits = limits::draw(random, family, &span, epoch_ms);
        let load = load::draw(random, &span);
        let hostile = weather == Weather::Hostile;
        let network = network(random, isolates.len(), hostile);
        let clocks = if hostile && random.permille(300) { clocks(random) } else { Clocks::RIGHT };
        let store_ms = random.of(&[0, 1, 5, 30]);
        let mut plan = Plan {
            seed,
            epoch_ms,
            end,
            limits,
            also_permille: random.of(&[0, 300, 1_000]),
            isolates,
            load,
            network,
            clocks,
            store_ms,
            faults: Vec::new(),
            mutation: None,
        };
        if hostile {
            plan.faults = faults::draw(random, &plan);
        }
        plan
    }
}

fn isolates(random: &mut Random) -> Vec<u32> {
    let count = random.scaled(1, 12);
    let skew = random.between(0, 2);
    (1..=count).map(|rank| u32::try_from(1_000 / rank.pow(u32::try_from(skew).unwrap())).unwrap().max(1)).collect()
}

fn network(random: &mut Random, isolates: usize, hostile: bool) -> Network {
    let farthest = random.of(&[1, 10, 40, 210]);
    let one_way_ms = (0..isolates).map(|_| random.between(1, farthest)).collect();
    let mut rarely = |most: u64| if hostile && random.permille(500) { random.between(0, most) } else { 0 };
    let (slow_permille, lost_permille) = (rarely(20), rarely(50));
    let (twice_permille, cut_permille) = (rarely(200), rarely(10));
    let deadline_ms = if hostile { random.of(&[150, 500, 2_000]) } else { 60_000 };
    let jitter_ms = random.between(0, farthest / 2);
    let again = hostile && random.permille(300);
    Network { one_way_ms, slow_permille, jitter_ms, lost_permille, twice_permille, cut_permille, deadline_ms, again }
}

fn clocks(random: &mut Random) -> Clocks {
    Clocks { drift_ppm: random.of(&[0, 500, MAX_DRIFT]), apart_ms: random.of(&[0, 1, 10]) }
}
