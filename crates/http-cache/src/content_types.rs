use crate::fields::is_token;
use std::fmt;
use std::str::FromStr;

/// The media types that a cache keeps; a response of another type, or of none, is not stored.
///
/// What keeps a page of errors, or a page that someone made an origin answer with in place of an image, from being served to
/// everybody for as long as the image would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTypes(Vec<MediaRange>);

/// A media type without parameters, or all subtypes of a type (RFC 9110, section 12.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange {
    // Invariant: both are tokens in lower case without `*`.
    main: String,
    /// `None`: `*`.
    subtype: Option<String>,
}

/// Why a text is no media range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidMediaRange {
    /// It is not two words with a slash between them.
    Form,
    /// It has parameters, which are not compared.
    Parameter,
    /// It is `*/*`: every type.
    Everything,
    /// It has a `*` that does not stand for a whole subtype.
    Star,
}

impl fmt::Display for InvalidMediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is no media type",
            Self::Parameter => "has a parameter",
            Self::Everything => "is every media type",
            Self::Star => "has a `*` that does not stand for a whole subtype",
        })
    }
}

impl std::error::Error for InvalidMediaRange {}

impl FromStr for MediaRange {
    type Err = InvalidMediaRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(';') {
            return Err(InvalidMediaRange::Parameter);
        }
        let (main, subtype) = words(text).ok_or(InvalidMediaRange::Form)?;
        let subtype = match (main, subtype) {
            ("*", "*") => return Err(InvalidMediaRange::Everything),
            _ if main.contains('*') => return Err(InvalidMediaRange::Star),
            (_, "*") => None,
            _ if subtype.contains('*') => return Err(InvalidMediaRange::Star),
            _ => Some(subtype.to_ascii_lowercase()),
        };
        Ok(Self { main: main.to_ascii_lowercase(), subtype })
    }
}

impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.main, self.subtype.as_deref().unwrap_or("*"))
    }
}

impl MediaRange {
    /// "The type and subtype tokens are case-insensitive" (RFC 9110, section 8.3.1).
    fn contains(&self, main: &str, subtype: &str) -> bool {
        self.main.eq_ignore_ascii_case(main)
            && self.subtype.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(subtype))
    }
}

impl ContentTypes {
    /// What belongs to one of these ranges.
    pub fn new(ranges: Vec<MediaRange>) -> Self {
        Self(ranges)
    }

    /// The ranges.
    pub fn ranges(&self) -> &[MediaRange] {
        &self.0
    }

    /// Is a response with this `Content-Type` of one of these types? One without is not: readers guess its type from the
    /// content, which is how a text becomes a page.
    pub(crate) fn permit(&self, field: Option<&str>) -> bool {
        let read = field.and_then(media_type);
        read.is_some_and(|(main, subtype)| self.0.iter().any(|range| range.contains(main, subtype)))
    }
}

/// The type and the subtype of a Content-Type field.
///
/// The field is no list, but lines of it are joined like one, and "recipients often attempt to handle this error by using
/// the last syntactically valid member of the list, leading to potential interoperability and security issues" (RFC 9110,
/// section 8.3): what may be a list has no type here.
fn media_type(field: &str) -> Option<(&str, &str)> {
    let (essence, parameters) = field.split_once(';').unwrap_or((field, ""));
    let mut is_quoted = false;
    let mut characters = parameters.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => drop(characters.next()),
            ',' if !is_quoted => return None,
            _ => {}
        }
    }
    if is_quoted { None } else { words(essence.trim_matches([' ', '\t'])) }
}

fn words(text: &str) -> Option<(&str, &str)> {
    text.split_once('/').filter(|(main, subtype)| is_token(main) && is_token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn types(ranges: &[&str]) -> ContentTypes {
        ContentTypes::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[track_caller]
    fn check(ranges: &[&str], field: &str, expected: bool) {
        assert_eq!(types(ranges).permit(Some(field)), expected, "{ranges:?} {field:?}");
    }

    #[test]
    fn types_are_compared_without_case_and_parameters_by_rfc_9110_section_8_3_1() {
        for field in [
            "text/html;charset=utf-8",
            "Text/HTML;Charset=\"utf-8\"",
            "text/html; charset=\"utf-8\"",
            " text/html \t; charset=UTF-8",
            "text/html;",
            "TEXT/HTML; title=\"a, \\\" b\"; q=1",
        ] {
            check(&["text/html"], field, true);
            check(&["Text/*"], field, true);
            check(&["application/json", "text/html"], field, true);
            check(&["text/plain", "application/*"], field, false);
        }
    }

    #[test]
    fn a_range_is_no_prefix() {
        check(&["application/json"], "application/json-seq", false);
        check(&["application/json"], "application/problem+json", false);
        check(&["text/*"], "text-x/html", false);
        check(&["text/*"], "text", false);
        check(&["text/*"], "text/", false);
    }

    #[test]
    fn what_has_no_type_or_may_have_two_is_of_no_type() {
        let all = types(&["text/*", "application/*", "image/*"]);
        assert!(!all.permit(None));
        for field in [
            "",
            ";",
            "/",
            "html",
            "text/html/x",
            "text /html",
            "text/ html",
            "text/html charset=utf-8",
            "text/html, application/json",
            "image/png; a=b, text/html",
            "image/png; a=\"b\", text/html; c=\"d\"",
            // What is quoted for one reader is not for another one.
            "image/png; a=\"b, text/html",
        ] {
            assert!(!all.permit(Some(field)), "{field:?}");
        }
    }

    #[test]
    fn a_range_is_read_as_it_is_written() {
        for (text, expected) in [
            ("application/json", Ok("application/json")),
            ("Image/SVG+xml", Ok("image/svg+xml")),
            ("text/*", Ok("text/*")),
            ("", Err(InvalidMediaRange::Form)),
            ("json", Err(InvalidMediaRange::Form)),
            ("text/", Err(InvalidMediaRange::Form)),
            ("text/a b", Err(InvalidMediaRange::Form)),
            (" text/a", Err(InvalidMediaRange::Form)),
            ("*", Err(InvalidMediaRange::Form)),
            ("*/*", Err(InvalidMediaRange::Everything)),
            ("*/json", Err(InvalidMediaRange::Star)),
            ("te*/json", Err(InvalidMediaRange::Star)),
            ("application/*+json", Err(InvalidMediaRange::Star)),
            ("text/html; charset=utf-8", Err(InvalidMediaRange::Parameter)),
        ] {
            let read = text.parse::<MediaRange>().map(|range| range.to_string());
            assert_eq!(read, expected.map(str::to_owned), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_permitted_field_begins_with_its_type(field in "[a-z]{1,4}/[a-z]{1,4}[ ;,=\"\\\\a-z/]{0,12}") {
            if types(&["a/b", "ab/*"]).permit(Some(&field)) {
                prop_assert!(field.starts_with("a/b") || field.starts_with("ab/"));
                prop_assert!(!field.split('"').step_by(2).any(|outside| outside.contains(',')) || field.contains('\\'));
            }
        }
    }
}
