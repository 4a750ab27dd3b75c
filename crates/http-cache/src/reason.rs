use crate::status::Forward;

/// Why a cache was not asked, not used or not filled: for the decision record and for `detail` in Cache-Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The method is neither GET nor HEAD; or the response answers a HEAD, which leaves nothing to store.
    Method,
    /// The request asks for a part of the representation, which is not kept.
    Range,
    /// The request says `no-store`.
    RequestNoStore,
    /// The request has If-Match or If-Unmodified-Since, which only an origin evaluates.
    Precondition,
    /// The request has content, on which the response may depend although the key does not.
    RequestContent,
    /// The request wants to become a WebSocket.
    Upgrade,
    /// The key would be too long.
    KeyTooLong,
    /// A field that decides cannot be understood, so the most restrictive reading applies.
    Malformed,
    /// A fresh response is stored, but the request says `no-cache`.
    RequestNoCache,
    /// A fresh response is stored, but it is older than the request's `max-age`.
    RequestMaxAge,
    /// A fresh response is stored, but not for as long as the request's `min-fresh`.
    RequestMinFresh,
    /// This status is not stored: not final, partial, or not understood although `must-understand` asks for it.
    Status,
    /// The response says `no-store`.
    NoStore,
    /// The response says `private`.
    Private,
    /// The response may not be reused without validation.
    NoCache,
    /// The response sets a cookie.
    SetCookie,
    /// The request was authorized and the response does not permit sharing.
    Authorization,
    /// The request carried a cookie, and the response does not say that it is for others too.
    Cookie,
    /// The response varies on everything.
    VaryStar,
    /// The response varies on a credential that the request carries, and the envelope holds no secrets.
    VaryCredential,
    /// Neither the response nor the configuration says how long it is fresh.
    NoFreshness,
    /// The response is of another media type than the operator lets this cache keep, or of none.
    ContentType,
    /// The response is stale on arrival.
    Expired,
    /// What has to be remembered does not fit into the envelope.
    EnvelopeTooLarge,
    /// The response is larger than what this cache keeps.
    TooLarge,
    /// A response was stored, but it was purged.
    Purged,
    /// A response is stored of which nobody can know whether it was purged.
    PurgesUnknown,
    /// The origin failed, and a stale response may be used in that case.
    StaleIfError,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 28] = [
        Self::Method,
        Self::Range,
        Self::RequestNoStore,
        Self::Precondition,
        Self::RequestContent,
        Self::Upgrade,
        Self::KeyTooLong,
        Self::Malformed,
        Self::RequestNoCache,
        Self::RequestMaxAge,
        Self::RequestMinFresh,
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::NoCache,
        Self::SetCookie,
        Self::Authorization,
        Self::Cookie,
        Self::VaryStar,
        Self::VaryCredential,
        Self::NoFreshness,
        Self::ContentType,
        Self::Expired,
        Self::EnvelopeTooLarge,
        Self::TooLarge,
        Self::Purged,
        Self::PurgesUnknown,
        Self::StaleIfError,
    ];

    /// A stable code: a token of structured fields.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Range => "range",
            Self::RequestNoStore => "request-no-store",
            Self::Precondition => "precondition",
            Self::RequestContent => "request-content",
            Self::Upgrade => "upgrade",
            Self::KeyTooLong => "key-too-long",
            Self::Malformed => "malformed",
            Self::RequestNoCache => "request-no-cache",
            Self::RequestMaxAge => "request-max-age",
            Self::RequestMinFresh => "request-min-fresh",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::NoCache => "no-cache",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::VaryStar => "vary-star",
            Self::VaryCredential => "vary-credential",
            Self::NoFreshness => "no-freshness",
            Self::ContentType => "content-type",
            Self::Expired => "expired",
            Self::EnvelopeTooLarge => "envelope-too-large",
            Self::TooLarge => "too-large",
            Self::Purged => "purged",
            Self::PurgesUnknown => "purges-unknown",
            Self::StaleIfError => "stale-if-error",
        }
    }

    /// What a request that went forward for this reason says in `fwd` (RFC 9211, section 2.2).
    pub fn forward(self) -> Forward {
        match self {
            // "The request method's semantics require the request to be forwarded."
            Self::Method => Forward::Method,
            // "The cache was able to select a fresh response for the request, but the request's semantics did not allow
            // its use."
            Self::RequestNoCache | Self::RequestMaxAge | Self::RequestMinFresh => Forward::Request,
            // "The cache was configured to not handle this request."
            Self::RequestNoStore
            | Self::Precondition
            | Self::RequestContent
            | Self::Upgrade
            | Self::KeyTooLong
            | Self::Malformed => Forward::Bypass,
            Self::Purged | Self::PurgesUnknown | Self::StaleIfError => Forward::Stale,
            // Reasons about a response: the request was forwarded before they were known.
            Self::Range
            | Self::Status
            | Self::NoStore
            | Self::Private
            | Self::NoCache
            | Self::SetCookie
            | Self::Authorization
            | Self::Cookie
            | Self::VaryStar
            | Self::VaryCredential
            | Self::NoFreshness
            | Self::ContentType
            | Self::Expired
            | Self::EnvelopeTooLarge
            | Self::TooLarge => Forward::Miss,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::is_token;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_tokens_that_start_with_a_letter() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        // RFC 9651, section 3.3.4.
        assert!(codes.iter().all(|code| is_token(code) && code.starts_with(|first: char| first.is_ascii_lowercase())));
    }

    #[test]
    fn no_reason_is_missing_from_the_list() {
        let distinct: BTreeSet<Reason> = Reason::ALL.into_iter().collect();
        assert_eq!(distinct.len(), Reason::ALL.len());
        assert_eq!(Reason::ALL.last().map(|last| *last as usize), Some(Reason::ALL.len() - 1));
    }
}
