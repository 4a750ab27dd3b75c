//! Which pools serve a client, in which order, and why.

use std::fmt;

use crate::draw::Draws;
use crate::location::{Location, region_of};
use crate::place::{Colo, Country};
use crate::region::Region;

/// What a random number is unfolded for here; see `pool.rs` for the others.
const POOLS: u64 = 4;

/// The position of a pool in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolIndex(pub usize);

/// What decides the order of the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The order in which they are listed.
    Off,
    /// Where the client is.
    Geo,
    /// Chance; all orders are equally likely.
    Random,
}

/// Pools in an order of preference.
// Invariant: there is at least one pool, and none is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolList(Vec<PoolIndex>);

impl PoolList {
    /// Makes a list.
    ///
    /// # Errors
    /// There is no pool in it, or one twice. An empty list is a mistake, never a way to switch steering off.
    pub fn new(pools: Vec<PoolIndex>) -> Result<Self, InvalidPoolList> {
        if pools.is_empty() {
            return Err(InvalidPoolList::Empty);
        }
        let is_repeated = |(before, pool): &(usize, &PoolIndex)| pools.iter().take(*before).any(|other| other == *pool);
        match pools.iter().enumerate().find(is_repeated) {
            Some((_, twice)) => Err(InvalidPoolList::Twice(*twice)),
            None => Ok(Self(pools)),
        }
    }

    /// The pools, most preferred first.
    #[must_use]
    pub fn pools(&self) -> &[PoolIndex] {
        &self.0
    }
}

/// Lists of pools by place.
// Invariant: in the order of the places, none of which is there twice.
#[derive(Clone, Debug)]
pub struct PlaceTable<P>(Vec<(P, PoolList)>);

impl<P> Default for PlaceTable<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Ord> FromIterator<(P, PoolList)> for PlaceTable<P> {
    fn from_iter<I: IntoIterator<Item = (P, PoolList)>>(lists: I) -> Self {
        let mut table = Self::default();
        lists.into_iter().for_each(|(place, pools)| table.insert(place, pools));
        table
    }
}

impl<P: Ord> PlaceTable<P> {
    /// Sets the list of a place.
    fn insert(&mut self, place: P, pools: PoolList) {
        match self.0.binary_search_by(|(other, _)| other.cmp(&place)) {
            Ok(index) => {
                if let Some((_, old)) = self.0.get_mut(index) {
                    *old = pools;
                }
            }
            Err(index) => self.0.insert(index, (place, pools)),
        }
    }

    fn get(&self, place: &P) -> Option<&PoolList> {
        let index = self.0.binary_search_by(|(other, _)| other.cmp(place)).ok()?;
        self.0.get(index).map(|(_, pools)| pools)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The operator's lists: who is served by which pools.
#[derive(Clone, Debug)]
pub struct Steering {
    /// What decides.
    pub policy: Policy,
    /// For clients of whom no other list speaks, and behind every other list.
    pub default_pools: PoolList,
    /// The last resort, behind everything else.
    pub fallback_pool: Option<PoolIndex>,
    /// For the clients of a region.
    pub region_pools: PlaceTable<Region>,
    /// For the clients of a country; wins over its region's list.
    pub country_pools: PlaceTable<Country>,
    /// For whoever reaches a data centre; wins over both.
    pub colo_pools: PlaceTable<Colo>,
}

impl Steering {
    /// Whether the order depends on where the client is; if not, nobody needs to find out.
    #[must_use]
    pub fn needs_location(&self) -> bool {
        self.policy == Policy::Geo
            && !(self.region_pools.is_empty() && self.country_pools.is_empty() && self.colo_pools.is_empty())
    }

    /// Orders the pools that may serve a request, most preferred first.
    ///
    /// [`Policy::Geo`] begins with the most specific list that speaks of the client, goes on with the default pools,
    /// and ends with the fallback pool. `allowed` is the route's own list: no other pool is in the order, and all of
    /// its pools are, those that no list mentions in the route's order before the fallback pool. A list without any
    /// allowed pool is as if it were not there. Under the other policies the route's list stands in for the default
    /// pools. `random` decides under [`Policy::Random`] only.
    ///
    /// Each pool is there once. The order is empty only if `allowed` is.
    #[must_use]
    pub fn order(&self, location: &Location, allowed: Option<&[PoolIndex]>, random: u64) -> PoolOrder {
        let mut order = Draft { allowed, pools: Vec::new(), because: None };
        let default_pools = self.default_pools.pools();
        match (self.policy, allowed) {
            (Policy::Off, None) => order.append(default_pools, Because::Listed),
            (Policy::Off, Some(route)) => order.append(route, Because::Route),
            (Policy::Random, _) => {
                order.append(allowed.unwrap_or(default_pools), Because::Random);
                Draws::new(random, POOLS).shuffle(&mut order.pools);
            }
            (Policy::Geo, _) => {
                self.append_most_specific(location, &mut order);
                order.append(default_pools, Because::Default);
                let unmentioned = allowed.unwrap_or_default().iter().filter(|pool| Some(**pool) != self.fallback_pool);
                order.append(unmentioned, Because::Route);
            }
        }
        order.append(&self.fallback_pool, Because::Fallback);
        PoolOrder { pools: order.pools, because: order.because.unwrap_or(Because::Route) }
    }

    fn append_most_specific(&self, location: &Location, order: &mut Draft<'_>) {
        for list in [Self::colo_list, Self::country_list, Self::region_list] {
            if let Some((list, because)) = list(self, location) {
                order.append(list.pools(), because);
            }
            if !order.pools.is_empty() {
                return;
            }
        }
    }

    fn colo_list(&self, location: &Location) -> Option<(&PoolList, Because)> {
        let colo = location.colo.as_deref()?.parse().ok()?;
        Some((self.colo_pools.get(&colo)?, Because::Colo(colo)))
    }

    fn country_list(&self, location: &Location) -> Option<(&PoolList, Because)> {
        let country = location.country.as_deref()?.parse().ok()?;
        Some((self.country_pools.get(&country)?, Because::Country(country)))
    }

    fn region_list(&self, location: &Location) -> Option<(&PoolList, Because)> {
        let region = region_of(location)?;
        Some((self.region_pools.get(&region)?, Because::Region(region)))
    }
}

/// An order in the making.
struct Draft<'a> {
    allowed: Option<&'a [PoolIndex]>,
    pools: Vec<PoolIndex>,
    because: Option<Because>,
}

impl Draft<'_> {
    /// Adds the pools that are allowed and not there yet; the first of all has `because` as its reason.
    fn append<'p>(&mut self, pools: impl IntoIterator<Item = &'p PoolIndex>, because: Because) {
        for pool in pools {
            if self.allowed.is_none_or(|allowed| allowed.contains(pool)) && !self.pools.contains(pool) {
                self.pools.push(*pool);
                self.because.get_or_insert(because);
            }
        }
    }
}

/// The pools that may serve a request, in the order in which they are tried.
// Invariant: no pool is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOrder {
    pools: Vec<PoolIndex>,
    because: Because,
}

impl PoolOrder {
    /// The pools, the one to try first first.
    #[must_use]
    pub fn pools(&self) -> &[PoolIndex] {
        &self.pools
    }

    /// Why the first pool is the first.
    #[must_use]
    pub fn because(&self) -> Because {
        self.because
    }
}

/// Why a pool is the first choice; displays as the part of the configuration that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The list of the data centre.
    Colo(Colo),
    /// The list of the client's country.
    Country(Country),
    /// The list of the client's region.
    Region(Region),
    /// No list speaks of the client: the default pools.
    Default,
    /// Nothing but the fallback pool is left.
    Fallback,
    /// Steering is off: the default pools as they are listed.
    Listed,
    /// The route's own list.
    Route,
    /// Chance.
    Random,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Colo(colo) => write!(f, "colo_pools.{colo}"),
            Self::Country(country) => write!(f, "country_pools.{country}"),
            Self::Region(region) => write!(f, "region_pools.{region}"),
            Self::Default => f.write_str("default_pools"),
            Self::Fallback => f.write_str("fallback_pool"),
            Self::Listed => f.write_str("listed order"),
            Self::Route => f.write_str("route"),
            Self::Random => f.write_str("random"),
        }
    }
}

/// Why something is no list of pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPoolList {
    /// There is no pool.
    Empty,
    /// A pool is there twice.
    Twice(PoolIndex),
}

impl fmt::Display for InvalidPoolList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a list of pools needs at least one",
            Self::Twice(_) => "a list names a pool once",
        })
    }
}

impl std::error::Error for InvalidPoolList {}

#[cfg(test)]
mod tests;
