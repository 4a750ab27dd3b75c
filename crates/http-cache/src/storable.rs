use crate::cache_control::{Extent, ResponseControl};
use crate::fields::{ENVELOPED, Fields, INDISPENSABLE, NEVER_STORED, is_token, members};
use crate::freshness::{Freshness, Rules, StaleWindows, carries_a_visitor, freshness};
use crate::reason::Reason;
use crate::reuse::{Lookup, lookup};
use crate::stored::{MAX_ENVELOPE, Stored};
use crate::targeted::Policy;
use crate::vary;
use std::collections::BTreeSet;
use std::time::Duration;

/// Who shares the stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Every caller that asks for the key. A response to a request with `Authorization` then needs the origin's
    /// permission (RFC 9111, section 3.5).
    Everyone,
    /// The callers of one partition: the gateway validated the credential, and the key carries the partition that the
    /// operator wrote, or the caller's own. That is the explicit permission that section 3.5 asks for; `private` and
    /// `no-store` still forbid.
    Partition,
}

/// A request, its response, and the circumstances.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The request's method, as received: methods are case-sensitive.
    pub method: &'a str,
    /// The client's header section, with the fields that the gateway sets or removes on the way to the origin applied:
    /// `Vary` names what the origin saw, and a claim that is forwarded as a header is what it tells callers apart by.
    pub request: &'a dyn Fields,
    /// The response's status code.
    pub status: u16,
    /// The response's header section, as the origin sent it.
    pub response: &'a dyn Fields,
    /// Who is going to share the response.
    pub sharing: Sharing,
    /// The operator's rules.
    pub rules: &'a Rules,
    /// When the request was sent, since the Unix epoch.
    pub request_time: Duration,
    /// When the response's header section arrived, since the Unix epoch.
    pub response_time: Duration,
    /// 64 random bits, for lifetimes with jitter.
    pub random: u64,
}

/// May this response be stored in a shared cache, and how long is it fresh? The rules of RFC 9111, section 3, one by
/// one.
///
/// # Errors
///
/// The first rule that forbids it. A response that is not fresh, cannot be validated and may not be used stale counts as not
/// storable.
pub fn storable(exchange: &Exchange<'_>) -> Result<Stored, Reason> {
    let Exchange { method, request, status, .. } = *exchange;
    // "The request method is understood by the cache". The response to a HEAD has no content that a GET could reuse.
    if method != "GET" {
        return Err(Reason::Method);
    }
    // What comes back is the part that this request asked for, or the origin's word that there is none.
    if request.get("range").is_some() {
        return Err(Reason::Range);
    }
    // What may not be looked up may not be stored either: the response to such a request is not everybody's. A
    // `no-store` in the request is among them (section 5.2.1.5).
    if let Lookup::Bypass(reason) = lookup(method, request) {
        return Err(reason);
    }
    // "The response status code is final"; "if the response status code is 206 or 304 [...]: the cache understands the
    // response status code". "A cache MUST NOT store incomplete or partial-content responses if it does not support the
    // Range and Content-Range header fields" (section 3.3).
    if !(200..600).contains(&status) || matches!(status, 206 | 304) {
        return Err(Reason::Status);
    }
    let stored = describe(exchange)?;
    // What the origin forbids is told first: it holds for every cache.
    exchange.rules.permit_type(exchange.response)?;
    Ok(stored)
}

/// The rules for a response to a GET for the whole, of a status that can be stored: also for the fields of one that a 304
/// has updated.
pub(crate) fn describe(exchange: &Exchange<'_>) -> Result<Stored, Reason> {
    let Exchange { request, status, response, .. } = *exchange;
    // The RFC allows it; handing one caller's cookie to all others is never what anybody wanted.
    if response.get("set-cookie").is_some() {
        return Err(Reason::SetCookie);
    }
    let policy = Policy::read(response).map_err(|_| Reason::Malformed)?;
    permitted(exchange, &policy.control)?;
    let selecting = vary::selecting(response.get("vary").as_deref(), request)?;
    let dropped = dropped(response, &policy.control)?;
    let freshness = freshness(exchange, &policy)?;
    let fields = ENVELOPED.into_iter().filter(|name| !dropped.contains(*name));
    let stored = Stored {
        status,
        fields: fields.filter_map(|name| Some((name.to_owned(), response.get(name)?))).collect(),
        dropped,
        selecting,
        initial_age: freshness.initial_age,
        response_time: exchange.response_time,
        cost: exchange.response_time.saturating_sub(exchange.request_time),
        lifetime: freshness.lifetime,
        content_length: content_length(response)?,
        must_revalidate: policy.control.must_revalidate,
        proxy_revalidate: policy.control.proxy_revalidate,
        s_maxage: policy.control.s_maxage.is_some(),
        no_cache: policy.control.no_cache == Extent::Response,
        coded: response.get("content-encoding").is_some(),
        stale: stale_windows(exchange, &policy.control, &freshness),
        family: 0,
    };
    useful(exchange, &policy.control, &freshness, &stored)?;
    if stored.encode().len() > MAX_ENVELOPE { Err(Reason::EnvelopeTooLarge) } else { Ok(stored) }
}

/// For how long it may be used once it is stale: what the response says (RFC 5861, sections 3 and 4), else what the
/// operator says of a response that was fresh once. An origin that says `max-age=0` did not say that.
fn stale_windows(exchange: &Exchange<'_>, control: &ResponseControl, freshness: &Freshness) -> StaleWindows {
    let configured = if freshness.is_fresh() { exchange.rules.stale } else { StaleWindows::default() };
    StaleWindows {
        while_revalidate: control.stale_while_revalidate.unwrap_or(configured.while_revalidate),
        if_error: control.stale_if_error.unwrap_or(configured.if_error),
    }
}

/// Can it ever answer anybody: while it is fresh, after the origin says that it still holds, or although it is stale?
fn useful(
    exchange: &Exchange<'_>,
    control: &ResponseControl,
    freshness: &Freshness,
    stored: &Stored,
) -> Result<(), Reason> {
    if freshness.is_fresh() && !stored.no_cache {
        return Ok(());
    }
    let reason = if stored.no_cache { Reason::NoCache } else { Reason::Expired };
    // Who answers one visitor may answer another one's validator without looking at the cookie.
    if carries_a_visitor(exchange) && !control.public {
        return Err(reason);
    }
    let window = stored.stale.while_revalidate.max(stored.stale.if_error);
    let overdue = stored.overdue(exchange.response_time);
    let usable_stale = !window.is_zero() && overdue <= window && !stored.forbids_stale_reuse();
    if usable_stale || !stored.validators().is_empty() { Ok(()) } else { Err(reason) }
}

/// What the directives and `Authorization` permit.
fn permitted(exchange: &Exchange<'_>, control: &ResponseControl) -> Result<(), Reason> {
    // "If [...] the must-understand cache directive is present: the cache understands the response status code".
    if control.must_understand && !understood(exchange.status) {
        return Err(Reason::Status);
    }
    // "The no-store cache directive is not present in the response". With must-understand, "the cache SHOULD ignore the
    // no-store directive if it understands and implements the status code's caching requirements" (section 5.2.2.3).
    if control.no_store && !control.must_understand {
        return Err(Reason::NoStore);
    }
    // "The private response directive is either not present or allows a shared cache to store a modified response".
    if control.private == Extent::Response {
        return Err(Reason::Private);
    }
    // "The Authorization header field is not present in the request or a response directive is present that explicitly
    // allows shared caching": must-revalidate, public and s-maxage (section 3.5).
    let shareable = control.must_revalidate || control.public || control.s_maxage.is_some();
    if exchange.sharing == Sharing::Everyone && !shareable && exchange.request.get("authorization").is_some() {
        return Err(Reason::Authorization);
    }
    Ok(())
}

/// Does this cache recognise the status code and implement all that is specified for caching it (RFC 9111, section 3)?
/// Those are the codes for which RFC 9110, section 15 specifies anything, save 206 and 304.
fn understood(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The fields that this response excepts from storage (RFC 9111, section 3.1): those named in Connection, and those to
/// which `private="..."` and `no-cache="..."` are limited.
fn dropped(response: &dyn Fields, control: &ResponseControl) -> Result<BTreeSet<String>, Reason> {
    let connection = response.get("connection").unwrap_or_default();
    let nominated = members(&connection).map(str::to_ascii_lowercase).filter(|name| is_token(name) && name != "close");
    let nominated = Extent::Fields(nominated.collect());
    let mut dropped = BTreeSet::new();
    for (extent, reason) in
        [(&nominated, Reason::Malformed), (&control.private, Reason::Private), (&control.no_cache, Reason::NoCache)]
    {
        let Extent::Fields(names) = extent else { continue };
        // Without such a field nothing is left that could be reused: the directive means the whole response.
        if names.iter().any(|name| INDISPENSABLE.contains(&name.as_str())) {
            return Err(reason);
        }
        dropped.extend(names.iter().filter(|name| !NEVER_STORED.contains(&name.as_str())).cloned());
    }
    Ok(dropped)
}

/// The length that the content is going to have. The same value several times is one value (RFC 9110, section 8.6);
/// anything else leaves unknown what a complete response is.
fn content_length(response: &dyn Fields) -> Result<Option<u64>, Reason> {
    let Some(value) = response.get("content-length") else { return Ok(None) };
    let mut lengths = members(&value);
    let first = lengths.next().filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()));
    match first.and_then(|length| length.parse().ok()) {
        Some(length) if lengths.all(|other| Some(other) == first) => Ok(Some(length)),
        _ => Err(Reason::Malformed),
    }
}

#[cfg(test)]
pub(crate) mod tests;
