//! Which route answers a request: host, then path, then method, then header conditions.
//!
//! - **Host**: routes for this very host, then those for `*.suffix` (the longest suffix first), then those without a host.
//! - **Path**: segment by segment a literal beats a parameter, and a parameter beats `{*rest}`; the first segment that
//!   differs decides. A trailing slash is not significant.
//! - **Method**: a route that lists the method beats one that lists `GET` (for `HEAD`), which beats one for any method.
//! - **Header conditions**: the route with more of them wins.
//!
//! The first host whose routes have a matching path decides, and its most specific path decides. When no route there takes
//! the method or the headers, the request is refused; falling through to a less specific path or host would lend it another
//! route's policy. Two routes that could tie are a [`Conflict`], so the order of the routes means nothing.

mod conflict;
mod host;
mod pattern;
mod resource;
mod route;
#[cfg(test)]
mod tests;
mod tree;

pub use conflict::{Conflict, Why};
pub use host::{HostPattern, InvalidHost};
pub use pattern::{InvalidPattern, Parameters, Pattern};
pub use route::{InvalidRouteMatch, RouteMatch};

use crate::path::NormalPath;
use resource::{Choice, Resource};
use tree::{Map, Node};

/// The routes, arranged so that finding one costs about the length of the path and not the number of routes.
#[derive(Debug)]
pub struct Matcher {
    /// By host, in lower case.
    hosts: Map<Node>,
    /// By what follows `*.`, in lower case.
    subdomains: Map<Node>,
    any_host: Node,
    /// By the route's index.
    patterns: Vec<Pattern>,
}

/// What the routes say about a request.
#[derive(Debug, Clone)]
pub enum Found<'a> {
    /// A route answers.
    Route {
        /// The route's position in the list that the matcher was made from.
        index: usize,
        /// What the path's parameters stand for.
        parameters: Parameters<'a>,
    },
    /// No route has such a host and path, or none of those with the method has its header conditions met.
    NotFound,
    /// There are routes for the path, but not for the method (RFC 9110, section 15.5.6).
    MethodNotAllowed {
        /// The value of the `Allow` field, such as `GET, HEAD, OPTIONS`.
        allow: String,
    },
    /// An `OPTIONS` request that no route takes: the gateway answers it from the routes (RFC 9110, section 9.3.7).
    Options {
        /// The value of the `Allow` field.
        allow: String,
    },
}

impl Matcher {
    /// Arranges the routes; [`Found::Route`] names them by their position here.
    ///
    /// # Errors
    /// When two routes could both win a request. Every such route is named, if not together with each of its rivals.
    pub fn new(routes: &[RouteMatch]) -> Result<Self, Vec<Conflict>> {
        let conflicts = conflict::conflicts(routes);
        if conflicts.is_empty() { Ok(Self::of_checked(routes)) } else { Err(conflicts) }
    }

    /// Arranges routes that [`Matcher::new`] has accepted before, such as those of a compiled configuration: no isolate
    /// looks for conflicts again.
    #[must_use]
    pub fn of_checked(routes: &[RouteMatch]) -> Self {
        let mut matcher = Self {
            hosts: Map::default(),
            subdomains: Map::default(),
            any_host: Node::default(),
            patterns: routes.iter().map(|route| route.path().clone()).collect(),
        };
        for (index, route) in routes.iter().enumerate() {
            let root = match route.host() {
                None => &mut matcher.any_host,
                Some(host) => match host.suffix() {
                    None => matcher.hosts.entry(host.name().into()).or_default(),
                    Some(suffix) => matcher.subdomains.entry(suffix.into()).or_default(),
                },
            };
            root.place(route.path()).add(index, route);
        }
        matcher
    }

    /// The route that answers a request, if any.
    ///
    /// `host` is a host as in the `Host` field: in any case, with or without a port. A malformed one matches no route, not
    /// even a route without a host. `header` returns the value of a field by its lower-case name; it is only asked for
    /// fields that a condition of a route for this path and method names.
    pub fn find<'a>(
        &'a self,
        host: &str,
        path: &'a NormalPath,
        method: &str,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Found<'a> {
        let Some(resource) = self.resource(host, path, &mut 0) else {
            return Found::NotFound;
        };
        match resource.choose(method, header) {
            Choice::Route(index) => match self.patterns.get(index) {
                Some(pattern) => Found::Route { index, parameters: Parameters::new(pattern, path) },
                None => Found::NotFound,
            },
            Choice::ConditionsUnmet => Found::NotFound,
            Choice::NoSuchMethod if method == "OPTIONS" => Found::Options { allow: resource.allow() },
            Choice::NoSuchMethod => Found::MethodNotAllowed { allow: resource.allow() },
        }
    }

    /// The routes that share the most specific host and path. `visited` grows by the number of nodes that were looked at.
    fn resource(&self, host: &str, path: &NormalPath, visited: &mut usize) -> Option<&Resource> {
        let host = host::canonical(host)?;
        let exact = self.hosts.get(host.as_ref());
        let suffixes = host::suffixes(&host).filter_map(|suffix| self.subdomains.get(suffix));
        let mut roots = exact.into_iter().chain(suffixes).chain([&self.any_host]);
        roots.find_map(|root| root.find(path.relative(), visited))
    }
}
