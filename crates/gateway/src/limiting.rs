//! Step "limit": one question to one Durable Object, which takes from all limits or from none.

use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tidegate_rate_limit::{Allowance, Spend, SpendReply, SpendRequest, Verdict, WhenUnreachable, fields};

use crate::facts::Facts;
use crate::platform::{Head, Platform};
use crate::record::LimitRecord;
use crate::rejection::Rejection;
use crate::reply::Fields;
use crate::route::{Limit, RouteLimits};
use crate::source::{self, Ipv6Prefix, Source};

/// How long a request waits for its limits before they count as unreachable.
///
/// An object on another continent answers in 300 ms, one that has to start in 100 ms more; past a second the client
/// waits for nothing.
pub const LIMITER_TIMEOUT: Duration = Duration::from_secs(1);

/// The outcome of this step.
pub(crate) struct Limited {
    /// The RateLimit fields, on every reply of the route.
    pub(crate) fields: Fields,
    pub(crate) records: Vec<LimitRecord>,
    pub(crate) error: Option<String>,
    pub(crate) refused: Option<Rejection>,
}

/// Spends one request from each limit of the route.
pub(crate) async fn limit<P: Platform>(limits: &RouteLimits, facts: &Facts<'_, impl Head>, platform: &P) -> Limited {
    let spends: Result<Vec<Spend>, String> = limits.limits.iter().map(|limit| spend(limit, facts)).collect();
    let request = spends.and_then(|spends| SpendRequest::new(spends).map_err(|error| error.to_string()));
    let request = match request {
        Ok(request) => request,
        Err(error) => return unreachable(limits, error),
    };
    match platform.spend(&object(limits, facts), &request).await {
        Ok(reply) if reply.verdicts().len() == limits.limits.len() => answered(limits, &reply),
        Ok(_) => unreachable(limits, "the limiter answered for other limits".to_owned()),
        Err(error) => unreachable(limits, error.reason),
    }
}

/// The name of the object that holds these limits for this request.
fn object(limits: &RouteLimits, facts: &Facts<'_, impl Head>) -> String {
    format!("{}/{}", limits.group, digest(&limits.shard, limits.ipv6_prefix, facts))
}

fn spend(limit: &Limit, facts: &Facts<'_, impl Head>) -> Result<Spend, String> {
    let Allowance::Rate(rate) = limit.allowance else { return Err("only rates can be asked yet".to_owned()) };
    let key = format!("{}/{}", limit.name, digest(&limit.key, limit.ipv6_prefix, facts));
    Spend::new(key, rate, 1).map_err(|error| error.to_string())
}

/// The values of a key as 128 bits of a SHA-256: of one length whatever a client sends, and no address or subject
/// leaves the isolate in the clear.
fn digest(sources: &[Source], ipv6_prefix: Ipv6Prefix, facts: &Facts<'_, impl Head>) -> String {
    let key = source::join(sources.iter().map(|source| (source, facts.value(source, ipv6_prefix))));
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn answered(limits: &RouteLimits, reply: &SpendReply) -> Limited {
    let verdicts: Vec<Verdict> = reply.verdicts().iter().map(Verdict::from).collect();
    let pairs = || limits.limits.iter().zip(&verdicts);
    let records = pairs().map(|(limit, verdict)| record(limit, verdict)).collect();
    let denied: Vec<(&Rc<Limit>, &Verdict)> = pairs().filter(|(_, verdict)| !verdict.is_allowed()).collect();
    let refusing: Vec<&Verdict> = denied.iter().map(|(_, verdict)| *verdict).collect();
    let refused = fields::retry_after_seconds(&refusing).map(|retry_after_seconds| Rejection::Limited {
        limits: denied.iter().map(|(limit, _)| limit.name.clone()).collect(),
        retry_after_seconds,
    });
    Limited { fields: rate_limit_fields(limits, &verdicts), records, error: None, refused }
}

fn rate_limit_fields(limits: &RouteLimits, verdicts: &[Verdict]) -> Fields {
    let policies: Vec<_> = limits.limits.iter().map(|limit| (limit.name.as_str(), &limit.allowance)).collect();
    let named: Vec<_> =
        limits.limits.iter().zip(verdicts).map(|(limit, verdict)| (limit.name.as_str(), verdict)).collect();
    let mut fields = Fields::default();
    fields.push("RateLimit-Policy", fields::policy_field(&policies));
    fields.push("RateLimit", fields::limit_field(&named));
    fields
}

fn record(limit: &Limit, verdict: &Verdict) -> LimitRecord {
    let (verdict, remaining) = match verdict {
        Verdict::Allowed { remaining, .. } => ("allowed", Some(*remaining)),
        Verdict::Denied { remaining, .. } => ("denied", Some(*remaining)),
        Verdict::Open => ("open", None),
        Verdict::Closed { .. } => ("closed", None),
    };
    LimitRecord { name: limit.name.clone(), verdict, remaining }
}

/// The written direction of each limit: one that is closed refuses for all of them.
fn unreachable(limits: &RouteLimits, error: String) -> Limited {
    let closed = |limit: &Limit| limit.when_unreachable != WhenUnreachable::Open;
    let records = limits.limits.iter().map(|limit| LimitRecord {
        name: limit.name.clone(),
        verdict: if closed(limit) { "closed" } else { "open" },
        remaining: None,
    });
    Limited {
        fields: Fields::default(),
        records: records.collect(),
        error: Some(error),
        refused: limits.limits.iter().any(|limit| closed(limit)).then_some(Rejection::LimiterUnavailable),
    }
}
