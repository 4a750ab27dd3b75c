//! The routes that share a host and a path: method and header conditions choose among them.

use std::collections::{BTreeMap, BTreeSet};

use super::RouteMatch;

/// What a route for any method is said to allow. It takes other methods as well, but no one asks for those by `Allow`.
const COMMON_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The routes that share a host and a path.
#[derive(Debug, Default)]
pub(super) struct Resource {
    /// By method, the routes that list it.
    listed: BTreeMap<String, Candidates>,
    /// The routes that list no method.
    any: Candidates,
}

/// What method and headers choose.
pub(super) enum Choice {
    Route(usize),
    /// Some route takes the method, but has conditions that the headers do not meet.
    ConditionsUnmet,
    NoSuchMethod,
}

impl Resource {
    /// Adds a route that conflicts with none of the others.
    pub(super) fn add(&mut self, index: usize, route: &RouteMatch) {
        if route.methods().is_empty() {
            self.any.insert(index, route);
        }
        for method in route.methods() {
            self.listed.entry(method.clone()).or_default().insert(index, route);
        }
    }

    /// The value of the `Allow` field. Made when it is asked for: few requests have a method that no route takes.
    pub(super) fn allow(&self) -> String {
        let mut methods = BTreeSet::new();
        methods.insert("OPTIONS");
        for method in self.listed.keys() {
            methods.insert(method);
        }
        for method in self.any.if_some().into_iter().flat_map(|_| COMMON_METHODS) {
            methods.insert(method);
        }
        // Whoever may GET may ask for the header alone.
        let head_follows_get = methods.contains("GET");
        let mut allow = String::new();
        for method in methods.into_iter().filter(|method| *method != "HEAD" || !head_follows_get) {
            if !allow.is_empty() {
                allow.push_str(", ");
            }
            allow.push_str(if method == "GET" { "GET, HEAD" } else { method });
        }
        allow
    }

    pub(super) fn choose(&self, method: &str, header: &dyn Fn(&str) -> Option<String>) -> Choice {
        let exactly = self.listed.get(method);
        // RFC 9110, section 9.3.2: HEAD is GET without the content, so it is under the policy of GET.
        let as_get = if method == "HEAD" { self.listed.get("GET") } else { None };
        // TRACE would send the credentials back to whoever asks (RFC 9110, section 9.3.8), CONNECT would open a tunnel:
        // "any method" means neither.
        let any = if matches!(method, "TRACE" | "CONNECT") { None } else { self.any.if_some() };
        let mut choice = Choice::NoSuchMethod;
        for candidates in [exactly, as_get, any].into_iter().flatten() {
            match candidates.choose(header) {
                Some(index) => return Choice::Route(index),
                None => choice = Choice::ConditionsUnmet,
            }
        }
        choice
    }
}

/// Routes that only header conditions tell apart.
#[derive(Debug, Default)]
struct Candidates {
    /// The most names first. Of two groups with as many, at most one has its conditions met: anything else is a conflict.
    groups: Vec<Group>,
}

/// Routes with conditions on the same fields: a lookup finds the one whose values the request has.
#[derive(Debug)]
struct Group {
    names: Vec<String>,
    /// By the values, in the order of the names.
    routes: BTreeMap<Vec<String>, usize>,
}

impl Candidates {
    fn insert(&mut self, index: usize, route: &RouteMatch) {
        let values = route.headers().values().cloned().collect();
        let names = route.headers().keys();
        match self.groups.iter_mut().find(|group| group.names.iter().eq(names.clone())) {
            Some(group) => {
                group.routes.insert(values, index);
            }
            None => {
                let group = Group { names: names.cloned().collect(), routes: BTreeMap::from([(values, index)]) };
                let position = self.groups.partition_point(|other| other.names.len() >= group.names.len());
                self.groups.insert(position, group);
            }
        }
    }

    fn if_some(&self) -> Option<&Self> {
        (!self.groups.is_empty()).then_some(self)
    }

    fn choose(&self, header: &dyn Fn(&str) -> Option<String>) -> Option<usize> {
        self.groups.iter().find_map(|group| {
            let values: Vec<String> = group.names.iter().map(|name| header(name)).collect::<Option<_>>()?;
            group.routes.get(&values).copied()
        })
    }
}
