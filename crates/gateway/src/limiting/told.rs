//! What a decision means for the client and for the log.

use std::time::Duration;

use tidegate_rate_limit::fields::{self, Shown};
use tidegate_rate_limit::{Ask, Decided, Decision, Verdict, Want};

use super::held::Held;
use super::wants::{Wants, is_shown};
use crate::record::LimitRecord;
use crate::rejection::Rejection;
use crate::reply::Fields;
use crate::route::{Limit, RouteLimits};

/// The outcome of step "limit".
pub(crate) struct Limited {
    /// The RateLimit fields, on every reply of the route.
    pub(crate) fields: Fields,
    pub(crate) records: Vec<LimitRecord>,
    pub(crate) by: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) refused: Option<Rejection>,
    pub(crate) held: Option<Held>,
}

impl Limited {
    /// Also returns the question that should be asked after the reply.
    pub(super) fn new(
        limits: &RouteLimits,
        wants: &Wants,
        decision: Decision,
        error: Option<String>,
        now: Duration,
    ) -> (Self, Option<Ask>) {
        let Decision { verdicts, allowed, receipt, refresh, decided } = decision;
        let judged = || limits.limits.iter().map(|limit| &**limit).zip(wants.as_slice()).zip(&verdicts);
        let limited = Self {
            fields: rate_limit_fields(limits, wants, &verdicts, now),
            records: judged().map(|((limit, want), verdict)| record(limit, want, verdict, decided)).collect(),
            by: match decided {
                Decided::Lease => "lease",
                Decided::Authority => "authority",
                Decided::Unreachable => "unreachable",
            },
            error,
            refused: (!allowed).then(|| {
                let enforced = judged().filter(|((_, want), _)| is_shown(want));
                refusal(enforced.map(|((limit, _), verdict)| (limit, verdict)))
            }),
            held: receipt.map(|receipt| Held::new(receipt, limits, wants)),
        };
        (limited, refresh)
    }

    /// No limit can be asked about such a request. Nothing is known of it, so it is refused.
    pub(super) fn undecided(limits: &RouteLimits, error: String) -> Self {
        let record = |name: &str| LimitRecord { name: name.to_owned(), verdict: "closed", remaining: None };
        Self {
            fields: Fields::default(),
            records: limits.limits.iter().map(|limit| record(&limit.name)).collect(),
            by: "unreachable",
            error: Some(error),
            refused: Some(Rejection::LimiterUnavailable { retry_after_seconds: 1 }),
            held: None,
        }
    }
}

/// 429 when a limit is used up; 503 when nobody can say, and a limit is closed in that case.
fn refusal<'a>(verdicts: impl Iterator<Item = (&'a Limit, &'a Verdict)>) -> Rejection {
    let refusing: Vec<(&Limit, &Verdict)> = verdicts.filter(|(_, verdict)| !verdict.is_allowed()).collect();
    let denied = refusing.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Denied { .. }));
    let limits: Vec<String> = denied.map(|(limit, _)| limit.name.clone()).collect();
    let waits: Vec<&Verdict> = refusing.iter().map(|(_, verdict)| *verdict).collect();
    let retry_after_seconds = fields::retry_after_seconds(&waits).unwrap_or(1);
    if limits.is_empty() {
        return Rejection::LimiterUnavailable { retry_after_seconds };
    }
    Rejection::Limited { limits, retry_after_seconds }
}

/// The fields of the limits that are enforced: the policy of all of them, and what is known to be left.
fn rate_limit_fields(limits: &RouteLimits, wants: &Wants, verdicts: &[Verdict], now: Duration) -> Fields {
    let mut shown = Vec::with_capacity(verdicts.len());
    for ((limit, (want, partition)), verdict) in limits.limits.iter().zip(wants.iter()).zip(verdicts) {
        if is_shown(want) {
            shown.push(Shown { name: &limit.name, allowance: want.allowance(), verdict, partition });
        }
    }
    let mut fields = Fields::default();
    let left = fields::limit_field(&shown);
    if !left.is_empty() {
        fields.push("RateLimit-Policy", fields::policy_field(&shown, now));
        fields.push("RateLimit", left);
    }
    fields
}

fn record(limit: &Limit, want: &Want, verdict: &Verdict, decided: Decided) -> LimitRecord {
    let (verdict, remaining) = match verdict {
        Verdict::Allowed { remaining, .. } => ("allowed", Some(*remaining)),
        Verdict::Denied { remaining, .. } if is_shown(want) => ("denied", Some(*remaining)),
        Verdict::Denied { remaining, .. } => ("would_deny", Some(*remaining)),
        // Another limit refused the request before this one had to be asked.
        Verdict::Open if decided == Decided::Lease => ("not_asked", None),
        Verdict::Open => ("open", None),
        Verdict::Closed { .. } => ("closed", None),
    };
    LimitRecord { name: limit.name.clone(), verdict, remaining }
}
