//! `GET status`: what the isolate that answers knows and has seen.

use std::time::Duration;

use crate::forward::milliseconds;
use crate::memory::{Counters, LimitCounters, Memory, PurgeCounters};
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
    purges: PurgeStatus,
}

/// What the isolate that answers knows of purges.
#[derive(serde::Serialize)]
struct PurgeStatus {
    /// `known`; `unknown`, before the first question; `absent`, when the deployment has no binding for it; `unused`, when
    /// nobody can purge.
    log: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    /// What happened since is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// How many purges are known, one a target.
    targets: usize,
    isolate: PurgeCounters,
}

impl PurgeStatus {
    fn of(gateway: &Gateway, memory: &Memory, now: Duration) -> Self {
        let known = &memory.generations;
        let generation = known.generation();
        let log = match generation {
            _ if !gateway.has_purges => "unused",
            _ if known.is_absent() => "absent",
            Some(_) => "known",
            None => "unknown",
        };
        Self {
            log,
            generation: generation.map(|generation| generation.sequence),
            age_ms: known.age(now).map(milliseconds),
            targets: known.len(),
            isolate: memory.purge_counters,
        }
    }
}

#[derive(serde::Serialize)]
struct PoolStatus<'a> {
    name: &'a str,
    origins: Vec<&'a str>,
}

impl<'a> Status<'a> {
    pub(super) fn of(gateway: &'a Gateway, memory: &'a Memory, now: Duration) -> Self {
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
            purges: PurgeStatus::of(gateway, memory, now),
        }
    }
}
