//! What is stored of the origin's answer, and what is told about it to the object behind.

use std::time::Duration;

use tidegate_http_cache::fill::{Back, Ended, Filled, Message};
use tidegate_http_cache::{self as http_cache, Exchange, Freshened, Stored};

use super::{Fill, Place, Selected};
use crate::caching::tags::CACHE_TAG;
use crate::platform::StoredBody;
use crate::reply::{After, Bring, Forgotten, Freshen, Store};
use crate::route::Scope;

impl<B: StoredBody> Fill<B> {
    /// What is left to do with the origin's answer.
    pub(super) fn keep(
        &mut self,
        storable: Option<Stored>,
        selected: Option<Selected<B>>,
        exchange: &Exchange<'_>,
    ) -> Vec<After<B>> {
        let Exchange { method, status, response, .. } = *exchange;
        let Some(place) = self.place.take() else { return Vec::new() };
        if let Some(stored) = storable {
            let (key, stored) = place.of(stored);
            let (behind, ended) = self.bring(&key, &stored, exchange);
            let store = Store {
                key,
                metadata: self.tags.stamp(self.generation, response).seal(&stored.encode()),
                removed: stored.withheld().chain([CACHE_TAG]).map(str::to_owned).collect(),
                keep_seconds: self.keep_seconds(&stored),
                behind,
            };
            return ended.into_iter().chain([After::Store(Box::new(store))]).collect();
        }
        let ended = self.end(if http_cache::is_error(status) { Ended::Failed } else { Ended::Uncacheable });
        let kept = match selected {
            Some(selected) if method == "HEAD" => self.head(place, selected, exchange),
            // The origin has another answer now, which is nobody else's: what is stored is no longer true. Of an error, and
            // of what this client may not see, that cannot be said.
            Some(_) if method != "HEAD" && is_successor(status) => Some(self.forget(place.key)),
            _ => None,
        };
        ended.into_iter().chain(kept).collect()
    }

    /// What the 200 to a HEAD says about the stored response to a GET (RFC 9111, section 4.3.5). It is no newer than before
    /// for purges: nobody asked for its content.
    fn head(&self, place: Place, selected: Selected<B>, exchange: &Exchange<'_>) -> Option<After<B>> {
        if exchange.status != 200 {
            return None;
        }
        match http_cache::freshen_by_head(&selected.stored, exchange) {
            Some(Freshened { stored: Ok(stored), excepted, .. }) => Some(After::Freshen(Box::new(Freshen {
                body: selected.body.filter(|body| body.whole_bytes().is_some()),
                key: place.key,
                replaced: selected.metadata,
                excepted,
                keep_seconds: self.keep_seconds(&stored),
                metadata: selected.stamp.seal(&stored.encode()),
                behind: None,
            }))),
            _ => Some(self.forget(place.key)),
        }
    }

    /// How long this location's store keeps a response; `None` when it does not.
    pub(super) fn keep_seconds(&self, stored: &Stored) -> Option<u64> {
        (self.cache.scope != Scope::Isolate).then(|| started_seconds(stored.keep()))
    }

    pub(super) fn forget(&self, key: String) -> After<B> {
        let object = self.behind.as_ref().map(|behind| behind.object.clone());
        After::Forget(vec![Forgotten { key, object }])
    }

    /// What the object behind is told about a response that is stored, and the lease that ends without one.
    pub(super) fn bring(
        &mut self,
        key: &str,
        stored: &Stored,
        exchange: &Exchange<'_>,
    ) -> (Option<Bring>, Option<After<B>>) {
        let Exchange { request_time, response_time, .. } = *exchange;
        let fresh_until = stored.fresh_until();
        // Who waits wants something fresh; what must be validated at once, each fetches for itself.
        let is_fresh = !stored.ttl(response_time).is_zero() && !stored.is_always_validated();
        let Some(place) = self.behind.clone().filter(|behind| is_fresh && behind.key == key) else {
            return (None, self.end(Ended::Uncacheable));
        };
        let lease = self.lease.take().map_or(0, |lease| lease.number);
        let filled = Filled {
            lease,
            generation: self.generation,
            sent: request_time,
            arrived: response_time,
            fresh_until,
            keep_until: stored.keep_until(),
            durable: self.cache.scope == Scope::Global && stored.ttl(response_time) >= DURABLE,
        };
        let [too_large, failed] = [Ended::TooLarge, Ended::Failed].map(|how| Back { lease, how }.encode());
        (Some(Bring { place, filled: filled.encode(), too_large, failed }), None)
    }

    /// Gives the lease back, if there is one.
    pub(super) fn end(&mut self, how: Ended) -> Option<After<B>> {
        let (lease, place) = (self.lease.take()?, self.behind.clone()?);
        Some(After::End(place, Back { lease: lease.number, how }.encode()))
    }
}

/// What is fresh for less is not worth a row in an object's storage.
const DURABLE: Duration = Duration::from_secs(10);

/// The word that a lease has brought nothing.
pub(in crate::caching) fn failed(lease: u64) -> Vec<u8> {
    Back { lease, how: Ended::Failed }.encode()
}

impl Place {
    /// Where a response goes, as a member of which family.
    fn of(self, stored: Stored) -> (String, Stored) {
        let Self { key, family, beside } = self;
        let (key, family) = match beside {
            // It is selected by other fields than what is stored for this resource: the next request has to find it first.
            Some((resource, other)) if !stored.is_variant_of(&other) => (resource, family.wrapping_add(1)),
            _ => (key, family),
        };
        (key, stored.of_family(family))
    }
}

fn is_successor(status: u16) -> bool {
    matches!(status, 200..=399 | 404 | 410)
}

/// A started second counts: what expired is refused by its metadata, whatever the store thinks.
pub(in crate::caching) fn started_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(1)
}
