//! What edges and the object say to each other. Times are durations since the Unix epoch.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::purge::Generation;

/// One question of an edge that missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The stored response that it has seen and cannot use.
    pub refuse: Option<Refusal>,
    /// What it knows of purges: if it gets the lease, that is where its fetch begins.
    pub generation: Option<Generation>,
    /// It only wants to know whether it should refresh; it has something to serve, and does not wait.
    pub refresh: bool,
    /// For how long a lease is worth something: what a fetch usually takes, and then some. Zero: it wants what is kept and
    /// no lease, because what it would fetch is for nobody else.
    pub lease: Duration,
    /// When it gives up waiting, since the Unix epoch.
    pub until: Duration,
    /// 64 random bits.
    pub random: u64,
}

/// Why a stored response was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The response.
    pub version: u64,
    /// The purge that concerns it, if one does: what is fetched before it is of no use either.
    pub purged: Option<Generation>,
}

/// The right to fetch for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Names it.
    pub number: u64,
    /// When it runs out.
    pub until: Duration,
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Take this response.
    Hit {
        /// Names it, should it be refused.
        version: u64,
        /// It gets old: refresh it after the reply, for everybody.
        refresh: Option<Lease>,
    },
    /// Fetch, for everybody.
    Fill(Lease),
    /// Somebody does. Ask again when woken, and at this time.
    Wait {
        /// When the filler is given up.
        until: Duration,
    },
    /// Fetch for yourself: waiting would be in vain.
    Pass,
    /// The response is larger than this object keeps: let your edge's own object decide who fetches.
    TooLarge,
    /// Somebody refreshes it already.
    Busy,
}

/// What a filler brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// Its lease.
    pub lease: u64,
    /// What it knew of purges when it began.
    pub generation: Option<Generation>,
    /// When it began, since the Unix epoch.
    pub sent: Duration,
    /// When the response's header was there, since the Unix epoch.
    pub arrived: Duration,
    /// Until when it is fresh, since the Unix epoch.
    pub fresh_until: Duration,
    /// Until when it is good for anything.
    pub keep_until: Duration,
    /// Whether it is worth a row in the object's storage, so that it outlives the object's memory.
    pub durable: bool,
}

/// A response that the object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Names it.
    pub version: u64,
    /// What its filler knew of purges.
    pub generation: Option<Generation>,
    /// When its filler began, since the Unix epoch.
    pub sent: Duration,
    /// What the fetch cost.
    pub cost: Duration,
    /// Until when it is fresh, since the Unix epoch.
    pub fresh_until: Duration,
    /// Until when it is good for anything.
    pub keep_until: Duration,
}

/// Why a lease ends without a response for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The response is for nobody else.
    Uncacheable,
    /// It is larger than the object keeps.
    TooLarge,
    /// There is none.
    Failed,
}
