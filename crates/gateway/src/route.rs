//! What a configuration becomes: routes with their policies, every reference resolved.

mod cost;
mod group;
mod invalidation;
mod limit;
mod tag;

use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::Rules;
use tidegate_jwt::{KeySet, Policy};
use tidegate_steering::{Pool, PoolIndex, Steering};

use crate::forward::Protected;
use crate::matching::{Matcher, Parameters, RouteMatch};
use crate::path::NormalPath;
use crate::source::Source;

pub use cost::Cost;
use group::Groups;
pub use group::RouteLimits;
pub use invalidation::{Invalidation, Within};
pub use limit::{Limit, Override, Percent};
pub use tag::{InvalidTag, TagTemplate};

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
    /// Whether anybody can purge. Otherwise the purge log is never asked.
    pub(crate) has_purges: bool,
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
    /// Which caches of the platform are used.
    pub cache_backend: CacheBackend,
}

/// Which caches of the platform keep stored responses, beside the isolates' memory and the Durable Objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheBackend {
    /// The Cache API: a store in each location.
    #[default]
    CacheApi,
    /// The Workers Cache as well: copies of what the objects of global caches keep, in all locations.
    WorkersCache,
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
    /// What its writes purge.
    pub invalidation: Option<Invalidation>,
    /// Who answers.
    pub serve: Serve,
    /// Where requests go that an origin answers.
    pub origin: OriginPolicy,
    pub(crate) protected: Protected,
}

/// Who answers the requests of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serve {
    /// An origin.
    #[default]
    Origin,
    /// The gateway: it tells the caller what is left of the route's limits, and charges nothing.
    Usage,
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

/// One `[[cache]]`.
#[derive(Debug)]
pub struct Cache {
    /// The name in the file.
    pub name: String,
    /// How far its responses are shared.
    pub scope: Scope,
    /// How long replies stay fresh.
    pub rules: Rules,
    /// The query parameters that choose the reply; `None`: the whole query, as sent.
    pub query: Option<Vec<String>>,
    /// The request headers that choose the reply, lower-case.
    pub headers: Vec<String>,
    /// Who shares a reply; `None`: on a route with a token each caller has replies of its own, elsewhere all share.
    pub partition: Option<Vec<Source>>,
    /// The tags of every reply, beside those that its origin gives it.
    pub tags: Vec<TagTemplate>,
}

/// How far stored responses are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the memory of one isolate.
    Isolate,
    /// In one Cloudflare location.
    Colo,
    /// Everywhere.
    Global,
}

/// Where a route's requests go.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    /// The only pools that may serve the route, in order; `None`: whatever steering says.
    pub pools: Option<Vec<PoolIndex>>,
    /// How long an origin may take until its response header is complete, from when it has the whole request; and for
    /// each part of a body.
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
    pub invalidation: Option<Invalidation>,
    pub serve: Serve,
    pub origin: OriginPolicy,
}

impl Route {
    /// What the parameters of the route's path stand for in a path that it matches.
    #[must_use]
    pub fn parameters<'a>(&'a self, path: &'a NormalPath) -> Parameters<'a> {
        Parameters::new(self.matches.path(), path)
    }
}

impl Gateway {
    /// Arranges the routes, which [`Matcher::new`] must have accepted, and finds the Durable Object of each route's limits.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let matches: Vec<RouteMatch> = parts.routes.iter().map(|route| route.matches.clone()).collect();
        let matcher = Matcher::of_checked(&matches);
        let groups = Groups::of(parts.routes.iter().map(|route| route.limits.as_slice()));
        let Parts { version, settings, steering, pools, routes } = parts;
        let has_caches = routes.iter().any(|route| route.cache.is_some());
        let claims = Protected::claim_headers(routes.iter().map(|route| &route.auth));
        let resolve = |parts: RouteParts| {
            let RouteParts { name, matches, auth, limits, cache, invalidation, serve, origin } = parts;
            let protected = Protected::of(&auth, &claims);
            let limits = groups.resolve(limits);
            Rc::new(Route { name, matches, auth, limits, cache, invalidation, serve, origin, protected })
        };
        let routes: Vec<Rc<Route>> = routes.into_iter().map(resolve).collect();
        let has_purges = settings.admin.as_ref().is_some_and(|admin| admin.token.is_some())
            || routes.iter().any(|route| route.invalidation.is_some());
        Self { version, settings, steering, pools, routes, matcher, has_caches, has_purges }
    }
}
