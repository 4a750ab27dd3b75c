//! A pool of origins: which one first, and which ones when it fails.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use crate::draw::Draws;
use crate::origin::Origin;
use crate::rendezvous::{self, ClientKey};
use crate::steering::PoolIndex;

/// What a random number is unfolded for, so that no two decisions of a request are correlated.
const FIRST: u64 = 1;
const OTHERS: u64 = 2;
const PHASE: u64 = 3;

/// How many turns of a weighted rotation its phase is drawn from.
///
/// A phase is reached by taking turns, at most this many for each pool when an isolate starts. Weights such as 1000 and
/// 999 repeat after 1,999 turns only, but in any 1,024 of them each origin has its share to about one turn.
const PHASES: u64 = 1024;

/// The position of an origin in its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginIndex(pub usize);

/// How a pool divides requests among its origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Equal turns; weights do not count.
    RoundRobin,
    /// Turns by weight, spread evenly: smooth weighted round robin.
    Weighted,
    /// By chance, by weight.
    Random,
    /// The same client to the same origin, by weight; by chance when the client's address is unknown.
    IpHash,
}

/// A named list of origins that can stand in for each other.
// Invariant: there is at least one origin; no two have the same name; `names` are the hashes of the names, in order.
#[derive(Clone, Debug)]
pub struct Pool {
    name: String,
    balance: Balance,
    origins: Vec<Origin>,
    names: Vec<u64>,
}

impl Pool {
    /// Makes a pool.
    ///
    /// # Errors
    /// The name is empty, there is no origin, or two origins have the same name.
    pub fn new(name: String, balance: Balance, origins: Vec<Origin>) -> Result<Self, InvalidPool> {
        if name.is_empty() {
            return Err(InvalidPool::Name);
        }
        if origins.is_empty() {
            return Err(InvalidPool::Empty);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = origins.iter().find(|origin| !seen.insert(origin.name())) {
            return Err(InvalidPool::Twice { origin: twice.name().to_owned() });
        }
        let names = origins.iter().map(|origin| rendezvous::hash(origin.name().as_bytes())).collect();
        Ok(Self { name, balance, origins, names })
    }

    /// The name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How requests are divided.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// Every origin, in the order that [`OriginIndex`] counts.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// One origin; `None` for the index of another pool's.
    #[must_use]
    pub fn origin(&self, index: OriginIndex) -> Option<&Origin> {
        self.origins.get(index.0)
    }

    /// Chooses the origin that a request tries first, and takes its turn in the rotation. Allocates nothing.
    pub fn first(&self, rotation: &mut Rotation, client: Option<ClientKey>, random: u64) -> OriginIndex {
        OriginIndex(match self.balance {
            Balance::RoundRobin => rotation.turn(self.origins.len()),
            Balance::Weighted => rotation.weighted_turn(&self.origins),
            Balance::Random | Balance::IpHash => {
                let picked = self.pick(0..self.origins.len(), client, &mut Draws::new(random, FIRST));
                picked.unwrap_or_default()
            }
        })
    }

    /// Orders the other origins, for a request whose `first` one failed: each once.
    ///
    /// By preference for [`Balance::IpHash`], so that a client moves as a whole; else by chance, with the pool's
    /// weights, so that the requests of a failed origin are spread over all others alike. A fixed order would send all
    /// of them to its neighbour and fail that one too.
    #[must_use]
    pub fn others(&self, first: OriginIndex, client: Option<ClientKey>, random: u64) -> Vec<OriginIndex> {
        let mut draws = Draws::new(random, OTHERS);
        let mut untried: Vec<usize> = (0..self.origins.len()).filter(|index| *index != first.0).collect();
        let mut order = Vec::with_capacity(untried.len());
        while let Some(picked) = self.pick(untried.iter().copied(), client, &mut draws) {
            untried.retain(|index| *index != picked);
            order.push(OriginIndex(picked));
        }
        order
    }

    /// Orders all origins: the first choice, then the others.
    pub fn order(&self, rotation: &mut Rotation, client: Option<ClientKey>, random: u64) -> Vec<OriginIndex> {
        let first = self.first(rotation, client, random);
        let mut order = self.others(first, client, random);
        order.insert(0, first);
        order
    }

    /// Picks one of the candidates without looking at the rotation; `None` only if there is none.
    fn pick(
        &self,
        mut candidates: impl ExactSizeIterator<Item = usize> + Clone,
        client: Option<ClientKey>,
        draws: &mut Draws,
    ) -> Option<usize> {
        let weight = |index: usize| self.origins.get(index).map_or(0, Origin::weight);
        match (self.balance, client) {
            (Balance::RoundRobin, _) => candidates.nth(draws.position(candidates.len())),
            (Balance::IpHash, Some(client)) => {
                let name = |index: usize| self.names.get(index).copied().unwrap_or_default();
                let scored = candidates.map(|index| (rendezvous::score(client, name(index), weight(index)), index));
                scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, index)| index)
            }
            (Balance::Weighted | Balance::Random | Balance::IpHash, _) => {
                let position = draws.weighted_position(candidates.clone().map(weight));
                candidates.nth(position)
            }
        }
    }
}

/// Whose turn it is in a pool: the memory that an isolate keeps for it.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The next origin of [`Balance::RoundRobin`].
    next: usize,
    /// For [`Balance::Weighted`]: how much each origin is owed, in requests times the sum of the weights.
    credits: Vec<i64>,
}

impl Rotation {
    /// Begins at a random turn.
    ///
    /// Deployments and traffic peaks start many isolates at once. From the same first turn, all of them would send
    /// their first requests to the same origin, and many an isolate lives for few requests only.
    #[must_use]
    pub fn new(pool: &Pool, random: u64) -> Self {
        let mut draws = Draws::new(random, PHASE);
        let mut rotation = Self { next: draws.position(pool.origins.len()), credits: Vec::new() };
        if pool.balance == Balance::Weighted {
            rotation.credits.resize(pool.origins.len(), 0);
            for _ in 0..draws.below(period(&pool.origins).min(PHASES)) {
                rotation.weighted_turn(&pool.origins);
            }
        }
        rotation
    }

    fn turn(&mut self, origins: usize) -> usize {
        // The remainder is 0 if there are none, and guards against the rotation of a larger pool.
        let turn = self.next.checked_rem(origins).unwrap_or_default();
        self.next = turn.saturating_add(1);
        turn
    }

    /// Smooth weighted round robin, as nginx does it: each origin is credited with its weight, the one with the most
    /// credit is next and pays for all. Over one period each gets exactly its weight's worth, evenly spaced.
    ///
    /// The credits add up to 0, and whoever pays the sum of the weights had more than 0 before, so each credit stays
    /// above minus that sum and below as many times the sum as there are others: nothing saturates with fewer than
    /// 46,000 origins.
    fn weighted_turn(&mut self, origins: &[Origin]) -> usize {
        // Nothing changes here, unless this is the rotation of another pool.
        self.credits.resize(origins.len(), 0);
        let mut total = 0_i64;
        for (credit, origin) in self.credits.iter_mut().zip(origins) {
            let weight = i64::from(origin.weight());
            *credit = credit.saturating_add(weight);
            total = total.saturating_add(weight);
        }
        let most = self.credits.iter_mut().enumerate().max_by_key(|(index, credit)| (**credit, Reverse(*index)));
        let Some((turn, credit)) = most else { return 0 };
        *credit = credit.saturating_sub(total);
        turn
    }
}

/// After how many turns a weighted rotation repeats itself: the sum of the weights, divided by what they all share.
fn period(origins: &[Origin]) -> u64 {
    let weights = || origins.iter().map(|origin| u64::from(origin.weight()));
    let total = weights().fold(0_u64, u64::saturating_add);
    total.checked_div(weights().fold(0, greatest_common_divisor)).unwrap_or(1)
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    match one.checked_rem(other) {
        Some(rest) => greatest_common_divisor(other, rest),
        None => one,
    }
}

/// The rotations of all pools: what an isolate keeps between requests.
#[derive(Clone, Debug)]
pub struct Rotations(Vec<Rotation>);

impl Rotations {
    /// Begins each pool's rotation at a random turn of its own.
    #[must_use]
    pub fn new(pools: &[Pool], random: u64) -> Self {
        let mut draws = Draws::new(random, PHASE);
        Self(pools.iter().map(|pool| Rotation::new(pool, draws.bits())).collect())
    }

    /// One pool's rotation; `None` for the index of a pool that was not there at the beginning.
    pub fn of(&mut self, pool: PoolIndex) -> Option<&mut Rotation> {
        self.0.get_mut(pool.0)
    }
}

/// Why something is no pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidPool {
    /// The name is empty.
    Name,
    /// There is no origin.
    Empty,
    /// Two origins have the same name.
    Twice {
        /// The name.
        origin: String,
    },
}

impl fmt::Display for InvalidPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("a pool needs a name"),
            Self::Empty => f.write_str("a pool needs at least one origin"),
            Self::Twice { origin } => write!(f, "two origins of the pool are named `{origin}`"),
        }
    }
}

impl std::error::Error for InvalidPool {}

#[cfg(test)]
mod tests;
