//! `serve = "usage"`: what is left of a route's limits to the caller, who pays nothing to see it.

use std::cell::RefCell;

use serde::Serialize;
use tidegate_rate_limit::{Allowance, Verdict, fields};

use super::wants::{is_shown, object, wants};
use crate::admin::json;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::platform::{Head, Platform, Purpose};
use crate::rejection::Rejection;
use crate::reply::Reply;
use crate::route::RouteLimits;

/// What a caller is told.
#[derive(Serialize)]
struct Told<'a> {
    limits: Vec<LimitTold<'a>>,
}

#[derive(Serialize)]
struct LimitTold<'a> {
    name: &'a str,
    kind: &'static str,
    /// The most that can be left.
    limit: u64,
    /// How many requests of cost one fit. What edges have on loan counts as used.
    remaining: u64,
    /// For how many seconds `remaining` is all that the caller should count on: the parameter `t` of `RateLimit`.
    reset: u64,
}

/// Tells the caller what is left; 503 when nobody can say.
pub(crate) async fn usage<P: Platform>(
    limits: &RouteLimits,
    facts: &Facts<'_, impl Head>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Result<Reply<P::Body>, Rejection> {
    const UNKNOWN: Rejection = Rejection::LimiterUnavailable { retry_after_seconds: 1 };
    let wants = wants(limits, facts, &mut memory.borrow_mut().keys).map_err(|_| UNKNOWN)?;
    let ask = {
        let mut memory = memory.borrow_mut();
        let object = object(limits, facts, &mut memory.keys);
        memory.holder(|| platform.random()).peek(&object, wants.as_slice(), platform.now())
    };
    let answer = platform.ask(ask.object(), Purpose::Decide, ask.encode()).await.map_err(|_| UNKNOWN)?;
    let verdicts = memory.borrow_mut().known_holder().and_then(|holder| holder.peeked(&ask, &answer)).ok_or(UNKNOWN)?;
    let mut told = Told { limits: Vec::with_capacity(verdicts.len()) };
    for ((limit, want), verdict) in limits.limits.iter().zip(wants.as_slice()).zip(&verdicts) {
        let (remaining, window) = match *verdict {
            Verdict::Allowed { remaining, effective_window } => (remaining, effective_window),
            Verdict::Denied { remaining, retry_after } => (remaining, retry_after),
            Verdict::Open | Verdict::Closed { .. } => return Err(UNKNOWN),
        };
        if is_shown(want) {
            let (kind, capacity) = (kind(want.allowance()), want.allowance().capacity());
            let reset = fields::whole_seconds(window);
            told.limits.push(LimitTold { name: &limit.name, kind, limit: capacity, remaining, reset });
        }
    }
    Ok(json(&told))
}

fn kind(allowance: &Allowance) -> &'static str {
    match allowance {
        Allowance::Rate(_) => "rate",
        Allowance::Window(_) => "window",
        Allowance::Quota(_) => "quota",
        Allowance::Concurrency(_) => "concurrency",
    }
}
