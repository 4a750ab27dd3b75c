//! The answer: one verdict per limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one limit says to one request. What the numbers promise to a client stands in [`fields`](crate::fields).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpendVerdict {
    /// The request fits this limit. It was charged if every other limit said the same.
    Allowed {
        /// How many more requests of cost one would fit at this moment.
        remaining: u32,
        /// For how long `remaining` is all that a client should count on.
        effective_window: Duration,
    },
    /// The request does not fit.
    Denied {
        /// How many requests of cost one would fit at this moment. Fewer than this one costs, together with the limits
        /// before it that share its key.
        remaining: u32,
        /// The exact time until this very request fits, if nothing else is charged in between.
        retry_after: Duration,
    },
}

impl SpendVerdict {
    /// Returns whether the request fits this limit.
    pub fn is_allowed(&self) -> bool {
        match self {
            SpendVerdict::Allowed { .. } => true,
            SpendVerdict::Denied { .. } => false,
        }
    }
}

/// The verdicts for a [`SpendRequest`](crate::SpendRequest), in the order of its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendReply {
    verdicts: Vec<SpendVerdict>,
}

impl SpendReply {
    /// Creates a reply.
    pub fn new(verdicts: Vec<SpendVerdict>) -> SpendReply {
        SpendReply { verdicts }
    }

    /// Returns the verdicts, in the order of the request's limits.
    pub fn verdicts(&self) -> &[SpendVerdict] {
        &self.verdicts
    }

    /// Returns whether the request fits all limits. If it does not, no limit was charged.
    pub fn allowed(&self) -> bool {
        // Unknown means deny: no verdict is not a permission.
        !self.verdicts.is_empty() && self.verdicts.iter().all(SpendVerdict::is_allowed)
    }

    /// Returns the time until the request fits all limits: the longest wait of those that denied it.
    pub fn retry_after(&self) -> Option<Duration> {
        self.verdicts
            .iter()
            .filter_map(|verdict| match *verdict {
                SpendVerdict::Allowed { .. } => None,
                SpendVerdict::Denied { retry_after, .. } => Some(retry_after),
            })
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: SpendVerdict = SpendVerdict::Allowed { remaining: 1, effective_window: Duration::from_secs(9) };

    fn denied(secs: u64) -> SpendVerdict {
        SpendVerdict::Denied { remaining: 0, retry_after: Duration::from_secs(secs) }
    }

    #[track_caller]
    fn check(verdicts: &[SpendVerdict], allowed: bool, retry_after: Option<u64>) {
        let reply = SpendReply::new(verdicts.to_vec());
        assert_eq!((reply.allowed(), reply.retry_after()), (allowed, retry_after.map(Duration::from_secs)));
    }

    #[test]
    fn a_request_passes_when_every_limit_allows_it() {
        check(&[ALLOWED], true, None);
        check(&[ALLOWED, ALLOWED], true, None);
        check(&[ALLOWED, denied(2)], false, Some(2));
    }

    #[test]
    fn the_longest_wait_of_the_denials_counts() {
        check(&[denied(2), ALLOWED, denied(3), denied(1)], false, Some(3));
    }

    #[test]
    fn no_verdict_is_not_a_permission() {
        check(&[], false, None);
    }
}
