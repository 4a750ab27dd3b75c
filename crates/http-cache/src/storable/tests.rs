#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::content_types::ContentTypes;
use crate::fields::tests::Lines;
use crate::freshness::StaleWindows;
use proptest::prelude::*;
use std::cell::RefCell;
use std::time::UNIX_EPOCH;

const NOW: Duration = Duration::from_secs(1_767_225_600);

pub(crate) fn date_field(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

struct Case {
    method: &'static str,
    status: u16,
    sharing: Sharing,
    rules: Rules,
}

const GET: Case = Case { method: "GET", status: 200, sharing: Sharing::Everyone, rules: Rules::ORIGIN_DECIDES };

impl Case {
    fn stored(&self, request: &[(&str, &str)], response: &[(&str, &str)]) -> Result<Stored, Reason> {
        storable(&Exchange {
            method: self.method,
            request: &Lines::new(request),
            status: self.status,
            response: &Lines::new(response),
            sharing: self.sharing,
            rules: &self.rules,
            request_time: NOW,
            response_time: NOW,
            random: 0,
        })
    }

    #[track_caller]
    fn check(&self, request: &[(&str, &str)], response: &[(&str, &str)], expected: Result<(), Reason>) {
        let found = self.stored(request, response).map(drop);
        assert_eq!(found, expected, "{} {}: {request:?} {response:?}", self.method, self.status);
    }
}

/// Checks a GET answered with 200 that is fresh but for `cache_control`.
#[track_caller]
fn check(cache_control: &str, expected: Result<(), Reason>) {
    GET.check(&[], &[("Cache-Control", &format!("max-age=60, {cache_control}"))], expected);
}

const FRESH: (&str, &str) = ("Cache-Control", "max-age=60");

#[test]
fn only_get_is_stored_by_rfc_9111_section_3() {
    GET.check(&[], &[FRESH], Ok(()));
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "QUERY", "get", ""] {
        Case { method, ..GET }.check(&[], &[FRESH], Err(Reason::Method));
    }
}

#[test]
fn what_is_not_looked_up_is_not_stored() {
    for (line, reason) in [
        (("Range", "bytes=0-1"), Reason::Range),
        (("If-Match", "\"a\""), Reason::Precondition),
        (("Content-Length", "3"), Reason::RequestContent),
        (("Upgrade", "websocket"), Reason::Upgrade),
        (("Cache-Control", "no-store"), Reason::RequestNoStore),
        (("Cache-Control", "no-cache; no-store"), Reason::Malformed),
    ] {
        GET.check(&[line], &[FRESH], Err(reason));
    }
    // The response to a reload is as good as any.
    GET.check(&[("Cache-Control", "no-cache")], &[FRESH], Ok(()));
}

#[test]
fn the_status_is_final_and_not_partial_by_rfc_9111_sections_3_and_3_3() {
    for status in [100, 101, 103, 199, 206, 304, 600, 999] {
        Case { status, ..GET }.check(&[], &[FRESH], Err(Reason::Status));
    }
    for status in [200, 201, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404, 410, 499, 500, 503, 599] {
        Case { status, ..GET }.check(&[], &[FRESH], Ok(()));
        Case { status, ..GET }.check(&[], &[], Err(Reason::NoFreshness));
    }
}

#[test]
fn no_store_by_rfc_9111_section_5_2_2_5() {
    for field in ["no-store", "No-StOrE", "no-store=1", "no-store=\"x\""] {
        check(field, Err(Reason::NoStore));
    }
    check("ext=\"no-store\"", Ok(()));
}

#[test]
fn must_understand_by_rfc_9111_section_5_2_2_3() {
    for (status, field, expected) in [
        (200, "max-age=60, no-store, must-understand", Ok(())),
        (599, "max-age=60, no-store, must-understand", Err(Reason::Status)),
        (599, "max-age=60, must-understand", Err(Reason::Status)),
        (599, "max-age=60", Ok(())),
        (200, "max-age=60, must-understand, private", Err(Reason::Private)),
    ] {
        Case { status, ..GET }.check(&[], &[("Cache-Control", field)], expected);
    }
}

#[test]
fn private_by_rfc_9111_section_5_2_2_7() {
    for field in ["private", "PRIVATE", "private=\"\"", "private=x y", "private=\"a\", private"] {
        check(field, Err(Reason::Private));
    }
    check("private=\"x-user\"", Ok(()));
}

#[test]
fn no_cache_by_rfc_9111_section_5_2_2_4() {
    for field in ["no-cache", "No-Cache", "no-cache=\"\"", "no-cache, no-cache=\"a\""] {
        check(field, Err(Reason::NoCache));
    }
    check("no-cache=\"x-user\"", Ok(()));
}

#[test]
fn what_is_not_fresh_is_stored_only_if_it_can_answer_somebody() {
    let tag = ("ETag", "\"a\"");
    let modified = ("Last-Modified", &*date_field(NOW.as_secs() - 100));
    for (field, reason) in [
        ("no-cache", Reason::NoCache),
        ("max-age=60, no-cache", Reason::NoCache),
        ("max-age=0", Reason::Expired),
        ("max-age=0, must-revalidate", Reason::Expired),
        ("s-maxage=0, max-age=60", Reason::Expired),
    ] {
        let control = ("Cache-Control", field);
        GET.check(&[], &[control], Err(reason));
        GET.check(&[], &[control, ("ETag", "unquoted")], Err(reason));
        for validator in [tag, modified] {
            GET.check(&[], &[control, validator], Ok(()));
            // Only a 200 can be validated.
            Case { status: 404, ..GET }.check(&[], &[control, validator], Err(reason));
            // Who answers a visitor may not look at the cookie when asked by the next one.
            let visitor = [("Cookie", "session=alice")];
            GET.check(&visitor, &[control, validator], Err(reason));
            Case { sharing: Sharing::Partition, ..GET }.check(&visitor, &[control, validator], Ok(()));
        }
    }
    GET.check(&[], &[("Cache-Control", "max-age=0, stale-while-revalidate=1")], Ok(()));
    GET.check(&[], &[("Cache-Control", "max-age=10, stale-if-error=20"), ("Age", "30")], Ok(()));
    GET.check(&[], &[("Cache-Control", "max-age=10, stale-if-error=20"), ("Age", "31")], Err(Reason::Expired));
    GET.check(&[], &[("Cache-Control", "s-maxage=0, stale-if-error=20")], Err(Reason::Expired));
    GET.check(&[], &[tag], Err(Reason::NoFreshness));
}

#[test]
fn stale_windows_are_the_origins_else_the_operators() {
    let of = |seconds| Duration::from_secs(seconds);
    let windows =
        |while_revalidate, if_error| StaleWindows { while_revalidate: of(while_revalidate), if_error: of(if_error) };
    let case = Case { rules: Rules::ORIGIN_DECIDES.with_stale(windows(30, 3600)), ..GET };
    for (field, expected) in [
        ("max-age=60", windows(30, 3600)),
        ("max-age=60, stale-while-revalidate=5", windows(5, 3600)),
        ("max-age=60, stale-while-revalidate=0, stale-if-error=7", windows(0, 7)),
        ("max-age=60, stale-if-error=x", windows(30, 0)),
        // It was never fresh: the operator's windows are not for it.
        ("max-age=0, stale-if-error=7", windows(0, 7)),
    ] {
        let stored = case.stored(&[], &[("Cache-Control", field)]).unwrap();
        assert_eq!(stored.stale, expected, "{field}");
    }
    case.check(&[], &[("Cache-Control", "max-age=0")], Err(Reason::Expired));
}

#[test]
fn a_cookie_is_never_stored() {
    GET.check(&[], &[FRESH, ("Set-Cookie", "a=b")], Err(Reason::SetCookie));
    GET.check(&[], &[FRESH, ("Set-Cookie", "")], Err(Reason::SetCookie));
    GET.check(
        &[],
        &[("Cache-Control", "max-age=60, public, private=\"set-cookie\""), ("Set-Cookie", "a=b")],
        Err(Reason::SetCookie),
    );
    GET.check(&[("Cookie", "a=b")], &[FRESH], Ok(()));
}

#[test]
fn only_the_media_types_that_the_operator_lists_are_stored() {
    let types = ContentTypes::new(vec!["application/json".parse().unwrap(), "text/*".parse().unwrap()]);
    let case = Case { rules: Rules::ORIGIN_DECIDES.with_content_types(types), ..GET };
    for (field, expected) in [
        (Some("application/json; charset=utf-8"), Ok(())),
        (Some("TEXT/plain"), Ok(())),
        (Some("application/problem+json"), Err(Reason::ContentType)),
        (Some("application/json, image/png"), Err(Reason::ContentType)),
        (None, Err(Reason::ContentType)),
    ] {
        let lines: Vec<_> = [FRESH].into_iter().chain(field.map(|field| ("Content-Type", field))).collect();
        case.check(&[], &lines, expected);
        GET.check(&[], &lines, Ok(()));
    }
    // What the origin says holds whatever the list says.
    case.check(&[], &[("Cache-Control", "private"), ("Content-Type", "image/png")], Err(Reason::Private));
    case.check(&[], &[("Cache-Control", "no-store"), ("Content-Type", "text/html")], Err(Reason::NoStore));
}

#[test]
fn authorized_requests_by_rfc_9111_section_3_5() {
    let authorized = [("Authorization", "Bearer x")];
    let partition = || Case { sharing: Sharing::Partition, ..GET };
    for (field, everyone) in [
        ("max-age=60", Err(Reason::Authorization)),
        ("max-age=60, proxy-revalidate", Err(Reason::Authorization)),
        ("max-age=60, public=1", Err(Reason::Authorization)),
        ("max-age=60, public", Ok(())),
        ("max-age=60, must-revalidate", Ok(())),
        ("s-maxage=60", Ok(())),
    ] {
        GET.check(&authorized, &[("Cache-Control", field)], everyone);
        GET.check(&[], &[("Cache-Control", field)], Ok(()));
        partition().check(&authorized, &[("Cache-Control", field)], Ok(()));
    }
    for (field, reason) in [("max-age=60, private", Reason::Private), ("max-age=60, no-store", Reason::NoStore)] {
        partition().check(&authorized, &[("Cache-Control", field)], Err(reason));
    }
    let configured = || Case { rules: Rules::new(NOW, true).unwrap_or(Rules::ORIGIN_DECIDES), ..GET };
    configured().check(&authorized, &[], Err(Reason::Authorization));
    Case { sharing: Sharing::Partition, ..configured() }.check(&authorized, &[], Ok(()));
}

#[test]
fn override_defeats_no_prohibition() {
    let case = Case { rules: Rules::new(Duration::from_secs(60), true).unwrap(), ..GET };
    case.check(&[], &[("Cache-Control", "max-age=0, must-revalidate")], Ok(()));
    for (field, reason) in [
        ("no-store", Reason::NoStore),
        ("private", Reason::Private),
        ("no-cache", Reason::NoCache),
        ("private; max-age=60", Reason::Malformed),
    ] {
        case.check(&[], &[("Cache-Control", field)], Err(reason));
    }
    case.check(&[], &[("Set-Cookie", "a=b")], Err(Reason::SetCookie));
    case.check(&[("Authorization", "x")], &[], Err(Reason::Authorization));
    case.check(&[], &[("Vary", "*")], Err(Reason::VaryStar));
}

#[test]
fn a_targeted_field_decides_by_rfc_9213_section_2_2() {
    let cdn = |value| ("CDN-Cache-Control", value);
    GET.check(&[], &[cdn("max-age=60"), ("Cache-Control", "no-store")], Ok(()));
    GET.check(&[], &[cdn("max-age=60"), ("Cache-Control", "private; x")], Ok(()));
    GET.check(&[], &[cdn("no-store"), FRESH], Err(Reason::NoStore));
    GET.check(&[], &[cdn("private"), FRESH], Err(Reason::Private));
    GET.check(&[], &[cdn("no-cache"), FRESH], Err(Reason::NoCache));
    GET.check(&[], &[cdn("max-age=60, &"), ("Cache-Control", "no-store")], Err(Reason::NoStore));
    GET.check(&[("Authorization", "x")], &[cdn("max-age=60"), ("Cache-Control", "public")], Err(Reason::Authorization));
    GET.check(&[("Authorization", "x")], &[cdn("max-age=60, public")], Ok(()));
}

#[test]
fn fields_excepted_from_storage_by_rfc_9111_section_3_1() {
    let stored = GET
        .stored(
            &[],
            &[
                ("Connection", "close, A, keep-alive, b c"),
                ("Cache-Control", "max-age=60, private=\"X-User, ETag\", no-cache=X-Trace"),
                ("ETag", "\"a\""),
                ("Age", "1"),
            ],
        )
        .unwrap();
    assert_eq!(stored.dropped.iter().collect::<Vec<_>>(), ["a", "etag", "x-trace", "x-user"]);
    let withheld: Vec<&str> = stored.withheld().collect();
    for name in
        ["connection", "keep-alive", "transfer-encoding", "proxy-authenticate", "age", "tidegate-stored", "a", "vary"]
    {
        assert!(withheld.contains(&name), "{name}");
    }
    for name in ["content-type", "content-length", "content-location", "x-other", "cache-status", "close"] {
        assert!(!withheld.contains(&name), "{name}");
    }
    assert_eq!(stored.field("etag"), None);
}

#[test]
fn a_field_that_reuse_depends_on_cannot_be_excepted() {
    for name in INDISPENSABLE {
        GET.check(&[], &[FRESH, ("Connection", name)], Err(Reason::Malformed));
        check(&format!("private=\"{name}\""), Err(Reason::Private));
        check(&format!("no-cache=\"x, {name}\""), Err(Reason::NoCache));
    }
}

#[test]
fn the_envelope_carries_what_a_store_might_act_upon() {
    let lines = [
        ("Cache-Control", "max-age=60, s-maxage=90, must-revalidate, proxy-revalidate"),
        ("Vary", "Accept"),
        ("ETag", "W/\"a\""),
        ("Last-Modified", "x"),
        ("Date", "y"),
        ("X-Other", "z"),
    ];
    let stored = GET.stored(&[("Accept", "a , b")], &lines).unwrap();
    let fields: Vec<_> = stored.fields().collect();
    assert_eq!(
        fields,
        [
            ("cache-control", "max-age=60, s-maxage=90, must-revalidate, proxy-revalidate"),
            ("date", "y"),
            ("etag", "W/\"a\""),
            ("last-modified", "x"),
            ("vary", "Accept"),
        ]
    );
    assert_eq!(stored.selecting, [("accept".to_owned(), Some("a,b".to_owned()))].into());
    assert_eq!((stored.status(), stored.lifetime(), stored.age(NOW)), (200, Duration::from_secs(90), Duration::ZERO));
    assert!(stored.must_revalidate && stored.proxy_revalidate && stored.s_maxage);
    let plain = GET.stored(&[], &[FRESH]).unwrap();
    assert!(!plain.forbids_stale_reuse());
}

#[test]
fn content_length_is_one_number_by_rfc_9110_section_8_6() {
    for (value, expected) in [
        ("0", Ok(Some(0))),
        ("42", Ok(Some(42))),
        ("42, 42", Ok(Some(42))),
        ("42, 43", Err(Reason::Malformed)),
        ("-1", Err(Reason::Malformed)),
        ("+1", Err(Reason::Malformed)),
        ("", Err(Reason::Malformed)),
        ("99999999999999999999", Err(Reason::Malformed)),
    ] {
        let found = GET.stored(&[], &[FRESH, ("Content-Length", value)]).map(|stored| stored.content_length);
        assert_eq!(found, expected, "{value:?}");
    }
    assert_eq!(GET.stored(&[], &[FRESH]).unwrap().content_length, None);
}

#[test]
fn an_envelope_ends_at_sixteen_kibibytes() {
    let of = |length| GET.stored(&[], &[FRESH, ("ETag", &"a".repeat(length))]);
    let base = of(0).unwrap().encode().len();
    // Base64 turns three bytes into four; the length prefix of a long text takes two bytes more.
    let most = (MAX_ENVELOPE - base) / 4 * 3;
    let fits = (most - 8..=most + 8).rev().find(|length| of(*length).is_ok()).unwrap();
    let encoded = of(fits).unwrap().encode();
    assert!(encoded.len() > MAX_ENVELOPE - 4 && encoded.len() <= MAX_ENVELOPE);
    assert_eq!(Stored::decode(&encoded).ok(), of(fits).ok());
    assert_eq!(of(fits + 1), Err(Reason::EnvelopeTooLarge));
}

/// Remembers what was asked for.
struct Asked<'a>(&'a Lines, RefCell<Vec<String>>);

impl Fields for Asked<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.1.borrow_mut().push(name.to_owned());
        self.0.get(name)
    }
}

#[test]
fn only_the_needed_fields_are_read() {
    let check = |method: &str, status, response: &[(&str, &str)], expected: &[&str]| {
        let (request, response) = (Lines::default(), Lines::new(response));
        let asked = Asked(&response, RefCell::default());
        let exchange = Exchange {
            method,
            request: &request,
            status,
            response: &asked,
            sharing: Sharing::Everyone,
            rules: &Rules::ORIGIN_DECIDES,
            request_time: NOW,
            response_time: NOW,
            random: 0,
        };
        let _ = storable(&exchange);
        assert_eq!(*asked.1.borrow(), expected, "{method} {status}");
    };
    check("POST", 200, &[], &[]);
    check("GET", 304, &[], &[]);
    check("GET", 200, &[("Set-Cookie", "a=b")], &["set-cookie"]);
    check(
        "GET",
        200,
        &[("Cache-Control", "no-store")],
        &["set-cookie", "tidegate-cache-control", "cdn-cache-control", "cache-control"],
    );
}

proptest! {
    #[test]
    fn arbitrary_fields_never_panic(
        names in prop::collection::vec(prop::sample::select(&[
            "cache-control", "cdn-cache-control", "vary", "expires", "date", "age", "via", "connection", "etag",
            "content-length", "last-modified", "authorization", "pragma",
        ][..]), 0..8),
        values in prop::collection::vec(".{0,40}", 8),
        status: u16,
    ) {
        let lines: Vec<(&str, &str)> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
        for rules in [Rules::ORIGIN_DECIDES, Rules::new(NOW, true).unwrap()] {
            let case = Case { status, rules, ..GET };
            let _ = case.stored(&lines, &lines);
            let _ = case.stored(&[], &lines);
        }
    }
}
