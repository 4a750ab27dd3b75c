use crate::delta_seconds;
use crate::reason::Reason;
use std::fmt;
use std::time::Duration;

/// Why a request went forward towards the origin: `fwd` of RFC 9211, section 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// "The cache was configured to not handle this request."
    Bypass,
    /// "The request method's semantics require the request to be forwarded."
    Method,
    /// "The cache did not contain any responses that matched the request URI."
    UriMiss,
    /// A response is stored for this URI, but its Vary does not select it.
    VaryMiss,
    /// The cache does not know which of the two it was: its store did not answer.
    Miss,
    /// "The cache was able to select a fresh response for the request, but the request's semantics (e.g., Cache-Control
    /// request directives) did not allow its use."
    Request,
    /// "The cache was able to select a response for the request, but it was stale."
    Stale,
}

impl Forward {
    /// The token of RFC 9211.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// One member of a Cache-Status field (RFC 9211): what this cache did with the request.
///
/// Not for replies that the gateway generates on its own, unless they rest on a stored response, as a 304 does (section
/// 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// Answered from the cache; still fresh for `ttl`.
    Hit {
        /// The remaining freshness lifetime.
        ttl: Duration,
    },
    /// Answered from the cache although the response has been stale for `overdue`.
    StaleHit {
        /// The time since the end of the freshness lifetime.
        overdue: Duration,
    },
    /// The request went forward.
    Forwarded {
        /// Why.
        because: Forward,
        /// The status that came back, if one did.
        status: Option<u16>,
        /// Was what came back stored?
        stored: bool,
        /// For how long the stored response that answers after all has been stale.
        overdue: Option<Duration>,
        /// Why the request was forwarded or the response not stored, in this gateway's words.
        detail: Option<Reason>,
    },
}

impl CacheStatus {
    /// The field's value with this cache as its last member. "Caches SHOULD preserve the existing field value, to allow
    /// debugging of the entire chain of caches handling the request."
    pub fn append_to(&self, existing: Option<&str>) -> String {
        match existing.map(str::trim) {
            None | Some("") => self.to_string(),
            Some(existing) => format!("{existing}, {self}"),
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hit { ttl } => write!(out, "tidegate; hit; ttl={}", seconds(ttl)),
            // "It may be negative, to indicate staleness."
            Self::StaleHit { overdue } => {
                write!(out, "tidegate; hit; ttl=-{}", started_seconds(overdue))
            }
            Self::Forwarded { because, status, stored, overdue, detail } => {
                write!(out, "tidegate; fwd={}", because.as_str())?;
                if let Some(status) = status {
                    write!(out, "; fwd-status={status}")?;
                }
                if stored {
                    out.write_str("; stored")?;
                }
                if let Some(overdue) = overdue {
                    write!(out, "; ttl=-{}", started_seconds(overdue))?;
                }
                match detail {
                    Some(detail) => write!(out, "; detail={}", detail.as_str()),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The Age field of a reply from the cache (RFC 9111, section 5.1): whole seconds.
pub fn age_field(age: Duration) -> String {
    seconds(age).to_string()
}

/// A started second counts, so that what is stale never reads as fresh.
fn started_seconds(duration: Duration) -> u64 {
    seconds(duration.saturating_add(Duration::from_nanos(999_999_999)))
}

fn seconds(duration: Duration) -> u64 {
    duration.min(delta_seconds::GREATEST).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MISS: CacheStatus = CacheStatus::Forwarded {
        because: Forward::UriMiss,
        status: Some(200),
        stored: true,
        overdue: None,
        detail: None,
    };

    #[test]
    fn values_of_rfc_9211() {
        #[track_caller]
        fn check(status: CacheStatus, expected: &str) {
            assert_eq!(status.to_string(), expected);
        }
        let hit = |millis| CacheStatus::Hit { ttl: Duration::from_millis(millis) };
        let stale = |millis| CacheStatus::StaleHit { overdue: Duration::from_millis(millis) };
        let forwarded =
            |because, status, detail| CacheStatus::Forwarded { because, status, stored: false, overdue: None, detail };
        check(hit(30_000), "tidegate; hit; ttl=30");
        check(hit(30_999), "tidegate; hit; ttl=30");
        check(hit(1), "tidegate; hit; ttl=0");
        check(stale(1), "tidegate; hit; ttl=-1");
        check(stale(412_000), "tidegate; hit; ttl=-412");
        check(CacheStatus::Hit { ttl: Duration::MAX }, "tidegate; hit; ttl=2147483648");
        check(CacheStatus::StaleHit { overdue: Duration::MAX }, "tidegate; hit; ttl=-2147483648");
        check(MISS, "tidegate; fwd=uri-miss; fwd-status=200; stored");
        check(
            forwarded(Forward::UriMiss, Some(200), Some(Reason::NoStore)),
            "tidegate; fwd=uri-miss; fwd-status=200; detail=no-store",
        );
        check(forwarded(Forward::Stale, None, None), "tidegate; fwd=stale");
        check(forwarded(Forward::Bypass, None, Some(Reason::Range)), "tidegate; fwd=bypass; detail=range");
        check(forwarded(Forward::Method, Some(201), None), "tidegate; fwd=method; fwd-status=201");
        check(forwarded(Forward::VaryMiss, None, None), "tidegate; fwd=vary-miss");
        check(
            CacheStatus::Forwarded {
                because: Forward::Stale,
                status: Some(503),
                stored: false,
                overdue: Some(Duration::from_millis(4001)),
                detail: Some(Reason::StaleIfError),
            },
            "tidegate; fwd=stale; fwd-status=503; ttl=-5; detail=stale-if-error",
        );
        check(forwarded(Forward::Miss, None, None), "tidegate; fwd=miss");
        check(
            forwarded(Forward::Request, None, Some(Reason::RequestNoCache)),
            "tidegate; fwd=request; detail=request-no-cache",
        );
    }

    #[test]
    fn this_cache_is_the_last_member_by_rfc_9211_section_2() {
        for (existing, expected) in [
            (None, "tidegate; fwd=uri-miss; fwd-status=200; stored"),
            (Some(" "), "tidegate; fwd=uri-miss; fwd-status=200; stored"),
            (
                Some("OriginCache; hit; ttl=1100"),
                "OriginCache; hit; ttl=1100, tidegate; fwd=uri-miss; fwd-status=200; stored",
            ),
        ] {
            assert_eq!(MISS.append_to(existing), expected);
        }
    }

    #[test]
    fn age_is_whole_seconds_and_saturates() {
        for (age, expected) in [
            (Duration::ZERO, "0"),
            (Duration::from_millis(999), "0"),
            (Duration::from_millis(1000), "1"),
            (Duration::MAX, "2147483648"),
        ] {
            assert_eq!(age_field(age), expected);
        }
    }

    proptest! {
        #[test]
        fn every_value_is_a_structured_list(
            reason in prop::sample::select(&Reason::ALL[..]),
            status in prop::option::of(100u16..1000),
            stored: bool,
            seconds: u64,
        ) {
            let detail = Some(reason);
            for value in [
                CacheStatus::Hit { ttl: Duration::from_secs(seconds) },
                CacheStatus::StaleHit { overdue: Duration::from_secs(seconds) },
                CacheStatus::Forwarded { because: reason.forward(), status, stored, overdue: None, detail },
                CacheStatus::Forwarded {
                    because: Forward::Stale,
                    status,
                    stored,
                    overdue: Some(Duration::from_secs(seconds)),
                    detail,
                },
            ] {
                let field = value.append_to(Some("a; b"));
                prop_assert_eq!(sfv::Parser::new(&field).parse_list::<sfv::List>().unwrap().len(), 2);
            }
        }
    }
}
