//! When a quota starts over.

use std::time::Duration;

use super::Zone;

/// Minutes, hours, days, weeks or months by the clocks of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    period: Period,
    zone: Zone,
}

/// How long a window of a calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday (ISO 8601).
    Week,
    /// From the first to the last day of a month.
    Month,
}

/// The window that holds a moment, with the start of the one before and the end of the one after, since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// When the window before this one started.
    pub previous_start: Duration,
    /// When this window started.
    pub start: Duration,
    /// When this window ends and the next one starts.
    pub end: Duration,
    /// When the next window ends.
    pub next_end: Duration,
}

impl Calendar {
    /// Creates the calendar of windows of `period` in `zone`.
    pub fn new(period: Period, zone: Zone) -> Calendar {
        Calendar { period, zone }
    }

    /// Returns the length of a window.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the window that holds `now`, the time since the Unix epoch, and its neighbours.
    pub fn windows(&self, now: Duration) -> Windows {
        // For the moment all windows are days of UTC.
        let day = 86_400_u64;
        let start = (now.as_secs() / day).saturating_mul(day).max(day);
        let end = start.saturating_add(day);
        Windows {
            previous_start: Duration::from_secs(start.saturating_sub(day)),
            start: Duration::from_secs(start),
            end: Duration::from_secs(end),
            next_end: Duration::from_secs(end.saturating_add(day)),
        }
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}
