//! What the origin may see of a request's header, and what it is told.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::Fields as FieldSource;

use crate::route::{Auth, TokenAuth};

// The names are patterns, not lists: each field of each request is held against all of them, and a pattern looks at the
// length first.

/// Fields that end at this hop (RFC 9110, section 7.6.1) or speak to a proxy (section 11.7).
fn ends_at_this_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Every field under this prefix is ours.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// True for a field of the client's that no origin sees: by these, clients are believed to be somebody else, or to ask for
/// something else. Only the gateway may say them.
pub(crate) fn is_address(name: &str) -> bool {
    matches!(
        name,
        "client-ip"
            | "forwarded"
            | "true-client-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-forwarded"
            | "x-original-host"
            | "x-original-uri"
            | "x-original-url"
            | "x-real-ip"
            | "x-rewrite-url"
            // By these, origins take a request for another method than the one that was matched and cached.
            | "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
    ) || name.starts_with(FORWARDED_PREFIX)
}

/// Fields that the gateway sets on every request to an origin.
fn is_set(name: &str) -> bool {
    matches!(name, "cdn-loop" | "traceparent" | "tracestate" | "via" | "x-request-id")
}

/// This gateway's token in `CDN-Loop` (RFC 8586) and `Via` (RFC 9110, section 7.6.3).
pub(crate) const SELF: &str = "tidegate";

/// True for a field that a configuration may not use for a claim: it ends at this hop or the gateway sets it.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ends_at_this_hop(&name)
        || is_address(&name)
        || is_set(&name)
        || matches!(name.as_str(), "host" | "content-length" | "authorization" | "cookie" | "cf-connecting-ip")
}

/// The fields that a client may not set on a route, because origins believe them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protected {
    /// The headers of all routes' claims: an origin that believes one believes it on every route.
    claims: Rc<BTreeSet<String>>,
    authorization: bool,
}

impl Protected {
    pub(crate) fn of(auth: &Auth, claims: &Rc<BTreeSet<String>>) -> Self {
        let keeps = match auth {
            Auth::Anyone => true,
            Auth::Token(TokenAuth { keep_authorization, .. }) => *keep_authorization,
        };
        Self { claims: Rc::clone(claims), authorization: !keeps }
    }

    /// The headers that some route sets from a claim.
    pub(crate) fn claim_headers<'a>(auths: impl Iterator<Item = &'a Auth>) -> Rc<BTreeSet<String>> {
        let forwards = auths.filter_map(|auth| match auth {
            Auth::Anyone => None,
            Auth::Token(TokenAuth { forward, .. }) => Some(forward.iter().map(|(_, header)| header.clone())),
        });
        Rc::new(forwards.flatten().collect())
    }

    /// The headers of claims, of which an origin sees only what the gateway says.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(String::as_str)
    }

    /// The fields to drop from a request, out of `names` (lower case, separated by line feeds).
    ///
    /// `nominated` is the `Connection` field: what it names ends here (RFC 9110, section 7.6.1), except what the gateway
    /// sets afterwards, which no client can nominate away.
    pub(crate) fn removed<'n>(&self, names: &'n str, nominated: &str, upgrade: bool) -> Vec<&'n str> {
        let mut removed = Vec::new();
        let mut rest = Some(names);
        while let Some(names) = rest {
            let name = next_line(names, &mut rest);
            if self.is_removed(name, nominated, upgrade) {
                removed.push(name);
            }
        }
        removed
    }

    fn is_removed(&self, name: &str, nominated: &str, upgrade: bool) -> bool {
        if upgrade && matches!(name, "upgrade" | "connection") {
            return false;
        }
        if name == "authorization" {
            return self.authorization || is_nominated(name, nominated);
        }
        // CGI and its heirs read `X_User_Id` and `X-User-Id` as one name: no field may pass for another.
        if name.bytes().any(|byte| byte == b'_') {
            return true;
        }
        self.is_ours(name) || is_nominated(name, nominated)
    }

    fn is_ours(&self, name: &str) -> bool {
        ends_at_this_hop(name)
            || is_address(name)
            // Via, CDN-Loop and the trace are read first, then set again as a whole.
            || is_set(name)
            || self.claims.contains(name)
    }
}

/// The first line of a text, and what follows it. Names are short: `split` spends more on each than the search takes.
fn next_line<'t>(text: &'t str, rest: &mut Option<&'t str>) -> &'t str {
    let end = text.bytes().position(|byte| byte == b'\n');
    *rest = end.and_then(|end| text.get(end.saturating_add(1)..));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// True when the `Connection` field names `name`. Fields that carry the message itself cannot be nominated away:
/// RFC 9110, section 7.6.1, "a sender MUST NOT send a connection option corresponding to a field that is intended for
/// all recipients of the content".
fn is_nominated(name: &str, nominated: &str) -> bool {
    const CARRY_THE_MESSAGE: &[&str] =
        &["authorization", "cache-control", "content-encoding", "content-length", "content-type", "cookie", "host"];
    !nominated.is_empty()
        && nominated.split(',').any(|option| option.trim().eq_ignore_ascii_case(name))
        && !CARRY_THE_MESSAGE.contains(&name)
}

/// Fields of a response that speak to a proxy (RFC 9110, section 11.7), which the client is not.
pub const PROXY_FIELDS: [&str; 3] = ["proxy-authenticate", "proxy-authentication-info", "proxy-connection"];

/// True when a `Connection` field names more than what ends at each hop anyway.
pub(crate) fn nominates_more_than_the_hop(connection: Option<&str>) -> bool {
    let options = connection.unwrap_or_default().split(',').map(|option| option.trim().to_ascii_lowercase());
    options.into_iter().any(|option| {
        let option = option.as_str();
        !option.is_empty() && option != "close" && option != "http2-settings" && !ends_at_this_hop(option)
    })
}

/// The fields of an origin's response that end at this hop (RFC 9110, section 7.6.1), of those that the platform does not
/// drop by itself: what its `Connection` names, and those that speak to a proxy.
pub(crate) fn response_removed(response: &dyn FieldSource) -> Vec<String> {
    // A response without these would say something else to its reader, or be stored by the next cache.
    const CARRY_THE_MESSAGE: &[&str] =
        &["cache-control", "content-encoding", "content-length", "content-range", "content-type", "set-cookie", "vary"];
    const DROPPED_BY_THE_PLATFORM: &[&str] =
        &["close", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    let connection = response.get("connection").unwrap_or_default();
    let named = connection.split(',').map(|option| option.trim().to_ascii_lowercase()).filter(|name| {
        let name = name.as_str();
        is_field_name(name) && !CARRY_THE_MESSAGE.contains(&name) && !DROPPED_BY_THE_PLATFORM.contains(&name)
    });
    let proxy = PROXY_FIELDS.into_iter().filter(|name| response.get(name).is_some()).map(str::to_owned);
    named.chain(proxy).collect()
}

/// True for a token (RFC 9110, section 5.6.2), which every field name is.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Two `Cookie` lines that the platform joined with ", ", joined as RFC 6265, section 5.4, wants it: with "; ".
///
/// A comma followed by a space can't be part of a cookie's value (RFC 6265, section 4.1.1: a cookie-octet is neither),
/// so it is a joint wherever `name=` follows.
pub(crate) fn rejoin_cookies(field: &str) -> Option<String> {
    if !field.bytes().zip(field.bytes().skip(1)).any(|pair| pair == (b',', b' ')) {
        return None;
    }
    let mut joined = String::with_capacity(field.len());
    for (index, part) in field.split(", ").enumerate() {
        if index > 0 {
            joined.push_str(if starts_a_pair(part) { "; " } else { ", " });
        }
        joined.push_str(part);
    }
    (joined != field).then_some(joined)
}

fn starts_a_pair(part: &str) -> bool {
    part.split_once('=').is_some_and(|(name, _)| is_field_name(name))
}

/// True when `CDN-Loop` says that this gateway forwarded the request before (RFC 8586, section 2).
pub(crate) fn loops(cdn_loop: &str) -> bool {
    cdn_loop.split(',').any(|entry| entry.split(';').next().is_some_and(|id| id.trim().eq_ignore_ascii_case(SELF)))
}

/// What is said to the origin about a request.
pub(crate) struct Told<'a> {
    pub(crate) client_ip: Option<&'a str>,
    pub(crate) scheme: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) traceparent: &'a str,
    pub(crate) tracestate: Option<&'a str>,
    pub(crate) via: Option<&'a str>,
    pub(crate) cdn_loop: Option<&'a str>,
    pub(crate) cookie: Option<&'a str>,
    pub(crate) claims: &'a [(String, String)],
}

/// The fields that the gateway sets, as lines: a name, its value, the next name, and so on.
///
/// One text instead of a list, because each crossing into JavaScript costs as much as a short request. No value can hold
/// a line feed: those from the client were parsed as field values, claims are escaped.
pub(crate) fn set_fields(told: &Told<'_>) -> String {
    let mut text = String::with_capacity(512);
    let mut set = |name: &str, value: &str| {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push('\n');
        text.push_str(value);
    };
    if let Some(client_ip) = told.client_ip {
        set("x-forwarded-for", client_ip);
    }
    set("x-forwarded-proto", told.scheme);
    set("x-forwarded-host", told.authority);
    set("x-request-id", told.request_id);
    set("traceparent", told.traceparent);
    if let Some(tracestate) = told.tracestate {
        set("tracestate", tracestate);
    }
    // RFC 9110, section 7.6.3: a gateway MUST send Via in each inbound request; each recipient appends.
    match told.via {
        Some(via) => set("via", &format!("{via}, 1.1 {SELF}")),
        None => set("via", "1.1 tidegate"),
    }
    match told.cdn_loop {
        Some(cdn_loop) => set("cdn-loop", &format!("{cdn_loop}, {SELF}")),
        None => set("cdn-loop", SELF),
    }
    if let Some(cookie) = told.cookie {
        set("cookie", cookie);
    }
    for (name, value) in told.claims {
        set(name, value);
    }
    text
}

/// A duration in the whole milliseconds that platforms count in.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], nominated: &str, removed: &[&str]) {
        let protected = Protected { claims: Rc::new(BTreeSet::from(["x-user-id".to_owned()])), authorization: false };
        assert_eq!(protected.removed(&names.join("\n"), nominated, false), removed);
    }

    #[test]
    fn fields_of_this_hop_end_here() {
        check(
            &["accept", "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "host"],
            "",
            &["connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"],
        );
    }

    #[test]
    fn what_connection_names_ends_here() {
        check(&["x-hop", "x-keep", "connection"], "close, X-Hop", &["x-hop", "connection"]);
    }

    #[test]
    fn a_connection_that_names_other_fields_is_told_apart() {
        for ordinary in [None, Some(""), Some("close"), Some("Keep-Alive, TE"), Some("Upgrade, HTTP2-Settings")] {
            assert!(!nominates_more_than_the_hop(ordinary), "{ordinary:?}");
        }
        assert!(nominates_more_than_the_hop(Some("keep-alive, X-Tenant")));
    }

    #[test]
    fn a_client_cannot_nominate_away_what_the_message_needs() {
        check(&["authorization", "cookie", "content-type"], "authorization, cookie, content-type", &[]);
    }

    #[test]
    fn what_the_gateway_sets_is_removed_first() {
        check(
            &[
                "x-forwarded-for",
                "x-forwarded-user",
                "forwarded",
                "true-client-ip",
                "x-real-ip",
                "x-user-id",
                "x-user-name",
            ],
            "",
            &["x-forwarded-for", "x-forwarded-user", "forwarded", "true-client-ip", "x-real-ip", "x-user-id"],
        );
        check(
            &["x-request-id", "traceparent", "via", "cdn-loop"],
            "",
            &["x-request-id", "traceparent", "via", "cdn-loop"],
        );
    }

    #[test]
    fn an_underscore_is_no_disguise() {
        check(
            &["x_user_id", "x-user_id", "cf_connecting_ip", "my_header", "my-header"],
            "",
            &["x_user_id", "x-user_id", "cf_connecting_ip", "my_header"],
        );
    }

    #[test]
    fn an_upgrade_keeps_the_two_fields_that_ask_for_it() {
        let protected = Protected::default();
        assert_eq!(protected.removed("upgrade\nconnection\nte", "upgrade", true), ["te"]);
    }

    #[test]
    fn a_route_may_keep_the_token_to_itself() {
        let protected = Protected { claims: Rc::default(), authorization: true };
        assert_eq!(protected.removed("authorization\naccept", "", false), ["authorization"]);
    }

    #[test]
    fn what_an_origin_says_to_this_hop_ends_here() {
        let response = |fields: &'static [(&str, &str)]| {
            response_removed(&move |name: &str| {
                fields.iter().find(|(field, _)| *field == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(response(&[("connection", "keep-alive, X-Hop, close, b@d")]), ["x-hop"]);
        assert_eq!(response(&[("connection", "content-type, cache-control")]), Vec::<String>::new());
        assert_eq!(response(&[("proxy-authenticate", "Basic")]), ["proxy-authenticate"]);
        assert_eq!(response(&[]), Vec::<String>::new());
    }

    #[test]
    fn two_cookie_lines_become_one_list() {
        assert_eq!(rejoin_cookies("a=1, b=2").as_deref(), Some("a=1; b=2"));
        assert_eq!(rejoin_cookies("a=1; b=2, c=3; d=4").as_deref(), Some("a=1; b=2; c=3; d=4"));
        assert_eq!(rejoin_cookies("a=1; b=2"), None);
        assert_eq!(rejoin_cookies("a=Mon, 01 Jan"), None);
        assert_eq!(rejoin_cookies("a=1,b=2"), None);
    }

    #[test]
    fn a_request_that_came_through_here_is_a_loop() {
        assert!(loops("cloudflare; loops=1, tidegate"));
        assert!(loops("TideGate;v=1"));
        assert!(!loops("cloudflare"));
        assert!(!loops("not-tidegate, tidegate-two"));
    }

    #[test]
    fn reserved_names_are_refused_for_claims_in_any_case() {
        for name in ["X-Forwarded-User", "connection", "Via", "Host", "Authorization", "X-Real-IP"] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(!is_reserved("x-user-id"));
    }
}
