//! `[[cache]]`: how replies are kept and shared.

use std::collections::BTreeSet;

use super::File;
use crate::authoring::compile::{Compiler, all, milliseconds};
use crate::authoring::problem::Problem;
use crate::authoring::shape::{List, Reading, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{DAY, HeaderName, KeySource, MediaType, Name, QueryName, Span, Tag};
use crate::compiled;

table! {
    /// How replies are kept and shared.
    #[table(word = "cache", example = "[[cache]]")]
    pub(super) struct Cache {
        /// What routes call it.
        name: Name,
        /// How far a reply is shared. `isolate`: in the memory of the process that fetched it, and nowhere else. `colo`: in the
        /// Cloudflare location that fetched it. `global`: everywhere. Wherever it is shared, one request fetches it for all
        /// that wait.
        scope: CacheScope = "colo",
        /// How long a reply is fresh when the origin does not say. If left out, only what the origin says counts.
        ttl: Option<Span<1, { 366 * DAY }>>,
        /// How long a 404 or 410, or another 4xx that says `public`, is fresh when the origin does not say. If left out, as long
        /// as `ttl` says, but at most ten seconds: what was not there yet is found soon after it is made.
        negative_ttl: Option<Span<1, { 366 * DAY }>>,
        /// By how much a lifetime of this cache (`ttl`, `negative_ttl`, `heuristic`) is shortened at random, at most. What was
        /// stored at the same moment, after a deployment or a purge, is then not fetched anew at the same moment. What the
        /// origin states stays what it is.
        jitter_percent: Whole<0, 50> = 0,
        /// Whether `ttl` wins over the lifetime that the origin states. What the origin forbids to store is never stored.
        r#override: bool = false,
        /// A lifetime for replies that say when they were modified but not how long they are fresh. If left out, none is
        /// guessed.
        heuristic: Option<Heuristic>,
        /// How long after its lifetime a reply is still served while an origin is asked for the next one, when the reply does
        /// not say. The client does not wait.
        stale_while_revalidate: Option<Span<1, { 366 * DAY }>>,
        /// How long after its lifetime a reply is still served when no origin answers, or only with an error (500, 502, 503,
        /// 504), when the reply does not say.
        stale_if_error: Option<Span<1, { 366 * DAY }>>,
        /// The media types that are kept, such as `image/png` or `text/*`. A reply with another `Content-Type`, or without one,
        /// reaches its client and is not stored. If left out, every type is kept.
        content_types: Option<List<MediaType, 1>>,
        /// What, beside host and path, chooses the reply.
        key: CacheKey = {},
        /// Labels of the replies, by which they can be purged, beside those that the origin gives them in `Cache-Tag` and
        /// `Cache-Groups`. `{param:id}` stands for a parameter of the route's path, `{claim:org}` for a claim of the
        /// caller's token; a tag whose value a request does not have is left out.
        tags: List<Tag> = [],
    }
}

table! {
    /// A lifetime made from the age of what is replied: a page that was not changed for ten days is fresh for one more.
    #[table(word = "heuristic", example = "{ percent = 10, at_most = \"1d\" }")]
    pub(super) struct Heuristic {
        /// How much of the time between its `Last-Modified` and now a reply is fresh.
        percent: Whole<1, 100> = 10,
        /// The longest lifetime.
        at_most: Span<1, { 366 * DAY }> = "1d",
    }
}

table! {
    /// What, beside host and path, chooses a reply.
    #[table(word = "cache key", example = "{ query = [\"page\"], headers = [\"accept-language\"] }")]
    pub(super) struct CacheKey {
        /// The query parameters that count, spelled as clients send them; all others are removed, so that the origin cannot
        /// answer by them. If left out, the whole query counts.
        query: Option<List<QueryName>>,
        /// The request headers that count.
        headers: List<HeaderName> = [],
        /// Who shares a reply: those with equal values of these sources (the same words as in a limit's `key`). If left out,
        /// on a route with a token each caller has replies of its own, and elsewhere all share; `[]` lets all share.
        partition: Option<List<KeySource>>,
    }
}

/// How far replies are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CacheScope {
    Isolate,
    Colo,
    Global,
}

choice!(CacheScope { Isolate = "isolate", Colo = "colo", Global = "global" });

impl Cache {
    /// The first source of the partition that only a token has.
    pub(super) fn claim(&self) -> Option<String> {
        let mut sources = self.key.get()?.partition.written()?.values();
        sources.find(|source| source.0.needs_token()).map(|source| source.0.to_string())
    }

    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        // Whoever shares a reply is a partition: RFC 9111, section 3.5, has rules of its own for credentials.
        let headers = self.key.get().and_then(|key| key.headers.get());
        for (header, place) in headers.into_iter().flat_map(List::placed) {
            if matches!(header.0.as_str(), "authorization" | "cookie") {
                let message = format!("`{}` tells callers apart, not replies", header.0);
                reading.error(place, message, "remove it, and write who shares a reply: `partition = [\"claim:sub\"]`");
            }
        }
        if self.ttl.is_absent() && self.r#override.get() == Some(&true) {
            let hint = "add `ttl = \"60s\"`, or remove `override`";
            reading.error(&self.r#override.place, "`override` has no `ttl` to put in place of the origin's", hint);
        }
    }

    pub(super) fn compile(&self, _: &mut Compiler<'_>) -> Option<compiled::Cache> {
        let key = self.key.get()?;
        let lifetime = |span: Option<Span<1, { 366 * DAY }>>| match span {
            Some(span) => milliseconds(span.0).map(Some),
            None => Some(None),
        };
        let span = |span: Option<Span<1, { 366 * DAY }>>| span.map_or(Some(0), |span| milliseconds(span.0));
        let heuristic = match self.heuristic.value.as_ref()? {
            Some(heuristic) => Some((heuristic.percent.get()?.0, milliseconds(heuristic.at_most.get()?.0)?)),
            None => None,
        };
        let query = match key.query.value.as_ref()? {
            Some(names) => Some(all(names, |name| name.0.clone())?),
            None => None,
        };
        let content_types = match self.content_types.value.as_ref()? {
            Some(types) => Some(all(types, |range| range.0.to_string())?),
            None => None,
        };
        let partition = match key.partition.value.as_ref()? {
            Some(sources) => Some(all(sources, |source| compiled::Source::from(&source.0))?),
            None => None,
        };
        Some(compiled::Cache {
            name: self.name.get()?.0.clone(),
            scope: match self.scope.get()? {
                CacheScope::Isolate => compiled::Scope::Isolate,
                CacheScope::Colo => compiled::Scope::Colo,
                CacheScope::Global => compiled::Scope::Global,
            },
            ttl: lifetime(self.ttl.value?)?,
            negative_ttl: lifetime(self.negative_ttl.value?)?,
            jitter_percent: u32::try_from(self.jitter_percent.get()?.0).ok()?,
            override_origin: *self.r#override.get()?,
            heuristic,
            stale_while_revalidate: span(self.stale_while_revalidate.value?)?,
            stale_if_error: span(self.stale_if_error.value?)?,
            content_types,
            query,
            headers: all(key.headers.get()?, |header| header.0.clone())?,
            partition,
            tags: all(self.tags.get()?, |tag| tag.0.to_string())?,
        })
    }
}

pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let routes = file.route.get().into_iter().flat_map(List::values);
    let used: BTreeSet<&str> = routes.filter_map(|route| route.cache()).map(|(cache, _)| cache.name.as_str()).collect();
    for cache in file.cache.get().into_iter().flat_map(List::values) {
        let Some(name) = cache.name.get().filter(|name| !used.contains(name.0.as_str())) else { continue };
        let message = format!("no route uses the cache `{}`", name.0);
        let hint = format!("write `cache = \"{}\"` in a route, or remove the cache", name.0);
        warnings.push(Problem::warning(&cache.name.place, message, hint));
    }
    if file.has_purges() {
        return;
    }
    for cache in file.cache.get().into_iter().flat_map(List::values) {
        if cache.tags.get().is_some_and(|tags| !tags.items.is_empty()) {
            let message = "nobody can purge by these tags";
            let hint = "give the operators a `token` in `gateway.admin`, or write `invalidate` in a route";
            warnings.push(Problem::warning(&cache.tags.place, message, hint));
        }
    }
}
