use crate::cache_control::{Extent, says_no_cache};
use crate::content_types::ContentTypes;
use crate::fields::{Fields, members};
use crate::reason::Reason;
use crate::storable::{Exchange, Sharing};
use crate::targeted::{Policy, Source};
use crate::{date, delta_seconds};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The operator's rules for one cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    // Invariant: more than zero, at most 2^31 seconds.
    ttl: Option<Duration>,
    // Invariant: as of `ttl`.
    negative_ttl: Option<Duration>,
    // Invariant: at most 50.
    jitter_percent: u32,
    override_origin: bool,
    heuristic: Option<Heuristic>,
    pub(crate) stale: StaleWindows,
    /// `None`: every type.
    content_types: Option<ContentTypes>,
}

/// A lifetime made from how long a response had not been modified (RFC 9111, section 4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heuristic {
    // Invariant: 1 to 100.
    percent: u64,
    // Invariant: more than zero, at most 2^31 seconds.
    at_most: Duration,
}

impl Heuristic {
    /// `percent` of the interval between the response's modification and its arrival, but never more than `at_most`: "If
    /// the response has a Last-Modified header field, caches are encouraged to use a heuristic expiration value that is
    /// no more than some fraction of the interval since that time. A typical setting of this fraction might be 10%."
    ///
    /// # Errors
    ///
    /// A percentage that is not 1 to 100, or an `at_most` of zero or of more than 2,147,483,648 seconds.
    pub fn new(percent: u64, at_most: Duration) -> Result<Self, InvalidRules> {
        if !(1..=100).contains(&percent) {
            return Err(InvalidRules::Percent);
        }
        Ok(Self { percent, at_most: lifetime(at_most)? })
    }

    fn lifetime(self, unmodified: Duration) -> Duration {
        // Seconds of a date and at most 100: no overflow before the division.
        let part = unmodified.as_secs().saturating_mul(self.percent).checked_div(100);
        self.at_most.min(Duration::from_secs(part.unwrap_or_default()))
    }
}

/// For how long after the end of its lifetime a response may still be used, where the response does not say (RFC 5861).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StaleWindows {
    /// While it is revalidated in the background.
    pub while_revalidate: Duration,
    /// While the origin fails.
    pub if_error: Duration,
}

impl Rules {
    /// Rules without a lifetime: what the origin does not declare fresh is not stored.
    pub const ORIGIN_DECIDES: Self = Self {
        ttl: None,
        negative_ttl: None,
        jitter_percent: 0,
        override_origin: false,
        heuristic: None,
        stale: StaleWindows { while_revalidate: Duration::ZERO, if_error: Duration::ZERO },
        content_types: None,
    };

    /// Rules with a lifetime for responses on which the origin is silent: those without `s-maxage`, `max-age` and
    /// `Expires` whose status is 200, 203, 204, 300, 301, 308, 404 or 410, or that say `public` and are not a 5xx. The
    /// other statuses that RFC 9110, section 15.1 calls heuristically cacheable are left to the origin: 206 is never
    /// stored, 405 and 414 tell of the request rather than of the resource, and a 501 is an error.
    ///
    /// With `override_origin` the `ttl` also replaces a lifetime that the origin states for such a response. It
    /// replaces a number and nothing else: what the origin forbids (`no-store`, `private`, `no-cache`), cookies and
    /// authorized requests are treated as without it.
    ///
    /// A `ttl` counts from the arrival of the response, whatever its age was then.
    ///
    /// # Errors
    ///
    /// A `ttl` of zero or of more than 2,147,483,648 seconds.
    pub fn new(ttl: Duration, override_origin: bool) -> Result<Self, InvalidRules> {
        Ok(Self { ttl: Some(lifetime(ttl)?), override_origin, ..Self::ORIGIN_DECIDES })
    }

    /// The longest lifetime that a `ttl` gives to a 4xx, if no other one is named.
    pub const NEGATIVE_TTL: Duration = Duration::from_secs(10);

    /// The same rules with a lifetime of its own for a 4xx: for a 404 or 410, or one that says `public`, on which the origin is
    /// silent. Without it, that is the `ttl`, but at most [`NEGATIVE_TTL`](Self::NEGATIVE_TTL): what was not there yet is
    /// missed for long otherwise.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn with_negative_ttl(self, negative_ttl: Duration) -> Result<Self, InvalidRules> {
        Ok(Self { negative_ttl: Some(lifetime(negative_ttl)?), ..self })
    }

    /// The same rules, whose lifetimes are shortened at random by up to so many percent: what was stored at the same moment
    /// does not become stale at the same moment. A lifetime that the origin states stays what it is.
    ///
    /// # Errors
    ///
    /// More than 50 percent.
    pub fn with_jitter(self, percent: u32) -> Result<Self, InvalidRules> {
        if percent > 50 { Err(InvalidRules::Jitter) } else { Ok(Self { jitter_percent: percent, ..self }) }
    }

    /// The lifetime that is given to a 4xx on which the origin is silent; `None`: none.
    pub fn negative_ttl(&self) -> Option<Duration> {
        self.negative_ttl.or_else(|| self.ttl.map(|ttl| ttl.min(Self::NEGATIVE_TTL)))
    }

    /// The percentage by which lifetimes are shortened at most.
    pub fn jitter_percent(&self) -> u32 {
        self.jitter_percent
    }

    /// The same rules with a heuristic lifetime for responses without a stated one that say when they were modified: those
    /// whose status RFC 9110, section 15.1 calls heuristically cacheable, save 206, or that say `public`. It goes before the
    /// `ttl`.
    #[must_use]
    pub fn with_heuristic(self, heuristic: Heuristic) -> Self {
        Self { heuristic: Some(heuristic), ..self }
    }

    /// The same rules for responses that were fresh once and do not say themselves how long they may be used after that.
    #[must_use]
    pub fn with_stale(self, stale: StaleWindows) -> Self {
        Self { stale, ..self }
    }

    /// The same rules for a cache that keeps these media types only.
    #[must_use]
    pub fn with_content_types(self, content_types: ContentTypes) -> Self {
        Self { content_types: Some(content_types), ..self }
    }

    /// The media types that are kept; `None`: all.
    pub fn content_types(&self) -> Option<&ContentTypes> {
        self.content_types.as_ref()
    }

    /// Do they let a response with these fields be kept?
    pub(crate) fn permit_type(&self, response: &dyn Fields) -> Result<(), Reason> {
        let permitted =
            self.content_types.as_ref().is_none_or(|types| types.permit(response.get("content-type").as_deref()));
        if permitted { Ok(()) } else { Err(Reason::ContentType) }
    }

    /// The lifetime that these rules give to such a response.
    fn ttl_for(&self, status: u16, public: bool) -> Option<Duration> {
        // RFC 9111, section 4.2.2: heuristics "can only be used on responses without explicit freshness whose status
        // codes are defined as heuristically cacheable" or "that have been marked as explicitly cacheable (e.g., with a
        // public response directive)". Never a 5xx: one failure would last for the whole lifetime.
        let by_status = matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 410);
        let ttl = if matches!(status, 400..500) { self.negative_ttl() } else { self.ttl };
        ttl.filter(|_| by_status || (public && status < 500))
    }

    /// A lifetime of these rules, shortened by a part that the random number chooses.
    fn jittered(&self, lifetime: Duration, random: u64) -> Duration {
        let most = u128::from(self.jitter_percent).saturating_mul(lifetime.as_millis()) / 100;
        let part = most.saturating_mul(u128::from(random)) >> 64;
        lifetime.saturating_sub(Duration::from_millis(u64::try_from(part).unwrap_or(u64::MAX)))
    }
}

fn lifetime(value: Duration) -> Result<Duration, InvalidRules> {
    match value {
        Duration::ZERO => Err(InvalidRules::ZeroTtl),
        _ if value > delta_seconds::GREATEST => Err(InvalidRules::TtlTooLong),
        _ => Ok(value),
    }
}

/// Why [`Rules`] make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRules {
    /// A lifetime of zero: such a cache never holds anything.
    ZeroTtl,
    /// A lifetime of more than 2,147,483,648 seconds, which HTTP cannot express (RFC 9111, section 1.2.2).
    TtlTooLong,
    /// A heuristic that is not 1 to 100 percent.
    Percent,
    /// A jitter of more than 50 percent.
    Jitter,
}

impl fmt::Display for InvalidRules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ZeroTtl => "the lifetime is zero: such a cache never holds anything",
            Self::TtlTooLong => "the lifetime is longer than 2147483648 seconds",
            Self::Percent => "the heuristic is not 1 to 100 percent",
            Self::Jitter => "the jitter is more than 50 percent",
        })
    }
}

impl std::error::Error for InvalidRules {}

/// How old a response was on arrival, and at which age it becomes stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    pub(crate) initial_age: Duration,
    pub(crate) lifetime: Duration,
}

impl Freshness {
    /// "response_is_fresh = (freshness_lifetime > current_age)" (RFC 9111, section 4.2).
    pub(crate) fn is_fresh(&self) -> bool {
        self.lifetime > self.initial_age
    }
}

/// Calculates the freshness of a response, if anything is said about it.
pub(crate) fn freshness(exchange: &Exchange<'_>, policy: &Policy) -> Result<Freshness, Reason> {
    let initial_age = initial_age(exchange);
    let configured = exchange.rules.ttl_for(exchange.status, policy.control.public);
    let jittered = |lifetime| exchange.rules.jittered(lifetime, exchange.random);
    let configured = configured.map(|ttl| initial_age.saturating_add(jittered(ttl)));
    let lifetime = match configured.filter(|_| exchange.rules.override_origin) {
        Some(lifetime) => lifetime,
        None => match explicit_lifetime(exchange, policy) {
            Some(lifetime) => lifetime,
            // It is validated before every use, whatever its age.
            None if policy.control.no_cache == Extent::Response => Duration::ZERO,
            // "The meaning of Pragma: no-cache in responses was never specified" (RFC 9111, section 5.4), but an origin
            // that sends it and nothing else is not silent.
            None if policy.source == Source::Silent && says_no_cache(exchange.response.get("pragma")) => {
                return Err(Reason::NoCache);
            }
            // A cookie is a credential too, in all but name (RFC 9111, section 3.5, speaks of Authorization only): an origin
            // that says nothing of sharing did not say that what it made for this visitor is for all.
            None if carries_a_visitor(exchange) && !policy.control.public => return Err(Reason::Cookie),
            None => heuristic_lifetime(exchange, policy).map(jittered).or(configured).ok_or(Reason::NoFreshness)?,
        },
    };
    Ok(Freshness { initial_age, lifetime })
}

/// "A cache MUST NOT use heuristics to determine freshness when an explicit expiration time is present in the stored
/// response"; they "can only be used on responses without explicit freshness whose status codes are defined as heuristically
/// cacheable" or "that have been marked as explicitly cacheable (e.g., with a public response directive)" (RFC 9111, section
/// 4.2.2).
fn heuristic_lifetime(exchange: &Exchange<'_>, policy: &Policy) -> Option<Duration> {
    let heuristic = exchange.rules.heuristic?;
    // RFC 9110, section 15.1, without 206.
    let by_status = matches!(exchange.status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501);
    if !(by_status || policy.control.public) {
        return None;
    }
    let received = exchange.response_time;
    let read = |name: &str| exchange.response.get(name).and_then(|value| date::parse(&value, received));
    let unmodified = read("date").unwrap_or(received).saturating_sub(read("last-modified")?);
    Some(heuristic.lifetime(unmodified)).filter(|lifetime| !lifetime.is_zero())
}

/// True when the response may have been made for one visitor, and nothing in the key would keep it from the others.
pub(crate) fn carries_a_visitor(exchange: &Exchange<'_>) -> bool {
    exchange.sharing == Sharing::Everyone && exchange.request.get("cookie").is_some()
}

/// The freshness lifetime that the origin states: "the first match" of RFC 9111, section 4.2.1.
fn explicit_lifetime(exchange: &Exchange<'_>, policy: &Policy) -> Option<Duration> {
    // "If the cache is shared and the s-maxage response directive is present, use its value, or if the max-age response
    // directive is present, use its value".
    if let Some(lifetime) = policy.control.s_maxage.or(policy.control.max_age) {
        return Some(lifetime);
    }
    if policy.source == Source::Targeted {
        return None;
    }
    // "If the Expires response header field is present, use its value minus the value of the Date response header field
    // (using the time the message was received if it is not present)". "A cache recipient MUST interpret invalid date
    // formats, especially the value 0, as representing a time in the past" (section 5.3).
    let expires = exchange.response.get("expires")?;
    let received = exchange.response_time;
    let date = exchange.response.get("date").and_then(|date| date::parse(&date, received)).unwrap_or(received);
    let lifetime = date::parse(&expires, received).unwrap_or(Duration::ZERO).saturating_sub(date);
    Some(lifetime.min(delta_seconds::GREATEST))
}

/// `corrected_initial_age` of RFC 9111, section 4.2.3.
fn initial_age(exchange: &Exchange<'_>) -> Duration {
    // "A cache MUST interpret this value relative to the time the request was initiated, not the time that the response
    // was received."
    let response_delay = exchange.response_time.saturating_sub(exchange.request_time);
    let corrected_age_value = age_value(exchange).saturating_add(response_delay);
    // "The corrected_age_value MAY be used as the corrected_initial_age. In circumstances where very old cache
    // implementations that might not correctly insert Age are present, corrected_initial_age can be calculated more
    // conservatively" with the apparent age. Doing so always would let an origin's clock that is a minute slow defeat
    // every lifetime of a minute, so it takes the sign of such an implementation: an HTTP/1.0 hop.
    if !has_http_1_0_hop(exchange) {
        return corrected_age_value;
    }
    let date = exchange.response.get("date").and_then(|date| date::parse(&date, exchange.response_time));
    let apparent_age = date.map_or(Duration::ZERO, |date| exchange.response_time.saturating_sub(date));
    apparent_age.max(corrected_age_value)
}

/// "A cache encountering a message with a list-based Age field value SHOULD use the first member of the field value,
/// discarding subsequent ones"; an invalid one it "SHOULD ignore" (RFC 9111, section 5.1).
fn age_value(exchange: &Exchange<'_>) -> Duration {
    let age = exchange.response.get("age");
    age.and_then(|value| members(&value).next().and_then(delta_seconds::parse)).unwrap_or(Duration::ZERO)
}

/// Via: received-protocol, with or without the name HTTP, then received-by (RFC 9110, section 7.6.3).
fn has_http_1_0_hop(exchange: &Exchange<'_>) -> bool {
    exchange.response.get("via").is_some_and(|via| {
        members(&via).any(|hop| {
            hop.split([' ', '\t'])
                .next()
                .is_some_and(|protocol| protocol == "1.0" || protocol.eq_ignore_ascii_case("http/1.0"))
        })
    })
}

#[cfg(test)]
mod tests;
