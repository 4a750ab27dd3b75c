//! What the response of an origin is held against, and where it would be stored.

mod conclusion;
mod keeping;

use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::fill::Lease;
use tidegate_http_cache::purge::{Generation, Stamp};
use tidegate_http_cache::{self as http_cache, Forward, Reason, Sharing, Stored};

pub(crate) use self::conclusion::{Answered, Filled};
pub(super) use self::keeping::{failed, started_seconds};
use super::tags::Tags;
use super::{Forwarded, Lookup};
use crate::platform::{Behind, Head, StoredBody};
use crate::rejection::Rejection;
use crate::route::Cache;

/// What the response of an origin is held against, and where it would be stored.
pub(crate) struct Fill<B> {
    pub(super) cache: Rc<Cache>,
    /// Where to store it; `None` when this request's response is for nobody else.
    pub(super) place: Option<Place>,
    pub(super) sharing: Sharing,
    pub(super) because: Forward,
    pub(super) detail: Option<Reason>,
    /// The query that the origin gets, when the key chooses from it.
    pub(super) query: Option<String>,
    /// What was known of purges when the fetch began.
    pub(super) generation: Option<Generation>,
    pub(super) tags: Tags,
    pub(super) told: Vec<(String, Option<String>)>,
    /// The stored response that this request has selected but that may not answer it unasked.
    pub(super) selected: Option<Selected<B>>,
    /// The object behind that is to have the response as well.
    pub(super) behind: Option<Behind>,
    /// The right to fetch for everybody, which the object behind has given.
    pub(super) lease: Option<Lease>,
    /// How long an origin may take.
    pub(super) patience: Duration,
    /// The key, when this isolate fetches it once for all its requests.
    pub(super) flight: Option<String>,
}

/// A place in the store.
pub(super) struct Place {
    pub(super) key: String,
    pub(super) family: u64,
    /// The key of the resource and what is stored there, when this is the place of another variant.
    pub(super) beside: Option<(String, Box<Stored>)>,
}

/// Where a stored response was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Isolate,
    Location,
    /// The platform's copy of what the object behind keeps.
    Copy,
    Behind,
}

impl Tier {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Location => "colo",
            Self::Copy => "workers_cache",
            Self::Behind => "object",
        }
    }
}

/// A stored response.
pub(super) struct Selected<B> {
    pub(super) tier: Tier,
    /// As purges leave it.
    pub(super) stored: Stored,
    pub(super) stamp: Stamp,
    pub(super) metadata: String,
    /// Why purges make it less than fresh, if they do.
    pub(super) doubt: Option<Reason>,
    /// `None` when it has gone to a client already.
    pub(super) body: Option<B>,
}

impl<B: StoredBody> Fill<B> {
    /// The response of a request that concerns no stored one, until something else is found out.
    pub(super) fn new(cache: &Rc<Cache>, sharing: Sharing, patience: Duration) -> Self {
        Self {
            cache: Rc::clone(cache),
            place: None,
            sharing,
            because: Forward::Bypass,
            detail: None,
            query: None,
            generation: None,
            tags: Tags::default(),
            told: Vec::new(),
            selected: None,
            behind: None,
            lease: None,
            patience,
            flight: None,
        }
    }

    pub(super) fn because(self, because: Forward, detail: Option<Reason>) -> Self {
        Self { because, detail, ..self }
    }

    /// Goes to the origin, unless the client wants no more than a stored response.
    pub(super) fn miss<H: Head>(self, request: &Forwarded<'_, H>) -> Result<Lookup<B>, Rejection> {
        if http_cache::only_if_cached(request) {
            return Err(Rejection::NotStored);
        }
        Ok(Lookup::Miss(Self { told: request.told.all(), ..self }))
    }

    /// Whether the response's body is kept as it comes.
    pub(crate) fn keeps_body(&self) -> bool {
        self.place.is_some()
    }

    /// The request fields to withhold from the origin, so that the whole response comes back for everybody.
    pub(crate) fn withheld(&self) -> &'static [&'static str] {
        if self.place.is_some() { http_cache::forwarded_conditionals() } else { &[] }
    }

    /// The request fields that ask the origin whether the stored response still holds.
    pub(crate) fn validators(&self, method: &str) -> Vec<(&'static str, &str)> {
        let selected = self.selected.as_ref().filter(|_| method == "GET" && self.place.is_some());
        selected.map(|selected| selected.stored.validators()).unwrap_or_default()
    }

    /// The query that the origin gets; `None`: the client's, whole.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The key that this isolate fetches once for all its requests.
    pub(crate) fn flight(&self) -> Option<&str> {
        self.flight.as_deref()
    }
}
