#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::fields::tests::Lines;
use crate::storable::tests::date_field;
use proptest::prelude::*;

const SENT: Duration = Duration::from_secs(1_767_225_600);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn of(rules: &Rules, status: u16, delay: Duration, lines: &[(&str, &str)]) -> Result<Freshness, Reason> {
    let exchange = Exchange {
        method: "GET",
        request: &Lines::default(),
        status,
        response: &Lines::new(lines),
        sharing: Sharing::Everyone,
        rules,
        request_time: SENT,
        response_time: SENT + delay,
        random: 0,
    };
    let found = freshness(&exchange, &Policy::read(exchange.response).unwrap())?;
    if found.is_fresh() { Ok(found) } else { Err(Reason::Expired) }
}

/// Freshness of a 200 that arrives at once, by the origin's fields alone.
#[track_caller]
fn check(lines: &[(&str, &str)], expected: Result<(u64, u64), Reason>) {
    let expected =
        expected.map(|(initial_age, lifetime)| Freshness { initial_age: secs(initial_age), lifetime: secs(lifetime) });
    assert_eq!(of(&Rules::ORIGIN_DECIDES, 200, Duration::ZERO, lines), expected, "{lines:?}");
}

/// Whether a 200 with these fields, to a request with a cookie, is fresh for a while.
#[track_caller]
fn check_cookie(sharing: Sharing, lines: &[(&str, &str)], expected: Result<(), Reason>) {
    let exchange = Exchange {
        method: "GET",
        request: &Lines::new(&[("cookie", "session=alice")]),
        status: 200,
        response: &Lines::new(lines),
        sharing,
        rules: &Rules::new(secs(60), false).unwrap(),
        request_time: SENT,
        response_time: SENT,
        random: 0,
    };
    assert_eq!(freshness(&exchange, &Policy::read(exchange.response).unwrap()).map(|_| ()), expected, "{lines:?}");
}

#[test]
fn what_a_silent_origin_made_for_a_visitor_is_not_for_all() {
    check_cookie(Sharing::Everyone, &[], Err(Reason::Cookie));
    check_cookie(Sharing::Partition, &[], Ok(()));
    check_cookie(Sharing::Everyone, &[("cache-control", "public")], Ok(()));
    check_cookie(Sharing::Everyone, &[("cache-control", "max-age=60")], Ok(()));
}

fn at(offset: i64) -> String {
    date_field(SENT.as_secs().checked_add_signed(offset).unwrap())
}

#[test]
fn the_first_match_of_rfc_9111_section_4_2_1() {
    let (past, future, now) = (at(-10), at(600), at(0));
    check(&[("Cache-Control", "max-age=60, s-maxage=120"), ("Expires", &future)], Ok((0, 120)));
    check(&[("Cache-Control", "s-maxage=60, max-age=120")], Ok((0, 60)));
    check(&[("Cache-Control", "max-age=60"), ("Expires", &past)], Ok((0, 60)));
    check(&[("Cache-Control", "max-age=60"), ("Expires", "0")], Ok((0, 60)));
    check(&[("Cache-Control", "max-age=0, s-maxage=60"), ("Expires", &past)], Ok((0, 60)));
    check(&[("Cache-Control", "public"), ("Expires", &future), ("Date", &now)], Ok((0, 600)));
    check(&[("Expires", &future), ("Date", &now)], Ok((0, 600)));
    check(&[], Err(Reason::NoFreshness));
    check(&[("Cache-Control", "public")], Err(Reason::NoFreshness));
    check(&[("Cache-Control", "max-age=0"), ("Expires", &future)], Err(Reason::Expired));
    check(&[("Cache-Control", "max-age=x"), ("Expires", &future)], Err(Reason::Expired));
    check(&[("Cache-Control", "s-maxage=0, max-age=60")], Err(Reason::Expired));
}

#[test]
fn expires_counts_from_date_by_rfc_9111_section_4_2_1() {
    check(&[("Expires", &at(300)), ("Date", &at(400))], Err(Reason::Expired));
    check(&[("Expires", &at(300)), ("Date", &at(300))], Err(Reason::Expired));
    check(&[("Expires", &at(301)), ("Date", &at(300))], Ok((0, 1)));
    check(&[("Expires", &at(-200)), ("Date", &at(-300))], Ok((0, 100)));
    check(&[("Expires", &at(10)), ("Date", "foo")], Ok((0, 10)));
    check(&[("Expires", &at(10))], Ok((0, 10)));
    check(&[("Expires", "Sun, 21 Nov 2286 04:46:39 GMT")], Ok((0, 2_147_483_648)));
}

#[test]
fn an_invalid_expires_is_in_the_past_by_rfc_9111_section_5_3() {
    let future = at(600);
    for value in ["0", "-1", "", "Thu, 18 Aug 2050 02:01:18 UTC", &format!("{future}, {future}")] {
        check(&[("Expires", value)], Err(Reason::Expired));
    }
}

#[test]
fn a_targeted_field_silences_cache_control_and_expires_by_rfc_9213_section_2_2() {
    let future = at(600);
    check(&[("CDN-Cache-Control", "max-age=5"), ("Cache-Control", "max-age=60"), ("Expires", &future)], Ok((0, 5)));
    check(
        &[("CDN-Cache-Control", "none"), ("Cache-Control", "max-age=60"), ("Expires", &future)],
        Err(Reason::NoFreshness),
    );
    check(&[("CDN-Cache-Control", "max-age=0"), ("Cache-Control", "max-age=60")], Err(Reason::Expired));
    check(&[("CDN-Cache-Control", "max-age=\"60\""), ("Cache-Control", "max-age=60")], Err(Reason::Expired));
    check(&[("CDN-Cache-Control", "&"), ("Expires", &future)], Ok((0, 600)));
}

#[test]
fn age_is_read_by_rfc_9111_section_5_1() {
    let max_age = ("Cache-Control", "max-age=3600");
    for (age, expected) in [
        ("0", Ok((0, 3600))),
        ("3599", Ok((3599, 3600))),
        ("3600", Err(Reason::Expired)),
        ("2147483649", Err(Reason::Expired)),
        ("99999999999999999999", Err(Reason::Expired)),
        ("7200, 0", Err(Reason::Expired)),
        ("0, 7200", Ok((0, 3600))),
        ("abc", Ok((0, 3600))),
        ("abc, 7200", Ok((0, 3600))),
        ("-7200", Ok((0, 3600))),
        ("7200.0", Ok((0, 3600))),
        ("7200;foo=bar", Ok((0, 3600))),
        ("", Ok((0, 3600))),
    ] {
        check(&[max_age, ("Age", age)], expected);
    }
    check(&[max_age, ("Age", "7200"), ("Age", "0")], Err(Reason::Expired));
}

#[test]
fn the_delay_of_the_response_counts_as_age_by_rfc_9111_section_4_2_3() {
    for (delay, age, expected) in [(0, "0", Ok(0)), (4, "5", Ok(9)), (59, "0", Ok(59)), (60, "0", Err(Reason::Expired))]
    {
        let found = of(&Rules::ORIGIN_DECIDES, 200, secs(delay), &[("Cache-Control", "max-age=60"), ("Age", age)]);
        assert_eq!(found.map(|found| found.initial_age), expected.map(secs), "{delay} {age}");
    }
}

#[test]
fn the_apparent_age_counts_behind_an_http_1_0_hop_by_rfc_9111_section_4_2_3() {
    let (max_age, date) = (("Cache-Control", "max-age=60"), at(-40));
    check(&[max_age, ("Date", &date)], Ok((0, 60)));
    check(&[max_age, ("Date", &date), ("Via", "1.1 a, HTTP/1.1 b, 2 c")], Ok((0, 60)));
    check(&[max_age, ("Date", &date), ("Via", "1.1 a, 1.0 b")], Ok((40, 60)));
    check(&[max_age, ("Date", &date), ("Via", "http/1.0 b (x)")], Ok((40, 60)));
    check(&[max_age, ("Date", &date), ("Via", "1.0 b"), ("Age", "50")], Ok((50, 60)));
    check(&[max_age, ("Date", &at(40)), ("Via", "1.0 b")], Ok((0, 60)));
    check(&[max_age, ("Date", "foo"), ("Via", "1.0 b")], Ok((0, 60)));
    check(&[max_age, ("Date", &at(-60)), ("Via", "1.0 b")], Err(Reason::Expired));
}

#[test]
fn a_configured_ttl_serves_where_the_origin_is_silent() {
    let rules = Rules::new(secs(30), false).unwrap();
    let check = |status, lines: &[(&str, &str)], expected: Result<u64, Reason>| {
        assert_eq!(
            of(&rules, status, Duration::ZERO, lines).map(|found| found.lifetime),
            expected.map(secs),
            "{status} {lines:?}"
        );
    };
    for status in [200, 203, 204, 300, 301, 308] {
        check(status, &[], Ok(30));
    }
    for status in [201, 202, 302, 303, 307, 400, 401, 403, 405, 414, 429, 500, 501, 502, 503, 504, 599] {
        check(status, &[], Err(Reason::NoFreshness));
        check(status, &[("Cache-Control", "max-age=5")], Ok(5));
    }
    // RFC 9111, section 4.2.2: `public` makes any response heuristically cacheable; no 5xx here.
    check(302, &[("Cache-Control", "public")], Ok(30));
    check(500, &[("Cache-Control", "public")], Err(Reason::NoFreshness));
    // The origin is not silent.
    check(200, &[("Cache-Control", "max-age=5")], Ok(5));
    check(200, &[("Cache-Control", "max-age=0")], Err(Reason::Expired));
    check(200, &[("Expires", "0")], Err(Reason::Expired));
    check(200, &[("Pragma", "no-cache")], Err(Reason::NoCache));
    // It is silent about this cache.
    check(200, &[("Cache-Control", "must-revalidate")], Ok(30));
    check(200, &[("CDN-Cache-Control", "none"), ("Expires", "0"), ("Pragma", "no-cache")], Ok(30));
    check(200, &[("Pragma", "x")], Ok(30));
}

#[test]
fn override_replaces_the_lifetime_of_the_origin() {
    let rules = Rules::new(secs(30), true).unwrap();
    let check = |status, lines: &[(&str, &str)], expected: Result<u64, Reason>| {
        assert_eq!(
            of(&rules, status, Duration::ZERO, lines).map(|found| found.lifetime),
            expected.map(secs),
            "{status} {lines:?}"
        );
    };
    check(200, &[], Ok(30));
    for field in ["max-age=5", "max-age=5000", "max-age=0", "s-maxage=0, max-age=9", "max-age=x"] {
        check(200, &[("Cache-Control", field)], Ok(30));
    }
    check(200, &[("Expires", "0"), ("Pragma", "no-cache")], Ok(30));
    check(200, &[("CDN-Cache-Control", "max-age=0")], Ok(30));
    // A status that the ttl does not cover keeps what the origin says.
    check(500, &[("Cache-Control", "max-age=5")], Ok(5));
    check(500, &[], Err(Reason::NoFreshness));
}

#[test]
fn a_configured_ttl_counts_from_arrival() {
    for override_origin in [false, true] {
        let rules = Rules::new(secs(30), override_origin).unwrap();
        let found = of(&rules, 200, secs(40), &[("Age", "7200")]);
        assert_eq!(found, Ok(Freshness { initial_age: secs(7240), lifetime: secs(7270) }));
    }
}

#[test]
fn rules_refuse_a_lifetime_of_zero_or_beyond_http() {
    assert_eq!(Rules::new(Duration::ZERO, true), Err(InvalidRules::ZeroTtl));
    assert!(Rules::new(Duration::from_nanos(1), true).is_ok());
    assert!(Rules::new(secs(2_147_483_648), false).is_ok());
    assert_eq!(Rules::new(secs(2_147_483_648) + Duration::from_nanos(1), false), Err(InvalidRules::TtlTooLong));
    assert!(InvalidRules::ZeroTtl.to_string().contains("zero"));
}

proptest! {
    #[test]
    fn what_is_kept_is_fresh_on_arrival_and_nothing_panics(
        cache_control in "(max-age|s-maxage)=[0-9a-z]{0,12}",
        age in ".{0,12}",
        expires in "[A-Za-z0-9:, ]{0,30}",
        date in "[A-Za-z0-9:, ]{0,30}",
        via in "[0-9./a-zA-Z, ]{0,12}",
        delay in 0u64..100_000,
        status in 200u16..600,
    ) {
        let policy = ("Cache-Control", &*cache_control);
        let lines = [policy, ("Age", &age), ("Expires", &expires), ("Date", &date), ("Via", &via)];
        let configured = [false, true].map(|wins| Rules::new(secs(30), wins).unwrap());
        for rules in configured.into_iter().chain([Rules::ORIGIN_DECIDES]) {
            if let Ok(found) = of(&rules, status, secs(delay), &lines) {
                prop_assert!(found.lifetime > found.initial_age);
            }
        }
    }
}

#[test]
fn a_heuristic_lifetime_is_a_part_of_the_age_by_rfc_9111_section_4_2_2() {
    let ten_percent = Heuristic::new(10, secs(86_400)).unwrap();
    #[track_caller]
    fn check(heuristic: Heuristic, status: u16, lines: &[(&str, &str)], expected: Result<u64, Reason>) {
        let rules = Rules::ORIGIN_DECIDES.with_heuristic(heuristic);
        let found = of(&rules, status, Duration::ZERO, lines).map(|found| found.lifetime);
        assert_eq!(found, expected.map(secs), "{status} {lines:?}");
    }
    let modified = |ago: i64| ("Last-Modified", at(-ago));
    let hundred = modified(100);
    let hundred = (hundred.0, &*hundred.1);
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        check(ten_percent, status, &[hundred], Ok(10));
    }
    for status in [201, 202, 302, 400, 403, 500, 502, 503, 504, 599] {
        check(ten_percent, status, &[hundred], Err(Reason::NoFreshness));
        check(ten_percent, status, &[hundred, ("Cache-Control", "public")], Ok(10));
    }
    // Nothing to go by, nothing that is left of it, and the bound.
    check(ten_percent, 200, &[], Err(Reason::NoFreshness));
    check(ten_percent, 200, &[("Last-Modified", "yesterday")], Err(Reason::NoFreshness));
    check(ten_percent, 200, &[("Last-Modified", &at(-9))], Err(Reason::NoFreshness));
    check(ten_percent, 200, &[("Last-Modified", &at(100))], Err(Reason::NoFreshness));
    check(ten_percent, 200, &[("Last-Modified", &at(-864_001))], Ok(86_400));
    check(Heuristic::new(100, secs(1)).unwrap(), 200, &[hundred], Ok(1));
    // The Date counts, where there is one.
    check(ten_percent, 200, &[hundred, ("Date", &at(100))], Ok(20));
    // What the origin states goes before it.
    check(ten_percent, 200, &[hundred, ("Cache-Control", "max-age=3")], Ok(3));
    check(ten_percent, 200, &[hundred, ("Cache-Control", "max-age=0")], Err(Reason::Expired));
    check(ten_percent, 200, &[hundred, ("Expires", "0")], Err(Reason::Expired));
    check(ten_percent, 200, &[hundred, ("Pragma", "no-cache")], Err(Reason::NoCache));
}

#[test]
fn a_heuristic_is_one_to_a_hundred_percent_of_something() {
    for (percent, at_most, expected) in [
        (1, 1, None),
        (100, 2_147_483_648, None),
        (0, 1, Some(InvalidRules::Percent)),
        (101, 1, Some(InvalidRules::Percent)),
        (10, 0, Some(InvalidRules::ZeroTtl)),
        (10, 2_147_483_649, Some(InvalidRules::TtlTooLong)),
    ] {
        assert_eq!(Heuristic::new(percent, secs(at_most)).err(), expected, "{percent} {at_most}");
    }
}

#[test]
fn not_found_has_a_lifetime_of_its_own() {
    let minute = Rules::new(secs(60), false).unwrap();
    let second = Rules::new(secs(1), false).unwrap();
    let negative = minute.clone().with_negative_ttl(secs(90)).unwrap();
    let alone = Rules::ORIGIN_DECIDES.with_negative_ttl(secs(5)).unwrap();
    let check = |rules: &Rules, status, control: &str, expected: Result<u64, Reason>| {
        let found = of(rules, status, Duration::ZERO, &[("Cache-Control", control)]);
        assert_eq!(found.map(|found| found.lifetime), expected.map(secs), "{rules:?} {status} {control}");
    };
    for status in [404, 410] {
        check(&minute, status, "", Ok(10));
        check(&second, status, "", Ok(1));
        check(&negative, status, "", Ok(90));
        check(&alone, status, "", Ok(5));
        check(&negative, status, "max-age=7", Ok(7));
        check(&Rules::ORIGIN_DECIDES, status, "", Err(Reason::NoFreshness));
    }
    check(&minute, 403, "", Err(Reason::NoFreshness));
    check(&minute, 403, "public", Ok(10));
    check(&negative, 200, "", Ok(60));
    check(&negative, 500, "public", Err(Reason::NoFreshness));
    check(&alone, 200, "", Err(Reason::NoFreshness));
    // What the operator puts in place of the origin's word.
    let own = Rules::new(secs(60), true).unwrap().with_negative_ttl(secs(5)).unwrap();
    check(&own, 404, "max-age=600", Ok(5));
    check(&own, 200, "max-age=600", Ok(60));
}

#[test]
fn jitter_shortens_lifetimes_that_no_origin_states_and_no_others() {
    let rules = Rules::new(secs(100), false).unwrap().with_jitter(10).unwrap();
    let rules = rules.with_heuristic(Heuristic::new(10, secs(1_000)).unwrap());
    let lifetime = |random, lines: &[(&str, &str)]| {
        let response = Lines::new(lines);
        let (status, sharing) = (200, Sharing::Everyone);
        let (request_time, response_time) = (SENT, SENT);
        let request = Lines::default();
        let method = "GET";
        let exchange = Exchange {
            method,
            request: &request,
            status,
            response: &response,
            sharing,
            rules: &rules,
            request_time,
            response_time,
            random,
        };
        freshness(&exchange, &Policy::read(&response).unwrap()).unwrap().lifetime
    };
    let modified = at(-5_000);
    for (random, ttl, heuristic) in
        [(0, 100_000, 500_000), (u64::MAX / 2, 95_001, 475_001), (u64::MAX, 90_001, 450_001)]
    {
        assert_eq!(lifetime(random, &[]), Duration::from_millis(ttl), "{random}");
        assert_eq!(lifetime(random, &[("Last-Modified", &modified)]), Duration::from_millis(heuristic), "{random}");
        assert_eq!(lifetime(random, &[("Cache-Control", "max-age=100")]), secs(100), "{random}");
    }
    assert_eq!(Rules::new(secs(1), false).unwrap().with_jitter(51), Err(InvalidRules::Jitter));
}
