//! The Workers Cache: the platform keeps copies of what the objects behind keep, close to whoever asks.
//!
//! It reads through and takes nothing: a look-up is a request to an entrypoint of ours that answers with what the object
//! has ([`offer`]), unless the platform has a copy of such an answer. It never hears of a client's request, of an origin's
//! fields or of a purge. What it says is therefore never believed because it says so: a copy goes through the same judges as
//! what any other tier holds, names the place that it is of, and is short-lived, so that nobody has to take it back.

use std::time::Duration;

use tidegate_http_cache::fill::{Ask, Message, Said};

use super::search::Search;
use super::shelf::{is_known_overwritten, is_overwritten, read};
use crate::platform::{Behind, Platform};
use crate::route::{CacheBackend, Scope};

/// How long a copy answers: after that the object's word counts, which knows what writes and other fetches have changed.
pub(super) const LASTS: Duration = Duration::from_secs(10);

/// How long the platform may say that there is nothing: so that of a thousand who ask at once, one asks the object. Who is told
/// so asks the object anyway, for the right to fetch.
const NOTHING: &str = "public, max-age=1, must-revalidate";

/// What is not to be kept has to say so: without a Cache-Control, the platform keeps a 200 for two hours.
const NEVER: &str = "no-store";

/// A look-up that takes longer is given up: what it waits for is most likely the object, which is asked next.
pub const COPY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long requests go on without copies after a look-up has failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The same where the platform has no cache in front of the entrypoint: then every look-up asks an object in vain.
const ABSENT: Duration = Duration::from_secs(60);

/// What the isolate remembers of copies.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Until when none is asked for.
    paused: Duration,
}

impl Copies {
    fn are_paused(&self, now: Duration) -> bool {
        now < self.paused
    }
}

/// What an entrypoint offers the platform to keep, with the Cache-Control for it.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<B> {
    /// This response.
    Copy(B, String),
    /// The word that the object has none.
    Nothing(&'static str),
    /// The word that the object did not answer.
    Failed(&'static str),
}

/// Answers what the platform has no copy of. Asks for no lease: what is kept is shared by whoever comes, and a lease is one
/// request's.
pub async fn offer<P: Platform>(url: &str, platform: &P) -> Offer<P::Body> {
    let Some(place) = place(url) else { return Offer::Failed(NEVER) };
    let now = platform.now();
    let ask = Ask {
        refuse: None,
        generation: None,
        refresh: false,
        lease: Duration::ZERO,
        until: now,
        random: platform.random(),
    };
    let Ok(told) = platform.ask_behind(&place, ask.encode(), None).await else { return Offer::Failed(NEVER) };
    match (Said::decode(&told.said), told.response) {
        (Ok(Said::Hit { .. }), Some((metadata, body))) => Offer::Copy(body, cache_control(&metadata, platform.now())),
        (Ok(_), _) => Offer::Nothing(NOTHING),
        (Err(_), _) => Offer::Failed(NEVER),
    }
}

/// `max-age` and no `s-maxage`, and `must-revalidate`: the platform would otherwise serve a copy that is stale for as long as
/// the entrypoint fails. Which stale response stands in for what, is decided by its own metadata, here.
fn cache_control(metadata: &str, now: Duration) -> String {
    let fresh = read(metadata).map(|(_, stored)| stored.ttl(now)).unwrap_or_default();
    match fresh.min(LASTS).as_secs() {
        0 => NEVER.to_owned(),
        seconds => format!("public, max-age={seconds}, must-revalidate"),
    }
}

/// The URL under which the platform keeps the copy. Its key is the path alone, without the host, so all is in the path; no
/// field of any client goes along, by which it would keep responses apart, or keep none.
fn url(place: &Behind) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let Behind { object, key } = place;
    // The parts of a key are percent-encoded: none of them holds a slash, and no other label ends it.
    object.bytes().all(is_plain).then(|| format!("{key}/object={}", object.replace('/', ":")))
}

/// The other way round.
fn place(url: &str) -> Option<Behind> {
    let (key, object) = url.rsplit_once("/object=")?;
    Some(Behind { object: object.replace(':', "/"), key: key.to_owned() })
}

impl<P: Platform> Search<'_, P> {
    /// The platform's copy of what the object behind keeps under a key: metadata and body.
    pub(super) async fn copy(&self, place: &Behind) -> Option<(String, P::Body)> {
        if self.backend != CacheBackend::WorkersCache || self.scope != Scope::Global {
            return None;
        }
        let url = url(place).filter(|_| !self.memory.borrow().copies.are_paused(self.platform.now()))?;
        let copied = self.platform.copied(&url).await;
        let pause = match &copied {
            Ok(copied) if copied.is_cached => None,
            Ok(_) => Some(ABSENT),
            // The request goes on without it.
            Err(_unreachable) => Some(PAUSE),
        };
        if let Some(pause) = pause {
            self.memory.borrow_mut().copies.paused = self.platform.now().saturating_add(pause);
        }
        // Whatever the platform makes of a URL: what was stored for one place never answers for another.
        let (_, metadata, body) = copied.ok()?.copy.filter(|(of, _, _)| *of == url)?;
        (!self.is_overwritten(&place.key, &metadata)).then_some((metadata, body))
    }

    /// Whether a write that went through this isolate has made a response untrue that comes back from elsewhere.
    pub(super) fn is_overwritten(&self, key: &str, metadata: &str) -> bool {
        match self.backend {
            // What any write has made untrue, a copy brings back.
            CacheBackend::WorkersCache => is_overwritten(self.platform.shelf(), key, metadata),
            CacheBackend::CacheApi => is_known_overwritten(self.platform.shelf(), key, metadata),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_http_cache::purge::Stamp;
    use tidegate_http_cache::{Exchange, KeyParts, Rules, Sharing, key, storable};

    const NOW: Duration = Duration::from_secs(1_767_225_600);

    fn metadata(cache_control: &str) -> String {
        let response = |name: &str| match name {
            "cache-control" => Some(cache_control.to_owned()),
            "etag" => Some("\"a\"".to_owned()),
            _ => None,
        };
        let stored = storable(&Exchange {
            method: "GET",
            request: &|_: &str| None,
            status: 200,
            response: &response,
            sharing: Sharing::Everyone,
            rules: &Rules::ORIGIN_DECIDES,
            request_time: NOW,
            response_time: NOW,
            random: 0,
        });
        Stamp::new(None, []).seal(&stored.unwrap().encode())
    }

    /// What the platform is told of a response that it is offered so long after its arrival.
    #[track_caller]
    fn check(of_origin: &str, after_millis: u64, expected: &str) {
        let found = cache_control(&metadata(of_origin), NOW.saturating_add(Duration::from_millis(after_millis)));
        assert_eq!(found, expected, "{of_origin} after {after_millis} ms");
    }

    #[test]
    fn a_copy_lasts_as_long_as_its_response_is_fresh_and_ten_seconds_at_most() {
        check("max-age=3600", 0, "public, max-age=10, must-revalidate");
        check("max-age=3600, stale-while-revalidate=60, stale-if-error=60", 0, "public, max-age=10, must-revalidate");
        check("s-maxage=3600", 0, "public, max-age=10, must-revalidate");
        check("max-age=60", 50_000, "public, max-age=10, must-revalidate");
        check("max-age=60", 50_001, "public, max-age=9, must-revalidate");
        check("max-age=60", 59_000, "public, max-age=1, must-revalidate");
    }

    #[test]
    fn what_is_not_fresh_for_a_second_or_cannot_be_read_is_not_kept() {
        check("max-age=60", 59_001, "no-store");
        check("max-age=60, stale-while-revalidate=60", 70_000, "no-store");
        check("no-cache, max-age=60", 70_000, "no-store");
        for damaged in ["", ".", "AA.AA"] {
            assert_eq!(cache_control(damaged, NOW), "no-store");
        }
    }

    #[test]
    fn every_answer_says_what_becomes_of_it() {
        // Without a Cache-Control the platform keeps a 200 for two hours; with one that says no `must-revalidate`, it serves
        // what is stale for as long as the entrypoint fails.
        for control in [NOTHING, &*cache_control(&metadata("max-age=5"), NOW)] {
            assert!(control.starts_with("public, max-age=") && control.ends_with(", must-revalidate"), "{control}");
        }
        assert_eq!(NEVER, "no-store");
    }

    #[test]
    fn an_object_whose_name_could_be_taken_for_another_has_no_copies() {
        let url = |object: &str| {
            url(&Behind { object: object.to_owned(), key: "https://cache.tidegate.invalid/path=%2F".to_owned() })
        };
        assert_eq!(url("global/17").as_deref(), Some("https://cache.tidegate.invalid/path=%2F/object=global:17"));
        for object in ["global:17", "a/../b", "colo/%2F/1", "colo/a b/1", "ä"] {
            assert_eq!(url(object), None, "{object}");
        }
        assert_eq!(place("https://cache.tidegate.invalid/path=%2F"), None);
    }

    proptest! {
        /// The host is no part of the platform's key, nor is any field: all is in the path.
        #[test]
        fn different_places_have_different_paths(
            a in (".{0,8}", ".{0,8}", 0..3_u8),
            b in (".{0,8}", ".{0,8}", 0..3_u8),
        ) {
            let place = |(host, by, shard): &(String, String, u8)| {
                let partition = [("by", Some(by.as_str()))];
                let parts =
                    KeyParts { cache: "c", scheme: "https", host, path: "/", partition: &partition, ..KeyParts::default() };
                Behind { object: format!("global/{shard}"), key: key(&parts).unwrap() }
            };
            let [first, second] = [&a, &b].map(place);
            let path = |place: &Behind| url(place).unwrap().splitn(4, '/').nth(3).unwrap().to_owned();
            prop_assert_eq!(path(&first) == path(&second), a == b);
            prop_assert_eq!(super::place(&url(&first).unwrap()), Some(first));
        }
    }
}
