//! `[[route]]`: requests, and the policies that hold for them.

mod auth;
mod invalidate;
mod overlap;
mod usage;

use std::collections::BTreeMap;

use tidegate_gateway::forward::is_reserved;

use super::File;
use super::pool::Role;
use crate::authoring::compile::{Compiler, all, milliseconds};
use crate::authoring::names::{Caches, Issuers, Limits, Pools, Reference};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{List, Map, Reading, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{FieldValue, HOUR, HeaderName, HostName, Method, Name, PathPattern, Span};
use crate::compiled::{self, Serve};
use auth::{Auth, TokenAuth};
use invalidate::Invalidate;

table! {
    /// Requests, and the policies that hold for them. The order of routes means nothing: the most specific one wins.
    #[table(word = "route", example = "[[route]]")]
    pub(super) struct Route {
        /// What the log calls it.
        name: Name,
        /// Which requests it is for.
        r#match: Match,
        /// Who may use it: `"none"` lets everybody in, a table says whose tokens open it. Always written out.
        auth: Auth,
        /// The limits that hold. A request passes all of them, or none is spent.
        limits: List<Reference<Limits>> = [],
        /// The cache that keeps its replies.
        cache: Option<Reference<Caches>>,
        /// What its successful writes purge from every cache.
        invalidate: Option<Invalidate>,
        /// Who answers: an `origin`, or the gateway itself: `usage` tells the caller as JSON what is left of the route's
        /// limits, and charges nothing.
        serve: Serve = "origin",
        /// Where its requests go.
        origin: OriginRules = {},
    }
}

table! {
    /// Which requests a route is for.
    #[table(word = "match", example = "{ path = \"/api/{*rest}\" }")]
    pub(super) struct Match {
        /// A host, or `*.example.com` for every host below it. If left out: every host.
        host: Option<HostName>,
        /// A path: `{id}` stands for one segment, `{*rest}` at the end for all that remain.
        path: PathPattern,
        /// The methods. If left out: every method. `HEAD` goes where `GET` goes.
        methods: Option<List<Method, 1>>,
        /// Headers that a request must have, with these very values.
        headers: Map<HeaderName, FieldValue> = {},
    }
}

table! {
    /// Where the requests of a route go.
    #[table(word = "table", example = "{ timeout = \"10s\", retries = 1 }")]
    pub(super) struct OriginRules {
        /// The only pools that may serve it. If left out: whatever `[steering]` says.
        pools: Option<List<Reference<Pools>, 1>>,
        /// Which origins of a pool it may use: `primary`.
        role: Role = "primary",
        /// How long an origin may take until its response header is complete, at most `"1h"`. While the client
        /// sends a body of more than 14 kB, it counts only what the origin takes for each part of it.
        timeout: Span<1, HOUR> = "30s",
        /// How many other origins an idempotent request without a body may try, at most 5.
        retries: Whole<0, 5> = 1,
    }
}

choice!(Serve { Origin = "origin", Usage = "usage" });

impl Route {
    /// The path, with its place.
    pub(super) fn path(&self) -> Option<(&PathPattern, &Place)> {
        let path = &self.r#match.get()?.path;
        Some((path.get()?, &path.place))
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &Reference<Pools>> {
        let rules = self.origin.get().and_then(|rules| rules.pools.written());
        rules.into_iter().flat_map(List::values)
    }

    pub(super) fn limits(&self) -> impl Iterator<Item = &Reference<Limits>> {
        self.limits.get().into_iter().flat_map(List::values)
    }

    pub(super) fn cache(&self) -> Option<(&Reference<Caches>, &Place)> {
        Some((self.cache.written()?, &self.cache.place))
    }

    pub(super) fn issuers(&self) -> impl Iterator<Item = &Reference<Issuers>> {
        self.token_auth().and_then(|auth| auth.any.get()).into_iter().flat_map(List::values)
    }

    fn token_auth(&self) -> Option<&TokenAuth> {
        match self.auth.get()? {
            Auth::Anyone => None,
            Auth::Token(auth) => Some(auth),
        }
    }

    /// Without a token there are no claims to count or to partition by.
    fn check_claims(&self, file: &File, reading: &mut Reading<'_>) {
        if !matches!(self.auth.get(), Some(Auth::Anyone)) {
            return;
        }
        let hint = "write `auth = { any = [\"issuer\"] }`, or use a source that every request has, such as `ip`";
        let limits = file.limit.get();
        for (reference, place) in self.limits.get().into_iter().flat_map(List::placed) {
            let named = |limit: &&super::Limit| limit.name.get().is_some_and(|name| name.0 == reference.name);
            let claim = limits.and_then(|limits| limits.values().find(named)).and_then(super::Limit::claim);
            if let Some(claim) = claim {
                let message = format!("the limit `{}` {claim}, but nobody shows a token here", reference.name);
                reading
                    .problems
                    .push(Problem::error(place, message, hint).beside(&self.auth.place, "everybody is let in"));
            }
        }
        let Some((reference, place)) = self.cache() else { return };
        let named = |cache: &&super::Cache| cache.name.get().is_some_and(|name| name.0 == reference.name);
        let claim = file.cache.get().and_then(|caches| caches.values().find(named)).and_then(super::Cache::claim);
        if let Some(claim) = claim {
            let message =
                format!("the cache `{}` is partitioned by `{claim}`, but nobody shows a token here", reference.name);
            reading.problems.push(Problem::error(place, message, hint).beside(&self.auth.place, "everybody is let in"));
        }
    }

    /// RFC 9110, section 9.3.1: only replies to GET, and to HEAD from them, are kept.
    fn check_cache(&self, reading: &mut Reading<'_>) {
        let methods = self.r#match.get().map(|matches| &matches.methods);
        let (Some((_, place)), Some(methods)) = (self.cache(), methods) else { return };
        let Some(listed) = methods.written().filter(|listed| listed.values().count() == listed.items.len()) else {
            return;
        };
        if !listed.values().any(|method| matches!(method.0.as_str(), "GET" | "HEAD")) {
            let message = "the cache is never used: only replies to GET and HEAD are kept";
            let hint = "remove `cache`, or add `\"GET\"` to `methods`";
            reading.problems.push(Problem::error(place, message, hint).beside(&methods.place, "the methods"));
        }
    }

    /// The origin believes these headers: none may have two meanings, or be lost on the way.
    fn check_forward(&self, reading: &mut Reading<'_>) {
        let forward = self.token_auth().and_then(|auth| auth.forward.get());
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for (claim, header, place) in forward.into_iter().flat_map(Map::placed) {
            let name = header.0.as_str();
            if is_reserved(name) {
                let message = format!("the header `{name}` belongs to HTTP or to the gateway itself");
                reading.error(place, message, format!("choose another name, such as `x-token-{}`", slug(&claim.0)));
            } else if name.contains('_') {
                // CGI and its heirs read `x_user_id` and `x-user-id` as one: a client could send the other.
                let hint = format!("write `{}`", name.replace('_', "-"));
                reading.error(place, "many servers drop headers with `_`, or mistake them for others", hint);
            }
            let first = *seen.entry(name).or_insert(place);
            if first != place {
                let problem =
                    Problem::error(place, format!("two claims go to the header `{name}`"), "use another header");
                reading.problems.push(problem.beside(first, "the first one"));
            }
        }
    }

    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Route> {
        let matches = self.r#match.get()?;
        let methods = match matches.methods.value.as_ref()? {
            Some(methods) => all(methods, |method| method.0.clone())?,
            None => Vec::new(),
        };
        let headers = matches.headers.get()?.entries.iter();
        let origin = self.origin.get()?;
        origin.role.get()?;
        let pools = match origin.pools.value.as_ref()? {
            Some(pools) => Some(compiler.positions(pools)?),
            None => None,
        };
        let cache = match self.cache.value.as_ref()? {
            Some(cache) => Some(compiler.position(cache)?),
            None => None,
        };
        let invalidation = match self.invalidate.value.as_ref()? {
            Some(invalidate) => Some(invalidate.compile(compiler)?),
            None => None,
        };
        Some(compiled::Route {
            name: self.name.get()?.0.clone(),
            host: matches.host.value.as_ref()?.as_ref().map(|host| host.0.to_string()),
            path: matches.path.get()?.text.clone(),
            methods,
            headers: headers
                .map(|(name, value)| Some((name.get()?.0.clone(), value.get()?.0.clone())))
                .collect::<Option<_>>()?,
            auth: self.auth.get()?.compile(compiler)?,
            limits: compiler.positions(self.limits.get()?)?,
            cache,
            invalidation,
            serve: *self.serve.get()?,
            pools,
            timeout: milliseconds(origin.timeout.get()?.0)?,
            retries: u8::try_from(origin.retries.get()?.0).ok()?,
        })
    }
}

/// A claim's name as a part of a header's.
fn slug(claim: &str) -> String {
    let last = claim.rsplit(['/', ':', '.']).next().unwrap_or_default();
    let slug: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
    if slug.is_empty() { "claim".to_owned() } else { slug.to_ascii_lowercase() }
}

pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    for route in file.route.get().into_iter().flat_map(List::values) {
        route.check_claims(file, reading);
        route.check_cache(reading);
        route.check_forward(reading);
    }
    invalidate::check(file, reading);
    overlap::check(file, reading);
    usage::check(file, reading);
}

/// A request that goes on after its limit has forgotten it makes room for one too many.
pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    for route in file.route.get().into_iter().flat_map(List::values) {
        let Some(origin) = route.origin.get().filter(|_| route.serve.get() == Some(&Serve::Origin)) else { continue };
        let (Some(timeout), Some(retries)) = (origin.timeout.get(), origin.retries.get()) else { continue };
        let attempts = u32::try_from(retries.0).unwrap_or_default().saturating_add(1);
        let longest = timeout.0.saturating_mul(attempts);
        for (reference, place) in route.limits.get().into_iter().flat_map(List::placed) {
            let named = |limit: &&super::Limit| limit.name.get().is_some_and(|name| name.0 == reference.name);
            let limit = file.limit.get().and_then(|limits| limits.values().find(named));
            let Some(counts) = limit.and_then(super::Limit::timeout).filter(|counts| *counts < longest) else {
                continue;
            };
            let message = format!(
                "a request may wait {} s for its origins, but `{}` counts it for {} s only",
                longest.as_secs(),
                reference.name,
                counts.as_secs()
            );
            let hint =
                format!("write `timeout = \"{}s\"` or more in the limit, or less in `origin`", longest.as_secs());
            warnings.push(Problem::warning(place, message, hint));
        }
    }
}
