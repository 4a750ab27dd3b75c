//! The rules of precedence, written as a comparison of all routes and not as a search: slow and plain.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::*;
use crate::path::tests::model;

/// A request with the segments that an origin reads.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) segments: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Route(usize),
    NotFound,
    MethodNotAllowed(String),
    Options(String),
}

/// How specific the host is: the very host, the longest suffix, any.
fn host_rank(route: &RouteMatch, host: &str) -> Option<(bool, usize)> {
    let Some(pattern) = route.host().map(ToString::to_string) else {
        return Some((false, 0));
    };
    match pattern.strip_prefix('*') {
        Some(suffix) => (host.ends_with(suffix) && host.len() > suffix.len()).then_some((false, suffix.len())),
        None => (pattern == host).then_some((true, 0)),
    }
}

/// Segment by segment 3 for a literal, 2 for a parameter, 1 for an end, 0 for a rest.
fn path_rank(route: &RouteMatch, segments: &[String]) -> Option<Vec<u8>> {
    let pattern = route.path().to_string();
    let mut rank = Vec::new();
    let mut remaining = segments.iter();
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if part.starts_with("{*") {
            rank.push(0);
            return Some(rank);
        }
        let segment = remaining.next()?;
        if part.starts_with('{') {
            rank.push(2);
        } else if model::decode_once(part) == *segment {
            rank.push(3);
        } else {
            return None;
        }
    }
    rank.push(1);
    remaining.next().is_none().then_some(rank)
}

/// 2 for a listed method, 1 for HEAD where GET is listed, 0 for any method.
fn method_rank(route: &RouteMatch, method: &str) -> Option<u8> {
    let lists = |method: &str| route.methods().iter().any(|listed| listed == method);
    if lists(method) {
        Some(2)
    } else if method == "HEAD" && lists("GET") {
        Some(1)
    } else if route.methods().is_empty() && method != "TRACE" && method != "CONNECT" {
        Some(0)
    } else {
        None
    }
}

fn conditions_met(route: &RouteMatch, headers: &[(String, String)]) -> bool {
    route.headers().iter().all(|(name, value)| headers.contains(&(name.clone(), value.clone())))
}

pub(super) fn find(routes: &[RouteMatch], request: &Request) -> Outcome {
    let place = |route: &RouteMatch| Some((host_rank(route, &request.host)?, path_rank(route, &request.segments)?));
    let Some(best) = routes.iter().filter_map(place).max() else {
        return Outcome::NotFound;
    };
    let there: Vec<_> = routes.iter().enumerate().filter(|(_, route)| place(route).as_ref() == Some(&best)).collect();
    let taking: Vec<_> = there.iter().filter(|(_, route)| method_rank(route, &request.method).is_some()).collect();
    if taking.is_empty() {
        let allow = allow(there.iter().map(|(_, route)| *route));
        return if request.method == "OPTIONS" { Outcome::Options(allow) } else { Outcome::MethodNotAllowed(allow) };
    }
    let met = taking.into_iter().filter(|(_, route)| conditions_met(route, &request.headers));
    let winner = met.max_by_key(|(_, route)| (method_rank(route, &request.method), route.headers().len()));
    winner.map_or(Outcome::NotFound, |(index, _)| Outcome::Route(*index))
}

fn allow<'a>(routes: impl Iterator<Item = &'a RouteMatch>) -> String {
    let mut methods = BTreeSet::from(["OPTIONS".to_owned()]);
    for route in routes {
        methods.extend(route.methods().iter().cloned());
        if route.methods().is_empty() {
            methods.extend(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"].map(str::to_owned));
        }
    }
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    let mut methods: Vec<_> = methods.into_iter().collect();
    // HEAD directly after GET.
    methods.sort_by_key(|method| {
        if method == "HEAD" { ("GET".to_owned(), Reverse(false)) } else { (method.clone(), Reverse(true)) }
    });
    methods.join(", ")
}

/// Whether some request of a small world meets both routes and prefers neither. The world has all methods, and for the
/// headers `x` and `y` all values that the generated routes ask for; host and path are the first route's own.
pub(super) fn tie(first: &RouteMatch, second: &RouteMatch) -> bool {
    if first.host() != second.host() || first.path().shape() != second.path().shape() {
        return false;
    }
    let contains = |all: &RouteMatch, some: &RouteMatch| {
        some.headers().iter().all(|(name, value)| all.headers().get(name) == Some(value))
    };
    let header_decides = contains(first, second) != contains(second, first);
    ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "OTHER"].into_iter().any(|method| {
        let ranks = (method_rank(first, method), method_rank(second, method));
        // Both follow GET only where both list GET, and are seen to tie there.
        ranks.0.is_some()
            && ranks.0 == ranks.1
            && !header_decides
            && values().any(|headers| conditions_met(first, &headers) && conditions_met(second, &headers))
    })
}

fn values() -> impl Iterator<Item = Vec<(String, String)>> {
    (0..27).map(|number| {
        let value = |name: &str, digit: u32| (digit > 0).then(|| (name.to_owned(), digit.to_string()));
        [value("x", number % 3), value("y", number / 3 % 3), value("z", number / 9)].into_iter().flatten().collect()
    })
}
