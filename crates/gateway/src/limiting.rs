//! Step "limit": all limits of a request together, from memory where the isolate was lent enough, else with one question
//! to one Durable Object.

mod held;
mod keys;
mod told;
mod usage;
mod wants;

use std::cell::RefCell;
use std::time::Duration;

use tidegate_rate_limit::{Admission, Ask, Decided, Decision, Want};

pub use self::held::Held;
pub(crate) use self::keys::Keys;
pub(crate) use self::told::Limited;
pub(crate) use self::usage::usage;
use self::wants::{object, wants};
use crate::apart::apart;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::platform::{AskFailure, Head, Platform, Purpose};
use crate::route::RouteLimits;

/// How long a request waits for its limits before they count as unreachable.
///
/// An object on another continent answers in 300 ms, one that has to start in 100 ms more; past a second the client
/// waits for nothing.
pub const LIMITER_TIMEOUT: Duration = Duration::from_secs(1);

/// A question for which nobody waits: what was lent is renewed, or something comes back. It is sent after the reply, with
/// [`renew`].
#[must_use]
pub struct Renewal(pub(crate) Ask);

/// Takes a request through its limits.
pub(crate) async fn limit<P: Platform>(
    limits: &RouteLimits,
    facts: &Facts<'_, impl Head>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Limited {
    let wants = match wants(limits, facts, &mut memory.borrow_mut().keys) {
        Ok(wants) => wants,
        Err(error) => return Limited::undecided(limits, error.to_string()),
    };
    let admission = {
        let mut memory = memory.borrow_mut();
        let object = object(limits, facts, &mut memory.keys);
        memory.holder(|| platform.random()).admit(&object, wants.as_slice(), platform.now(), platform.random())
    };
    let (decision, error) = match admission {
        Admission::Decided(decision) => (decision, None),
        Admission::Ask(ask) => apart(asked(&ask, wants.as_slice(), memory, platform)).await,
    };
    let (limited, renewal) = Limited::new(limits, &wants, decision, error, platform.now());
    if let Some(ask) = renewal {
        memory.borrow_mut().renew_later(Renewal(ask));
    }
    limited
}

/// Waits for the object, for no longer than [`LIMITER_TIMEOUT`].
async fn asked<P: Platform>(
    ask: &Ask,
    wants: &[Want],
    memory: &RefCell<Memory>,
    platform: &P,
) -> (Decision, Option<String>) {
    let answer = platform.ask(ask.object(), Purpose::Decide, ask.encode()).await;
    let (now, random) = (platform.now(), platform.random());
    let mut memory = memory.borrow_mut();
    let holder = memory.holder(|| platform.random());
    match answer {
        Ok(answer) => {
            let decision = holder.answered(ask, wants, &answer, now, random);
            let is_unread = matches!(decision.decided, Decided::Unreachable);
            (decision, is_unread.then(|| "the limiter's answer cannot be read".to_owned()))
        }
        Err(error) => (holder.failed(ask, wants, error.failure(), now, random), Some(error.reason())),
    }
}

/// Asks what nobody waits for; the shell calls it when the reply is on its way.
///
/// # Errors
/// The object did not answer. The isolate goes on with what it has, and asks again.
pub async fn renew<P: Platform>(renewal: Renewal, memory: &RefCell<Memory>, platform: &P) -> Result<(), AskFailure> {
    let Renewal(ask) = renewal;
    let answer = platform.ask(ask.object(), Purpose::Decide, ask.encode()).await;
    let (now, random) = (platform.now(), platform.random());
    let mut memory = memory.borrow_mut();
    let told = answer.as_deref().map_err(AskFailure::failure);
    memory.holder(|| platform.random()).refreshed(&ask, told, now, random);
    answer.map(|_| ())
}
