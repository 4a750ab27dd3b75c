//! `[cache_backend]`: which of the platform's caches keep replies.

use super::File;
use super::cache::CacheScope;
use crate::authoring::problem::Problem;
use crate::authoring::shape::List;
use crate::authoring::table::{choice, table};
use crate::compiled;

table! {
    /// Which of the platform's caches keep replies, beside the memory of isolates and the Durable Objects.
    #[table(word = "table", example = "{ kind = \"workers_cache\" }")]
    pub(super) struct CacheBackend {
        /// `cache_api`: a store in each Cloudflare location. `workers_cache`: also the Workers Cache, which has copies of what
        /// global caches keep in all locations, for ten seconds; it has to be turned on in `wrangler.toml`.
        kind: Kind = "cache_api",
    }
}

/// One of the platform's caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    CacheApi,
    WorkersCache,
}

choice!(Kind { CacheApi = "cache_api", WorkersCache = "workers_cache" });

impl CacheBackend {
    pub(super) fn compile(&self) -> Option<compiled::CacheBackend> {
        Some(match self.kind.get()? {
            Kind::CacheApi => compiled::CacheBackend::CacheApi,
            Kind::WorkersCache => compiled::CacheBackend::WorkersCache,
        })
    }
}

/// What is in one location is looked up there: copies for all of them would gain nothing.
pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let Some(backend) = file.cache_backend.get() else { return };
    let mut caches = file.cache.get().into_iter().flat_map(List::values);
    let is_global = caches.any(|cache| cache.scope.get() == Some(&CacheScope::Global));
    if backend.kind.get() == Some(&Kind::WorkersCache) && !is_global {
        let message = "the Workers Cache makes no difference: no cache has the scope `global`";
        let hint = "write `scope = \"global\"` in a `[[cache]]`, or remove `cache_backend`";
        warnings.push(Problem::warning(&backend.kind.place, message, hint));
    }
}
