#![allow(clippy::arithmetic_side_effects, clippy::string_slice)]

use proptest::prelude::*;

use super::*;

pub(crate) mod model;

/// The normal form, or the code of the refusal.
fn outcome(raw: &str) -> String {
    match normalise(raw) {
        Ok(path) => path.into_string(),
        Err(rejection) => rejection.code().to_owned(),
    }
}

#[track_caller]
fn check(raw: &str, expected: &str) {
    assert_eq!(outcome(raw), expected, "{raw:?}");
}

/// The cells of the tables under a heading of `docs/paths.md`, without the headings of the columns.
pub(crate) fn documented_rows(heading: &str) -> Vec<Vec<&'static str>> {
    let page = include_str!("../../../../docs/paths.md");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| cells[0].starts_with('`')).collect()
}

/// The first two cells of the rows.
pub(crate) fn documented(heading: &str) -> Vec<(&'static str, &'static str)> {
    documented_rows(heading).into_iter().map(|cells| (cells[0], cells[1])).collect()
}

fn unquoted(cell: &str) -> &str {
    cell.trim_matches('`')
}

#[test]
fn the_tables_of_the_page_hold() {
    let normal = documented("Normal form");
    let refused = documented("Refused");
    assert!(normal.len() >= 15 && refused.len() >= 15, "{} and {} rows", normal.len(), refused.len());
    for (sent, expected) in normal.into_iter().chain(refused) {
        check(unquoted(sent), unquoted(expected));
    }
}

#[test]
fn the_page_has_every_code_of_a_400() {
    let refused = documented("Refused");
    for rejection in PathRejection::ALL {
        let named = refused.iter().any(|(_, code)| unquoted(code) == rejection.code());
        assert_eq!(named, rejection.status() == 400, "{rejection:?}");
    }
}

#[test]
fn a_path_begins_with_a_slash() {
    check("/", "/");
    check("\\", "/");
    for raw in ["", "*", "a", "%2Fa", ".", "http://a/"] {
        check(raw, "path_not_absolute");
    }
}

#[test]
fn dots_are_resolved_before_slashes_are_merged() {
    check("/a/..", "/");
    check("/a/.", "/a/");
    check("/.", "/");
    check("/..", "/");
    check("/./a", "/a");
    check("/a/../", "/");
    check("/a/b/../..", "/");
    check("/a/b//../c", "/a/b/c");
    check("/a/b/./../c", "/a/c");
    check("//..//a", "/a");
    check("/a/.%2e/b", "/b");
    check("/a/%2E./b", "/b");
    check("/a\\..\\b", "/b");
}

#[test]
fn only_one_or_two_dots_are_special() {
    check("/...", "/...");
    check("/a/..b/.c/d.", "/a/..b/.c/d.");
    check("/a/%2e%2e%2e", "/a/...");
    check("/a/..%20/b", "/a/..%20/b");
}

#[test]
fn a_trailing_slash_survives() {
    check("/a//", "/a/");
    check("/a/b/", "/a/b/");
    check("///", "/");
    check("/a\\", "/a/");
}

#[test]
fn every_ascii_byte_has_one_fate() {
    for byte in 0_u8..=0x7F {
        let raw = format!("/x{}y", char::from(byte));
        let (upper, lower) = (format!("/x%{byte:02X}y"), format!("/x%{byte:02x}y"));
        let from_escape = match byte {
            0..=0x1F | 0x7F => "path_control_character".to_owned(),
            b'/' | b'\\' => "path_encoded_slash".to_owned(),
            b';' => "path_matrix_parameter".to_owned(),
            // RFC 3986, section 3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@".
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) => raw.clone(),
            _ => upper.clone(),
        };
        check(&upper, &from_escape);
        check(&lower, &from_escape);
        match byte {
            b'/' | b'\\' => check(&raw, "/x/y"),
            b'%' => check(&raw, "path_malformed_escape"),
            _ => check(&raw, &from_escape),
        }
    }
}

#[test]
fn an_escape_has_two_hexadecimal_digits() {
    for raw in ["/%", "/%4", "/%4/1", "/%g1", "/%1g", "/%+1", "/a%/", "/%%41", "/%é"] {
        check(raw, "path_malformed_escape");
    }
    check("/%41", "/A");
}

#[test]
fn a_percent_sign_may_not_make_another_escape() {
    for raw in ["/%252e", "/%25%32e", "/%252%65", "/%2525", "/%25252f", "/a%25Ab", "/%25%25%32f"] {
        check(raw, "path_double_encoding");
    }
    for raw in ["/%25", "/%252", "/%252/e", "/%25%25", "/%252g", "/%25g2", "/%25%20"] {
        check(raw, raw);
    }
}

#[test]
fn escapes_are_strict_utf8() {
    for raw in [
        "/%80",          // A continuation byte alone.
        "/%C0%AE",       // An overlong dot,
        "/%E0%80%AF",    // and slashes
        "/%F0%80%80%AF", // in three and four bytes.
        "/%ED%BF%BF",    // A surrogate.
        "/%F4%90%80%80", // Above U+10FFFF.
        "/%F5%80%80%80", // No first byte.
        "/%C3",          // Cut off at the end of the path,
        "/%C3/%A9",      // by a slash,
        "/%C3x%A9",      // by a letter,
        "/%C3é",         // and by a character that was not escaped.
        "/%FF/../a",     // In a segment that would be removed.
    ] {
        check(raw, "path_invalid_utf8");
    }
    check("/%E2%82%AC/%f0%9f%8c%8a", "/%E2%82%AC/%F0%9F%8C%8A");
    check("/€/🌊", "/%E2%82%AC/%F0%9F%8C%8A");
    check("/%EF%BF%BF", "/%EF%BF%BF");
}

#[test]
fn a_segment_that_would_be_removed_is_still_refused() {
    check("/a%2fb/../c", "path_encoded_slash");
    check("/a;/../c", "path_matrix_parameter");
    check("/%00/../c", "path_control_character");
}

#[test]
fn unicode_control_characters_are_refused_raw_and_escaped() {
    check("/\u{85}", "path_control_character");
    check("/%C2%9F", "path_control_character");
    check("/%C2%A0", "/%C2%A0");
}

#[test]
fn the_longest_path_has_8192_bytes() {
    let path = |length: usize| format!("/{}", "a".repeat(length - 1));
    check(&path(MAX_LENGTH), &path(MAX_LENGTH));
    check(&path(MAX_LENGTH + 1), "path_too_long");
    // Counted as sent, even if it would shrink,
    check(&format!("/{}", "./".repeat(MAX_LENGTH / 2)), "path_too_long");
    // and as forwarded: three bytes for each space.
    let spaces = (MAX_LENGTH - 2) / 3;
    check(&format!("/a{}", " ".repeat(spaces)), &format!("/a{}", "%20".repeat(spaces)));
    check(&format!("/a{}", " ".repeat(spaces + 1)), "path_too_long");
}

#[test]
fn segments_leave_out_the_outer_slashes() {
    let segments = |raw: &str| normalise(raw).expect(raw).segments().map(str::to_owned).collect::<Vec<_>>();
    assert!(segments("/").is_empty());
    assert_eq!(segments("/a"), ["a"]);
    assert_eq!(segments("/a/b/"), ["a", "b"]);
}

#[test]
fn codes_are_distinct_and_describe_themselves_in_a_sentence() {
    let codes: std::collections::BTreeSet<_> = PathRejection::ALL.iter().map(|rejection| rejection.code()).collect();
    assert_eq!(codes.len(), PathRejection::ALL.len());
    for rejection in PathRejection::ALL {
        assert!(rejection.code().starts_with("path_"));
        assert!(rejection.to_string().contains("path") && rejection.to_string().ends_with('.'));
    }
    assert!(PathRejection::TooLong.description().contains(&MAX_LENGTH.to_string()));
}

proptest! {
    #[test]
    fn normalising_is_idempotent(raw in model::raw_path()) {
        if let Ok(path) = normalise(&raw) {
            prop_assert_eq!(normalise(path.as_str()), Ok(path.clone()));
        }
    }

    #[test]
    fn any_text_is_normalised_or_refused(raw in any::<String>()) {
        if let Ok(path) = normalise(&format!("/{raw}")) {
            prop_assert!(path.as_str().is_ascii());
            prop_assert_eq!(normalise(path.as_str()), Ok(path.clone()));
        }
    }

    #[test]
    fn a_normal_path_has_no_trace_of_another_reading(raw in model::raw_path()) {
        if let Ok(path) = normalise(&raw) {
            let text = path.as_str();
            prop_assert!(text.starts_with('/') && text.len() <= MAX_LENGTH);
            for trace in ["//", "/./", "/../", ";", "\\", "%2F", "%5C", "%3B", "%00", "%2E"] {
                prop_assert!(!text.contains(trace), "{text}");
            }
            prop_assert!(!text.ends_with("/.") && !text.ends_with("/.."));
        }
    }

    /// The runtime's URL parser may or may not have seen the path before.
    #[test]
    fn a_url_parser_in_front_changes_nothing(raw in model::raw_path()) {
        let (with, without) = (normalise(&model::url_parser(&raw)), normalise(&raw));
        // Resolving dots first, the parser drops segments that are refused without it.
        if without.is_ok() {
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn every_origin_reads_the_same_segments(raw in model::raw_path()) {
        if let Ok(path) = normalise(&raw) {
            let expected: Vec<String> = path.segments().map(model::decode_once).collect();
            for origin in model::Origin::all() {
                prop_assert_eq!(origin.read(path.as_str()), expected.clone(), "{:?}", origin);
            }
        }
    }

    #[test]
    fn harmless_spellings_of_a_path_are_one_path(
        segments in prop::collection::vec(model::segment(), 0..5),
        tape in prop::collection::vec(any::<u8>(), 64),
    ) {
        let plain = normalise(&model::spell_plainly(&segments)).expect("a plain spelling");
        let spelled = normalise(&model::Speller::harmless(&tape).spell(&segments));
        prop_assert_eq!(spelled, Ok(plain));
    }
}
