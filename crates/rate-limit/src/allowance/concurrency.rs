//! At most so many requests at the same time.

use std::time::Duration;

/// Requests in progress: at most `requests` at once, each of which counts until it ends, and at most `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    // Invariant: what `Concurrency::new` checks.
    requests: u32,
    timeout: Duration,
}

/// Why these numbers are not a limit of requests in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConcurrency {
    /// Zero requests: nothing would ever pass, and zero never means unlimited.
    #[error("`requests` must be at least 1")]
    NoRequests,
    /// The timeout is outside of [`Concurrency::MIN_TIMEOUT`] and [`Concurrency::MAX_TIMEOUT`].
    #[error("`timeout` must be from 1 second to 1 hour")]
    Timeout,
}

impl Concurrency {
    /// The shortest timeout.
    pub const MIN_TIMEOUT: Duration = Duration::from_secs(1);
    /// The longest timeout.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(60 * 60);

    /// Creates the limit of `requests` in progress.
    ///
    /// # Errors
    /// Each variant of [`InvalidConcurrency`] names the number that does not fit.
    pub fn new(requests: u32, timeout: Duration) -> Result<Concurrency, InvalidConcurrency> {
        if requests == 0 {
            return Err(InvalidConcurrency::NoRequests);
        }
        if timeout < Concurrency::MIN_TIMEOUT || timeout > Concurrency::MAX_TIMEOUT {
            return Err(InvalidConcurrency::Timeout);
        }
        Ok(Concurrency { requests, timeout })
    }

    /// Returns the most at the same time.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Returns how long a request counts at most.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}
