//! Durations: a whole number and a unit.

use std::time::Duration;

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{Invalid, Text};
use crate::authoring::node::Node;
use crate::authoring::suggest::did_you_mean;

pub(in crate::authoring) const SECOND: u64 = 1_000;
pub(in crate::authoring) const MINUTE: u64 = 60 * SECOND;
pub(in crate::authoring) const HOUR: u64 = 60 * MINUTE;
pub(in crate::authoring) const DAY: u64 = 24 * HOUR;

/// The units, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];

/// A duration from `LEAST` to `MOST` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct Span<const LEAST: u64, const MOST: u64>(pub(in crate::authoring) Duration);

impl<const LEAST: u64, const MOST: u64> Text for Span<LEAST, MOST> {
    const EXAMPLE: &'static str = "\"30s\"";

    fn expected() -> String {
        "a duration such as `\"30s\"`".to_owned()
    }

    fn rules() -> Value {
        let pattern = if LEAST == 0 { "^[0-9]+(ms|s|m|h|d)$" } else { "^0*[1-9][0-9]*(ms|s|m|h|d)$" };
        json!({ "title": "duration", "pattern": pattern })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let milliseconds = milliseconds(text, MOST)?;
        if milliseconds < LEAST {
            let predicate = if milliseconds == 0 { "must be more than zero".to_owned() } else { too(LEAST, "least") };
            return Err(Invalid::new(predicate, format!("write at least `\"{}\"`", in_words(LEAST))));
        }
        Ok(Self(Duration::from_millis(milliseconds)))
    }

    fn meant(node: &Node<'_>) -> Option<String> {
        match node.value {
            DeValue::Integer(seconds) => Some(format!("\"{seconds}s\"")),
            _ => None,
        }
    }
}

fn too(bound: u64, which: &str) -> String {
    format!("must be at {which} {}", in_words(bound))
}

/// A duration as the file would write it.
fn in_words(milliseconds: u64) -> String {
    let whole = |(_, length): &&(&str, u64)| milliseconds.checked_rem(*length) == Some(0);
    match UNITS.iter().rev().find(whole) {
        Some((unit, length)) => format!("{}{unit}", milliseconds.checked_div(*length).unwrap_or_default()),
        None => format!("{milliseconds}ms"),
    }
}

fn milliseconds(text: &str, most: u64) -> Result<u64, Invalid> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((number, unit)) = text.split_at_checked(digits).filter(|(number, _)| !number.is_empty()) else {
        let predicate = format!("must be a duration such as `\"30s\"`, not `{text}`");
        let hint = match unit_in_words(text) {
            Some(unit) => format!("write `\"1{unit}\"`"),
            None => "write a whole number and a unit: `ms`, `s`, `m`, `h` or `d`".to_owned(),
        };
        return Err(Invalid::new(predicate, hint));
    };
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(no_unit(number, unit));
    };
    // A number that does not fit is too large as well.
    let number = number.parse::<u64>().unwrap_or(u64::MAX);
    match number.checked_mul(*length) {
        Some(milliseconds) if milliseconds <= most => Ok(milliseconds),
        _ => Err(Invalid::new(too(most, "most"), format!("write `\"{}\"` or less", in_words(most)))),
    }
}

/// What is wrong with what follows the number.
fn no_unit(number: &str, unit: &str) -> Invalid {
    if unit.is_empty() {
        return Invalid::new(format!("has no unit in `{number}`"), format!("for seconds write `\"{number}s\"`"));
    }
    if unit.starts_with(['.', ',']) {
        return Invalid::new("must be a whole number and a unit", "use a smaller unit: for 1.5 s write `\"1500ms\"`");
    }
    if unit.contains(|character: char| character.is_ascii_digit()) {
        return Invalid::new("must be one number and one unit", "use the smaller unit: for 1 min 30 s write `\"90s\"`");
    }
    if unit.starts_with(char::is_whitespace) {
        let unit = unit.trim();
        let hint = format!("write `\"{number}{}\"`", unit_in_words(unit).unwrap_or(unit));
        return Invalid::new("has a space between the number and the unit", hint);
    }
    let meant = match unit_in_words(unit) {
        Some(short) => format!(", did you mean `{short}`?"),
        None => did_you_mean(unit, UNITS.iter().map(|(name, _)| *name)),
    };
    let hint = "the units are `ms`, `s`, `m`, `h` and `d`, right after the number, as in `\"30s\"`";
    Invalid::new(format!("has the unknown unit `{unit}`{meant}"), hint)
}

/// The unit that people write out.
fn unit_in_words(text: &str) -> Option<&'static str> {
    match text.to_lowercase().trim_end_matches('s') {
        "sec" | "second" => Some("s"),
        "min" | "minute" => Some("m"),
        "hr" | "hour" => Some("h"),
        "day" => Some("d"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    type Timeout = Span<1, HOUR>;

    fn right(milliseconds: u64) -> Result<Timeout, (&'static str, &'static str)> {
        Ok(Span(Duration::from_millis(milliseconds)))
    }

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        check("500ms", right(500));
        check("30s", right(30_000));
        check("10m", right(600_000));
        check("1h", right(3_600_000));
        check::<Span<0, DAY>>("1d", Ok(Span(Duration::from_secs(86_400))));
        check("007s", right(7_000));
    }

    #[test]
    fn both_bounds_are_inclusive_and_overflow_is_beyond() {
        check("1ms", right(1));
        check::<Timeout>("0s", Err(("must be more than zero", "write at least `\"1ms\"`")));
        check::<Span<0, DAY>>("0s", Ok(Span(Duration::ZERO)));
        check::<Span<5_000, DAY>>("4999ms", Err(("must be at least 5s", "write at least `\"5s\"`")));
        check("60m", right(3_600_000));
        check::<Timeout>("3600001ms", Err(("must be at most 1h", "write `\"1h\"` or less")));
        check::<Timeout>("99999999999999999999d", Err(("must be at most 1h", "write `\"1h\"` or less")));
        check::<Timeout>("18446744073709551615d", Err(("must be at most 1h", "write `\"1h\"` or less")));
    }

    #[test]
    fn everything_else_is_refused_with_its_cure() {
        let units = "the units are `ms`, `s`, `m`, `h` and `d`, right after the number, as in `\"30s\"`";
        let whole = "write a whole number and a unit: `ms`, `s`, `m`, `h` or `d`";
        check::<Timeout>("60", Err(("has no unit in `60`", "for seconds write `\"60s\"`")));
        check::<Timeout>("60sec", Err(("has the unknown unit `sec`, did you mean `s`?", units)));
        check::<Timeout>("30S", Err(("has the unknown unit `S`, did you mean `s`?", units)));
        check::<Timeout>("60 s", Err(("has a space between the number and the unit", "write `\"60s\"`")));
        check::<Timeout>("5w", Err(("has the unknown unit `w`", units)));
        check::<Timeout>(
            "1m30s",
            Err(("must be one number and one unit", "use the smaller unit: for 1 min 30 s write `\"90s\"`")),
        );
        check::<Timeout>(
            "1.5s",
            Err(("must be a whole number and a unit", "use a smaller unit: for 1.5 s write `\"1500ms\"`")),
        );
        check::<Timeout>("-5s", Err(("must be a duration such as `\"30s\"`, not `-5s`", whole)));
        check::<Timeout>("", Err(("must be a duration such as `\"30s\"`, not ``", whole)));
        check::<Timeout>("minute", Err(("must be a duration such as `\"30s\"`, not `minute`", "write `\"1m\"`")));
        check::<Timeout>("2 days", Err(("has a space between the number and the unit", "write `\"2d\"`")));
        check::<Timeout>("soon", Err(("must be a duration such as `\"30s\"`, not `soon`", whole)));
        check::<Timeout>("٣s", Err(("must be a duration such as `\"30s\"`, not `٣s`", whole)));
    }
}
