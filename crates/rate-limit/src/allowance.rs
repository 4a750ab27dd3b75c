//! What a limit allows: one of four kinds, each with its numbers.

mod calendar;
mod concurrency;
mod quota;
mod window;
mod zone;

pub use calendar::{Calendar, Period, Windows};
pub use concurrency::{Concurrency, InvalidConcurrency};
pub use quota::{InvalidQuota, Quota};
pub use window::{InvalidWindow, Window};
pub use zone::{InvalidZone, Zone};

use crate::rate::Rate;

/// What a limit allows. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// A bucket that refills all the time.
    Rate(Rate),
    /// At most so many in any interval of one length.
    Window(Window),
    /// At most so many in each minute, hour, day, week or month of a time zone.
    Quota(Quota),
    /// At most so many at the same time.
    Concurrency(Concurrency),
}

impl Allowance {
    /// Returns the most that one request can cost: above it, to wait doesn't help.
    pub fn capacity(&self) -> u64 {
        match self {
            Allowance::Rate(rate) => u64::from(rate.burst()),
            Allowance::Window(window) => u64::from(window.requests()),
            Allowance::Quota(quota) => quota.requests(),
            Allowance::Concurrency(concurrency) => u64::from(concurrency.requests()),
        }
    }

    /// Returns what a cost is in the unit that leases count in: nanoseconds at the full rate, or plain requests.
    pub(crate) fn price(&self, cost: u32) -> u64 {
        match self {
            Allowance::Rate(rate) => rate.increment(cost),
            Allowance::Window(_) | Allowance::Quota(_) | Allowance::Concurrency(_) => u64::from(cost),
        }
    }
}
