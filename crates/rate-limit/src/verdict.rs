//! What one limit says to one request.

use std::time::Duration;

/// What one limit says to one request. What the numbers promise to a client stands in [`fields`](crate::fields).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request fits this limit. It was charged if every other limit said the same.
    Allowed {
        /// How many more requests of cost one would fit at this moment, as far as the one who decided knows.
        remaining: u64,
        /// For how long `remaining` is all that a client should count on.
        effective_window: Duration,
    },
    /// The request does not fit.
    Denied {
        /// How many requests of cost one would fit at this moment.
        remaining: u64,
        /// When to come again.
        retry_after: Duration,
    },
    /// The limit could not be asked, and lets the request pass.
    Open,
    /// The limit could not be asked, and refuses.
    Closed {
        /// When to come again.
        retry_after: Duration,
    },
}

impl Verdict {
    /// Returns whether the request passes this limit.
    pub fn is_allowed(&self) -> bool {
        match self {
            Verdict::Allowed { .. } | Verdict::Open => true,
            Verdict::Denied { .. } | Verdict::Closed { .. } => false,
        }
    }

    /// Returns when to come again, if the request does not pass this limit.
    pub fn retry_after(&self) -> Option<Duration> {
        match *self {
            Verdict::Allowed { .. } | Verdict::Open => None,
            Verdict::Denied { retry_after, .. } | Verdict::Closed { retry_after } => Some(retry_after),
        }
    }
}
