//! Time zones by their names in the IANA database.

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde_json::{Value, json};
use tidegate_rate_limit::Zone;

use super::suggest::closest;
use super::text::{Invalid, Text};

/// 1 January 2020 and 1 January 2050: what the compiled zone knows of.
///
/// Before, the offset of the first day holds, and after, that of the last: an operator who still runs this
/// configuration in 2050 has summer days that begin an hour off. What governments decide after the build needs a new
/// build as well.
const KNOWN: [i64; 2] = [1_577_836_800, 2_524_608_000];

/// A name of the IANA time zone database, in its spelling, and what the database says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeZone {
    pub(super) name: String,
    pub(super) zone: Zone,
}

impl Text for TimeZone {
    const EXAMPLE: &'static str = "\"Europe/Berlin\"";

    fn expected() -> String {
        "the name of a time zone".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "time zone", "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$" })
    }

    /// The database is the one that was bundled at build time, not the machine's: the same file compiles to the same
    /// bytes everywhere.
    fn parse(text: &str) -> Result<Self, Invalid> {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        // The database would take any case, other readers of the file would not.
        let known = names.iter().find(|name| *name == text).and_then(|name| database.get(name).ok());
        let Some(zone) = known.and_then(|zone| compiled(&zone)) else {
            return Err(unknown(text, &names));
        };
        Ok(Self { name: text.to_owned(), zone })
    }
}

fn compiled(zone: &jiff::tz::TimeZone) -> Option<Zone> {
    let [from, until] = KNOWN.map(|second| Timestamp::from_second(second).ok());
    let (from, until) = (from?, until?);
    let transitions = zone.following(from).take_while(|transition| transition.timestamp() < until);
    let mut transitions: Vec<(i64, i32)> =
        transitions.map(|transition| (transition.timestamp().as_second(), transition.offset().seconds())).collect();
    let first_offset = zone.to_offset(from).seconds();
    // Some transitions change a zone's name only.
    let mut last = first_offset;
    transitions.retain(|(_, offset)| std::mem::replace(&mut last, *offset) != *offset);
    Zone::new(first_offset, transitions).ok()
}

fn unknown(text: &str, names: &[String]) -> Invalid {
    let place = text.trim().replace(' ', "_").to_lowercase();
    let by_place = names.iter().find(|name| name.rsplit('/').next().is_some_and(|last| last.to_lowercase() == place));
    let meant = by_place.map(String::as_str).or_else(|| closest(text, names.iter().map(String::as_str)));
    let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    let predicate = format!("names the unknown time zone `{text}`{meant}");
    Invalid::new(predicate, "write a name of the IANA database, such as `\"Europe/Berlin\"` or `\"UTC\"`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, known: Result<(i32, usize), &str>) {
        let found = TimeZone::parse(text);
        let found = found.map(|found| (found.zone.first_offset(), found.zone.transitions().len()));
        assert_eq!(found, known.map_err(unknown_zone));
    }

    fn unknown_zone(predicate: &str) -> Invalid {
        Invalid::new(predicate, "write a name of the IANA database, such as `\"Europe/Berlin\"` or `\"UTC\"`")
    }

    #[test]
    fn a_zone_is_known_from_2020_to_2050() {
        check("UTC", Ok((0, 0)));
        check("Etc/GMT+5", Ok((-18_000, 0)));
        check("Asia/Kolkata", Ok((19_800, 0)));
        check("Europe/Berlin", Ok((3_600, 60)));
        check("America/New_York", Ok((-18_000, 60)));
        check("Australia/Lord_Howe", Ok((39_600, 60)));
        check("America/Argentina/Buenos_Aires", Ok((-10_800, 0)));
        let berlin = TimeZone::parse("Europe/Berlin").unwrap().zone;
        assert_eq!(berlin.transitions().first(), Some(&(1_585_443_600, 7_200)));
        assert_eq!(berlin.transitions().last(), Some(&(2_519_254_800, 3_600)));
    }

    #[test]
    fn every_zone_of_the_database_can_be_compiled() {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        assert!(names.len() > 500);
        for name in names {
            assert!(TimeZone::parse(&name).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_with_the_one_that_was_meant() {
        check("Europe/Berln", Err("names the unknown time zone `Europe/Berln`, did you mean `Europe/Berlin`?"));
        check("europe/berlin", Err("names the unknown time zone `europe/berlin`, did you mean `Europe/Berlin`?"));
        check("Berlin", Err("names the unknown time zone `Berlin`, did you mean `Europe/Berlin`?"));
        check("new york", Err("names the unknown time zone `new york`, did you mean `America/New_York`?"));
        check("utc", Err("names the unknown time zone `utc`, did you mean `Etc/UTC`?"));
        check("+02:00", Err("names the unknown time zone `+02:00`"));
        check("", Err("names the unknown time zone ``"));
        check("../../etc/passwd", Err("names the unknown time zone `../../etc/passwd`"));
    }
}
