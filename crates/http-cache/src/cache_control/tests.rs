#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::fields::tests::Lines;
use proptest::prelude::*;

fn response(field: &str) -> Result<ResponseControl, Malformed> {
    directives(field).map(ResponseControl::of)
}

fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn names(list: &[&str]) -> Extent {
    Extent::Fields(list.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn directives_are_told_apart_by_rfc_9111_section_5_2() {
    #[track_caller]
    fn check(field: &str, expected: &[(&str, Argument)]) {
        let expected =
            expected.iter().map(|(name, argument)| Directive { name: (*name).into(), argument: argument.clone() });
        assert_eq!(directives(field), Ok(expected.collect()), "{field:?}");
    }
    let text = |value: &str| Argument::Text(value.to_owned());
    check("", &[]);
    check(" , ,\t,", &[]);
    check("no-store", &[("no-store", Argument::Absent)]);
    check("No-StOrE , MaX-aGe=3600", &[("no-store", Argument::Absent), ("max-age", text("3600"))]);
    check("max-age=\"3600\"", &[("max-age", text("3600"))]);
    check(
        "ext=\"max-age=3600, no-store\", max-age=1",
        &[("ext", text("max-age=3600, no-store")), ("max-age", text("1"))],
    );
    check("ext=\"a\\\"b\\\\\", x", &[("ext", text("a\"b\\")), ("x", Argument::Absent)]);
    check("private=\"\"", &[("private", text(""))]);
    // Whitespace around the equals sign, an empty argument, a second equals sign, something after the string.
    check("max-age =1", &[("max-age", Argument::Invalid)]);
    check("max-age= 1", &[("max-age", Argument::Invalid)]);
    check("max-age=", &[("max-age", Argument::Invalid)]);
    check("max-age=1=2", &[("max-age", Argument::Invalid)]);
    check("max-age=1;b", &[("max-age", Argument::Invalid)]);
    check("a=\"1\"2, b", &[("a", Argument::Invalid), ("b", Argument::Absent)]);
}

#[test]
fn a_stray_quote_does_not_swallow_directives() {
    for field in ["a=b\"c, private, d=e\"", "a=b=\"c, private, d=\"e\""] {
        assert_eq!(response(field).map(|control| control.private), Ok(Extent::Response), "{field:?}");
    }
}

#[test]
fn members_that_cannot_be_told_apart_are_malformed() {
    for field in [
        "a=\"b, private",
        "a=\"b\\\", private",
        "a=\"b\\",
        "private; max-age=60",
        "no-store max-age=60",
        "max-age: 60",
        "\"private\"",
        "=60",
        "no\u{2011}store",
    ] {
        assert_eq!(directives(field), Err(Malformed), "{field:?}");
    }
}

#[test]
fn lifetimes_by_rfc_9111_sections_1_2_2_and_4_2_1() {
    #[track_caller]
    fn check(field: &str, max_age: Option<Duration>, s_maxage: Option<Duration>) {
        let control = response(field).unwrap();
        assert_eq!((control.max_age, control.s_maxage), (max_age, s_maxage), "{field:?}");
    }
    check("public", None, None);
    check("max-age=3600", secs(3600), None);
    check("max-age=003600", secs(3600), None);
    check("max-age=\"3600\"", secs(3600), None);
    check("max-age=99999999999", secs(2_147_483_648), None);
    check("max-age=1, s-maxage=2", secs(1), secs(2));
    // The first occurrence counts, valid or not.
    check("max-age=1800, max-age=1", secs(1800), None);
    check("max-age=1, max-age=1800", secs(1), None);
    check("max-age=x, max-age=1800", secs(0), None);
    // Invalid is stale.
    for invalid in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age='3600'", "max-age=3600a", "max-age =9"]
    {
        check(invalid, secs(0), None);
    }
    check("s-maxage=x, max-age=60", secs(60), secs(0));
    check("ext=\"max-age=3600\"", None, None);
}

#[test]
fn private_and_no_cache_name_fields_or_mean_everything() {
    #[track_caller]
    fn check(argument: &str, expected: &Extent) {
        let control = response(&format!("x, private{argument}, no-cache{argument}")).unwrap();
        assert_eq!((&control.private, &control.no_cache), (expected, expected), "{argument:?}");
    }
    check("", &Extent::Response);
    check("=\"Set-Cookie, X-User\"", &names(&["set-cookie", "x-user"]));
    check("=x-user", &names(&["x-user"]));
    // RFC 9111, sections 5.2.2.4 and 5.2.2.7 give no meaning to these, so they mean the most.
    for invalid in ["=\"\"", "=\",\"", "=", "= \"x\"", "=\"x y\"", "=\"x\"y"] {
        check(invalid, &Extent::Response);
    }
    // Several occurrences: the most restrictive.
    check("=\"a\", private=\"b\", no-cache=b", &names(&["a", "b"]));
    check("=\"a\", private, no-cache", &Extent::Response);
    check(", private=\"a\", no-cache=\"a\"", &Extent::Response);
    assert_eq!(response("max-age=1").map(|control| control.private), Ok(Extent::Nothing));
}

#[test]
fn an_argument_does_not_weaken_a_restriction_but_voids_a_permission() {
    let control =
        response("no-store=0, must-revalidate=x, proxy-revalidate=\"\", must-understand=1, public=no").unwrap();
    assert!(control.no_store && control.must_revalidate && control.proxy_revalidate && control.must_understand);
    assert!(!control.public);
    assert!(response("public").unwrap().public);
}

#[test]
fn request_directives_by_rfc_9111_section_5_2_1() {
    #[track_caller]
    fn check(lines: &[(&str, &str)], expected: RequestControl) {
        assert_eq!(RequestControl::read(&Lines::new(lines)), Ok(expected), "{lines:?}");
    }
    let none = RequestControl::default;
    check(&[], none());
    check(&[("Cache-Control", "no-store")], RequestControl { no_store: true, ..none() });
    check(
        &[("Cache-Control", "NO-CACHE, only-if-cached")],
        RequestControl { no_cache: true, only_if_cached: true, ..none() },
    );
    check(
        &[("Cache-Control", "max-age=5, min-fresh=\"7\"")],
        RequestControl { max_age: secs(5), min_fresh: secs(7), ..none() },
    );
    check(&[("Cache-Control", "max-stale")], RequestControl { max_stale: Some(MaxStale::AnyAge), ..none() });
    check(
        &[("Cache-Control", "max-stale=9")],
        RequestControl { max_stale: Some(MaxStale::AtMost(Duration::from_secs(9))), ..none() },
    );
    // An invalid argument must not turn into "any age".
    for field in ["max-stale=x, max-age=x, min-fresh=", "max-stale=", "max-stale= 9"] {
        check(&[("Cache-Control", field)], none());
    }
}

#[test]
fn pragma_counts_only_without_cache_control() {
    for (lines, no_cache) in [
        (&[("Pragma", "no-cache")][..], true),
        (&[("Pragma", "x, No-Cache")], true),
        (&[("Pragma", "unrecognised")], false),
        (&[("Pragma", "no-cache"), ("Cache-Control", "max-age=60")], false),
        (&[("Pragma", "no-cache"), ("Cache-Control", "")], false),
    ] {
        assert_eq!(RequestControl::read(&Lines::new(lines)).unwrap().no_cache, no_cache, "{lines:?}");
    }
}

proptest! {
    #[test]
    fn never_panics(field in ".{0,80}") {
        let _ = response(&field);
        let _ = RequestControl::read(&Lines::new(&[("Cache-Control", &field)]));
    }

    #[test]
    fn a_restriction_is_found_wherever_it_stands(
        before in prop::collection::vec("[a-z-]{1,8}(=([0-9]{1,4}|\"[a-z ,=]{0,8}\"))?", 0..4),
        after in prop::collection::vec("[a-z-]{1,8}(=([0-9]{1,4}|\"[a-z ,=]{0,8}\"))?", 0..4),
        which in 0usize..3,
    ) {
        let restriction = ["No-Store", "PRIVATE", "no-cache"][which];
        let field = [before, vec![restriction.to_owned()], after].concat().join(" ,");
        let control = response(&field).unwrap();
        let whole = Extent::Response;
        prop_assert!([control.no_store, control.private == whole, control.no_cache == whole][which]);
    }
}
