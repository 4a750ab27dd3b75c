//! `GET status`: what the isolate that answers knows and has seen.

use crate::memory::{Counters, LimitCounters, Memory};
use crate::route::Gateway;

#[derive(serde::Serialize)]
pub(super) struct Health {
    pub(super) status: &'static str,
}

/// What `GET status` says. The counters are those of the isolate that answers, and say so.
#[derive(serde::Serialize)]
pub(super) struct Status<'a> {
    config: &'a str,
    routes: Vec<&'a str>,
    pools: Vec<PoolStatus<'a>>,
    isolate: &'a Counters,
    limits: LimitCounters,
}

#[derive(serde::Serialize)]
struct PoolStatus<'a> {
    name: &'a str,
    origins: Vec<&'a str>,
}

impl<'a> Status<'a> {
    pub(super) fn of(gateway: &'a Gateway, memory: &'a Memory) -> Self {
        let pools = gateway.pools.iter().map(|pool| PoolStatus {
            name: pool.name(),
            origins: pool.origins().iter().map(|origin| origin.name()).collect(),
        });
        Self {
            config: &gateway.version,
            routes: gateway.routes.iter().map(|route| route.name.as_str()).collect(),
            pools: pools.collect(),
            isolate: memory.counters(),
            limits: memory.limit_counters(),
        }
    }
}
