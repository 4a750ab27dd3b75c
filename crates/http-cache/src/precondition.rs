use crate::date;
use crate::entity_tag::EntityTag;
use crate::fields::Fields;
use crate::stored::Stored;
use std::time::Duration;

/// Request fields to take off before a request is forwarded to fill the cache.
///
/// A 304, a 206 or a 412 made for one client is of no use to the next. What comes back is then compared with the
/// client's own preconditions by [`precondition`]. A request that [`lookup`](crate::lookup) lets bypass the cache keeps
/// all its fields.
pub fn forwarded_conditionals() -> &'static [&'static str] {
    &["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"]
}

/// The fields that a 304 made from a 200 leaves out (RFC 9110, section 15.4.5).
///
/// Content-Location, Date, ETag, Vary, Cache-Control and Expires MUST be there; other metadata of the representation
/// SHOULD NOT, "unless said metadata exists for the purpose of guiding cache updates (e.g., Last-Modified might be useful
/// if the response does not have an ETag field)".
pub fn not_modified_omits(has_etag: bool) -> &'static [&'static str] {
    let all =
        &["last-modified", "content-encoding", "content-language", "content-length", "content-range", "content-type"];
    if has_etag { all } else { all.split_first().map_or(&[], |(_, others)| others) }
}

/// How to reply with a response that the client may hold already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// With the whole of it.
    Full,
    /// With 304 Not Modified: the client holds it already.
    NotModified,
}

/// Evaluates the preconditions of a GET or HEAD that a stored response may answer, in the order of RFC 9110, section
/// 13.2.2.
pub fn precondition(stored: &Stored, request: &dyn Fields) -> Precondition {
    let fields = |name: &str| stored.field(name).map(str::to_owned);
    // "If [...] the Last-Modified header field is not present in a stored response, a cache SHOULD use the stored
    // response's Date field value (or, if no Date field is present, the time that the stored response was received)" (RFC
    // 9111, section 4.3.2).
    let modified = ["last-modified", "date"].into_iter().find_map(|name| stored.field(name).map(str::to_owned));
    evaluate(
        stored.status(),
        &fields,
        modified.map(Modified::At).unwrap_or(Modified::Now),
        stored.response_time,
        request,
    )
}

/// Evaluates the preconditions that [`forwarded_conditionals`] withheld from the origin against what it sent instead.
pub fn precondition_of(status: u16, response: &dyn Fields, received: Duration, request: &dyn Fields) -> Precondition {
    let modified = response.get("last-modified").map_or(Modified::Unknown, Modified::At);
    evaluate(status, response, modified, received, request)
}

/// When a representation was last modified.
enum Modified {
    At(String),
    /// At the latest when it was received.
    Now,
    Unknown,
}

fn evaluate(
    status: u16,
    response: &dyn Fields,
    modified: Modified,
    received: Duration,
    request: &dyn Fields,
) -> Precondition {
    // RFC 9111, section 4.3.2: conditions concern "a stored 200 (OK) or 206 (Partial Content) response".
    if status != 200 {
        return Precondition::Full;
    }
    // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field" (RFC 9110,
    // section 13.1.3), even one that cannot be read.
    let holds = match request.get("if-none-match") {
        Some(tags) => none_match_fails(response.get("etag").as_deref(), &tags),
        None => request.get("if-modified-since").is_some_and(|since| !modified_since(&modified, received, &since)),
    };
    if holds { Precondition::NotModified } else { Precondition::Full }
}

/// RFC 9110, section 13.1.2: "if the field value is *, the condition is false if [there is] a current representation";
/// "if the field value is a list of entity tags, the condition is false if one of the listed tags matches". "A recipient
/// MUST use the weak comparison function when comparing entity tags for If-None-Match."
fn none_match_fails(own: Option<&str>, listed: &str) -> bool {
    if listed.trim() == "*" {
        return true;
    }
    // Two ETag lines, or one that is not an entity tag, identify nothing.
    let Some(own) = own.and_then(EntityTag::read) else { return false };
    EntityTag::list(listed).into_iter().any(|tag| own.matches_weakly(tag))
}

/// RFC 9110, section 13.1.3: "if the selected representation's last modification date is earlier or equal to the date
/// provided in the field value, the condition is false". "A recipient MUST ignore the If-Modified-Since header field if
/// the received field value is not a valid HTTP-date, the field value has more than one member": then it counts as
/// modified.
fn modified_since(modified: &Modified, received: Duration, since: &str) -> bool {
    let modified = match modified {
        // One that cannot be read is no modification date, and not a missing one either.
        Modified::At(value) => date::parse(value, received),
        Modified::Now => Some(received),
        Modified::Unknown => None,
    };
    !matches!((modified, date::parse(since, received)), (Some(modified), Some(since)) if modified <= since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::tests::Lines;
    use crate::storable::tests::date_field;
    use crate::stored::tests::{STORED_AT, fresh_for_a_minute};
    use proptest::prelude::*;

    fn date(offset: i64) -> String {
        date_field(STORED_AT.as_secs().checked_add_signed(offset).unwrap())
    }

    #[track_caller]
    fn check(stored: &[(&str, &str)], request: &[(&str, &str)], expected: Precondition) {
        let found = precondition(&fresh_for_a_minute(stored), &Lines::new(request));
        assert_eq!(found, expected, "{stored:?} {request:?}");
    }

    use Precondition::{Full, NotModified};

    #[test]
    fn weak_comparison_by_rfc_9110_sections_8_8_3_2_and_13_1_2() {
        let check = |own: &str, listed: &str, expected| check(&[("etag", own)], &[("If-None-Match", listed)], expected);
        check("W/\"1\"", "W/\"1\"", NotModified);
        check("W/\"1\"", "W/\"2\"", Full);
        check("W/\"1\"", "\"1\"", NotModified);
        check("\"1\"", "W/\"1\"", NotModified);
        check("\"1\"", "\"1\"", NotModified);
        check("\"a\"", "\"A\"", Full);
        check("\"\"", "\"\"", NotModified);
        check("\"abcdefü\"", "\"abcdefü\"", NotModified);
    }

    #[test]
    fn any_member_of_the_list_may_match() {
        let check = |listed: &str, expected| check(&[("etag", "\"x,y\"")], &[("If-None-Match", listed)], expected);
        check("\"x,y\", \"1\", \"2\"", NotModified);
        check("\"1\",W/\"x,y\",\"2\"", NotModified);
        check(",, \"1\" ,\t\"x,y\"", NotModified);
        check("\"x\", \"y\"", Full);
        check("\"1\"", Full);
        check("", Full);
        check("*", NotModified);
        check(" * ", NotModified);
        // Not entity tags.
        check("x,y", Full);
        check("*, \"1\"", Full);
        check("w/\"x,y\"", Full);
        check("W\"x,y\"", Full);
        check("\"x,y\"z", Full);
        check("\"x,y", Full);
        // What is wrong does not hide what is right.
        check("junk, \"x,y\"", NotModified);
        check("\"1\"junk, \"x,y\"", NotModified);
    }

    #[test]
    fn an_etag_that_is_not_one_matches_nothing_but_a_star() {
        for own in ["abc", "\"a\", \"b\"", "", "\"a", "w/\"a\""] {
            check(&[("etag", own)], &[("If-None-Match", own)], Full);
            check(&[("etag", own)], &[("If-None-Match", "*")], NotModified);
        }
        check(&[], &[("If-None-Match", "\"a\"")], Full);
        check(&[], &[("If-None-Match", "*")], NotModified);
    }

    #[test]
    fn if_modified_since_compares_dates_by_rfc_9110_section_13_1_3() {
        let modified = [("last-modified", &*date(-3000)), ("date", &date(0))];
        check(&modified, &[("If-Modified-Since", &date(-3001))], Full);
        check(&modified, &[("If-Modified-Since", &date(-3000))], NotModified);
        check(&modified, &[("If-Modified-Since", &date(-2000))], NotModified);
        for invalid in ["", "0", "yesterday", &format!("{0}, {0}", date(-2000))] {
            check(&modified, &[("If-Modified-Since", invalid)], Full);
        }
        check(
            &[("last-modified", "Sunday, 06-Nov-94 08:49:37 GMT")],
            &[("If-Modified-Since", "Sun Nov  6 08:49:37 1994")],
            NotModified,
        );
    }

    #[test]
    fn without_last_modified_the_date_counts_by_rfc_9111_section_4_3_2() {
        check(&[("date", &date(-10))], &[("If-Modified-Since", &date(-11))], Full);
        check(&[("date", &date(-10))], &[("If-Modified-Since", &date(-10))], NotModified);
        check(&[], &[("If-Modified-Since", &date(-1))], Full);
        check(&[], &[("If-Modified-Since", &date(0))], NotModified);
        check(&[("last-modified", "x"), ("date", &date(-10))], &[("If-Modified-Since", &date(0))], Full);
    }

    #[test]
    fn if_none_match_takes_precedence_by_rfc_9110_section_13_2_2() {
        let stored = [("etag", "\"a\""), ("last-modified", &*date(-5000))];
        check(&stored, &[("If-None-Match", "\"a\""), ("If-Modified-Since", &date(-10_000))], NotModified);
        check(&stored, &[("If-None-Match", "\"b\""), ("If-Modified-Since", &date(0))], Full);
        check(&stored, &[("If-None-Match", "junk"), ("If-Modified-Since", &date(0))], Full);
        check(&stored, &[], Full);
    }

    #[test]
    fn conditions_concern_a_stored_200_by_rfc_9111_section_4_3_2() {
        for (status, expected) in [(200, NotModified), (203, Full), (204, Full), (301, Full), (404, Full)] {
            let stored = Stored { status, ..fresh_for_a_minute(&[("etag", "\"a\"")]) };
            assert_eq!(precondition(&stored, &Lines::new(&[("If-None-Match", "\"a\"")])), expected, "{status}");
        }
    }

    #[test]
    fn a_304_carries_what_rfc_9110_section_15_4_5_asks_for() {
        for name in ["content-location", "date", "etag", "vary", "cache-control", "expires"] {
            assert!(!not_modified_omits(true).contains(&name), "{name}");
        }
        for name in ["content-type", "content-length", "content-encoding", "content-language"] {
            assert!(not_modified_omits(true).contains(&name) && not_modified_omits(false).contains(&name), "{name}");
        }
        assert!(not_modified_omits(true).contains(&"last-modified"));
        assert!(!not_modified_omits(false).contains(&"last-modified"));
    }

    #[test]
    fn what_was_withheld_is_held_against_the_origins_response() {
        #[track_caller]
        fn check(status: u16, response: &[(&str, &str)], request: &[(&str, &str)], expected: Precondition) {
            let found = precondition_of(status, &Lines::new(response), STORED_AT, &Lines::new(request));
            assert_eq!(found, expected, "{status} {response:?} {request:?}");
        }
        let tag = [("ETag", "\"a\"")];
        check(200, &tag, &[("If-None-Match", "W/\"a\"")], NotModified);
        check(200, &tag, &[("If-None-Match", "\"b\"")], Full);
        check(200, &tag, &[], Full);
        check(404, &tag, &[("If-None-Match", "\"a\"")], Full);
        let modified = [("Last-Modified", &*date(-10))];
        check(200, &modified, &[("If-Modified-Since", &date(-10))], NotModified);
        check(200, &modified, &[("If-Modified-Since", &date(-11))], Full);
        // Its Date is no modification date: the response is new, whatever the client holds.
        check(200, &[("Date", &date(0))], &[("If-Modified-Since", &date(0))], Full);
    }

    #[test]
    fn a_fill_goes_without_any_condition_of_rfc_9110_section_13_1() {
        for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"] {
            assert!(forwarded_conditionals().contains(&name));
        }
    }

    proptest! {
        #[test]
        fn never_panics(own in ".{0,20}", listed in "[\"W/, *a]{0,20}", since in ".{0,40}") {
            let stored = fresh_for_a_minute(&[("etag", &own), ("last-modified", &own)]);
            precondition(&stored, &Lines::new(&[("If-None-Match", &listed)]));
            precondition(&stored, &Lines::new(&[("If-Modified-Since", &since)]));
        }

        #[test]
        fn what_a_client_sends_back_matches(
            opaque in "[!#-~]{0,12}", weak: bool, others in "(\"[a-z,]{0,4}\", ){0,3}",
        ) {
            let tag = format!("{}\"{opaque}\"", if weak { "W/" } else { "" });
            let stored = fresh_for_a_minute(&[("etag", &tag)]);
            let request = Lines::new(&[("If-None-Match", &format!("{others}{tag}"))]);
            prop_assert_eq!(precondition(&stored, &request), NotModified);
        }
    }
}
