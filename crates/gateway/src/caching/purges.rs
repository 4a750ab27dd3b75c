//! What purges leave of stored responses: the isolate's copy of the purge log, and when the log itself is asked.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_http_cache::Reason;
use tidegate_http_cache::purge::{
    Believed, Delta, Generation, Generations, Manner, Place, Question, Readiness, Target,
};

use super::fill::{Selected, Tier};
use super::shelf::{Shelved, read};
use crate::memory::Memory;
use crate::platform::{LogFailure, Platform, Unreachable};

/// A question to the purge log for which nobody waits. It is sent after the reply, with [`learn`].
#[must_use]
pub struct News(pub(crate) ());

/// What is left of a response that a tier holds.
pub(super) enum Judged<B> {
    /// A stored response, as purges leave it.
    Believed(Box<Selected<B>>),
    /// It was purged. What replaces it must have been fetched at or after this.
    Gone { by: Generation },
    /// Nothing that can be read.
    Nothing,
}

/// Holds what a tier has under a key against the purges that this isolate knows of, and keeps it in this isolate's memory as
/// well if it is whole. Whatever is stored, in whichever tier,
/// comes through here before it may answer. Ready at the first poll while the isolate's copy of the log is new.
pub(super) async fn judge<P: Platform>(
    key: &str,
    found: (String, P::Body),
    tier: Tier,
    resource: &Place<'_>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Judged<P::Body> {
    let (metadata, body) = found;
    let Some((stamp, stored)) = read(&metadata) else { return Judged::Nothing };
    let found = Shelved { stored, stamp, metadata, body };
    platform.shelf().borrow_mut().insert(key, found.clone(), true, platform.now());
    judge_decoded(found, tier, resource, memory, platform).await
}

/// The same for what this isolate has read already.
pub(super) async fn judge_decoded<P: Platform>(
    found: Shelved<P::Body>,
    tier: Tier,
    resource: &Place<'_>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Judged<P::Body> {
    let Shelved { stored, stamp, metadata, body } = found;
    let is_lost = !matches!(ready(memory, platform).await, Readiness::Known | Readiness::Unreachable);
    let believed = match memory.borrow().generations.judge(&stamp, resource) {
        Believed::Current | Believed::Stale if is_lost => Believed::Unknown,
        believed => believed,
    };
    let doubt = match believed {
        Believed::Current => None,
        Believed::Stale => Some(Reason::Purged),
        Believed::Unknown => Some(Reason::PurgesUnknown),
        Believed::Gone { by } => return Judged::Gone { by },
    };
    match stored.believed(believed, platform.now()) {
        Some(stored) => {
            let body = Some(body);
            Judged::Believed(Box::new(Selected { tier, stored, stamp, metadata, doubt, body }))
        }
        None => Judged::Nothing,
    }
}

/// The number that the response of a fetch which begins now is stamped with. An old one is as good: it makes the response
/// more doubtful, never less. With none, it would be validated at every use, so then the log is asked.
pub(super) async fn begin<P: Platform>(memory: &RefCell<Memory>, platform: &P) -> Option<Generation> {
    let known = memory.borrow().generations.generation();
    if known.is_some() {
        memory.borrow_mut().learn_later(platform.now());
        return known;
    }
    ready(memory, platform).await;
    memory.borrow().generations.generation()
}

/// Waits for the log only when what is known is too old.
async fn ready<P: Platform>(memory: &RefCell<Memory>, platform: &P) -> Readiness {
    let now = platform.now();
    let readiness = memory.borrow().generations.readiness(now);
    if readiness != Readiness::Ask {
        memory.borrow_mut().learn_later(now);
        return readiness;
    }
    // What it failed of is counted; the request goes on with what is known.
    let _failed = ask(memory, platform).await;
    memory.borrow().generations.readiness(platform.now())
}

/// Asks the purge log for what nobody waits for; the shell calls it when the reply is on its way.
///
/// # Errors
/// The log did not answer. The isolate goes on with what it knows, and asks again.
pub async fn learn<P: Platform>(_news: News, memory: &RefCell<Memory>, platform: &P) -> Result<(), Unreachable> {
    ask(memory, platform).await
}

/// Appends a purge to the log. This isolate knows of it at once, the others within
/// [`Generations::PROMISE`](tidegate_http_cache::purge::Generations::PROMISE).
///
/// # Errors
/// The log did not answer: it may have the purge, or not.
pub(crate) async fn purge<P: Platform>(
    targets: Vec<Target>,
    manner: Manner,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Result<Generation, LogFailure> {
    let known = memory.borrow().generations.generation();
    let sent = platform.now();
    let count = targets.len();
    let answer = platform.purge_log(Question { known, targets, manner }.encode()).await;
    let generation = learnt(answer, memory, sent, |generations, delta| generations.apply(delta, sent))?;
    memory.borrow_mut().purge_counters.purged(count);
    Ok(generation)
}

async fn ask<P: Platform>(memory: &RefCell<Memory>, platform: &P) -> Result<(), Unreachable> {
    let asked = memory.borrow().generations.question();
    let sent = platform.now();
    let answer = platform.purge_log(asked.question.encode()).await;
    match learnt(answer, memory, sent, |generations, delta| generations.answered(&asked, delta, sent)) {
        Ok(_) | Err(LogFailure::Absent) => Ok(()),
        Err(LogFailure::Unreachable(error)) => Err(error),
    }
}

/// Takes in what became of a question.
fn learnt(
    answer: Result<Vec<u8>, LogFailure>,
    memory: &RefCell<Memory>,
    sent: Duration,
    apply: impl FnOnce(&mut Generations, Delta),
) -> Result<Generation, LogFailure> {
    let delta = answer.and_then(|answer| {
        Delta::decode(&answer).map_err(|invalid| LogFailure::Unreachable(Unreachable::new(invalid.to_string())))
    });
    let mut memory = memory.borrow_mut();
    memory.purge_counters.asked(delta.is_ok());
    let generations = &mut memory.generations;
    match delta {
        Ok(delta) => {
            let to = delta.to();
            apply(generations, delta);
            Ok(to)
        }
        Err(LogFailure::Absent) => {
            generations.without_log();
            Err(LogFailure::Absent)
        }
        Err(LogFailure::Unreachable(error)) => {
            generations.failed(sent);
            Err(LogFailure::Unreachable(error))
        }
    }
}
