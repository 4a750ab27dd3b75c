//! `[[pool]]`: origins that can stand in for each other.

use std::collections::BTreeMap;

use super::File;
use crate::authoring::compile::Compiler;
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{List, Reading, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{Name, OriginUrl};
use crate::compiled::{self, Balance};

table! {
    /// A group of origins that can stand in for each other.
    #[table(word = "pool", example = "[[pool]]")]
    pub(super) struct Pool {
        /// What the rest of the file calls it.
        name: Name,
        /// Which origin a request goes to first: `round_robin` (equal turns), `weighted` (turns by `weight`), `random` (by
        /// chance, by `weight`) or `ip_hash` (the same client to the same origin, by `weight`).
        balance: Balance = "round_robin",
        /// The origins. When one of them fails, an idempotent request is tried on another one.
        origins: List<Origin, 1>,
    }
}

table! {
    /// One server.
    #[table(word = "origin", example = "{ name = \"us-1\", url = \"https://us-1.example.com\" }")]
    pub(super) struct Origin {
        /// What the log calls it. Unique in its pool; the same server may stand in several pools.
        name: Name,
        /// Scheme, host and port. The path and query of each request are forwarded as they are.
        url: OriginUrl,
        /// Its share of the pool's requests, relative to the others; 1 if left out. Not with `balance = "round_robin"`.
        weight: Option<Whole<1, 1_000_000>>,
        /// What it can be asked for: a `primary` takes every request.
        role: Role = "primary",
    }
}

/// What an origin can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
}

choice!(Role { Primary = "primary" });

choice!(Balance { RoundRobin = "round_robin", Weighted = "weighted", Random = "random", IpHash = "ip_hash" });

pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    for pool in file.pool.get().into_iter().flat_map(List::values) {
        pool.check(reading);
    }
}

/// One name for two servers makes a log, and later a drain, mean either.
pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let mut servers: BTreeMap<&str, (&OriginUrl, &Place)> = BTreeMap::new();
    for origin in file.pool.get().into_iter().flat_map(List::values).flat_map(Pool::origins) {
        let (Some(name), Some(url)) = (origin.name.get(), origin.url.get()) else { continue };
        let (first, place) = *servers.entry(&name.0).or_insert((url, &origin.name.place));
        if first != url {
            let message = format!("two different servers have the name `{}`", name.0);
            let hint = "give each server a name of its own, so that the log tells them apart";
            warnings.push(Problem::warning(&origin.name.place, message, hint).beside(place, "the other one"));
        }
    }
}

impl Pool {
    fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.origins.get().into_iter().flat_map(List::values)
    }

    fn check(&self, reading: &mut Reading<'_>) {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for origin in self.origins() {
            if let Some(name) = origin.name.get() {
                let first = *seen.entry(&name.0).or_insert(&origin.name.place);
                if *first != origin.name.place {
                    let message = format!("two origins of this pool are named `{}`", name.0);
                    let problem = Problem::error(&origin.name.place, message, "give one of the two another name");
                    reading.problems.push(problem.beside(first, "the first one"));
                }
            }
            if origin.weight.written().is_some() && self.balance.get() == Some(&Balance::RoundRobin) {
                let hint = "write `balance = \"weighted\"` in this pool, or remove `weight`";
                reading.error(&origin.weight.place, "`weight` has no effect with `balance = \"round_robin\"`", hint);
            }
        }
    }

    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Pool> {
        Some(compiled::Pool {
            name: self.name.get()?.0.clone(),
            balance: *self.balance.get()?,
            origins: compiler.each(&self.origins, |origin, _| origin.compile())?,
        })
    }
}

impl Origin {
    fn compile(&self) -> Option<compiled::Origin> {
        self.role.get()?;
        Some(compiled::Origin {
            name: self.name.get()?.0.clone(),
            url: self.url.get()?.0.clone(),
            weight: self.weight.value?.map_or(Some(1), Whole::small)?,
        })
    }
}
