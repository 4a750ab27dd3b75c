use std::time::Duration;

const DAY: u64 = 86_400;
/// 365.2425 days of 86,400 seconds: the mean Gregorian year.
const YEAR: Duration = Duration::from_secs(31_556_952);
const MONTHS: [(&str, u64, u64); 12] = [
    // Name, days before it in a common year, days in a common year.
    ("jan", 0, 31),
    ("feb", 31, 28),
    ("mar", 59, 31),
    ("apr", 90, 30),
    ("may", 120, 31),
    ("jun", 151, 30),
    ("jul", 181, 31),
    ("aug", 212, 31),
    ("sep", 243, 30),
    ("oct", 273, 31),
    ("nov", 304, 30),
    ("dec", 334, 31),
];
const DAY_NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads an HTTP-date in any of its three forms (RFC 9110, section 5.6.7) as the time since the Unix epoch.
///
/// "A cache recipient SHOULD match the field value case-insensitively" and "consider a date with a zone abbreviation
/// other than GMT to be invalid" (RFC 9111, section 4.2); the `httpdate` crate does not do the first. The name of the
/// day has to be one, but need not be the right one. `None` for anything else, two dates and dates before 1970
/// included.
pub(crate) fn parse(value: &str, now: Duration) -> Option<Duration> {
    let value = value.trim().to_ascii_lowercase();
    let Some((day_name, rest)) = value.split_once(", ") else { return asctime(&value) };
    if let [day, month, year, time, "gmt"] = *rest.split(' ').collect::<Vec<_>>() {
        short_day_name(day_name)?;
        return since_epoch(digits(year, 4)?, month, digits(day, 2)?, time);
    }
    let [date, time, "gmt"] = *rest.split(' ').collect::<Vec<_>>() else { return None };
    let [day, month, year] = *date.split('-').collect::<Vec<_>>() else { return None };
    DAY_NAMES.contains(&day_name).then_some(())?;
    two_digit_year(digits(year, 2)?, month, digits(day, 2)?, time, now)
}

/// `Sun Nov  6 08:49:37 1994`, the form of ANSI C's `asctime()`.
fn asctime(value: &str) -> Option<Duration> {
    let parts: Vec<&str> = value.split(' ').collect();
    let (day_name, month, day, time, year) = match *parts {
        [day_name, month, "", day, time, year] => (day_name, month, digits(day, 1)?, time, year),
        [day_name, month, day, time, year] => (day_name, month, digits(day, 2)?, time, year),
        _ => return None,
    };
    short_day_name(day_name)?;
    since_epoch(digits(year, 4)?, month, day, time)
}

/// The obsolete form of RFC 850. "Recipients MUST interpret a timestamp that appears to be more than 50 years in the
/// future as representing the most recent year in the past that had the same last two digits."
fn two_digit_year(last_digits: u64, month: &str, day: u64, time: &str, now: Duration) -> Option<Duration> {
    let this_year = now.as_secs().checked_div(YEAR.as_secs())?.checked_add(1970)?;
    let year = this_year.checked_sub(this_year % 100)?.checked_add(last_digits)?;
    match since_epoch(year, month, day, time) {
        Some(date) if date <= now.saturating_add(YEAR.saturating_mul(50)) => Some(date),
        _ => since_epoch(year.checked_sub(100)?, month, day, time),
    }
}

fn since_epoch(year: u64, month: &str, day: u64, time: &str) -> Option<Duration> {
    let index = MONTHS.iter().position(|(name, ..)| *name == month)?;
    let (_, days_before, days) = *MONTHS.get(index)?;
    let leap_year = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_day = u64::from(leap_year);
    let days = if index == 1 { days.checked_add(leap_day)? } else { days };
    if day < 1 || day > days {
        return None;
    }
    // Leap days of the years before this one, less the 477 before 1970.
    let before = year.checked_sub(1)?;
    let leap_days = (before / 4).checked_sub(before / 100)?.checked_add(before / 400)?.checked_sub(477)?;
    let since_new_year = days_before.checked_add(day)?.checked_sub(1)?;
    let since_new_year = if index > 1 { since_new_year.checked_add(leap_day)? } else { since_new_year };
    let whole_days = year.checked_sub(1970)?.checked_mul(365)?.checked_add(leap_days)?.checked_add(since_new_year)?;
    Some(Duration::from_secs(whole_days.checked_mul(DAY)?.checked_add(time_of_day(time)?)?))
}

fn time_of_day(time: &str) -> Option<u64> {
    let [hour, minute, second] = *time.split(':').collect::<Vec<_>>() else { return None };
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)
}

fn short_day_name(name: &str) -> Option<()> {
    DAY_NAMES.iter().any(|full| full.get(..3) == Some(name)).then_some(())
}

fn digits(value: &str, length: usize) -> Option<u64> {
    (value.len() == length && value.bytes().all(|byte| byte.is_ascii_digit())).then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    /// 2026-01-01T00:00:00Z.
    const NOW: Duration = Duration::from_secs(1_767_225_600);

    #[track_caller]
    fn check(value: &str, expected: Option<u64>) {
        assert_eq!(parse(value, NOW), expected.map(Duration::from_secs), "{value:?}");
    }

    #[test]
    fn the_three_forms_of_rfc_9110_section_5_6_7() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("Sun Nov 16 08:49:37 1994", Some(784_975_777));
    }

    #[test]
    fn case_does_not_matter_by_rfc_9111_section_4_2() {
        check("THU, 18 AUG 2050 02:01:18 gMT", Some(2_544_400_878));
        check("thu, 18 aug 2050 02:01:18 GMT", Some(2_544_400_878));
    }

    #[test]
    fn a_wrong_day_name_does_not_matter_a_missing_one_does() {
        check("Mon, 18 Aug 2050 02:01:18 GMT", Some(2_544_400_878));
        check("Thu Aug  8 02:01:18 2050", Some(2_543_536_878));
        check("Foo, 18 Aug 2050 02:01:18 GMT", None);
        check("Thursday, 18 Aug 2050 02:01:18 GMT", None);
        check("18 Aug 2050 02:01:18 GMT", None);
    }

    #[test]
    fn other_spellings_are_invalid() {
        for value in [
            "",
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 2050 02:01:18 +0000",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18-Aug-50 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 8 Aug 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:19 GMT",
            "Thu Aug 8 02:01:18 2050",
            "2050-08-18T02:01:18Z",
            "Thu, 18 Äug 2050 02:01:18 GMT",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn each_part_has_its_range() {
        for (value, valid) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("Wed, 31 Dec 1969 23:59:59 GMT", false),
            ("Fri, 31 Dec 9999 23:59:59 GMT", true),
            ("Fri, 00 Dec 2030 23:59:59 GMT", false),
            ("Fri, 32 Dec 2030 23:59:59 GMT", false),
            ("Fri, 31 Nov 2030 23:59:59 GMT", false),
            ("Fri, 29 Feb 2028 23:59:59 GMT", true),
            ("Fri, 29 Feb 2027 23:59:59 GMT", false),
            ("Fri, 29 Feb 2000 23:59:59 GMT", true),
            ("Fri, 29 Feb 2100 23:59:59 GMT", false),
            ("Fri, 01 Dec 2030 24:00:00 GMT", false),
            ("Fri, 01 Dec 2030 23:60:00 GMT", false),
            ("Fri, 31 Dec 2016 23:59:60 GMT", true),
            ("Fri, 01 Dec 2030 23:59:61 GMT", false),
        ] {
            assert_eq!(parse(value, NOW).is_some(), valid, "{value:?}");
        }
    }

    #[test]
    fn a_two_digit_year_more_than_fifty_years_ahead_is_in_the_past() {
        check("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878));
        check("Wednesday, 01-Jan-75 00:00:00 GMT", Some(3_313_526_400)); // 2075 is within 50 years of 2026.
        check("Friday, 01-Jan-77 00:00:00 GMT", Some(220_924_800)); // 2077 is not: 1977.
        check("Tuesday, 29-Feb-00 00:00:00 GMT", Some(951_782_400));
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_formatter(seconds in 0u64..253_402_300_800) {
            let time = Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(UNIX_EPOCH + time);
            prop_assert_eq!(parse(&text, NOW), Some(time));
        }

        #[test]
        fn agrees_with_an_independent_parser(
            text in "[A-Z][a-z]{2}, [0-3][0-9] (Jan|Feb|Mar|Sep|Dec) [0-9]{4} [0-2][0-9]:[0-6][0-9]:[0-5][0-9] GMT",
        ) {
            if let Ok(time) = httpdate::parse_http_date(&text) {
                prop_assert_eq!(parse(&text, NOW), time.duration_since(UNIX_EPOCH).ok());
            }
        }

        #[test]
        fn never_panics(text in ".{0,60}", now in any::<u64>()) {
            parse(&text, Duration::from_secs(now));
        }
    }
}
