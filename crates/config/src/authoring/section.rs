//! The tables of the file, one module each: its keys, what they have to agree on, and what they compile to.

mod cache;
mod cache_backend;
mod gateway;
mod issuer;
mod limit;
mod pool;
mod route;
mod secret;
mod steering;

use super::compile::Compiler;
use super::problem::Problem;
use super::shape::{List, Reading};
use super::table::table;
use crate::compiled::Content;
use cache::Cache;
use cache_backend::CacheBackend;
use gateway::Gateway;
use issuer::Issuer;
use limit::Limit;
use pool::Pool;
use route::Route;
pub use secret::Secret;
pub(super) use secret::Secrets;
use steering::Steering;

table! {
    /// The configuration of a Tidegate gateway.
    #[table(word = "file", example = "{ }")]
    pub(super) struct File {
        /// What holds for every request.
        gateway: Gateway = {},
        /// A group of origins that can stand in for each other.
        pool: List<Pool, 1>,
        /// Which pools serve a client, in which order.
        steering: Steering = {},
        /// Somebody whose tokens are accepted.
        issuer: List<Issuer> = [],
        /// How often a client may ask.
        limit: List<Limit> = [],
        /// How replies are kept and shared.
        cache: List<Cache> = [],
        /// Which of the platform's caches keep replies.
        cache_backend: CacheBackend = {},
        /// Requests, and the policies that hold for them. The order of routes means nothing: the most specific one wins.
        route: List<Route, 1>,
    }
}

impl File {
    /// Whether anybody can purge: an operator, or the writes of a route.
    fn has_purges(&self) -> bool {
        let admin = self.gateway.get().and_then(|gateway| gateway.admin.written());
        let mut routes = self.route.get().into_iter().flat_map(List::values);
        admin.is_some_and(|admin| admin.token.written().is_some())
            || routes.any(|route| route.invalidate.written().is_some())
    }

    /// Notes whatever is wrong between values that are right by themselves.
    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        pool::check(self, reading);
        for issuer in self.issuer.get().into_iter().flat_map(List::values) {
            issuer.check(reading);
        }
        for (limit, place) in self.limit.get().into_iter().flat_map(List::placed) {
            limit.check(place, reading);
        }
        for cache in self.cache.get().into_iter().flat_map(List::values) {
            cache.check(reading);
        }
        route::check(self, reading);
        gateway::check(self, reading);
    }

    /// What has no effect or is unwise, in a file without errors.
    pub(super) fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        pool::warn(self, &mut warnings);
        steering::warn(self, &mut warnings);
        issuer::warn(self, &mut warnings);
        limit::warn(self, &mut warnings);
        route::warn(self, &mut warnings);
        cache::warn(self, &mut warnings);
        cache_backend::warn(self, &mut warnings);
        gateway::warn(self, &mut warnings);
        warnings
    }

    /// The compiled form of a file without errors.
    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<Content> {
        Some(Content {
            settings: self.gateway.get()?.compile(self.cache_backend.get()?.compile()?, compiler)?,
            pools: compiler.each(&self.pool, Pool::compile)?,
            steering: self.steering.get()?.compile(compiler)?,
            issuers: compiler.each(&self.issuer, Issuer::compile)?,
            limits: compiler.each(&self.limit, Limit::compile)?,
            // Behind the limits, which gather them.
            calendars: std::mem::take(&mut compiler.calendars),
            caches: compiler.each(&self.cache, Cache::compile)?,
            routes: compiler.each(&self.route, Route::compile)?,
        })
    }
}
