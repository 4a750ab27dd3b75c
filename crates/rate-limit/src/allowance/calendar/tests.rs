#![allow(clippy::arithmetic_side_effects)]

use jiff::civil::{Date, Weekday, date};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};
use proptest::prelude::*;

use super::*;

/// Zones of every sort: both hemispheres, halves and quarters of an hour, clocks set at midnight, at one in the night
/// and twice around Ramadan, and by half an hour; a date line, and offsets that never change.
const ZONES: [&str; 26] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "America/Scoresbysund",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Amman",
    "Asia/Tehran",
    "Asia/Jerusalem",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
];

fn tz(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

/// The zone with its transitions in the years `from..until`.
fn zone(name: &str, from: i16, until: i16) -> Zone {
    let tz = tz(name);
    let [from, until] = [from, until].map(|year| date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp());
    let transitions = tz.following(from).take_while(|transition| transition.timestamp() < until);
    let transitions = transitions.map(|transition| (transition.timestamp().as_second(), transition.offset().seconds()));
    Zone::new(tz.to_offset(from).seconds(), transitions.collect()).unwrap()
}

fn text(moment: Duration, tz: &TimeZone) -> String {
    let zoned = Timestamp::from_millisecond(moment.as_millis() as i64).unwrap().to_zoned(tz.clone());
    zoned.strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

/// The window of a moment, given with its offset, as clocks in the zone show it.
#[track_caller]
fn check(name: &str, period: Period, now: &str, start: &str, end: &str) {
    let tz = tz(name);
    let now = Duration::from_millis(now.parse::<Timestamp>().unwrap().as_millisecond() as u64);
    let windows = Calendar::new(period, zone(name, 2010, 2050)).windows(now);
    assert_eq!((text(windows.start, &tz), text(windows.end, &tz)), (start.to_owned(), end.to_owned()));
}

#[test]
fn a_day_is_23_hours_long_when_clocks_are_set_forward_and_25_when_they_are_set_back() {
    let berlin = "Europe/Berlin";
    let (start, end) = ("2026-03-29 00:00:00+01:00", "2026-03-30 00:00:00+02:00");
    check(berlin, Period::Day, "2026-03-28T23:00:00Z", start, end);
    check(berlin, Period::Day, "2026-03-29T21:59:59.999Z", start, end);
    let (start, end) = ("2026-10-25 00:00:00+02:00", "2026-10-26 00:00:00+01:00");
    check(berlin, Period::Day, "2026-10-24T22:00:00Z", start, end);
    check(berlin, Period::Day, "2026-10-25T22:59:59.999Z", start, end);
}

#[test]
fn where_midnight_does_not_exist_the_day_begins_when_clocks_are_set() {
    check(
        "America/Sao_Paulo",
        Period::Day,
        "2018-11-04T12:00:00Z",
        "2018-11-04 01:00:00-02:00",
        "2018-11-05 00:00:00-02:00",
    );
    check("Asia/Beirut", Period::Day, "2026-03-28T21:59:59Z", "2026-03-28 00:00:00+02:00", "2026-03-29 01:00:00+03:00");
}

#[test]
fn where_midnight_comes_twice_the_day_begins_once() {
    // Clocks go from 1:00 back to 0:00.
    let (start, end) = ("2026-11-01 00:00:00-04:00", "2026-11-02 00:00:00-05:00");
    check("America/Havana", Period::Day, "2026-11-01T04:30:00Z", start, end);
    check("America/Havana", Period::Day, "2026-11-01T05:30:00Z", start, end);
    // From 0:00 back to 23:00: the day before is shown again and does not end.
    let (start, end) = ("2018-02-17 00:00:00-02:00", "2018-02-18 00:00:00-03:00");
    check("America/Sao_Paulo", Period::Day, "2018-02-18T02:30:00Z", start, end);
    // From 0:01 back to 23:01: a day that has begun does not end because its clocks show yesterday.
    let (start, end) = ("2010-11-07 00:00:00-02:30", "2010-11-08 00:00:00-03:30");
    check("America/St_Johns", Period::Day, "2010-11-07T02:30:30Z", start, end);
    check("America/St_Johns", Period::Day, "2010-11-07T03:00:00Z", start, end);
}

#[test]
fn a_date_that_is_skipped_has_no_window() {
    // Samoa went over the date line at the end of 29 December 2011.
    let apia = "Pacific/Apia";
    check(apia, Period::Day, "2011-12-30T09:59:59Z", "2011-12-29 00:00:00-10:00", "2011-12-31 00:00:00+14:00");
    check(apia, Period::Day, "2011-12-30T10:00:00Z", "2011-12-31 00:00:00+14:00", "2012-01-01 00:00:00+14:00");
    let windows = Calendar::new(Period::Day, zone(apia, 2010, 2050)).windows(Duration::from_secs(1_325_239_200));
    assert_eq!(text(windows.previous_start, &tz(apia)), "2011-12-29 00:00:00-10:00");
    assert_eq!(text(windows.next_end, &tz(apia)), "2012-01-02 00:00:00+14:00");
}

#[test]
fn an_hour_that_is_shown_twice_is_two_windows() {
    let berlin = "Europe/Berlin";
    let (first, second) = ("2026-10-25 02:00:00+02:00", "2026-10-25 02:00:00+01:00");
    check(berlin, Period::Hour, "2026-10-25T00:59:59Z", first, second);
    check(berlin, Period::Hour, "2026-10-25T01:00:00Z", second, "2026-10-25 03:00:00+01:00");
    check(berlin, Period::Hour, "2026-03-29T00:59:00Z", "2026-03-29 01:00:00+01:00", "2026-03-29 03:00:00+02:00");
}

#[test]
fn where_clocks_are_set_by_half_an_hour_one_hour_has_90_minutes() {
    let howe = "Australia/Lord_Howe";
    check(howe, Period::Hour, "2026-04-04T14:45:00Z", "2026-04-05 01:00:00+11:00", "2026-04-05 02:00:00+10:30");
    check(howe, Period::Hour, "2026-10-03T15:45:00Z", "2026-10-04 01:00:00+10:30", "2026-10-04 03:00:00+11:00");
    check(howe, Period::Minute, "2026-10-03T15:30:00Z", "2026-10-04 02:30:00+11:00", "2026-10-04 02:31:00+11:00");
}

#[test]
fn an_offset_with_minutes_moves_the_hours() {
    let (start, end) = ("2026-05-01 10:00:00+05:30", "2026-05-01 11:00:00+05:30");
    check("Asia/Kolkata", Period::Hour, "2026-05-01T04:30:00Z", start, end);
    check("Asia/Kolkata", Period::Hour, "2026-05-01T05:29:59Z", start, end);
}

#[test]
fn weeks_begin_on_monday_and_months_have_their_lengths() {
    check("UTC", Period::Week, "2026-11-22T23:59:59Z", "2026-11-16 00:00:00+00:00", "2026-11-23 00:00:00+00:00");
    check("UTC", Period::Week, "2026-11-23T00:00:00Z", "2026-11-23 00:00:00+00:00", "2026-11-30 00:00:00+00:00");
    check("UTC", Period::Month, "2028-02-29T23:59:59Z", "2028-02-01 00:00:00+00:00", "2028-03-01 00:00:00+00:00");
    check("UTC", Period::Month, "2026-02-28T23:59:59Z", "2026-02-01 00:00:00+00:00", "2026-03-01 00:00:00+00:00");
    check("UTC", Period::Month, "2000-02-29T00:00:00Z", "2000-02-01 00:00:00+00:00", "2000-03-01 00:00:00+00:00");
    check("UTC", Period::Month, "2026-12-31T23:59:59Z", "2026-12-01 00:00:00+00:00", "2027-01-01 00:00:00+00:00");
    let (start, end) = ("2026-10-01 00:00:00+02:00", "2026-11-01 00:00:00+01:00");
    check("Europe/Berlin", Period::Month, "2026-10-31T22:30:00Z", start, end);
}

#[test]
fn before_the_epoch_and_after_the_year_9999_there_is_still_a_window() {
    let calendar = Calendar::new(Period::Month, zone("America/New_York", 2020, 2050));
    assert_eq!(millis(calendar.windows(Duration::ZERO)), [0, 0, 18_000_000, 2_696_400_000]);
    let [_, start, end, _] = millis(calendar.windows(Duration::MAX));
    assert!(start < 253_402_300_799_000 && end > 253_402_300_799_000);
}

#[test]
fn another_clock_picks_its_own_window_out_of_three() {
    let [previous_start, start, end, next_end] = [10, 20, 30, 40].map(Duration::from_secs);
    let windows = Windows { previous_start, start, end, next_end };
    let at = |now| windows.at(Duration::from_secs(now)).map(|(start, end)| (start.as_secs(), end.as_secs()));
    assert_eq!([at(9), at(10), at(19), at(20)], [None, Some((10, 20)), Some((10, 20)), Some((20, 30))]);
    assert_eq!([at(30), at(39), at(40)], [Some((30, 40)), Some((30, 40)), None]);
}

fn millis(windows: Windows) -> [u64; 4] {
    let Windows { previous_start, start, end, next_end } = windows;
    [previous_start, start, end, next_end].map(|bound| bound.as_millis() as u64)
}

fn moment(zoned: &Zoned) -> u64 {
    zoned.timestamp().as_millisecond() as u64
}

/// The first day of the period that `day` is in, and of the one after.
fn around(period: Period, day: Date) -> (Date, Date) {
    match period {
        Period::Week => {
            let monday =
                if day.weekday() == Weekday::Monday { day } else { day.nth_weekday(-1, Weekday::Monday).unwrap() };
            (monday, monday + 7.days())
        }
        Period::Month => (day.first_of_month(), day.first_of_month() + 1.month()),
        Period::Minute | Period::Hour | Period::Day => (day, day.tomorrow().unwrap()),
    }
}

#[test]
fn every_day_from_2020_to_2045_in_every_sort_of_zone_is_the_one_that_jiff_knows() {
    for name in ZONES {
        let (tz, zone) = (tz(name), zone(name, 2020, 2046));
        for period in [Period::Day, Period::Week, Period::Month] {
            let calendar = Calendar::new(period, zone.clone());
            let mut day = date(2020, 2, 1);
            while day < date(2045, 12, 1) {
                let (first, after) = around(period, day);
                let start = moment(&first.to_zoned(tz.clone()).unwrap().start_of_day().unwrap());
                let end = moment(&after.to_zoned(tz.clone()).unwrap().start_of_day().unwrap());
                // The first and the last moment of the day itself, whatever its period is.
                let from = moment(&day.to_zoned(tz.clone()).unwrap().start_of_day().unwrap());
                let until = moment(&day.tomorrow().unwrap().to_zoned(tz.clone()).unwrap().start_of_day().unwrap());
                for now in [from, until - 1] {
                    let [_, found_start, found_end, _] = millis(calendar.windows(Duration::from_millis(now)));
                    assert_eq!((found_start, found_end), (start, end), "{name} {period:?} {day} at {now}");
                }
                day = day.tomorrow().unwrap();
            }
        }
    }
}

fn periods() -> impl Strategy<Value = Period> {
    prop::sample::select(vec![Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month])
}

/// Any zone that can be constructed, with clocks that are set as wildly as nobody does.
fn wild_zones() -> impl Strategy<Value = Zone> {
    let offset = -Zone::MAX_OFFSET..=Zone::MAX_OFFSET;
    let transitions = prop::collection::btree_map(0..4_000_000_i64, offset.clone(), 0..30);
    (offset, transitions).prop_map(|(first, transitions)| Zone::new(first, transitions.into_iter().collect()).unwrap())
}

proptest! {
    #[test]
    fn windows_hold_their_moment_and_follow_each_other(
        zone in wild_zones(), period in periods(), now in 0..5_000_000_000_u64,
    ) {
        let calendar = Calendar::new(period, zone);
        let windows = calendar.windows(Duration::from_millis(now));
        let [previous_start, start, end, next_end] = millis(windows);
        prop_assert!(start <= now && now < end && end < next_end && previous_start <= start);
        let next = millis(calendar.windows(Duration::from_millis(end)));
        prop_assert_eq!([next[0], next[1], next[2]], [start, end, next_end]);
        if start > 0 {
            let previous = millis(calendar.windows(Duration::from_millis(start - 1)));
            prop_assert_eq!([previous[1], previous[2], previous[3]], [previous_start, start, end]);
        }
        for inside in [start, (start + end) / 2, end - 1] {
            prop_assert_eq!(calendar.windows(Duration::from_millis(inside)), windows);
        }
    }

    #[test]
    fn hours_and_minutes_are_what_clocks_show(
        name in prop::sample::select(ZONES.to_vec()), now in 1_580_000_000..2_390_000_000_u64,
    ) {
        let (tz, zone) = (tz(name), zone(name, 2020, 2046));
        for (period, seconds) in [(Period::Minute, 60), (Period::Hour, 3_600)] {
            let windows = Calendar::new(period, zone.clone()).windows(Duration::from_secs(now));
            for bound in [windows.previous_start, windows.start, windows.end, windows.next_end] {
                let shown = Timestamp::from_second(bound.as_secs() as i64).unwrap().to_zoned(tz.clone());
                prop_assert_eq!((bound.as_secs() as i64 + i64::from(shown.offset().seconds())).rem_euclid(seconds), 0);
            }
            let length = (windows.end - windows.start).as_secs();
            prop_assert!(length == seconds as u64 || (name == "Australia/Lord_Howe" && length == 5_400));
        }
    }

    #[test]
    fn months_of_any_year_are_those_that_jiff_knows(days in -700_000..2_900_000_i64) {
        let day = date(1970, 1, 1).checked_add(days.days()).unwrap();
        let first = first_day_of(month_of(days));
        prop_assert_eq!(date(1970, 1, 1).checked_add(first.days()).unwrap(), day.first_of_month());
        prop_assert_eq!(month_of(first_day_of(month_of(days) + 1) - 1), month_of(days));
    }
}

#[test]
fn what_was_found_last_is_only_said_of_its_own_window() {
    let zone = zone("America/New_York", 2020, 2050);
    for period in [Period::Minute, Period::Hour, Period::Day, Period::Month] {
        let calendar = Calendar::new(period, zone.clone());
        // Both sides of bounds, forth and back, as clocks go.
        let bounds = [1_741_478_400, 1_741_503_600, 1_762_063_200, 1_764_568_800].map(Duration::from_secs);
        for now in bounds.iter().chain(bounds.iter().rev()) {
            for now in [now.saturating_sub(Duration::from_nanos(1)), *now, *now + Duration::from_secs(1)] {
                assert_eq!(
                    calendar.windows(now),
                    Calendar::new(period, zone.clone()).windows(now),
                    "{period:?} {now:?}"
                );
            }
        }
        assert_eq!(calendar, Calendar::new(period, zone.clone()));
    }
}
