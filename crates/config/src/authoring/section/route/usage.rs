//! `serve = "usage"`: a route that tells callers what is left of their limits.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_gateway::source::Source;

use super::super::{File, Limit};
use super::{Route, Serve};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{List, Reading};

pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    let routes = || file.route.get().into_iter().flat_map(List::placed);
    let met = Met::on(routes().map(|(route, _)| route).filter(|route| !route.is_usage()));
    for (route, place) in routes().filter(|(route, _)| route.is_usage()) {
        route.check_unused(place, reading);
        route.check_limits(file, &met, reading);
    }
}

impl Route {
    fn is_usage(&self) -> bool {
        self.serve.get() == Some(&Serve::Usage)
    }

    /// There is no origin: what speaks of one has no effect.
    fn check_unused(&self, place: &Place, reading: &mut Reading<'_>) {
        let message = |key: &str| format!("`{key}` has no effect: a route that serves usage has no origin");
        if self.origin.is_written_in(place) {
            reading.error(&self.origin.place, message("origin"), "remove `origin`, or `serve = \"usage\"`");
        }
        if !self.cache.is_absent() {
            let hint = "remove `cache`: what is left changes with every request";
            reading.error(&self.cache.place, message("cache"), hint);
        }
        if !self.invalidate.is_absent() {
            reading.error(&self.invalidate.place, message("invalidate"), "remove `invalidate`");
        }
        let forward = self.token_auth().map(|auth| &auth.forward);
        if let Some(forward) = forward.filter(|forward| forward.get().is_some_and(|map| !map.entries.is_empty())) {
            reading.error(&forward.place, message("forward"), "remove `forward`");
        }
        let methods = self.r#match.get().map(|matches| &matches.methods);
        let listed = methods.and_then(|methods| Some((methods.written()?, &methods.place)));
        if let Some((listed, place)) = listed
            && listed
                .items
                .iter()
                .all(|method| method.get().is_some_and(|method| !matches!(&*method.0, "GET" | "HEAD")))
        {
            let hint = "add `\"GET\"` to `methods`, or leave `methods` out";
            reading.error(place, "usage is answered to GET and HEAD only", hint);
        }
    }

    fn check_limits(&self, file: &File, met: &Met, reading: &mut Reading<'_>) {
        let Some(limits) = self.limits.get() else { return };
        if limits.items.is_empty() {
            let hint = "add `limits = [ … ]` with the limits that callers may ask about";
            reading.error(&self.serve.place, "a route that serves usage has no limits to tell of", hint);
        }
        let mut first: Option<(&str, &Place)> = None;
        for (reference, place) in limits.placed() {
            let name = reference.name.as_str();
            let named = |limit: &&Limit| limit.name.get().is_some_and(|other| other.0 == name);
            let limit = file.limit.get().and_then(|limits| limits.values().find(named));
            let Some(key) = limit.and_then(Limit::key) else { continue };
            if let Some((message, hint)) = unfit(name, &key, met) {
                reading.error(place, message, hint);
                continue;
            }
            let (other, other_place) = *first.get_or_insert((name, place));
            if !met.meet(name, other) {
                let message =
                    format!("`{other}` and `{name}` meet on no other route: this one would put them into one object");
                let problem = Problem::error(place, message, "make a route of its own for each of the two");
                reading.problems.push(problem.beside(other_place, "the other one"));
            }
        }
    }
}

/// Why a limit has no usage that one caller may see.
fn unfit(name: &str, key: &[&Source], met: &Met) -> Option<(String, &'static str)> {
    if key.contains(&&Source::Route) {
        let message = format!("`{name}` counts each route apart, and nothing is spent on this one");
        return Some((message, "list a limit without `route` in its `key`"));
    }
    let says_who = |source: &&Source| !matches!(source, Source::Route | Source::Country | Source::Asn);
    if !key.iter().any(says_who) {
        let message = format!("nothing in the key of `{name}` says who asks: its usage is that of many callers");
        return Some((message, "list a limit by `claim:…`, `ip`, `header:…` or `cookie:…`"));
    }
    if !met.group_of.contains_key(name) {
        let message = format!("no other route has the limit `{name}`: its usage never changes");
        return Some((message, "add it to the `limits` of the routes that it is for, or remove it here"));
    }
    None
}

/// Which limits meet on some route, directly or through others: those live in one Durable Object.
struct Met {
    group_of: BTreeMap<String, usize>,
}

impl Met {
    fn on<'r>(routes: impl Iterator<Item = &'r Route>) -> Self {
        let mut group_of: BTreeMap<String, usize> = BTreeMap::new();
        for (index, route) in routes.enumerate() {
            let names: BTreeSet<&str> = route.limits().map(|limit| limit.name.as_str()).collect();
            let joined: BTreeSet<usize> = names.iter().filter_map(|name| group_of.get(*name).copied()).collect();
            for group in group_of.values_mut().filter(|group| joined.contains(group)) {
                *group = index;
            }
            group_of.extend(names.into_iter().map(|name| (name.to_owned(), index)));
        }
        Self { group_of }
    }

    fn meet(&self, one: &str, other: &str) -> bool {
        one == other || self.group_of.get(one) == self.group_of.get(other)
    }
}
