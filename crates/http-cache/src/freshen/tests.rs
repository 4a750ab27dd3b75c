#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::content_types::ContentTypes;
use crate::fields::tests::Lines;
use crate::freshness::Rules;
use crate::storable::Sharing;
use crate::storable::tests::date_field;
use crate::stored::tests::{STORED_AT, fresh_for_a_minute};
use std::time::Duration;

const LATER: Duration = Duration::from_secs(100);

fn exchange<'a>(status: u16, request: &'a Lines, answer: &'a Lines) -> Exchange<'a> {
    Exchange {
        method: "GET",
        request,
        status,
        response: answer,
        sharing: Sharing::Everyone,
        rules: &Rules::ORIGIN_DECIDES,
        request_time: STORED_AT + LATER,
        response_time: STORED_AT + LATER,
        random: 0,
    }
}

const STORED: [(&str, &str); 4] = [
    ("cache-control", "max-age=60"),
    ("etag", "\"a\""),
    ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ("date", "Thu, 01 Jan 2026 00:00:10 GMT"),
];

fn by_304(stored: &Stored, answer: &[(&str, &str)]) -> Option<Freshened> {
    freshen(stored, &exchange(304, &Lines::default(), &Lines::new(answer)))
}

#[test]
fn a_304_that_names_another_media_type_than_is_kept_ends_what_is_stored() {
    let types = ContentTypes::new(vec!["text/*".parse().unwrap()]);
    let rules = Rules::ORIGIN_DECIDES.with_content_types(types);
    for (answer, expected) in [
        (vec![], Ok(())),
        (vec![("content-type", "text/css")], Ok(())),
        (vec![("content-type", "image/png")], Err(Reason::ContentType)),
    ] {
        let (request, lines) = (Lines::default(), Lines::new(&answer));
        let exchange = Exchange { rules: &rules, ..exchange(304, &request, &lines) };
        let found = freshen(&fresh_for_a_minute(&STORED), &exchange).unwrap();
        assert_eq!(found.stored.map(drop), expected, "{answer:?}");
    }
}

#[test]
fn the_304_has_to_speak_of_what_is_stored_by_rfc_9111_section_4_3_4() {
    #[track_caller]
    fn check(stored: &[(&str, &str)], answer: &[(&str, &str)], expected: bool) {
        let found = by_304(&fresh_for_a_minute(&[&[STORED[0]], stored].concat()), answer).is_some();
        assert_eq!(found, expected, "{stored:?} {answer:?}");
    }
    let (strong, weak) = ([("etag", "\"a\"")], [("etag", "W/\"a\"")]);
    check(&strong, &[("ETag", "\"a\"")], true);
    check(&strong, &[("ETag", "\"b\"")], false);
    check(&strong, &[("ETag", "W/\"a\"")], true);
    check(&weak, &[("ETag", "W/\"a\"")], true);
    check(&weak, &[("ETag", "W/\"b\"")], false);
    check(&weak, &[("ETag", "\"a\"")], false);
    check(&strong, &[("ETag", "a")], false);
    check(&[], &[("ETag", "\"a\"")], false);
    check(&strong, &[], true);
    let date = |offset: u64| date_field(STORED_AT.as_secs() - offset);
    let modified = [("last-modified", &*date(10))];
    check(&modified, &[("Last-Modified", &date(10))], true);
    check(&modified, &[("Last-Modified", &date(9))], false);
    check(&modified, &[], true);
    check(&strong, &[("Last-Modified", &date(9))], true);
}

#[test]
fn it_is_as_fresh_as_the_304_says() {
    let stored = fresh_for_a_minute(&STORED).of_family(7);
    for (answer, lifetime, initial_age) in [
        (&[][..], 60, 0),
        (&[("Cache-Control", "max-age=5")], 5, 0),
        (&[("Age", "20")], 60, 20),
        (&[("CDN-Cache-Control", "max-age=9")], 9, 0),
    ] {
        let found = by_304(&stored, answer).unwrap().stored.unwrap();
        assert_eq!(found.lifetime, Duration::from_secs(lifetime), "{answer:?}");
        assert_eq!(found.age(STORED_AT + LATER), Duration::from_secs(initial_age), "{answer:?}");
        assert_eq!(found.field("etag"), Some("\"a\""), "{answer:?}");
        assert_eq!(found.family(), 7);
    }
    // Expires is compared with the Date of the answer it came with; the stored one has had its day.
    let expiring = fresh_for_a_minute(&[("etag", "\"a\""), ("date", "Thu, 01 Jan 2026 00:00:00 GMT")]);
    let expires = date_field((STORED_AT + LATER).as_secs() + 30);
    let found = by_304(&expiring, &[("Expires", &expires)]).unwrap().stored.unwrap();
    assert_eq!(found.lifetime, Duration::from_secs(30));
}

#[test]
fn what_may_no_longer_be_stored_is_not() {
    let stored = fresh_for_a_minute(&STORED);
    for (answer, reason) in [
        (("Cache-Control", "no-store"), Reason::NoStore),
        (("Cache-Control", "private, max-age=60"), Reason::Private),
        (("Set-Cookie", "a=b"), Reason::SetCookie),
        (("Vary", "*"), Reason::VaryStar),
    ] {
        let found = by_304(&stored, &[answer]).unwrap();
        assert_eq!(found.stored, Err(reason), "{answer:?}");
        assert!(found.fields.iter().any(|(name, _)| name == "etag"), "the reply has what is stored");
    }
}

#[test]
fn all_fields_are_replaced_but_those_of_rfc_9111_section_3_2() {
    let stored = Stored { dropped: ["x-hop".to_owned()].into(), ..fresh_for_a_minute(&STORED) };
    let excepted = by_304(&stored, &[("Connection", "close, X-Mine")]).unwrap().excepted;
    for name in [
        "content-length",
        "content-encoding",
        "content-range",
        "connection",
        "transfer-encoding",
        "age",
        "x-hop",
        "x-mine",
        "proxy-authenticate",
        "cache-control",
        "etag",
        "tidegate-stored",
    ] {
        assert!(excepted.iter().any(|excepted| excepted == name), "{name}");
    }
    for name in ["content-type", "content-location", "x-anything", "content-security-policy", "link"] {
        assert!(!excepted.iter().any(|excepted| excepted == name), "{name}");
    }
}

#[test]
fn a_head_updates_what_it_describes_by_rfc_9111_section_4_3_5() {
    let stored = Stored { content_length: Some(10), ..fresh_for_a_minute(&STORED) };
    #[track_caller]
    fn check(stored: &Stored, status: u16, answer: &[(&str, &str)], expected: bool) {
        let answer = Lines::new(answer);
        let found = freshen_by_head(stored, &exchange(status, &Lines::default(), &answer));
        assert_eq!(found.is_some_and(|found| found.stored.is_ok()), expected, "{status} {answer:?}");
    }
    check(&stored, 200, &[], true);
    check(&stored, 200, &[("ETag", "\"a\""), ("Content-Length", "10")], true);
    check(&stored, 200, &[("ETag", "\"b\"")], false);
    check(&stored, 200, &[("Last-Modified", "Thu, 01 Jan 2026 00:00:01 GMT")], false);
    check(&stored, 200, &[("Content-Length", "11")], false);
    check(&stored, 200, &[("Content-Length", "ten")], false);
    check(&stored, 404, &[], false);
    check(&Stored { content_length: None, ..stored }, 200, &[("Content-Length", "10")], false);
}
