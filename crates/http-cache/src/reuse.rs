use crate::cache_control::{MaxStale, RequestControl};
use crate::fields::{Fields, trim};
use crate::reason::Reason;
use crate::status::Forward;
use crate::stored::Stored;
use crate::vary;
use std::time::Duration;

/// Does a request concern the cache?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Look for a stored response, and try to store the one that comes back.
    Use,
    /// Forward the request untouched; do not store what comes back.
    Bypass(Reason),
}

/// Decides whether a request concerns the cache, before anything is looked for.
pub fn lookup(method: &str, request: &dyn Fields) -> Lookup {
    if !matches!(method, "GET" | "HEAD") {
        return Lookup::Bypass(Reason::Method);
    }
    // "The If-Match and If-Unmodified-Since conditional header fields are not applicable to a cache" (RFC 9111, section
    // 4.3.2). A 412 to such a request must not be stored for those without a precondition.
    if request.get("if-match").is_some() || request.get("if-unmodified-since").is_some() {
        return Lookup::Bypass(Reason::Precondition);
    }
    // Content of a GET has no meaning (RFC 9110, section 9.3.1), but some origins give it one. It is not in the key:
    // who sends it would choose what everybody else receives.
    if request.get("transfer-encoding").is_some()
        || request.get("content-length").is_some_and(|length| trim(&length) != "0")
    {
        return Lookup::Bypass(Reason::RequestContent);
    }
    if request.get("upgrade").is_some_and(|protocols| protocols.to_ascii_lowercase().contains("websocket")) {
        return Lookup::Bypass(Reason::Upgrade);
    }
    match request.get("cache-control").map(|field| RequestControl::of(&field)) {
        // What a field that cannot be understood wanted may be `no-store`.
        Some(Err(_)) => Lookup::Bypass(Reason::Malformed),
        // "A cache MUST NOT store any part of either this request or any response to it" (RFC 9111, section 5.2.1.5).
        Some(Ok(control)) if control.no_store => Lookup::Bypass(Reason::RequestNoStore),
        Some(Ok(_)) | None => Lookup::Use,
    }
}

/// Is the client content with a stored response only? Then a request that would otherwise be forwarded, for whatever
/// reason, is answered with 504 (RFC 9111, section 5.2.1.7).
pub fn only_if_cached(request: &dyn Fields) -> bool {
    let field = request.get("cache-control");
    field.and_then(|field| RequestControl::of(&field).ok()).is_some_and(|control| control.only_if_cached)
}

/// What a stored response is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Reply with it.
    Fresh {
        /// `current_age`, for the Age field.
        age: Duration,
        /// How long it remains fresh; more than zero.
        ttl: Duration,
    },
    /// Reply with it although it is stale: the client accepts that, and the origin does not forbid it.
    StaleAccepted {
        /// `current_age`, for the Age field.
        age: Duration,
        /// How long it has been stale.
        overdue: Duration,
    },
    /// Reply with it although it is stale, and ask the origin for its successor after the reply (RFC 5861, section 3).
    StaleWhileRevalidate {
        /// `current_age`, for the Age field.
        age: Duration,
        /// How long it has been stale.
        overdue: Duration,
    },
    /// It is stale, or must not be used without asking: forward the request.
    Stale {
        /// `current_age`.
        age: Duration,
    },
    /// Another request was it that selected this response: forward this one.
    Mismatch,
    /// It is fresh, but this request does not want it: forward the request, and store what comes back.
    Bypass(Reason),
}

impl Answer {
    /// What Cache-Status says in `fwd` when the request goes forward; `None` when it does not.
    pub fn forward(&self) -> Option<Forward> {
        match self {
            Self::Fresh { .. } | Self::StaleAccepted { .. } | Self::StaleWhileRevalidate { .. } => None,
            Self::Stale { .. } => Some(Forward::Stale),
            Self::Mismatch => Some(Forward::VaryMiss),
            Self::Bypass(reason) => Some(reason.forward()),
        }
    }
}

/// Do the fields that a stored response was selected by have the same values in this request (RFC 9111, section 4.1)?
pub fn selects(stored: &Stored, request: &dyn Fields) -> bool {
    vary::matches(&stored.selecting, request)
}

/// May this stored response answer this request at the time `now` (since the Unix epoch)? RFC 9111, section 4, for a
/// response found under the request's own key; [`lookup`] has let the request pass. The request is seen as
/// [`Exchange::request`](crate::Exchange::request) sees it.
pub fn answer(stored: &Stored, method: &str, request: &dyn Fields, now: Duration) -> Answer {
    // "The request method associated with the stored response allows it to be used for the presented request": that of
    // a GET answers a HEAD too, without its content (RFC 9110, section 9.3.2).
    if !matches!(method, "GET" | "HEAD") {
        return Answer::Bypass(Reason::Method);
    }
    // "Request header fields nominated by the stored response (if any) match those presented".
    if !selects(stored, request) {
        return Answer::Mismatch;
    }
    let Ok(control) = RequestControl::read(request) else { return Answer::Bypass(Reason::Malformed) };
    let (age, ttl, overdue) = (stored.age(now), stored.ttl(now), stored.overdue(now));
    // "The no-cache response directive [...] indicates that the response MUST NOT be used to satisfy any other request
    // without forwarding it for validation" (section 5.2.2.4).
    let is_fresh = !ttl.is_zero() && !stored.no_cache;
    match (unwanted(&control, age, ttl), is_fresh) {
        (None, true) => Answer::Fresh { age, ttl },
        (Some(reason), true) => Answer::Bypass(reason),
        (None, false) if within(stored, stored.stale.while_revalidate, overdue) => {
            Answer::StaleWhileRevalidate { age, overdue }
        }
        (None, false) if accepts_stale(&control, stored, age) => Answer::StaleAccepted { age, overdue },
        (_, false) => Answer::Stale { age },
    }
}

/// Can this stored response answer a request at the time `now` without the origin's word: while it is fresh, or stale and
/// being revalidated? What a client accepts or refuses is its own matter.
pub fn answers_unasked(stored: &Stored, now: Duration) -> bool {
    let is_fresh = !stored.ttl(now).is_zero() && !stored.no_cache;
    is_fresh || within(stored, stored.stale.while_revalidate, stored.overdue(now))
}

/// May this stale response be used because the origin failed? If so, for how long it has been stale.
///
/// RFC 5861, section 4: "when an error is encountered, a cached stale response MAY be used to satisfy the request,
/// regardless of other freshness information" for as long as the response, the operator or the request says, but not
/// against "an explicit in-protocol directive" (RFC 9111, section 4.2.4).
pub fn stale_if_error(stored: &Stored, request: &dyn Fields, now: Duration) -> Option<Duration> {
    let control = RequestControl::read(request).ok()?;
    let overdue = stored.overdue(now);
    let window = control.stale_if_error.map_or(stored.stale.if_error, |asked| asked.max(stored.stale.if_error));
    let wanted = !control.no_cache && control.max_age.is_none() && control.min_fresh.is_none();
    (wanted && within(stored, window, overdue)).then_some(overdue)
}

/// Is this an error in the sense of RFC 5861, section 4: "any situation that would result in a 500, 502, 503, or 504 HTTP
/// response status code being returned"? 520 to 526 and 530 are the platform's words for an origin that it cannot reach.
pub fn is_error(status: u16) -> bool {
    matches!(status, 500 | 502..=504 | 520..=526 | 530)
}

/// Is the end of the lifetime no further away than the window is long? A window of zero is none.
fn within(stored: &Stored, window: Duration, overdue: Duration) -> bool {
    !window.is_zero() && overdue <= window && !stored.forbids_stale_reuse()
}

/// The request directives that a stored response may fail (RFC 9111, section 5.2.1).
fn unwanted(control: &RequestControl, age: Duration, ttl: Duration) -> Option<Reason> {
    // "The client prefers a stored response not be used to satisfy the request without successful validation".
    if control.no_cache {
        return Some(Reason::RequestNoCache);
    }
    // "The client prefers a response whose age is less than or equal to the specified number of seconds".
    if control.max_age.is_some_and(|max_age| age > max_age) {
        return Some(Reason::RequestMaxAge);
    }
    // "The client prefers a response whose freshness lifetime is no less than its current age plus the specified time".
    if control.min_fresh.is_some_and(|min_fresh| ttl < min_fresh) {
        return Some(Reason::RequestMinFresh);
    }
    None
}

/// "A cache MUST NOT generate a stale response unless [...] doing so is explicitly permitted by the client or origin
/// server (e.g., by the max-stale request directive", nor "if it is prohibited by an explicit in-protocol directive"
/// (RFC 9111, section 4.2.4).
fn accepts_stale(control: &RequestControl, stored: &Stored, age: Duration) -> bool {
    let accepted = match control.max_stale {
        None => false,
        // "If no value is assigned to max-stale, then the client will accept a stale response of any age."
        Some(MaxStale::AnyAge) => true,
        // "A response that has exceeded its freshness lifetime by no more than the specified number of seconds".
        Some(MaxStale::AtMost(limit)) => age <= stored.lifetime().saturating_add(limit),
    };
    accepted && !stored.forbids_stale_reuse()
}

#[cfg(test)]
mod tests;
