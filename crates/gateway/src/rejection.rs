//! Every answer that the gateway gives on its own account, and the one place where it becomes HTTP.

use std::borrow::Cow;
use std::time::Duration;

use tidegate_http_cache::Selection;
use tidegate_steering::Outcome;

pub use crate::admin::Mistake;
use crate::path::PathRejection;
use crate::reply::{Fields, Reply, ReplyBody};

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The path or the URL is one that the gateway refuses to forward.
    Path(PathRejection),
    /// The platform's URL cannot be cut into its parts.
    Url,
    /// The request already passed this gateway (RFC 8586).
    Loop,
    /// No route serves it.
    NoRoute,
    /// A route serves the path, but not with this method.
    MethodNotAllowed {
        /// The `Allow` field.
        allow: String,
    },
    /// The token is missing, wrong, or does not open this route.
    Token {
        /// What is wrong with it.
        rejection: tidegate_jwt::Rejection,
        /// The scopes that the route asks for.
        scopes: Vec<String>,
    },
    /// The keys of the token's issuer cannot be had; without them nobody is let in.
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// A limit is used up.
    Limited {
        /// The names of the limits that are used up.
        limits: Vec<String>,
        /// In whole seconds, at least one.
        retry_after_seconds: u64,
    },
    /// The limiter does not answer, and the limit is closed in that case.
    LimiterUnavailable {
        /// In whole seconds, at least one.
        retry_after_seconds: u64,
    },
    /// An operator named a key that the limit does not have.
    LimitKey,
    /// An operator's request has more content than it may.
    ContentTooLarge,
    /// An operator's purge cannot be understood.
    Purge(Mistake),
    /// The purge log does not answer: nobody knows whether it has the purge.
    PurgeLogUnavailable,
    /// The deployment has no purge log.
    NoPurgeLog,
    /// The client wants a stored reply only, and there is none (RFC 9111, section 5.2.1.7).
    NotStored,
    /// The client wants a part of a stored reply that it does not have (RFC 9110, section 15.5.17).
    RangeNotSatisfiable {
        /// How many bytes it has.
        complete: u64,
    },
    /// No pool of the route has an origin.
    NoOrigin,
    /// No origin answered.
    Origin(Outcome),
}

/// Where the types of the problems live. A tag URI (RFC 4151) names them without promising a page.
const TYPE_PREFIX: &str = "tag:tidegate,2026:problem/";

/// The type that the RateLimit fields draft registers.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

impl Rejection {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Path(rejection) => rejection.status(),
            Self::Url | Self::LimitKey | Self::Purge(_) => 400,
            Self::Token { rejection, .. } => rejection.status(),
            Self::NoRoute => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::ContentTooLarge => 413,
            Self::RangeNotSatisfiable { .. } => 416,
            Self::Limited { .. } => 429,
            Self::Origin(Outcome::TimedOut) | Self::NotStored => 504,
            Self::Origin(_) => 502,
            Self::NoPurgeLog => 501,
            Self::KeysUnavailable { .. } | Self::LimiterUnavailable { .. } | Self::NoOrigin => 503,
            Self::PurgeLogUnavailable => 503,
            Self::Loop => 508,
        }
    }

    /// A stable word for the log and the problem's type.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path(rejection) => rejection.code(),
            Self::Url => "malformed_url",
            Self::Loop => "loop_detected",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::Token { rejection, .. } => rejection.code(),
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::Limited { .. } => "quota_exceeded",
            Self::LimiterUnavailable { .. } => "limiter_unavailable",
            Self::LimitKey => "limit_key",
            Self::ContentTooLarge => "content_too_large",
            Self::Purge(_) => "purge",
            Self::PurgeLogUnavailable => "purge_log_unavailable",
            Self::NoPurgeLog => "no_purge_log",
            Self::NotStored => "not_stored",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::NoOrigin => "no_origin",
            Self::Origin(Outcome::TimedOut) => "origin_timeout",
            Self::Origin(_) => "origin_unreachable",
        }
    }

    /// One sentence for the client: what was wrong, never with what secret.
    fn detail(&self) -> Cow<'static, str> {
        let detail = match self {
            Self::Purge(mistake) => return mistake.to_string().into(),
            Self::Path(rejection) => rejection.description(),
            Self::Url => "The request target is not one that can be forwarded.",
            Self::Loop => "The request already passed this gateway.",
            Self::NoRoute => "No route serves this request.",
            Self::MethodNotAllowed { .. } => "The route does not serve this method.",
            Self::Token { rejection, .. } => rejection.description(),
            Self::KeysUnavailable { .. } => "The token cannot be checked at the moment.",
            Self::Limited { .. } => "A limit on these requests is used up.",
            Self::LimiterUnavailable { .. } => "The limits on these requests cannot be checked at the moment.",
            Self::LimitKey => "The key must name each source of the limit once, with its value: claim:sub=alice.",
            Self::ContentTooLarge => "The content is larger than 1 MiB.",
            Self::PurgeLogUnavailable => {
                "The purge log did not answer: repeat the purge, which does no harm if it was there before."
            }
            Self::NoPurgeLog => "This deployment cannot purge: it has no binding PURGE.",
            Self::NotStored => "No stored response satisfies this request.",
            Self::RangeNotSatisfiable { .. } => "The resource has no such bytes.",
            Self::NoOrigin => "No origin is configured for this request.",
            Self::Origin(Outcome::TimedOut) => "The origin did not answer in time.",
            Self::Origin(_) => "The origin could not be reached.",
        };
        detail.into()
    }

    /// The reply, as problem details (RFC 9457).
    pub(crate) fn reply<B>(&self, request_id: &str) -> Reply<B> {
        let status = self.status();
        let mut fields = Fields::default();
        fields.push("Content-Type", "application/problem+json");
        // A reply about one request at one moment is nothing that a cache between here and the client may keep.
        fields.push("Cache-Control", "no-store");
        fields.push("X-Request-Id", request_id.to_owned());
        match self {
            Self::MethodNotAllowed { allow } => fields.push("Allow", allow.clone()),
            Self::Token { rejection, scopes } => {
                // RFC 6750, section 3: a request without a token that enables access is answered with a challenge,
                // whichever of 400, 401 and 403 its error code asks for.
                fields.push("WWW-Authenticate", rejection.challenge("tidegate", scopes));
            }
            Self::KeysUnavailable { retry_after } => {
                fields.push("Retry-After", retry_after.as_secs().max(1).to_string());
            }
            Self::Limited { retry_after_seconds, .. } | Self::LimiterUnavailable { retry_after_seconds } => {
                fields.push("Retry-After", retry_after_seconds.to_string());
            }
            Self::PurgeLogUnavailable => fields.push("Retry-After", "1"),
            Self::RangeNotSatisfiable { complete } => {
                let range = Selection::Unsatisfiable { complete: *complete }.content_range();
                fields.push("Content-Range", range.unwrap_or_default());
            }
            _ => {}
        }
        let body = serde_json::to_string(&self.problem(status, request_id)).unwrap_or_default();
        Reply { status, fields, body: ReplyBody::Text(body) }
    }

    fn problem<'a>(&'a self, status: u16, request_id: &'a str) -> Problem<'a> {
        let (kind, violated_policies) = match self {
            Self::Limited { limits, .. } => (QUOTA_EXCEEDED.to_owned(), Some(limits.as_slice())),
            _ => (format!("{TYPE_PREFIX}{}", self.code().replace('_', "-")), None),
        };
        Problem { kind, title: title(status), status, detail: self.detail(), request_id, violated_policies }
    }
}

/// The members of RFC 9457, section 3.1, and two extensions.
#[derive(serde::Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    request_id: &'a str,
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated_policies: Option<&'a [String]>,
}

/// The reason phrases of RFC 9110, section 15.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        508 => "Loop Detected",
        _ => "Error",
    }
}
