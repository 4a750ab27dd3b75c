//! `invalidate` of a route: what its writes purge. And what tags need of the routes that they stand for.

use tidegate_gateway::route::TagTemplate;
use tidegate_http_cache::is_safe;

use super::{Auth, Route};
use crate::authoring::compile::{Compiler, all};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::section::File;
use crate::authoring::shape::{List, Reading};
use crate::authoring::table::table;
use crate::authoring::text::{HeaderName, Tag, TagStart};
use crate::compiled;

table! {
    /// What a successful write purges from every cache, at every Cloudflare location: a request with another method than
    /// GET, HEAD or OPTIONS that is answered with 2xx or 3xx.
    #[table(word = "table", example = "{ tags = [\"order:{param:id}\"] }")]
    pub(in crate::authoring::section) struct Invalidate {
        /// Replies with one of these tags; written as in a cache's `tags`.
        tags: List<Tag> = [],
        /// A response header in which the origin names more tags, separated by commas or spaces. Clients do not get it.
        header: Option<HeaderName>,
        /// The only tags that the header may name; `*` at the end stands for any rest. If left out: any tag.
        within: Option<List<TagStart>>,
        /// Whether the groups count that the origin names in `Cache-Group-Invalidation` (RFC 9875): those of replies to the
        /// same scheme and host.
        groups: bool = false,
        /// Whether the replies are stale from then on, instead of gone: validated, and served where stale replies are.
        soft: bool = false,
    }
}

/// RFC 9875, section 3: a list of strings, which `groups` reads.
const CACHE_GROUP_INVALIDATION: &str = "cache-group-invalidation";

impl Invalidate {
    fn check(&self, place: &Place, reading: &mut Reading<'_>) {
        let names_tags = self.tags.get().is_none_or(|tags| !tags.items.is_empty());
        if !names_tags && self.header.is_absent() && self.groups.get() == Some(&false) {
            let hint = "write `tags`, `header` or `groups = true`, or remove it";
            reading.error(place, "`invalidate` names nothing that is purged", hint);
        }
        if self.header.is_absent() && !self.within.is_absent() {
            let hint = "add the `header` in which the origin names tags, or remove `within`";
            reading.error(&self.within.place, "`within` bounds a `header` that is not there", hint);
        }
        if self.header.written().is_some_and(|header| header.0 == CACHE_GROUP_INVALIDATION) {
            let message = format!("`{CACHE_GROUP_INVALIDATION}` holds groups, not tags");
            reading.error(&self.header.place, message, "write `groups = true` in its place");
        }
    }

    pub(super) fn compile(&self, _: &mut Compiler<'_>) -> Option<compiled::Invalidation> {
        let within = match self.within.value.as_ref()? {
            Some(within) => Some(all(within, |within| within.text.clone())?),
            None => None,
        };
        Some(compiled::Invalidation {
            tags: all(self.tags.get()?, |tag| tag.0.to_string())?,
            header: self.header.value.as_ref()?.as_ref().map(|header| header.0.clone()),
            within,
            groups: *self.groups.get()?,
            soft: *self.soft.get()?,
        })
    }
}

pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    for route in file.route.get().into_iter().flat_map(List::values) {
        check_cache_tags(route, file, reading);
        let Some(invalidate) = route.invalidate.written() else { continue };
        let place = &route.invalidate.place;
        invalidate.check(place, reading);
        check_methods(route, place, reading);
        for (tag, place) in invalidate.tags.get().into_iter().flat_map(List::placed) {
            check_values(&tag.0, place, route, None, reading);
        }
        for (start, place) in invalidate.within.written().into_iter().flat_map(List::placed) {
            check_values(&start.within.tag, place, route, None, reading);
        }
    }
}

/// A request that changes nothing invalidates nothing (RFC 9111, section 4.4).
fn check_methods(route: &Route, place: &Place, reading: &mut Reading<'_>) {
    let Some(methods) = route.r#match.get().map(|matches| &matches.methods) else { return };
    let Some(listed) = methods.written().filter(|listed| listed.values().count() == listed.items.len()) else { return };
    if listed.values().all(|method| is_safe(&method.0)) {
        let message = "nothing is invalidated: only requests that change something do that";
        let hint = "write it in the route for POST, PUT, PATCH or DELETE";
        reading.problems.push(Problem::error(place, message, hint).beside(&methods.place, "the methods"));
    }
}

fn check_cache_tags(route: &Route, file: &File, reading: &mut Reading<'_>) {
    let Some((reference, used)) = route.cache() else { return };
    let caches = file.cache.get().into_iter().flat_map(List::values);
    for cache in caches.filter(|cache| cache.name.get().is_some_and(|name| name.0 == reference.name)) {
        for (tag, place) in cache.tags.get().into_iter().flat_map(List::placed) {
            check_values(&tag.0, place, route, Some(used), reading);
        }
    }
}

/// Every value in a tag is one that requests of the route have. `used`: where the route names the cache of the tag.
fn check_values(tag: &TagTemplate, place: &Place, route: &Route, used: Option<&Place>, reading: &mut Reading<'_>) {
    let Some((pattern, path)) = route.path() else { return };
    let Some(name) = route.name.get() else { return };
    if let Some(missing) = tag.parameters().find(|wanted| !pattern.pattern.names().any(|known| known == *wanted)) {
        let message = format!("the path of the route `{}` has no `{{{missing}}}`", name.0);
        let hint = "name a parameter that the path of every such route has, or give the route a cache of its own";
        let hint = if used.is_some() { hint } else { "name a parameter of the path" };
        reading.problems.push(Problem::error(place, message, hint).beside(path, "the path"));
    }
    if let Some(claim) = tag.claims().next().filter(|_| matches!(route.auth.get(), Some(Auth::Anyone))) {
        let message = format!("the tag has the claim `{claim}`, but nobody shows a token on the route `{}`", name.0);
        let hint = "write `auth = { any = [\"issuer\"] }` there, or remove the claim";
        reading.problems.push(Problem::error(place, message, hint).beside(&route.auth.place, "everybody is let in"));
    }
}
