//! The whole surface between the decisions and the world.
//!
//! Only [`serve`](crate::serve) and the steps that it names may call a [`Platform`]; the leaves cannot, they do not know
//! this crate. Points in time are durations since the Unix epoch.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use crate::caching::Shelf;
use tidegate_jwt::{Algorithm, Key};
use tidegate_rate_limit::Failure;
use tidegate_steering::Location;

/// The head of a client's request. The body never comes here, except for an operator's.
#[expect(async_fn_in_trait, reason = "an isolate has one thread: no future needs to be Send")]
pub trait Head {
    /// The method, as sent.
    fn method(&self) -> &str;
    /// The absolute URL, after the platform's own parsing.
    fn url(&self) -> &str;
    /// A field's value by its lower-case name; several lines are joined by ", ".
    fn field(&self, name: &str) -> Option<String>;
    /// The lower-case names of all fields, separated by line feeds.
    fn field_names(&self) -> String;
    /// Whether there is a body, even an empty one that is not yet known to be empty.
    fn has_body(&self) -> bool;
    /// Where the platform sees the client.
    fn location(&self) -> Location;
    /// The body, of at most so many bytes. Only what operators send is read.
    async fn content(&self, bytes_max: usize) -> Content;
}

/// The body of an operator's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of it; empty when there is none.
    Text(String),
    /// It is longer than it may be.
    TooLarge,
    /// It is no UTF-8, or it broke off.
    Unreadable,
}

/// What the core asks of the world: each method is one call of the platform.
#[expect(async_fn_in_trait, reason = "an isolate has one thread: no future needs to be Send")]
pub trait Platform {
    /// The fields and the body of a stored response: passed along, never read.
    type Body: StoredBody;

    /// The time, as a duration since the Unix epoch.
    fn now(&self) -> Duration;

    /// 64 random bits, good enough to spread load and to name requests.
    fn random(&self) -> u64;

    /// A Worker secret.
    fn secret(&self, name: &str) -> Option<String>;

    /// Fetches a JWK Set, at most 1 MiB within 5 s; only a 200 counts.
    async fn key_set(&self, url: &str) -> Result<String, Unreachable>;

    /// Checks one signature with one key.
    async fn verify(&self, check: SignatureCheck<'_>) -> Result<bool, Unreachable>;

    /// Asks the Durable Object of some limits, and waits for at most
    /// [`LIMITER_TIMEOUT`](crate::limiting::LIMITER_TIMEOUT). The message and the answer are `tidegate-rate-limit`'s.
    async fn ask(&self, object: &str, purpose: Purpose, message: Vec<u8>) -> Result<Vec<u8>, AskFailure>;

    /// Asks the purge log, and waits for at most [`Generations::TIMEOUT`](tidegate_http_cache::purge::Generations::TIMEOUT).
    /// The message and the answer are `tidegate-http-cache`'s.
    async fn purge_log(&self, question: Vec<u8>) -> Result<Vec<u8>, LogFailure>;

    /// The stored responses in the memory of this isolate.
    fn shelf(&self) -> &RefCell<Shelf<Self::Body>>;

    /// The name of the location that the store of [`stored`](Self::stored) belongs to; `None` when it has none, as where no
    /// runtime says where it runs. Safe in the name of an object.
    fn location(&self) -> Option<String>;

    /// Reads what the store of this location has: metadata and body. A tier that fails is a miss. What has at most
    /// [`SHELVED_MAX`](crate::SHELVED_MAX) bytes comes whole.
    async fn stored(&self, key: &str) -> Option<(String, Self::Body)>;

    /// Asks the Durable Object that has one request fetch for all that want a key. The message is an `Ask` of
    /// `tidegate-http-cache`. With `wait`, the answer may take that long, until somebody else's fetch is there; else it
    /// comes at once, and one that takes longer than [`BEHIND_TIMEOUT`](crate::BEHIND_TIMEOUT) is none.
    async fn ask_behind(
        &self,
        place: &Behind,
        message: Vec<u8>,
        wait: Option<Duration>,
    ) -> Result<Told<Self::Body>, Unreachable>;

    /// Asks the platform's own cache for its copy of what an object behind keeps, under a URL that stands for the object and
    /// the key, with no field of a client's; waits for at most [`COPY_TIMEOUT`](crate::COPY_TIMEOUT). What it has no copy of,
    /// it asks the entrypoint for that answers with [`offer`](crate::offer).
    async fn copied(&self, url: &str) -> Result<Copied<Self::Body>, Unreachable>;

    /// Waits so long.
    async fn sleep(&self, duration: Duration);
}

/// The fields and the body of a stored response, as the platform keeps them.
pub trait StoredBody: Clone {
    /// How many bytes it has, when it is whole in memory and can be read any number of times; `None` when it streams from a
    /// store, once.
    fn whole_bytes(&self) -> Option<usize>;
}

/// Where the tier behind a location's own store has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The name of the Durable Object.
    pub object: String,
    /// The key.
    pub key: String,
}

/// What the object behind says.
pub struct Told<B> {
    /// A `Said` of `tidegate-http-cache`.
    pub said: Vec<u8>,
    /// The response that it speaks of: metadata and body, whole.
    pub response: Option<(String, B)>,
}

/// What the platform's own cache says.
pub struct Copied<B> {
    /// A copy: the URL that it says it was made for, its metadata, and its body, whole.
    pub copy: Option<(String, String, B)>,
    /// Whether a cache was asked. The entrypoint answers without one too, and then nothing is gained by asking it.
    pub is_cached: bool,
}

/// One signature to check: RFC 7515, section 5.2, step 8.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub struct SignatureCheck<'a> {
    pub algorithm: Algorithm,
    pub key: &'a Key,
    pub signing_input: &'a str,
    pub signature: &'a [u8],
}

/// What the Durable Object of some limits is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An `Answer` to the `Question` that the message is.
    Decide,
    /// The `Usage` of the key that the message peeks at.
    Usage,
    /// A fresh start for the key that the message peeks at, and its `Usage` afterwards.
    Reset,
}

/// Why a Durable Object gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskFailure {
    /// It has more to do than it can: to ask again would make it worse.
    Overloaded,
    /// It did not answer in time, or its answer was an error.
    Unreachable(Unreachable),
}

impl AskFailure {
    /// For the log.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Overloaded => "the limiter is overloaded".to_owned(),
            Self::Unreachable(Unreachable { reason }) => reason.clone(),
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Overloaded => Failure::Overloaded,
            Self::Unreachable(_) => Failure::Unreachable,
        }
    }
}

/// Why the purge log gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFailure {
    /// The deployment has none.
    Absent,
    /// It did not answer in time, or its answer was an error.
    Unreachable(Unreachable),
}

/// A part of the world that did not answer, or not with an answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// For the log: which part, and how it failed. Never holds a secret, and never reaches a client.
    pub reason: String,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Unreachable {}

impl Unreachable {
    /// Names the part that failed and how.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
