//! What a configuration becomes: routes with their policies, every reference resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::Rules;
use tidegate_jwt::{KeySet, Policy};
use tidegate_rate_limit::Rate;
use tidegate_steering::{Pool, PoolIndex, Steering};

use crate::forward::Protected;
use crate::matching::{Conflict, Matcher, RouteMatch};
use crate::source::Source;

/// Everything that the Worker knows before its first request.
#[derive(Debug)]
pub struct Gateway {
    /// A short text that changes whenever the configuration does; shown in the log and by `status`.
    pub version: String,
    /// The settings that hold for every request.
    pub settings: Settings,
    /// Which pools serve a client, in which order.
    pub steering: Steering,
    /// The pools, in the order that [`PoolIndex`] counts.
    pub pools: Vec<Pool>,
    /// The routes, in the order of the file.
    pub routes: Vec<Rc<Route>>,
    pub(crate) matcher: Matcher,
    /// Whether any route has a cache.
    pub(crate) has_caches: bool,
}

/// The `[gateway]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The lower-case name of the one header trusted for the client's address.
    pub client_ip: String,
    /// The operators' endpoints; `None` when the file has no `admin`.
    pub admin: Option<Admin>,
    /// Whether replies carry `Server-Timing`.
    pub server_timing: bool,
    /// Whether every reply carries `X-Request-Id`; replies that report an error always do.
    pub request_id: bool,
}

/// Where operators ask, and the secret that they show.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The normalised path under which the endpoints live, without a trailing slash.
    pub path: String,
    /// The name of the Worker secret that holds the bearer token; without one only `health` answers.
    pub token: Option<String>,
}

/// One `[[route]]` with everything it refers to.
#[derive(Debug)]
pub struct Route {
    /// The name in the file; shown in the log, never to clients.
    pub name: String,
    /// Which requests it serves.
    pub matches: RouteMatch,
    /// Who may use it.
    pub auth: Auth,
    /// How often.
    pub limits: Option<RouteLimits>,
    /// Whether and how replies are kept.
    pub cache: Option<Rc<Cache>>,
    /// Where requests go.
    pub origin: OriginPolicy,
    pub(crate) protected: Protected,
}

/// Who may use a route.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody: `auth = "none"`, always written out.
    Anyone,
    /// Whoever shows a token of one of these issuers.
    Token(TokenAuth),
}

/// The terms on which a token opens a route.
#[derive(Clone, Debug)]
pub struct TokenAuth {
    /// The issuers whose tokens are accepted; never empty.
    pub issuers: Vec<Rc<Issuer>>,
    /// Every one of these scopes is needed.
    pub scopes: Vec<String>,
    /// Claims that the origin gets as headers, as (claim, lower-case header).
    pub forward: Vec<(String, String)>,
    /// Whether the origin sees the client's `Authorization` field.
    pub keep_authorization: bool,
}

/// One `[[issuer]]`.
#[derive(Debug)]
pub struct Issuer {
    /// The name in the file.
    pub name: String,
    /// What a token of this issuer must say.
    pub policy: Policy,
    /// Where its keys come from.
    pub keys: Keys,
    /// The cookie that may hold the token when there is no `Authorization` field.
    pub cookie: Option<String>,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum Keys {
    /// Written in the file, or in a file beside it.
    Fixed(Rc<KeySet>),
    /// A JWK Set behind this URL.
    Url(String),
    /// A Worker secret of this name: a JWK Set when it starts with `{`, else the bytes of one HMAC key.
    Secret(String),
}

/// One `[[limit]]`.
#[derive(Debug)]
pub struct Limit {
    /// The name in the file; clients see it in the RateLimit fields.
    pub name: String,
    /// What is counted apart from what.
    pub key: Vec<Source>,
    /// How much.
    pub rate: Rate,
    /// The direction when the Durable Object does not answer.
    pub when_unreachable: WhenUnreachable,
}

/// What an unreachable limiter means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// The request passes.
    Open,
    /// The request is refused with 503.
    Closed,
}

/// The limits of one route, and the Durable Object that holds them.
#[derive(Clone, Debug)]
pub struct RouteLimits {
    /// In the order of the file; never empty.
    pub limits: Vec<Rc<Limit>>,
    /// The first part of the object's name: shared by all limits that some route decides together.
    pub group: String,
    /// The sources that every limit of the group counts by: their values are the rest of the object's name.
    pub shard: Vec<Source>,
}

/// One `[[cache]]`.
#[derive(Debug)]
pub struct Cache {
    /// The name in the file.
    pub name: String,
    /// How long replies stay fresh.
    pub rules: Rules,
    /// The query parameters that choose the reply; `None`: the whole query, as sent.
    pub query: Option<Vec<String>>,
    /// The request headers that choose the reply, lower-case.
    pub headers: Vec<String>,
    /// Who shares a reply; `None`: on a route with a token each caller has replies of its own, elsewhere all share.
    pub partition: Option<Vec<Source>>,
}

/// Where a route's requests go.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    /// The only pools that may serve the route, in order; `None`: whatever steering says.
    pub pools: Option<Vec<PoolIndex>>,
    /// How long an origin may take until its response header is complete.
    pub timeout: Duration,
    /// How many other origins an idempotent request may try.
    pub retries: u8,
}

/// What [`Gateway::new`] is made from; the fields are those of [`Gateway`].
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is documented where it ends up")]
pub struct Parts {
    pub version: String,
    pub settings: Settings,
    pub steering: Steering,
    pub pools: Vec<Pool>,
    pub routes: Vec<RouteParts>,
}

/// What a [`Route`] is made from.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is documented where it ends up")]
pub struct RouteParts {
    pub name: String,
    pub matches: RouteMatch,
    pub auth: Auth,
    pub limits: Vec<Rc<Limit>>,
    pub cache: Option<Rc<Cache>>,
    pub origin: OriginPolicy,
}

impl Gateway {
    /// Builds the matcher and finds the Durable Object of each route's limits.
    ///
    /// # Errors
    /// Every pair of routes that could both win one request.
    pub fn new(parts: Parts) -> Result<Self, Vec<Conflict>> {
        let matches: Vec<RouteMatch> = parts.routes.iter().map(|route| route.matches.clone()).collect();
        let matcher = Matcher::new(&matches)?;
        let groups = Groups::of(&parts.routes);
        let Parts { version, settings, steering, pools, routes } = parts;
        let has_caches = routes.iter().any(|route| route.cache.is_some());
        let claims = Protected::claim_headers(routes.iter().map(|route| &route.auth));
        let routes = routes.into_iter().map(|route| Rc::new(groups.resolve(route, &claims))).collect();
        Ok(Self { version, settings, steering, pools, routes, matcher, has_caches })
    }
}

/// Limits that some route decides together live in one object, because only one object can take all or nothing.
struct Groups {
    /// From the name of a limit to the name of its group: the smallest name among the limits it is decided with.
    group_of: BTreeMap<String, String>,
    /// From a group to the sources that all of its limits count by.
    shards: BTreeMap<String, Vec<Source>>,
}

impl Groups {
    fn of(routes: &[RouteParts]) -> Self {
        let mut group_of: BTreeMap<String, String> = BTreeMap::new();
        for route in routes {
            let names = route.limits.iter().map(|limit| limit.name.clone());
            let members: Vec<String> = names.map(|name| group_of.entry(name.clone()).or_insert(name).clone()).collect();
            if let Some(smallest) = members.iter().min().cloned() {
                for group in group_of.values_mut().filter(|group| members.contains(group)) {
                    group.clone_from(&smallest);
                }
            }
        }
        let mut shards: BTreeMap<String, Vec<Source>> = BTreeMap::new();
        for limit in routes.iter().flat_map(|route| &route.limits) {
            if let Some(group) = group_of.get(&limit.name) {
                shards
                    .entry(group.clone())
                    .and_modify(|shard| shard.retain(|source| limit.key.contains(source)))
                    .or_insert_with(|| limit.key.clone());
            }
        }
        for shard in shards.values_mut() {
            shard.sort();
            shard.dedup();
        }
        Self { group_of, shards }
    }

    fn resolve(&self, parts: RouteParts, claims: &Rc<BTreeSet<String>>) -> Route {
        let RouteParts { name, matches, auth, limits, cache, origin } = parts;
        let group = limits.first().and_then(|limit| self.group_of.get(&limit.name)).cloned();
        let limits = group.map(|group| {
            let shard = self.shards.get(&group).cloned().unwrap_or_default();
            RouteLimits { limits, group, shard }
        });
        let protected = Protected::of(&auth, claims);
        Route { name, matches, auth, limits, cache, origin, protected }
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
