//! One request's attempts: which origin, and which one after a failure.

use std::vec::IntoIter;

use crate::pool::{OriginIndex, Pool, Rotations};
use crate::rendezvous::ClientKey;
use crate::steering::{PoolIndex, PoolOrder};

/// An origin of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// The pool.
    pub pool: PoolIndex,
    /// The origin.
    pub origin: OriginIndex,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The origin answered, with this status code.
    Status(u16),
    /// The response header was not complete in time.
    TimedOut,
    /// There was no response: the connection was refused, reset, or never came about.
    Failed,
}

impl Outcome {
    /// True when another origin may do better: this one could not be reached, or says that it cannot answer.
    ///
    /// A status outside of the list is the application's answer, and the next origin's would be no other.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::TimedOut | Self::Failed => true,
            // RFC 9110, sections 15.6.3 to 15.6.5: bad gateway, service unavailable, gateway timeout.
            Self::Status(502..=504) => true,
            // Cloudflare's own, when a fetch does not get through to the origin: 520 to 526 for what goes wrong on the
            // connection or in TLS, 530 for a name that does not resolve.
            Self::Status(520..=526 | 530) => true,
            Self::Status(_) => false,
        }
    }
}

/// Whether a request carries a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None, so that the request can be sent again as it is.
    Absent,
    /// There is one; it streams through and is gone after the first attempt.
    Present,
}

/// How many more origins a request may try after its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries(u8);

impl Retries {
    /// Grants the configured number to a request that may be sent twice, and none to any other.
    ///
    /// RFC 9110, section 9.2.2: "A proxy MUST NOT automatically retry non-idempotent requests." The idempotent methods
    /// are PUT, DELETE and the safe ones; of any other method it is unknown. Method names are case-sensitive (section
    /// 9.1).
    #[must_use]
    pub fn granted(configured: u8, method: &str, body: Body) -> Self {
        let is_idempotent = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE");
        if is_idempotent && body == Body::Absent { Self(configured) } else { Self(0) }
    }
}

/// All pools, with the isolate's memory of whose turn it is.
#[derive(Debug)]
pub struct Fleet<'a> {
    /// The pools, in the order that [`PoolIndex`] counts.
    pub pools: &'a [Pool],
    /// Their rotations.
    pub rotations: &'a mut Rotations,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer with what the last attempt gave.
    Done,
    /// Try this origin.
    Retry(Choice),
}

/// The attempts of one request: its first choice, then after each failure an origin that was not tried yet, of the same
/// pool before the next pools, until one answers, the retries are used up, or no origin is left.
///
/// Deterministic, given the random number and the state of the rotations.
#[derive(Clone, Debug)]
pub struct Attempts {
    order: PoolOrder,
    /// How many pools of the order were entered or skipped.
    entered: usize,
    choice: Choice,
    /// The origins of the entered pool that are left; `None` until one is needed, which is never for most requests.
    others: Option<IntoIter<OriginIndex>>,
    retries: Retries,
    made: u16,
    client: Option<ClientKey>,
    random: u64,
}

impl Attempts {
    /// Makes the first choice; `None` if the order leads to no pool.
    #[must_use]
    pub fn begin(
        order: PoolOrder,
        retries: Retries,
        client: Option<ClientKey>,
        random: u64,
        fleet: &mut Fleet<'_>,
    ) -> Option<Self> {
        let (entered, choice) = enter(&order, 0, client, random, fleet)?;
        Some(Self { order, entered, choice, others: None, retries, made: 1, client, random })
    }

    /// The origin of the latest attempt.
    #[must_use]
    pub fn choice(&self) -> Choice {
        self.choice
    }

    /// How many attempts there were, the latest included: from 1 to 256.
    #[must_use]
    pub fn made(&self) -> u16 {
        self.made
    }

    /// The order that the attempts follow.
    #[must_use]
    pub fn order(&self) -> &PoolOrder {
        &self.order
    }

    /// Decides what follows the latest attempt.
    pub fn after(&mut self, outcome: Outcome, fleet: &mut Fleet<'_>) -> Next {
        let Some(left) = self.retries.0.checked_sub(1) else { return Next::Done };
        if !outcome.is_retryable() {
            return Next::Done;
        }
        let Some(choice) = self.untried(fleet) else { return Next::Done };
        self.retries = Retries(left);
        self.made = self.made.saturating_add(1);
        self.choice = choice;
        Next::Retry(choice)
    }

    /// The next origin of the same pool, or the first choice of the next pool.
    fn untried(&mut self, fleet: &mut Fleet<'_>) -> Option<Choice> {
        let Choice { pool, origin: first } = self.choice;
        let others = self.others.get_or_insert_with(|| {
            let others =
                fleet.pools.get(pool.0).map(|entered| entered.others(first, self.client, salt(self.random, pool)));
            others.unwrap_or_default().into_iter()
        });
        if let Some(origin) = others.next() {
            return Some(Choice { pool, origin });
        }
        let (entered, choice) = enter(&self.order, self.entered, self.client, self.random, fleet)?;
        self.entered = entered;
        self.others = None;
        Some(choice)
    }
}

/// Finds the first pool of the order, from a position on, that exists, and makes its first choice.
fn enter(
    order: &PoolOrder,
    from: usize,
    client: Option<ClientKey>,
    random: u64,
    fleet: &mut Fleet<'_>,
) -> Option<(usize, Choice)> {
    order.pools().iter().enumerate().skip(from).find_map(|(position, pool)| {
        let rotation = fleet.rotations.of(*pool)?;
        let origin = fleet.pools.get(pool.0)?.first(rotation, client, salt(random, *pool));
        Some((position.saturating_add(1), Choice { pool: *pool, origin }))
    })
}

/// Gives each pool random numbers of its own: two pools of the same size must not make the same choice.
fn salt(random: u64, pool: PoolIndex) -> u64 {
    random.rotate_left(32).wrapping_add(u64::try_from(pool.0).unwrap_or_default())
}

#[cfg(test)]
mod tests;
