//! The compiled form: what the build makes of a checked file, and what the Worker loads.
//!
//! One byte for the version of the form, then [postcard](https://postcard.jamesmunns.com). References are positions,
//! durations are milliseconds. The types mirror the file and not the gateway's types, which are free to change.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_gateway::source::Source as KeySource;

/// Changes with every change of the types below: a Worker never reads what another version wrote.
const FORMAT: u8 = 8;

/// The compiled form as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compiled {
    /// The first 12 hexadecimal digits of the SHA-256 of the rest.
    pub(crate) version: String,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) settings: Settings,
    pub(crate) pools: Vec<Pool>,
    pub(crate) steering: Steering,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) calendars: Vec<Calendar>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) caches: Vec<Cache>,
    pub(crate) routes: Vec<Route>,
}

/// A position in one of the lists of [`Content`].
pub(crate) type Position = u32;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) client_ip: String,
    pub(crate) admin: Option<Admin>,
    pub(crate) server_timing: bool,
    pub(crate) request_id: bool,
    pub(crate) cache_backend: CacheBackend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CacheBackend {
    CacheApi,
    WorkersCache,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Admin {
    pub(crate) path: String,
    pub(crate) token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) balance: Balance,
    pub(crate) origins: Vec<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Balance {
    RoundRobin,
    Weighted,
    Random,
    IpHash,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steering {
    pub(crate) policy: Policy,
    pub(crate) default_pools: Vec<Position>,
    pub(crate) fallback_pool: Option<Position>,
    pub(crate) region_pools: Vec<(String, Vec<Position>)>,
    pub(crate) country_pools: Vec<(String, Vec<Position>)>,
    pub(crate) colo_pools: Vec<(String, Vec<Position>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Policy {
    Off,
    Geo,
    Random,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) leeway: u64,
    pub(crate) keys: Keys,
    pub(crate) cookie: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keys {
    /// The JSON of a JWK Set.
    Fixed(String),
    Url(String),
    Secret(String),
}

/// When the quotas that share it start over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Calendar {
    pub(crate) period: Period,
    /// The name of the time zone in the IANA database, for people.
    pub(crate) zone: String,
    /// Seconds east of UTC.
    pub(crate) first_offset: i32,
    /// Moments in seconds since the Unix epoch, and the offset from then on.
    pub(crate) transitions: Vec<(i64, i32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Period {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) key: Vec<Source>,
    pub(crate) ipv6_prefix: u8,
    pub(crate) allowance: Allowance,
    pub(crate) overrides: Vec<(Source, Vec<(String, Allowance)>)>,
    pub(crate) cost: Cost,
    pub(crate) accuracy: Accuracy,
    pub(crate) when_unreachable: WhenUnreachable,
    pub(crate) mode: Mode,
    pub(crate) enforce_percent: u8,
}

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Allowance {
    Rate { requests: u32, per: u64, burst: u32 },
    Window { requests: u32, per: u64 },
    Quota { requests: u64, calendar: Position },
    Concurrency { requests: u32, timeout: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cost {
    Fixed(u32),
    Header { name: String, otherwise: u32, at_most: u32 },
    Settled { reserve: u32, header: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Accuracy {
    Exact,
    Bounded { parts_per_million: u32 },
    Local,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WhenUnreachable {
    Open,
    Closed,
    Reserve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    Enforce,
    Shadow,
}

/// Mirrors [`KeySource`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    Ip,
    Claim(String),
    Header(String),
    Route,
    Country,
    Cookie(String),
    Asn,
}

impl From<&KeySource> for Source {
    fn from(source: &KeySource) -> Self {
        match source {
            KeySource::Ip => Self::Ip,
            KeySource::Claim(name) => Self::Claim(name.clone()),
            KeySource::Header(name) => Self::Header(name.clone()),
            KeySource::Route => Self::Route,
            KeySource::Country => Self::Country,
            KeySource::Cookie(name) => Self::Cookie(name.clone()),
            KeySource::Asn => Self::Asn,
        }
    }
}

impl From<Source> for KeySource {
    fn from(source: Source) -> Self {
        match source {
            Source::Ip => Self::Ip,
            Source::Claim(name) => Self::Claim(name),
            Source::Header(name) => Self::Header(name),
            Source::Route => Self::Route,
            Source::Country => Self::Country,
            Source::Cookie(name) => Self::Cookie(name),
            Source::Asn => Self::Asn,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cache {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) ttl: Option<u64>,
    pub(crate) negative_ttl: Option<u64>,
    pub(crate) jitter_percent: u32,
    pub(crate) override_origin: bool,
    /// Percent, and the longest lifetime.
    pub(crate) heuristic: Option<(u64, u64)>,
    /// Zero: not at all.
    pub(crate) stale_while_revalidate: u64,
    pub(crate) stale_if_error: u64,
    /// Media ranges.
    pub(crate) content_types: Option<Vec<String>>,
    pub(crate) query: Option<Vec<String>>,
    pub(crate) headers: Vec<String>,
    pub(crate) partition: Option<Vec<Source>>,
    pub(crate) tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invalidation {
    pub(crate) tags: Vec<String>,
    pub(crate) header: Option<String>,
    pub(crate) within: Option<Vec<String>>,
    pub(crate) groups: bool,
    pub(crate) soft: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    Isolate,
    Colo,
    Global,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) host: Option<String>,
    pub(crate) path: String,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) auth: Auth,
    pub(crate) limits: Vec<Position>,
    pub(crate) cache: Option<Position>,
    pub(crate) invalidation: Option<Invalidation>,
    pub(crate) serve: Serve,
    pub(crate) pools: Option<Vec<Position>>,
    pub(crate) timeout: u64,
    pub(crate) retries: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Serve {
    Origin,
    Usage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Auth {
    Anyone,
    Token { issuers: Vec<Position>, scopes: Vec<String>, forward: Vec<(String, String)>, keep_authorization: bool },
}

/// Why bytes are no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidCompiled {
    /// There are no bytes.
    Empty,
    /// Another version of Tidegate wrote them; holds the number of its format.
    Format(u8),
    /// They are cut off, or something else altogether.
    Malformed,
    /// They can be read, but a value in them is refused; holds which and why.
    Refused(String),
}

impl fmt::Display for InvalidCompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the compiled configuration is empty: build it with `tidegate compile`"),
            Self::Format(found) => write!(
                f,
                "the compiled configuration has format {found}, this program reads format {FORMAT}: build both anew"
            ),
            Self::Malformed => f.write_str("the compiled configuration is damaged: build it with `tidegate compile`"),
            Self::Refused(why) => write!(f, "the compiled configuration is refused: {why}"),
        }
    }
}

impl std::error::Error for InvalidCompiled {}

impl Compiled {
    #[cfg(feature = "authoring")]
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Only a map or a sequence of unknown length cannot be written, and there is none.
        postcard::to_extend(self, vec![FORMAT]).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, InvalidCompiled> {
        match bytes.split_first() {
            None => Err(InvalidCompiled::Empty),
            Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
                Ok((compiled, [])) => Ok(compiled),
                _ => Err(InvalidCompiled::Malformed),
            },
            Some((&format, _)) => Err(InvalidCompiled::Format(format)),
        }
    }
}
