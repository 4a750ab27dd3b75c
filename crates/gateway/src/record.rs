//! The decision record: one value a request that says why it was answered the way it was.
//!
//! It is the log line, and the source of the counters. It never holds a token, a cookie, a key's value or a query.

mod line;

use serde::Serialize;

/// One request, as the log shows it. Times are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When the request came, since the Unix epoch.
    pub time_ms: u64,
    /// The same as `X-Request-Id`.
    pub request_id: String,
    /// The method.
    pub method: String,
    /// The normalised path, without the query.
    pub path: String,
    /// The route that won.
    pub route: Option<String>,
    /// `none`, `token`, `remembered` (a token seen before), or the code of the rejection.
    pub auth: Option<&'static str>,
    /// The issuer whose token was accepted.
    pub issuer: Option<String>,
    /// Each limit's verdict.
    pub limits: Vec<LimitRecord>,
    /// Who decided about them: `lease` (this isolate, from what it was lent), `authority` (the Durable Object), or
    /// `unreachable` (the written direction of each).
    pub limited_by: Option<&'static str>,
    /// What the cache did, in the words of `Cache-Status`.
    pub cache: Option<CacheRecord>,
    /// How many tags and groups it purged.
    pub purged: usize,
    /// The pool that was asked last.
    pub pool: Option<String>,
    /// The origin that was asked last.
    pub origin: Option<String>,
    /// Why that pool came first.
    pub because: Option<String>,
    /// How many origins were asked.
    pub attempts: u32,
    /// The status that the client got.
    pub status: u16,
    /// The code of the rejection, when the gateway refused.
    pub rejection: Option<&'static str>,
    /// What went wrong in a part of the world, for operators.
    pub error: Option<String>,
    /// From the first byte of the request until the reply's header.
    pub duration_ms: u64,
    /// The part of it that was spent waiting for origins.
    pub origin_ms: u64,
    /// The version of the configuration.
    pub config: String,
    /// The data center, when the platform says.
    pub colo: Option<String>,
}

/// One limit's part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitRecord {
    /// The name of the limit.
    pub name: String,
    /// `allowed`, `denied`, `open` (unreachable, let pass) or `closed` (unreachable, refused).
    pub verdict: &'static str,
    /// What is left, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
}

/// The cache's part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheRecord {
    /// `hit`, `stale-while-revalidate`, `stale-if-error`, or the reason why the request went on to an origin.
    pub outcome: &'static str,
    /// Why the response was not stored, when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_stored: Option<&'static str>,
    /// Where the stored response was: `isolate`, `colo` (the store of this location), `object` (the one behind it) or
    /// `workers_cache` (the platform's copy of what that keeps).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<&'static str>,
}

impl CacheRecord {
    pub(crate) fn new(outcome: &'static str) -> Self {
        Self { outcome, not_stored: None, tier: None }
    }
}
