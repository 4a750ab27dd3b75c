//! The windows of a calendar, found the slow way: by looking at the clock on the wall again and again.

use tidegate_rate_limit::Period;

use crate::plan::Kind;

/// Numbers windows: a later one has a higher number.
pub(super) struct Labels {
    period: Period,
    first_offset: i64,
    transitions: Vec<(i64, i64)>,
    /// The last second that was looked at, its number, and the latest date seen.
    seen: Option<(i64, u64, i64)>,
}

/// Clocks are set back by less than this, so no date is shown again later.
const LOOK_BACK: i64 = 2 * 86_400;

impl Labels {
    pub(super) fn new(kind: &Kind) -> Labels {
        let Kind::Quota { period, first_offset, transitions, .. } = kind else { panic!("not a quota") };
        let transitions = transitions.iter().map(|(at, offset)| (*at, i64::from(*offset))).collect();
        Labels { period: *period, first_offset: i64::from(*first_offset), transitions, seen: None }
    }

    /// Returns the number of the window at this second since the epoch. Seconds never go back.
    pub(super) fn of(&mut self, second: u64) -> u64 {
        let second = i64::try_from(second).unwrap();
        let (mut last, mut label, mut latest) = self.seen.unwrap_or_else(|| (second, 1, self.latest_date(second)));
        while last < second {
            last = self.next_look(last).min(second);
            let wall = self.wall(last);
            let begins = match self.period {
                Period::Minute => wall % 60 == 0,
                Period::Hour => wall % 3_600 == 0,
                Period::Day | Period::Week | Period::Month => self.date(last) > latest,
            };
            label += u64::from(begins);
            latest = latest.max(self.date(last));
        }
        self.seen = Some((last.max(second), label, latest));
        label
    }

    /// The next second at which a window can begin: where a clock on the wall is set, or shows a full minute or a quarter of
    /// an hour. All offsets here are quarters of an hour.
    fn next_look(&self, last: i64) -> i64 {
        let step = if self.period == Period::Minute { 60 } else { 900 };
        let set = self.transitions.iter().map(|(at, _)| *at).filter(|at| *at > last);
        set.chain([(last.div_euclid(step) + 1) * step]).min().unwrap()
    }

    fn latest_date(&self, second: i64) -> i64 {
        let moments =
            self.transitions.iter().map(|(at, _)| at - 1).filter(|at| (second - LOOK_BACK..second).contains(at));
        moments.chain([second]).map(|at| self.date(at)).max().unwrap()
    }

    fn wall(&self, second: i64) -> i64 {
        let last = self.transitions.iter().rfind(|(at, _)| *at <= second);
        second + last.map_or(self.first_offset, |(_, offset)| *offset)
    }

    /// The number of the day, week or month on the wall.
    fn date(&self, second: i64) -> i64 {
        let day = self.wall(second).div_euclid(86_400);
        match self.period {
            // 5 January 1970 was a Monday.
            Period::Week => (day - 4).div_euclid(7),
            Period::Month => month(day),
            Period::Day | Period::Minute | Period::Hour => day,
        }
    }
}

/// 1 January 2026: no schedule begins before.
const FIRST_DAY: i64 = 20_454;

/// Counts months by going through them.
fn month(day: i64) -> i64 {
    let (mut day, mut year, mut months) = (day - FIRST_DAY, 2026, 0);
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for length in [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < length {
                return months;
            }
            day -= length;
            months += 1;
        }
        year += 1;
    }
}
