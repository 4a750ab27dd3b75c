//! Routes between which nothing decides.

use tidegate_gateway::matching::{Conflict, Matcher, RouteMatch, Why};

use super::{Match, Route};
use crate::authoring::compile::all;
use crate::authoring::problem::{Place, Problem};
use crate::authoring::section::File;
use crate::authoring::shape::{List, Reading};

/// Asks the gateway's own matcher, about all routes whose `match` is right.
pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    let routes = file.route.get().into_iter().flat_map(List::values);
    let sound: Vec<(&Route, RouteMatch)> =
        routes.filter_map(|route| Some((route, route_match(route.r#match.get()?, reading)?))).collect();
    let matches: Vec<RouteMatch> = sound.iter().map(|(_, matches)| matches.clone()).collect();
    let Err(conflicts) = Matcher::new(&matches) else { return };
    for conflict in conflicts {
        let route = |index: usize| sound.get(index).map(|(route, _)| *route);
        if let (Some(first), Some(second)) = (route(conflict.first), route(conflict.second)) {
            reading.problems.push(problem(first, second, &conflict));
        }
    }
}

/// The requests of a route; `None` if something is wrong with them, which is noted.
fn route_match(matches: &Match, reading: &mut Reading<'_>) -> Option<RouteMatch> {
    let host = matches.host.value.as_ref()?.as_ref().map(|host| host.0.clone());
    let methods = match matches.methods.value.as_ref()? {
        Some(methods) => all(methods, |method| method.0.clone())?,
        None => Vec::new(),
    };
    let headers = &matches.headers.get()?.entries;
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| Some((name.get()?.0.clone(), value.get()?.0.clone())))
        .collect::<Option<_>>()?;
    let path = matches.path.get()?.pattern.clone();
    match RouteMatch::new(host, path, methods, headers) {
        Ok(matches) => Some(matches),
        // A method or a header that is there twice is noted where it stands.
        Err(invalid) if reading.problems.is_empty() => {
            reading.error(&matches.path.place, invalid.to_string(), "correct the `match` of this route");
            None
        }
        Err(_) => None,
    }
}

fn problem(first: &Route, second: &Route, conflict: &Conflict) -> Problem {
    let named = |route: &Route| route.name.get().map(|name| name.0.clone()).unwrap_or_default();
    let place =
        |route: &Route| -> Place { route.path().map_or_else(|| route.name.place.clone(), |(_, place)| place.clone()) };
    let methods = if conflict.methods.is_empty() { "every method".to_owned() } else { conflict.methods.join(", ") };
    let (others, where_) = (named(first), &conflict.place);
    let (message, hint) = match conflict.why {
        Why::Duplicate => (
            format!("this route and `{others}` are for the same requests: {methods} on {where_}"),
            "remove one of the two, or tell them apart by `host`, `methods` or `headers`",
        ),
        Why::Ambiguous => (
            format!("this route and `{others}` can both be meant by one request: {methods} on {where_}"),
            "give one of the two all `headers` of the other and more",
        ),
    };
    Problem::error(&place(second), message, hint).beside(&place(first), format!("the route `{others}`"))
}
