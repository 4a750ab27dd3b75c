//! Windows that people mean when they say "per day": from midnight to midnight, where they live.
//!
//! - A **minute** or an **hour** begins whenever clocks show a full one. Where clocks are set back by an hour, the hour
//!   that is shown twice is two windows; where they are set by half an hour (Lord Howe Island), one hour of the year is
//!   90 minutes long.
//! - A **day**, **week** or **month** begins at the first moment at which clocks show one of its dates or a later one.
//!   So a midnight that is skipped is replaced by the moment at which clocks are set forward, a midnight that is shown
//!   twice begins one day, not two, and a day has 23 or 25 hours when its clocks are set. A date that is skipped has no
//!   window.
//!
//! Weeks begin on Monday (ISO 8601). Dates are those of the Gregorian calendar.

use std::cell::Cell;
use std::time::Duration;

use super::Zone;

const DAY: i64 = 86_400;
/// From 1 March of the year 0 to 1 January 1970.
const DAYS_TO_EPOCH: i64 = 719_468;
/// The end of the year 9999, in seconds since the Unix epoch: no clock that is right shows more.
const LAST_SECOND: u64 = 253_402_300_799;

/// How long a window of a quota is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From one full minute to the next.
    Minute,
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first day of a month to its last.
    Month,
}

/// The windows of a quota: their period, and the zone whose clocks they follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    period: Period,
    zone: Zone,
    latest: Latest,
}

/// The windows that were found last: the next request nearly always falls into the same one. No part of what a calendar
/// is, so that two calendars are equal whatever they were asked.
#[derive(Clone, Debug, Default)]
struct Latest(Cell<Option<Windows>>);

impl PartialEq for Latest {
    fn eq(&self, _: &Latest) -> bool {
        true
    }
}

impl Eq for Latest {}

/// The window of one moment with the one before and the one after, as times since the Unix epoch.
///
/// The neighbours are there for whoever judges by another clock, which may be on the other side of a boundary.
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
    /// Creates the windows of `period` by the clocks of `zone`.
    pub fn new(period: Period, zone: Zone) -> Calendar {
        Calendar { period, zone, latest: Latest::default() }
    }

    /// Returns how long a window is.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the zone whose clocks decide.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the window of `now`, the time since the Unix epoch, and its neighbours.
    ///
    /// Bounds are whole seconds; those before the epoch are given as the epoch. What is asked about a time after the
    /// year 9999 is answered for its end.
    pub fn windows(&self, now: Duration) -> Windows {
        if let Some(windows) = self.latest.0.get().filter(|windows| windows.start <= now && now < windows.end) {
            return windows;
        }
        let windows = self.find(now);
        self.latest.0.set(Some(windows));
        windows
    }

    fn find(&self, now: Duration) -> Windows {
        let now = i64::try_from(now.as_secs().min(LAST_SECOND)).unwrap_or(i64::MAX);
        let start = self.start(now);
        let end = self.end(now);
        let bounds = [self.start(start.saturating_sub(1)), start, end, self.end(end)];
        let [previous_start, start, end, next_end] =
            bounds.map(|bound| Duration::from_secs(u64::try_from(bound).unwrap_or_default()));
        Windows { previous_start, start, end, next_end }
    }

    /// The last start of a window that is not after `time`.
    fn start(&self, time: i64) -> i64 {
        let date = match self.period {
            Period::Minute => return self.zone.last_full(time, 60),
            Period::Hour => return self.zone.last_full(time, 3_600),
            Period::Day | Period::Week | Period::Month => self.date(self.zone.local(time)),
        };
        // Clocks that were set back over midnight show yesterday, but today began before. They may be off by 52 hours.
        let later = [3, 2, 1].into_iter().map(|days| self.first_moment(date.saturating_add(days)));
        later.into_iter().find(|moment| *moment <= time).unwrap_or_else(|| self.first_moment(date))
    }

    /// The first start of a window after `time`.
    fn end(&self, time: i64) -> i64 {
        let date = match self.period {
            Period::Minute => return self.zone.next_full(time, 60),
            Period::Hour => return self.zone.next_full(time, 3_600),
            Period::Day | Period::Week | Period::Month => self.date(self.zone.local(time)),
        };
        let later = [1, 2, 3, 4].into_iter().map(|days| self.first_moment(date.saturating_add(days)));
        later.into_iter().find(|moment| *moment > time).unwrap_or(i64::MAX)
    }

    /// The number of the day, week or month that clocks showing `local` are in.
    fn date(&self, local: i64) -> i64 {
        let days = local.div_euclid(DAY);
        match self.period {
            // 1 January 1970 was a Thursday.
            Period::Week => days.saturating_add(3).div_euclid(7),
            Period::Month => month_of(days),
            Period::Minute | Period::Hour | Period::Day => days,
        }
    }

    fn first_moment(&self, date: i64) -> i64 {
        let days = match self.period {
            Period::Week => date.saturating_mul(7).saturating_sub(3),
            Period::Month => first_day_of(date),
            Period::Minute | Period::Hour | Period::Day => date,
        };
        self.zone.first_showing(days.saturating_mul(DAY))
    }
}

/// The month of a day, counted from March of the year 0, so that the leap day is the last of its year.
///
/// The method is Howard Hinnant's ("chrono-compatible low-level date algorithms", `civil_from_days`).
fn month_of(days: i64) -> i64 {
    let days = days.saturating_add(DAYS_TO_EPOCH);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = (day / 1_460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(leap_days) / 365;
    let day_of_year = day.saturating_sub(year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100));
    let month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    era.saturating_mul(400).saturating_add(year).saturating_mul(12).saturating_add(month)
}

/// The first day of such a month, counted from the Unix epoch.
fn first_day_of(month: i64) -> i64 {
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12));
    let leap_days = year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    let day_of_year = month.saturating_mul(153).saturating_add(2) / 5;
    let days = year.saturating_mul(365).saturating_add(leap_days).saturating_add(day_of_year);
    days.saturating_sub(DAYS_TO_EPOCH)
}

impl Windows {
    /// Start and end of the one of the three windows that `now` is in, if it is in one.
    pub(crate) fn at(&self, now: Duration) -> Option<(Duration, Duration)> {
        let Windows { previous_start, start, end, next_end } = *self;
        let three = [(previous_start, start), (start, end), (end, next_end)];
        three.into_iter().find(|(start, end)| (*start..*end).contains(&now))
    }
}

#[cfg(test)]
mod tests;
