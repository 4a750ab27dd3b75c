//! Routes between which nothing decides.

use std::collections::BTreeMap;
use std::fmt;

use super::RouteMatch;

/// Two routes that could both win a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The route that comes first in the list, by its position.
    pub first: usize,
    /// The other one.
    pub second: usize,
    /// What they lack.
    pub why: Why,
    /// The host and the shape of the path that they share, such as `api.example.com/a/{}`; `*/a/{}` for every host.
    pub place: String,
    /// The methods that both list; empty if both are for any method.
    pub methods: Vec<String>,
}

/// Why nothing decides between two routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They have the same header conditions.
    Duplicate,
    /// One request can meet the header conditions of both, and neither has all conditions of the other and more.
    Ambiguous,
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, methods, .. } = self;
        let methods = if methods.is_empty() { "any method".to_owned() } else { methods.join(", ") };
        match self.why {
            Why::Duplicate => write!(
                formatter,
                "both match {methods} on {place} under the same header conditions: \
                 remove one, or tell them apart by methods or headers"
            ),
            Why::Ambiguous => write!(
                formatter,
                "both match {methods} on {place} when a request meets the header conditions of each: \
                 let one of them have all conditions of the other and more"
            ),
        }
    }
}

/// Pairs of routes that could both win a request, sorted. Every route of any such pair is in one of these, but not with each
/// of its rivals, so that the work and the report stay about proportional to the number of routes.
pub(super) fn conflicts(routes: &[RouteMatch]) -> Vec<Conflict> {
    // Routes compete only where host, path shape, and a listed method (or the lack of any) are the same: everything else
    // has a precedence.
    let mut rivals: BTreeMap<_, Vec<(usize, &RouteMatch)>> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let place = (route.host(), route.path().shape());
        if route.methods().is_empty() {
            rivals.entry((place, None)).or_default().push((index, route));
        } else {
            for method in route.methods() {
                rivals.entry((place.clone(), Some(method))).or_default().push((index, route));
            }
        }
    }
    let mut found: BTreeMap<(usize, usize), Conflict> = BTreeMap::new();
    for (((host, shape), method), rivals) in rivals {
        for ((first, second), why) in ties(&rivals) {
            let host = host.map_or("*".to_owned(), ToString::to_string);
            let place = format!("{host}{shape}");
            let empty = Conflict { first, second, why, place, methods: Vec::new() };
            found.entry((first, second)).or_insert(empty).methods.extend(method.cloned());
        }
    }
    found.into_values().collect()
}

/// Routes with conditions on the same fields: the names, and by the values the first route that asks for them.
type Groups<'a> = BTreeMap<Vec<&'a str>, BTreeMap<Vec<&'a str>, usize>>;

/// The pairs that header conditions do not tell apart.
fn ties(rivals: &[(usize, &RouteMatch)]) -> BTreeMap<(usize, usize), Why> {
    let mut ties = BTreeMap::new();
    let mut groups = Groups::new();
    for (index, route) in rivals {
        let names = route.headers().keys().map(String::as_str).collect();
        let values = route.headers().values().map(String::as_str).collect();
        let first = *groups.entry(names).or_default().entry(values).or_insert(*index);
        if first != *index {
            ties.insert((first, *index), Why::Duplicate);
        }
    }
    for (position, (names, routes)) in groups.iter().enumerate() {
        for (other_names, other_routes) in groups.iter().skip(position.saturating_add(1)) {
            let shared: Vec<&str> = names.iter().copied().filter(|name| other_names.contains(name)).collect();
            // When one has all names of the other and more, then either they ask for different values of one field and are
            // never both met, or one has all conditions of the other and more, and wins.
            if shared.len() == names.len() || shared.len() == other_names.len() {
                continue;
            }
            let mine = first_by_values(names, routes, &shared);
            let others = first_by_values(other_names, other_routes, &shared);
            let my_ties = routes.iter().map(|(values, index)| (index, others.get(&select(names, values, &shared))));
            let other_ties =
                other_routes.iter().map(|(values, index)| (index, mine.get(&select(other_names, values, &shared))));
            for (one, other) in my_ties.chain(other_ties) {
                ties.extend(other.map(|other| ((*one.min(other), *one.max(other)), Why::Ambiguous)));
            }
        }
    }
    ties
}

/// By the values of the chosen names, the first route that asks for them.
fn first_by_values<'a>(
    names: &[&str],
    routes: &BTreeMap<Vec<&'a str>, usize>,
    chosen: &[&str],
) -> BTreeMap<Vec<&'a str>, usize> {
    let mut first: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for (values, index) in routes {
        let earliest = first.entry(select(names, values, chosen)).or_insert(*index);
        *earliest = (*earliest).min(*index);
    }
    first
}

/// The values of the chosen names.
fn select<'a>(names: &[&str], values: &[&'a str], chosen: &[&str]) -> Vec<&'a str> {
    names.iter().zip(values).filter(|(name, _)| chosen.contains(name)).map(|(_, value)| *value).collect()
}
