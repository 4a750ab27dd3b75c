//! At most so many requests in any interval of one length.

use std::time::Duration;

/// A sliding window: any interval of `per` admits at most `requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    // Invariant: what `Window::new` checks.
    requests: u32,
    per: Duration,
}

/// Why these numbers are not a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWindow {
    /// Zero requests: nothing would ever pass, and zero never means unlimited.
    #[error("`requests` must be at least 1")]
    NoRequests,
    /// The period is outside of [`Window::MIN_PER`] and [`Window::MAX_PER`].
    #[error("`per` must be from 1 second to 366 days")]
    Per,
}

impl Window {
    /// The shortest period.
    pub const MIN_PER: Duration = Duration::from_secs(1);
    /// The longest period: a leap year.
    pub const MAX_PER: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// Creates the window in which any `per` admits at most `requests`.
    ///
    /// # Errors
    /// Each variant of [`InvalidWindow`] names the number that does not fit.
    pub fn new(requests: u32, per: Duration) -> Result<Window, InvalidWindow> {
        if requests == 0 {
            return Err(InvalidWindow::NoRequests);
        }
        if per < Window::MIN_PER || per > Window::MAX_PER {
            return Err(InvalidWindow::Per);
        }
        Ok(Window { requests, per })
    }

    /// Returns the most in any interval of [`per`](Window::per).
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Returns the length of the interval.
    pub fn per(&self) -> Duration {
        self.per
    }
}
