//! What is stored for a request: in this isolate's memory, in the store of its location, in the object behind that.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_http_cache::fill::{self, Lease};
use tidegate_http_cache::purge::{self, Generation};
use tidegate_http_cache::{self as http_cache, Answer, Fields as FieldSource};

use super::fill::{Place, Selected, Tier};
use super::purges::{self, Judged};
use super::tags::Tags;
use crate::flights::Boarding;
use crate::memory::Memory;
use crate::platform::{Behind, Platform};
use crate::reply::After;
use crate::route::{CacheBackend, Scope};

/// A request that looks for a stored response.
pub(super) struct Search<'a, P> {
    pub(super) method: &'a str,
    pub(super) request: &'a dyn FieldSource,
    pub(super) resource: purge::Place<'a>,
    pub(super) scope: Scope,
    pub(super) backend: CacheBackend,
    /// The name of this location; only asked for when nothing near answers.
    pub(super) location: &'a dyn Fn() -> Option<String>,
    /// The tags of the response; only asked for when one is fetched.
    pub(super) tags: &'a dyn Fn() -> Tags,
    /// How long an origin may take.
    pub(super) timeout: Duration,
    pub(super) memory: &'a RefCell<Memory>,
    pub(super) platform: &'a P,
}

/// What was found, and where the response to this request would go.
pub(super) struct Found<B> {
    pub(super) place: Place,
    pub(super) selected: Option<Selected<B>>,
    /// What the selected response is good for.
    pub(super) answer: Option<Answer>,
    /// What was there was purged: its successor must have been fetched at or after this.
    pub(super) purged: Option<Generation>,
    /// The right to fetch for everybody.
    pub(super) lease: Option<Lease>,
    /// Whether this request is the one of its isolate that fetches.
    pub(super) is_boarded: bool,
    /// What is left to do after the reply.
    pub(super) after: Vec<After<B>>,
}

impl<B> Found<B> {
    fn nothing(place: Place) -> Self {
        Self { place, selected: None, answer: None, purged: None, lease: None, is_boarded: false, after: Vec::new() }
    }

    /// Whether the request can be answered without an origin.
    pub(super) fn is_usable(&self) -> bool {
        self.answer.is_some_and(|answer| answer.forward().is_none())
    }

    /// Whether the request itself wants the origin's word, whatever is stored.
    pub(super) fn is_declined(&self) -> bool {
        matches!(self.answer, Some(Answer::Bypass(_)))
    }

    /// Whether what is stored is another variant, and this request's own has no place beside it: a credential selects it, so
    /// nobody can bring it for this request.
    pub(super) fn is_unplaced(&self) -> bool {
        matches!(self.answer, Some(Answer::Mismatch))
    }
}

impl<P: Platform> Search<'_, P> {
    /// Whether the response to this request could be stored for others.
    pub(super) fn fills(&self) -> bool {
        self.method == "GET" && self.request.get("range").is_none()
    }

    /// Where the tier behind this location's store has a key; `None` when nothing is behind.
    pub(super) fn behind(&self, key: &str) -> Option<Behind> {
        let object = object(self.scope, self.location, key)?;
        Some(Behind { object, key: key.to_owned() })
    }

    /// Looks under the key, and when that holds another variant, under the variant's own.
    pub(super) async fn near(&self, key: String) -> Found<P::Body> {
        let first = match self.stored(&key).await {
            Judged::Believed(first) => *first,
            Judged::Gone { by } => return Found { purged: Some(by), ..Found::nothing(self.place(key)) },
            Judged::Nothing => return Found::nothing(self.place(key)),
        };
        if http_cache::selects(&first.stored, self.request) {
            let family = first.stored.family();
            return self.found(Place { key, family, beside: None }, first);
        }
        match self.beside(key, first) {
            Ok(place) => self.at(place).await,
            Err(found) => *found,
        }
    }

    /// The place of another variant than the one that is stored under the key; or what there is, if it can have none.
    pub(super) fn beside(&self, key: String, other: Selected<P::Body>) -> Result<Place, Box<Found<P::Body>>> {
        match http_cache::variant_key(&key, &other.stored, self.request) {
            Some(variant) => {
                let family = other.stored.family();
                Ok(Place { key: variant, family, beside: Some((key, Box::new(other.stored))) })
            }
            None => Err(Box::new(self.found(self.place(key), other))),
        }
    }

    /// Looks under the key of a variant.
    pub(super) async fn at(&self, place: Place) -> Found<P::Body> {
        match self.stored(&place.key).await {
            Judged::Believed(selected) => self.found(place, *selected),
            Judged::Gone { by } => Found { purged: Some(by), ..Found::nothing(place) },
            Judged::Nothing => Found::nothing(place),
        }
    }

    pub(super) fn found(&self, place: Place, selected: Selected<P::Body>) -> Found<P::Body> {
        let answer = http_cache::answer(&selected.stored, self.method, self.request, self.platform.now());
        Found { answer: Some(answer), selected: Some(selected), ..Found::nothing(place) }
    }

    fn place(&self, key: String) -> Place {
        Place { key, family: self.platform.random(), beside: None }
    }

    /// What the tiers of this location have under a key. Ready at the first poll if that is fresh and in memory.
    async fn stored(&self, key: &str) -> Judged<P::Body> {
        let now = self.platform.now();
        let shelved = self.platform.shelf().borrow_mut().get(key, now);
        let mut judged = Judged::Nothing;
        if let Some(shelved) = shelved {
            judged = purges::judge_decoded(shelved, Tier::Isolate, &self.resource, self.memory, self.platform).await;
            let is_fresh =
                matches!(&judged, Judged::Believed(selected) if !selected.stored.ttl(self.platform.now()).is_zero());
            if is_fresh {
                return judged;
            }
        }
        if self.scope == Scope::Isolate {
            return judged;
        }
        // Another isolate may have fetched its successor.
        match self.platform.stored(key).await.filter(|(metadata, _)| !self.is_overwritten(key, metadata)) {
            Some(found) => purges::judge(key, found, Tier::Location, &self.resource, self.memory, self.platform).await,
            None => judged,
        }
    }

    /// Looks where a request of this isolate, or of another one, may bring what the tiers of this location do not have.
    pub(super) async fn elsewhere(&self, found: Found<P::Body>, generation: Option<Generation>) -> Found<P::Body> {
        match self.scope {
            Scope::Isolate if self.fills() => self.in_isolate(found).await,
            Scope::Isolate => found,
            Scope::Colo | Scope::Global => self.ask_behind(found, generation).await,
        }
    }

    /// Lets one request of this isolate fetch, and the others look again until they find what it brought.
    async fn in_isolate(&self, found: Found<P::Body>) -> Found<P::Body> {
        let mut found = found;
        let until = self.platform.now().saturating_add(self.timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let now = self.platform.now();
            // If the one that fetches dies, the next one still brings it in time for all.
            let lasts = self.timeout.checked_div(2).unwrap_or_default();
            let boarding = self.memory.borrow_mut().flights.board(&found.place.key, lasts, now);
            if boarding != Boarding::Taken || now >= until {
                return Found { is_boarded: boarding == Boarding::First, ..found };
            }
            self.platform.sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            if let Judged::Believed(brought) = self.stored(&found.place.key).await {
                found = self.brought(found.place, *brought).await;
                if found.is_usable() || found.is_declined() || found.is_unplaced() {
                    return found;
                }
            }
        }
    }

    /// What another request has brought while this one waited: its own response, or a variant beside which that has its place.
    async fn brought(&self, place: Place, brought: Selected<P::Body>) -> Found<P::Body> {
        if place.beside.is_some() || http_cache::selects(&brought.stored, self.request) {
            return self.found(place, brought);
        }
        match self.beside(place.key, brought) {
            Ok(variant) => self.at(variant).await,
            Err(found) => *found,
        }
    }
}

/// How long a request waits before it looks again for what another one of its isolate fetches: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// The object behind that has a key. Keys spread over 64 objects, because one of them answers about a thousand questions a
/// second.
pub(super) fn object(scope: Scope, location: impl Fn() -> Option<String>, key: &str) -> Option<String> {
    const SHARDS: u64 = 64;
    let shard = fill::shard(key, SHARDS);
    match scope {
        Scope::Isolate => None,
        Scope::Colo => Some(format!("colo/{}/{shard}", location()?)),
        Scope::Global => Some(format!("global/{shard}")),
    }
}
