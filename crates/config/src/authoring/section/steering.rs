//! `[steering]`: which pools serve a client, in which order.

use std::collections::BTreeSet;

use super::File;
use crate::authoring::compile::Compiler;
use crate::authoring::names::{Pools, Reference};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{Field, List, Map};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{ColoCode, CountryCode, RegionCode};
use crate::compiled::{self, Policy, Position};

/// Pools in an order of preference.
type PoolList = List<Reference<Pools>, 1>;

table! {
    /// Which pools serve a client, in which order. Without this table the pools are tried in the order of the file.
    #[table(word = "table", example = "{ policy = \"geo\" }")]
    pub(super) struct Steering {
        /// What decides: `geo` (where the client is), `off` (the order of `default_pools`) or `random`.
        policy: Policy = "geo",
        /// The pools for clients of whom no other list speaks; they also stand behind every other list. If left out: all
        /// pools, in the order of the file.
        default_pools: Option<PoolList>,
        /// The last resort, behind all others.
        fallback_pool: Option<Reference<Pools>>,
        /// Pools for the clients of a region, by the codes of Cloudflare's load balancing.
        region_pools: Map<RegionCode, PoolList> = {},
        /// Pools for the clients of a country, by ISO 3166-1 code (`T1` is the Tor network). Wins over `region_pools`.
        country_pools: Map<CountryCode, PoolList> = {},
        /// Pools for whoever reaches a Cloudflare location, by the code of its airport. Wins over both.
        colo_pools: Map<ColoCode, PoolList> = {},
    }
}

choice!(Policy { Geo = "geo", Off = "off", Random = "random" });

impl Steering {
    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Steering> {
        let default_pools = match self.default_pools.value.as_ref()? {
            Some(list) => compiler.positions(list)?,
            None => (0..compiler.names.count("pool")).map(Position::try_from).collect::<Result<_, _>>().ok()?,
        };
        let fallback_pool = match self.fallback_pool.value.as_ref()? {
            Some(reference) => Some(compiler.position(reference)?),
            None => None,
        };
        Some(compiled::Steering {
            policy: *self.policy.get()?,
            default_pools,
            fallback_pool,
            region_pools: lists(&self.region_pools, |code| code.0.clone(), compiler)?,
            country_pools: lists(&self.country_pools, |code| code.0.clone(), compiler)?,
            colo_pools: lists(&self.colo_pools, |code| code.0.clone(), compiler)?,
        })
    }

    fn lists(&self) -> impl Iterator<Item = &PoolList> {
        let regions = self.region_pools.get().into_iter().flat_map(Map::placed).map(|(_, list, _)| list);
        let countries = self.country_pools.get().into_iter().flat_map(Map::placed).map(|(_, list, _)| list);
        let colos = self.colo_pools.get().into_iter().flat_map(Map::placed).map(|(_, list, _)| list);
        regions.chain(countries).chain(colos).chain(self.default_pools.written())
    }
}

/// Compiles the lists of one kind of place.
fn lists<K>(
    map: &Field<Map<K, PoolList>>,
    code: impl Fn(&K) -> String,
    compiler: &Compiler<'_>,
) -> Option<Vec<(String, Vec<Position>)>> {
    let entries = &map.get()?.entries;
    entries.iter().map(|(key, list)| Some((code(key.get()?), compiler.positions(list.get()?)?))).collect()
}

/// The place of a map that says something.
fn written<K>(map: &Field<Map<K, PoolList>>) -> Option<&Place> {
    map.get().filter(|entries| !entries.entries.is_empty()).map(|_| &map.place)
}

pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let Some(steering) = file.steering.get() else { return };
    if steering.policy.get() != Some(&Policy::Geo) {
        let maps = [
            ("region_pools", written(&steering.region_pools)),
            ("country_pools", written(&steering.country_pools)),
            ("colo_pools", written(&steering.colo_pools)),
        ];
        for (key, place) in maps.into_iter().filter_map(|(key, place)| Some((key, place?))) {
            let message = format!("`{key}` has no effect: only `policy = \"geo\"` asks where the client is");
            warnings.push(Problem::warning(place, message, format!("write `policy = \"geo\"`, or remove `{key}`")));
        }
    }
    if steering.default_pools.is_absent() {
        return;
    }
    let mut used: BTreeSet<&str> = steering.lists().flat_map(List::values).map(|pool| pool.name.as_str()).collect();
    used.extend(steering.fallback_pool.written().map(|pool| pool.name.as_str()));
    let routes = file.route.get().into_iter().flat_map(List::values);
    used.extend(routes.flat_map(|route| route.pools()).map(|pool| pool.name.as_str()));
    for pool in file.pool.get().into_iter().flat_map(List::values) {
        let Some(name) = pool.name.get().filter(|name| !used.contains(name.0.as_str())) else { continue };
        let message = format!("no request ever reaches the pool `{}`", name.0);
        let hint = format!("add `{}` to `default_pools` or another list of `[steering]`, or remove the pool", name.0);
        warnings.push(Problem::warning(&pool.name.place, message, hint));
    }
}
