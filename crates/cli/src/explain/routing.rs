//! Which route answers, and why not the near misses.

use tidegate_gateway::matching::{Found, Matcher, Pattern, RouteMatch};
use tidegate_gateway::path::NormalPath;
use tidegate_gateway::route::{Gateway, Route};

use super::{Lines, Request};

/// The most near misses that help anybody.
const MOST_MISSES: usize = 5;

/// Says which route answers.
pub(super) fn explain<'g>(
    gateway: &'g Gateway,
    request: &Request,
    path: &NormalPath,
    lines: &mut Lines,
) -> Option<&'g Route> {
    let matches: Vec<RouteMatch> = gateway.routes.iter().map(|route| route.matches.clone()).collect();
    // The gateway was made from the same routes: they have no conflicts.
    let matcher = Matcher::new(&matches).ok()?;
    let found = request.find(&matcher, path);
    let winner = match &found {
        Found::Route { index, .. } => gateway.routes.get(*index).map(|route| &**route),
        _ => None,
    };
    match &found {
        Found::Route { parameters, .. } => {
            let route = winner?;
            lines.add("route", format!("{}: {}", route.name, words(&route.matches)));
            lines.add_all("", parameters.iter().map(|(name, value)| format!("{{{name}}} = {value:?}")));
        }
        Found::NotFound => lines.add("route", "none: answered with 404"),
        Found::MethodNotAllowed { allow } => {
            lines.add("route", format!("none for {}: answered with 405, Allow: {allow}", request.method));
        }
        Found::Options { allow } => {
            lines.add("route", format!("none for OPTIONS: answered with 204, Allow: {allow}"));
        }
    }
    let is_lost = matches!(found, Found::NotFound);
    lines.add_all("", near_misses(gateway, winner, is_lost, request, path));
    winner
}

/// A route's match in words.
fn words(matches: &RouteMatch) -> String {
    let mut parts = vec![format!("path {}", matches.path())];
    if let Some(host) = matches.host() {
        parts.insert(0, format!("host {host}"));
    }
    if !matches.methods().is_empty() {
        parts.push(matches.methods().join(", "));
    }
    parts.extend(matches.headers().iter().map(|(name, value)| format!("header {name}: {value}")));
    parts.join(", ")
}

/// What keeps a route from answering, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Miss {
    /// It fits, and another one fits better.
    LessSpecific,
    Header,
    Method,
    Host,
    Path,
}

impl Miss {
    /// Each condition of a route is asked of the gateway's matcher by itself; more than one that fails is no near miss.
    fn of(matches: &RouteMatch, request: &Request, path: &NormalPath) -> Option<Self> {
        let (methods, headers) = (matches.methods().to_vec(), matches.headers().clone());
        let anywhere = Pattern::parse("/{*rest}").ok()?;
        let only = |host, path, methods: Vec<String>, headers| RouteMatch::new(host, path, methods, headers).ok();
        let none = || std::collections::BTreeMap::new();
        let parts = [
            (Self::Path, only(None, matches.path().clone(), Vec::new(), none())?),
            (Self::Host, only(matches.host().cloned(), anywhere.clone(), Vec::new(), none())?),
            (Self::Method, only(None, anywhere.clone(), methods, none())?),
            (Self::Header, only(None, anywhere, Vec::new(), headers)?),
        ];
        let failing: Vec<Self> =
            parts.into_iter().filter(|(_, part)| !request.fits(part.clone(), path)).map(|(miss, _)| miss).collect();
        match failing.as_slice() {
            [] => Some(Self::LessSpecific),
            [one] => Some(*one),
            _ => None,
        }
    }

    fn words(self, matches: &RouteMatch) -> String {
        match self {
            Self::LessSpecific => format!("fits too, but {} is less specific", words(matches)),
            Self::Header => {
                let conditions = matches.headers().iter().map(|(name, value)| format!("{name}: {value}"));
                format!("needs the header {}", conditions.collect::<Vec<_>>().join(" and "))
            }
            Self::Method => format!("is for {}", matches.methods().join(", ")),
            Self::Host => {
                format!("is for the host {}", matches.host().map(ToString::to_string).unwrap_or_default())
            }
            Self::Path => format!("is for the path {}", matches.path()),
        }
    }
}

/// The other routes that nearly answer. Other paths are near only when no route has this one.
fn near_misses(
    gateway: &Gateway,
    winner: Option<&Route>,
    is_lost: bool,
    request: &Request,
    path: &NormalPath,
) -> Vec<String> {
    let others = gateway.routes.iter().filter(|route| winner.is_none_or(|winner| winner.name != route.name));
    let mut misses: Vec<(Miss, usize, &Route)> = others
        .filter_map(|route| {
            let miss = Miss::of(&route.matches, request, path)?;
            Some((miss, shared(path.as_str(), &route.matches.path().to_string()), &**route))
        })
        .filter(|(miss, shared, _)| *miss != Miss::Path || (is_lost && *shared > 1))
        .collect();
    misses.sort_by(|(miss, shared, _), (other, other_shared, _)| miss.cmp(other).then(other_shared.cmp(shared)));
    let more = misses.len().saturating_sub(MOST_MISSES);
    let mut texts: Vec<String> = misses
        .iter()
        .take(MOST_MISSES)
        .map(|(miss, _, route)| format!("not {}: it {}", route.name, miss.words(&route.matches)))
        .collect();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts
}

/// How many characters two paths have in common at the start.
fn shared(path: &str, pattern: &str) -> usize {
    path.chars().zip(pattern.chars()).take_while(|(one, other)| one == other).count()
}
