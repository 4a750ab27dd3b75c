#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::fields::tests::Lines;
use crate::freshness::StaleWindows;
use crate::purge::{Believed, Generation};
use crate::stored::tests::{STORED_AT, fresh_for_a_minute};
use std::cell::RefCell;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn check_lookup(method: &str, request: &[(&str, &str)], expected: Lookup) {
    assert_eq!(lookup(method, &Lines::new(request)), expected, "{method} {request:?}");
}

#[test]
fn only_get_and_head_concern_the_cache() {
    check_lookup("GET", &[], Lookup::Use);
    check_lookup("HEAD", &[], Lookup::Use);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "QUERY", "get", "head", ""] {
        check_lookup(method, &[], Lookup::Bypass(Reason::Method));
    }
}

#[test]
fn requests_that_bypass_the_cache() {
    for (line, reason) in [
        (("If-Match", "*"), Reason::Precondition),
        (("If-Unmodified-Since", "x"), Reason::Precondition),
        (("Content-Length", "1"), Reason::RequestContent),
        (("Content-Length", ""), Reason::RequestContent),
        (("Transfer-Encoding", "chunked"), Reason::RequestContent),
        (("Upgrade", "WebSocket"), Reason::Upgrade),
        (("Cache-Control", "max-age=0, NO-STORE"), Reason::RequestNoStore),
        (("Cache-Control", "no-store; no-cache"), Reason::Malformed),
    ] {
        check_lookup("GET", &[line], Lookup::Bypass(reason));
    }
}

#[test]
fn requests_that_do_not_bypass_the_cache() {
    for line in [
        ("If-None-Match", "\"a\""),
        ("If-Modified-Since", "x"),
        ("If-Range", "\"a\""),
        ("Range", "bytes=0-1"),
        ("Content-Length", "0"),
        ("Upgrade", "h2c"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=b"),
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "only-if-cached, max-age=0"),
        ("Pragma", "no-cache"),
    ] {
        check_lookup("GET", &[line], Lookup::Use);
    }
}

#[test]
fn only_if_cached_by_rfc_9111_section_5_2_1_7() {
    for (request, expected) in [
        (&[("Cache-Control", "only-if-cached")][..], true),
        (&[("Cache-Control", "max-age=1, Only-If-Cached")], true),
        (&[("Cache-Control", "max-age=1")], false),
        (&[("Pragma", "only-if-cached")], false),
        (&[], false),
    ] {
        assert_eq!(only_if_cached(&Lines::new(request)), expected, "{request:?}");
    }
}

/// Checks the answer of a response that arrived with age 0 and is fresh for a minute, `later` seconds after.
#[track_caller]
fn check(later: u64, request: &[(&str, &str)], expected: Answer) {
    let found = answer(&fresh_for_a_minute(&[]), "GET", &Lines::new(request), STORED_AT + secs(later));
    assert_eq!(found, expected, "{later} {request:?}");
}

fn fresh(age: u64) -> Answer {
    Answer::Fresh { age: secs(age), ttl: secs(60 - age) }
}

#[test]
fn fresh_means_younger_than_the_lifetime_by_rfc_9111_section_4_2() {
    check(0, &[], fresh(0));
    check(59, &[], fresh(59));
    check(60, &[], Answer::Stale { age: secs(60) });
    check(61, &[], Answer::Stale { age: secs(61) });
    let stored = fresh_for_a_minute(&[]);
    let a_nanosecond_before = STORED_AT + secs(60) - Duration::from_nanos(1);
    assert!(matches!(answer(&stored, "GET", &Lines::default(), a_nanosecond_before), Answer::Fresh { .. }));
}

#[test]
fn the_response_to_a_get_answers_a_head_by_rfc_9110_section_9_3_2() {
    for (method, expected) in [("GET", fresh(5)), ("HEAD", fresh(5)), ("POST", Answer::Bypass(Reason::Method))] {
        assert_eq!(
            answer(&fresh_for_a_minute(&[]), method, &Lines::default(), STORED_AT + secs(5)),
            expected,
            "{method}"
        );
    }
}

#[test]
fn no_cache_and_pragma_by_rfc_9111_sections_5_2_1_4_and_5_4() {
    check(5, &[("Cache-Control", "no-cache")], Answer::Bypass(Reason::RequestNoCache));
    check(5, &[("Pragma", "no-cache")], Answer::Bypass(Reason::RequestNoCache));
    check(5, &[("Pragma", "no-cache"), ("Cache-Control", "max-age=60")], fresh(5));
    check(5, &[("Pragma", "x")], fresh(5));
    // It was stale anyway.
    check(60, &[("Cache-Control", "no-cache")], Answer::Stale { age: secs(60) });
    check(60, &[("Cache-Control", "no-cache, max-stale")], Answer::Stale { age: secs(60) });
}

#[test]
fn max_age_by_rfc_9111_section_5_2_1_1() {
    check(5, &[("Cache-Control", "max-age=4")], Answer::Bypass(Reason::RequestMaxAge));
    check(5, &[("Cache-Control", "max-age=5")], fresh(5));
    check(0, &[("Cache-Control", "max-age=0")], fresh(0));
    check(1, &[("Cache-Control", "max-age=0")], Answer::Bypass(Reason::RequestMaxAge));
    check(5, &[("Cache-Control", "max-age=x")], fresh(5));
}

#[test]
fn min_fresh_by_rfc_9111_section_5_2_1_3() {
    check(5, &[("Cache-Control", "min-fresh=55")], fresh(5));
    check(5, &[("Cache-Control", "min-fresh=56")], Answer::Bypass(Reason::RequestMinFresh));
}

#[test]
fn max_stale_by_rfc_9111_section_5_2_1_2() {
    let accepted = |age| Answer::StaleAccepted { age: secs(age), overdue: secs(age - 60) };
    check(70, &[("Cache-Control", "max-stale")], accepted(70));
    check(70, &[("Cache-Control", "max-stale=10")], accepted(70));
    check(70, &[("Cache-Control", "max-stale=9")], Answer::Stale { age: secs(70) });
    check(60, &[("Cache-Control", "max-stale=0")], accepted(60));
    check(70, &[("Cache-Control", "max-stale=x")], Answer::Stale { age: secs(70) });
    check(70, &[("Cache-Control", "max-stale, max-age=70")], accepted(70));
    check(70, &[("Cache-Control", "max-stale, max-age=69")], Answer::Stale { age: secs(70) });
    check(70, &[("Cache-Control", "max-stale, min-fresh=1")], Answer::Stale { age: secs(70) });
    check(5, &[("Cache-Control", "max-stale")], fresh(5));
}

#[test]
fn the_origin_may_forbid_stale_reuse_by_rfc_9111_section_4_2_4() {
    let stored = || fresh_for_a_minute(&[]);
    let request = Lines::new(&[("Cache-Control", "max-stale")]);
    for stored in [
        Stored { must_revalidate: true, ..stored() },
        Stored { proxy_revalidate: true, ..stored() },
        Stored { s_maxage: true, ..stored() },
    ] {
        assert_eq!(answer(&stored, "GET", &request, STORED_AT + secs(60)), Answer::Stale { age: secs(60) });
        assert_eq!(answer(&stored, "GET", &request, STORED_AT + secs(59)), fresh(59));
    }
}

#[test]
fn vary_selects_before_anything_else() {
    let stored = Stored { selecting: [("accept".to_owned(), Some("a".to_owned()))].into(), ..fresh_for_a_minute(&[]) };
    let answer =
        |request: &[(&str, &str)], later| answer(&stored, "GET", &Lines::new(request), STORED_AT + secs(later));
    assert_eq!(answer(&[("Accept", "a")], 5), fresh(5));
    assert_eq!(answer(&[("Accept", "b")], 5), Answer::Mismatch);
    assert_eq!(answer(&[], 5), Answer::Mismatch);
    assert_eq!(answer(&[("Accept", "b")], 500), Answer::Mismatch);
    assert_eq!(answer(&[("Accept", "a")], 500), Answer::Stale { age: secs(500) });
}

#[test]
fn cache_control_that_cannot_be_understood_is_not_answered() {
    check(5, &[("Cache-Control", "no-cache; x")], Answer::Bypass(Reason::Malformed));
}

#[test]
fn a_forwarded_request_says_why_by_rfc_9211_section_2_2() {
    for (answer, expected) in [
        (fresh(5), None),
        (Answer::StaleAccepted { age: secs(61), overdue: secs(1) }, None),
        (Answer::Stale { age: secs(61) }, Some(Forward::Stale)),
        (Answer::Mismatch, Some(Forward::VaryMiss)),
        (Answer::Bypass(Reason::RequestNoCache), Some(Forward::Request)),
        (Answer::Bypass(Reason::Method), Some(Forward::Method)),
    ] {
        assert_eq!(answer.forward(), expected, "{answer:?}");
    }
}

/// Remembers what was asked for.
struct Asked(RefCell<Vec<String>>);

impl Fields for Asked {
    fn get(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().push(name.to_owned());
        None
    }
}

#[test]
fn only_the_needed_fields_are_read() {
    let asked = Asked(RefCell::default());
    lookup("POST", &asked);
    assert!(asked.0.borrow().is_empty());
    lookup("GET", &asked);
    let expected =
        ["if-match", "if-unmodified-since", "transfer-encoding", "content-length", "upgrade", "cache-control"];
    assert_eq!(asked.0.take(), expected);
    answer(&fresh_for_a_minute(&[]), "GET", &asked, STORED_AT);
    assert_eq!(asked.0.take(), ["cache-control", "pragma"]);
}

/// A response that arrived with age 0, is fresh for a minute, and has these windows after it.
fn with_windows(while_revalidate: u64, if_error: u64) -> Stored {
    let stale = crate::StaleWindows { while_revalidate: secs(while_revalidate), if_error: secs(if_error) };
    Stored { stale, ..fresh_for_a_minute(&[]) }
}

fn forbidding(stored: &Stored) -> [Stored; 4] {
    [
        Stored { must_revalidate: true, ..stored.clone() },
        Stored { proxy_revalidate: true, ..stored.clone() },
        Stored { s_maxage: true, ..stored.clone() },
        Stored { no_cache: true, ..stored.clone() },
    ]
}

#[test]
fn stale_while_revalidate_by_rfc_5861_section_3() {
    #[track_caller]
    fn check(stored: &Stored, later: u64, request: &[(&str, &str)], expected: Answer) {
        let found = answer(stored, "GET", &Lines::new(request), STORED_AT + secs(later));
        assert_eq!(found, expected, "{later} {request:?} {stored:?}");
    }
    let stored = with_windows(10, 0);
    let revalidated = |later: u64| Answer::StaleWhileRevalidate { age: secs(later), overdue: secs(later - 60) };
    let stale = |later| Answer::Stale { age: secs(later) };
    check(&stored, 59, &[], Answer::Fresh { age: secs(59), ttl: secs(1) });
    check(&stored, 60, &[], revalidated(60));
    check(&stored, 70, &[], revalidated(70));
    check(&stored, 71, &[], stale(71));
    check(&with_windows(0, 10), 61, &[], stale(61));
    // The request's own wishes go before it.
    check(&stored, 61, &[("Cache-Control", "no-cache")], stale(61));
    check(&stored, 61, &[("Cache-Control", "max-age=60")], stale(61));
    check(&stored, 61, &[("Cache-Control", "min-fresh=1")], stale(61));
    check(&stored, 61, &[("Cache-Control", "only-if-cached, max-stale")], revalidated(61));
    for stored in forbidding(&stored) {
        check(&stored, 61, &[], stale(61));
        check(&stored, 61, &[("Cache-Control", "max-stale")], stale(61));
    }
}

#[test]
fn what_answers_unasked_answers_who_has_no_wishes() {
    let windows = [with_windows(0, 0), with_windows(10, 0), with_windows(0, 10)];
    for stored in windows.iter().cloned().chain(windows.iter().flat_map(forbidding)) {
        for later in [0, 59, 60, 70, 71] {
            let now = STORED_AT + secs(later);
            let answered = answer(&stored, "GET", &Lines::default(), now).forward().is_none();
            assert_eq!(answers_unasked(&stored, now), answered, "{later} {stored:?}");
        }
    }
}

#[test]
fn stale_if_error_by_rfc_5861_section_4() {
    #[track_caller]
    fn check(stored: &Stored, later: u64, request: &[(&str, &str)], expected: Option<u64>) {
        let found = stale_if_error(stored, &Lines::new(request), STORED_AT + secs(later));
        assert_eq!(found, expected.map(secs), "{later} {request:?} {stored:?}");
    }
    let stored = with_windows(0, 10);
    check(&stored, 60, &[], Some(0));
    check(&stored, 70, &[], Some(10));
    check(&stored, 71, &[], None);
    check(&with_windows(10, 0), 61, &[], None);
    // "When used as a request Cache-Control extension, its scope of application is the request it appears in".
    let asking = [("Cache-Control", "stale-if-error=20")];
    check(&stored, 80, &asking, Some(20));
    check(&stored, 81, &asking, None);
    check(&stored, 61, &[("Cache-Control", "stale-if-error=0")], Some(1));
    for unwilling in ["no-cache", "max-age=100", "min-fresh=1"] {
        check(&stored, 61, &[("Cache-Control", unwilling)], None);
    }
    for stored in forbidding(&stored) {
        check(&stored, 61, &[], None);
        check(&stored, 61, &asking, None);
    }
}

#[test]
fn an_error_is_what_rfc_5861_section_4_calls_one() {
    for (status, expected) in [
        (200, false),
        (404, false),
        (429, false),
        (500, true),
        (501, false),
        (502, true),
        (503, true),
        (504, true),
        (505, false),
        (519, false),
        (520, true),
        (526, true),
        (527, false),
        (530, true),
    ] {
        assert_eq!(is_error(status), expected, "{status}");
    }
}

#[test]
fn no_cache_is_never_used_unasked_by_rfc_9111_section_5_2_2_4() {
    let stored = Stored { no_cache: true, ..fresh_for_a_minute(&[("etag", "\"a\"")]) };
    for request in [&[][..], &[("Cache-Control", "max-stale")]] {
        let found = answer(&stored, "GET", &Lines::new(request), STORED_AT);
        assert_eq!(found, Answer::Stale { age: secs(0) }, "{request:?}");
    }
}

/// Checks what a purge leaves of a response that is fresh for a minute and stale for ten seconds more, after 30 seconds.
#[track_caller]
fn check_believed(believed: Believed, request: &[(&str, &str)], expected: Option<Answer>, if_error: bool) {
    let stale = StaleWindows { while_revalidate: secs(10), if_error: secs(10) };
    let stored = Stored { stale, ..fresh_for_a_minute(&[]) };
    let (request, now) = (Lines::new(request), STORED_AT + secs(30));
    let left = stored.believed(believed, now);
    assert_eq!(left.as_ref().map(|left| answer(left, "GET", &request, now)), expected, "{believed:?}");
    let usable = left.is_some_and(|left| stale_if_error(&left, &request, now + secs(10)).is_some());
    assert_eq!(usable, if_error, "{believed:?}");
}

#[test]
fn a_purge_leaves_nothing_fresh() {
    let age = secs(30);
    let stale = Answer::StaleWhileRevalidate { age, overdue: secs(0) };
    check_believed(Believed::Stale, &[], Some(stale), true);
    check_believed(Believed::Stale, &[("Cache-Control", "max-stale")], Some(stale), true);
    check_believed(Believed::Unknown, &[], Some(Answer::Stale { age }), false);
    check_believed(Believed::Unknown, &[("Cache-Control", "max-stale")], Some(Answer::Stale { age }), false);
    check_believed(Believed::Gone { by: Generation { log: 1, sequence: 1 } }, &[], None, false);
}

#[test]
fn what_no_purge_concerns_stays_as_it_is() {
    let fresh = Answer::Fresh { age: secs(30), ttl: secs(30) };
    // It is fresh for thirty seconds more: no window has begun.
    check_believed(Believed::Current, &[], Some(fresh), true);
}
