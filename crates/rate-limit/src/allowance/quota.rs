//! At most so many requests in each window of a calendar.

use std::rc::Rc;

use super::Calendar;

/// A quota: `requests` in each window of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    // Invariant: what `Quota::new` checks.
    requests: u64,
    calendar: Rc<Calendar>,
}

/// Why these numbers are not a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidQuota {
    /// Zero requests: nothing would ever pass, and zero never means unlimited.
    #[error("`requests` must be at least 1")]
    NoRequests,
    /// More than [`Quota::MAX_REQUESTS`].
    #[error("`requests` must be at most 10^15")]
    TooMany,
}

impl Quota {
    /// The largest quota: what the RateLimit fields can still say.
    pub const MAX_REQUESTS: u64 = 999_999_999_999_999;

    /// Creates the quota of `requests` in each window of `calendar`.
    ///
    /// # Errors
    /// `NoRequests` or `TooMany`.
    pub fn new(requests: u64, calendar: Rc<Calendar>) -> Result<Quota, InvalidQuota> {
        match requests {
            0 => Err(InvalidQuota::NoRequests),
            1..=Quota::MAX_REQUESTS => Ok(Quota { requests, calendar }),
            _ => Err(InvalidQuota::TooMany),
        }
    }

    /// Returns the most in one window.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the calendar that says when a window starts.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}
