#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::algorithm::Algorithm;

const NOW: u64 = 1_700_000_000;
const LEEWAY: u64 = 60;

fn policy(audience: &[&str]) -> Policy {
    let audience = audience.iter().map(|name| (*name).to_owned()).collect();
    Policy::new("us".to_owned(), audience, vec![Algorithm::Es256], Duration::from_secs(LEEWAY)).unwrap()
}

fn parse(text: &str) -> Result<Claims, Rejection> {
    Claims::parse(text.as_bytes(), &policy(&["api", "web"]), Duration::from_secs(NOW))
}

/// Good claims with one member set to the JSON `value`, or removed where `value` is empty.
fn with(name: &str, value: &str) -> Result<Claims, Rejection> {
    let mut members = json!({ "iss": "us", "aud": "api", "exp": NOW + 1 });
    members.as_object_mut().unwrap().remove(name);
    let text = members.to_string();
    let text = if value.is_empty() { text } else { text.replacen('{', &format!("{{\"{name}\":{value},"), 1) };
    parse(&text)
}

#[track_caller]
fn check(name: &str, value: &str, expected: Result<(), Rejection>) {
    assert_eq!(with(name, value).map(|_| ()), expected, "{name}: {value}");
}

#[test]
fn the_issuer_is_the_policys() {
    check("iss", r#""us""#, Ok(()));
    for other in ["", r#""them""#, r#""US""#, r#""us/""#, r#""""#] {
        check("iss", other, Err(Rejection::IssuerMismatch));
    }
    for malformed in ["1", "null", r#"["us"]"#] {
        check("iss", malformed, Err(Rejection::ClaimsMalformed));
    }
}

#[test]
fn the_audience_names_us() {
    for ours in [r#""api""#, r#""web""#, r#"["api"]"#, r#"["other","web"]"#] {
        check("aud", ours, Ok(()));
    }
    for other in ["", r#""other""#, r#""API""#, r#""api ""#, r#""api,web""#, "[]", r#"["other"]"#, r#""""#] {
        check("aud", other, Err(Rejection::AudienceMismatch));
    }
    for malformed in ["1", "null", "{}", r#"["api",1]"#, r#"[["api"]]"#] {
        check("aud", malformed, Err(Rejection::ClaimsMalformed));
    }
}

#[test]
fn without_an_audience_of_ours_a_token_for_others_is_refused() {
    let read = |text: &str| Claims::parse(text.as_bytes(), &policy(&[]), Duration::ZERO).map(|_| ());
    assert_eq!(read(r#"{"iss":"us","exp":1}"#), Ok(()));
    assert_eq!(read(r#"{"iss":"us","exp":1,"aud":"other"}"#), Err(Rejection::AudienceMismatch));
    assert_eq!(read(r#"{"iss":"us","exp":1,"aud":[]}"#), Err(Rejection::AudienceMismatch));
}

#[test]
fn a_token_expires_with_its_second_after_the_leeway() {
    for (expiry, expected) in [
        ("1699999941", Ok(())),
        ("1699999940", Err(Rejection::TokenExpired)),
        ("1699999940.5", Ok(())),
        ("1699999939.5", Err(Rejection::TokenExpired)),
        ("0", Err(Rejection::TokenExpired)),
        ("-1", Err(Rejection::TokenExpired)),
        ("-1e300", Err(Rejection::TokenExpired)),
        ("-9223372036854775808", Err(Rejection::TokenExpired)),
        ("18446744073709551615", Ok(())),
        ("18446744073709551616", Ok(())),
        ("1e300", Ok(())),
        ("1.7e9", Ok(())),
    ] {
        check("exp", expiry, expected);
    }
    check("exp", "", Err(Rejection::ExpiryMissing));
    for malformed in [r#""1700000001""#, "null", "true", "[1700000001]", "{}", "1e999"] {
        check("exp", malformed, Err(Rejection::ClaimsMalformed));
    }
}

#[test]
fn a_token_is_not_used_before_its_time() {
    for (name, rejection) in [("nbf", Rejection::TokenNotYetValid), ("iat", Rejection::TokenIssuedInFuture)] {
        for accepted in ["1700000060", "1700000060.0", "1", "0", "-5", "-0.5", "-1e300", ""] {
            check(name, accepted, Ok(()));
        }
        for refused in ["1700000061", "1700000060.5", "18446744073709551615", "1e300"] {
            check(name, refused, Err(rejection));
        }
        for malformed in [r#""1""#, "null", "false", "[]"] {
            check(name, malformed, Err(Rejection::ClaimsMalformed));
        }
    }
}

#[test]
fn the_subject_and_the_token_id_are_text() {
    for name in ["sub", "jti"] {
        check(name, r#""5""#, Ok(()));
        for malformed in ["5", "null", "[]"] {
            check(name, malformed, Err(Rejection::ClaimsMalformed));
        }
    }
}

#[test]
fn a_claim_given_twice_is_refused() {
    let good = r#""iss":"us","aud":"api","exp":1700000001"#;
    assert!(parse(&format!("{{{good}}}")).is_ok());
    for text in ["", "[]", "null", "It is a dangerous business", r#"{"a":1"#] {
        assert_eq!(parse(text), Err(Rejection::ClaimsMalformed), "{text}");
    }
    for more in [r#""sub":"a","sub":"a""#, r#""exp":1"#, r#""x":{"a":1,"a":2}"#] {
        assert_eq!(parse(&format!("{{{good},{more}}}")), Err(Rejection::ClaimsMalformed), "{more}");
    }
}

#[test]
fn two_tokens_that_say_the_same_have_one_fingerprint_and_any_other_two_have_not() {
    let plain = with("sub", r#""alice""#).unwrap();
    for (name, value) in [("iat", "1"), ("nbf", "1"), ("jti", r#""7""#), ("exp", "1700000099")] {
        let text = format!(r#"{{"iss":"us","aud":"api","exp":1700000001,"sub":"alice","{name}":{value}}}"#);
        let text = if name == "exp" { text.replace(r#""exp":1700000001,"#, "") } else { text };
        assert_eq!(parse(&text).unwrap().fingerprint(), plain.fingerprint(), "{name}");
    }
    let mut seen = vec![plain.fingerprint().to_owned()];
    for (name, value) in [
        ("sub", r#""bob""#),
        ("aud", r#"["api"]"#),
        ("org", r#""a""#),
        ("org", r#""b""#),
        ("org", r#""a\n\"x\":1""#),
        ("org", r#"["a"]"#),
        ("scope", r#""read""#),
        ("roles", r#"["a","b"]"#),
    ] {
        let other = with(name, value).unwrap().fingerprint().to_owned();
        assert!(!seen.contains(&other), "{name} = {value}");
        seen.push(other);
    }
}

#[test]
fn times_are_told() {
    let claims = with("exp", "1700000001.25").unwrap();
    assert_eq!(claims.expires_at(), Duration::from_millis(1_700_000_001_250));
    assert_eq!(claims.valid_until(), Duration::from_millis(1_700_000_061_250));
    assert_eq!(with("exp", "1e300").unwrap().valid_until(), Duration::MAX);
    assert_eq!(claims.issuer(), "us");
    assert_eq!(claims.subject(), None);
    assert_eq!(with("sub", r#""alice""#).unwrap().subject(), Some("alice"));
}

#[track_caller]
fn check_text(value: &str, name: &str, text: Option<&str>, header_value: Option<&str>) {
    let claims = with("c", value).unwrap();
    assert_eq!(claims.text(name).as_deref(), text, "text of {name} in {value}");
    assert_eq!(claims.header_value(name).as_deref(), header_value, "header value of {name} in {value}");
}

#[test]
fn scalar_claims_are_text() {
    check_text(r#""a-b@c""#, "c", Some("a-b@c"), Some("a-b@c"));
    check_text("7", "c", Some("7"), Some("7"));
    check_text("-1.5", "c", Some("-1.5"), Some("-1.5"));
    check_text("true", "c", Some("true"), Some("true"));
    check_text(r#""""#, "c", Some(""), Some(""));
    check_text("null", "c", None, None);
    check_text("{}", "c", None, None);
    check_text("1", "d", None, None);
    check_text("1", "", None, None);
    check_text("1", ".", None, None);
    check_text("1", "c.", None, None);
}

#[test]
fn a_dotted_name_is_a_claim_or_else_a_path() {
    check_text(r#"{"a":{"b":"x"}}"#, "c.a.b", Some("x"), Some("x"));
    check_text(r#"{"a.b":"y","a":{"b":"x"}}"#, "c.a.b", Some("y"), Some("y"));
    check_text(r#"{"a":"x"},"c.a":"y""#, "c.a", Some("y"), Some("y"));
    check_text(
        r#"1,"https://example.com/app":{"org":"acme"}"#,
        "https://example.com/app.org",
        Some("acme"),
        Some("acme"),
    );
    check_text(r#"{"a.b":"x"},"c.a":{"b":"y"}"#, "c.a.b", Some("y"), Some("y"));
    check_text(r#"{"a":"x"}"#, "c.a.b", None, None);
    check_text(r#"["x"]"#, "c.0", None, None);
    check_text(r#"{"":"x"}"#, "c.", Some("x"), Some("x"));
}

#[test]
fn a_header_value_cannot_leave_its_field() {
    check_text(r#""a\r\nX-Admin: 1""#, "c", Some("a\r\nX-Admin: 1"), Some("a%0D%0AX-Admin:%201"));
    check_text(r#""a,b""#, "c", Some("a,b"), Some("a%2Cb"));
    check_text(r#""100%""#, "c", Some("100%"), Some("100%25"));
    check_text(r#""Zoë\u0000\u007f""#, "c", Some("Zoë\0\u{7f}"), Some("Zo%C3%AB%00%7F"));
    check_text(r#"["a","b,c",1]"#, "c", None, Some("a,b%2Cc,1"));
    check_text("[]", "c", None, None);
    check_text(r#"["a",["b"]]"#, "c", None, None);
    check_text(r#"["a",null]"#, "c", None, None);
}

#[track_caller]
fn check_scopes(name: &str, value: &str, expected: &[&str]) {
    assert_eq!(with(name, value).unwrap().scopes().collect::<Vec<_>>(), expected, "{name}: {value}");
}

#[test]
fn scopes_are_text_or_an_array() {
    for name in ["scope", "scp"] {
        check_scopes(name, r#""read  write ""#, &["read", "write"]);
        check_scopes(name, r#"["read","write"]"#, &["read", "write"]);
        check_scopes(name, r#"["read",1]"#, &["read"]);
        for none in ["", "null", "1", r#""""#, "{}", r#"{"read":true}"#] {
            check_scopes(name, none, &[]);
        }
    }
    check_scopes("scope", r#""read","scp":"write""#, &["read"]);
    check_scopes("scope", r#""","scp":"write""#, &[]);
}

#[test]
fn the_first_missing_scope_is_named() {
    let claims = with("scope", r#""read write""#).unwrap();
    let required = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(claims.missing_scope(&[]), None);
    assert_eq!(claims.missing_scope(&required(&["write", "read"])), None);
    assert_eq!(claims.missing_scope(&required(&["read", "admin", "root"])), Some("admin"));
    assert_eq!(claims.missing_scope(&required(&["READ"])), Some("READ"));
    assert_eq!(claims.missing_scope(&required(&["rea"])), Some("rea"));
    assert_eq!(claims.missing_scope(&required(&["read write"])), Some("read write"));
}

#[test]
fn nothing_personal_is_printed() {
    let printed = format!("{:?}", with("sub", r#""alice""#).unwrap());
    assert!(printed.contains("us") && !printed.contains("alice"), "{printed}");
}

/// What an origin does with a header value.
fn decoded(header_value: &str) -> Vec<String> {
    let decode = |piece: &str| {
        let mut bytes = Vec::new();
        let mut rest = piece.as_bytes();
        while let [first, tail @ ..] = rest {
            let encoded = tail.first_chunk::<2>().filter(|_| *first == b'%');
            bytes.push(
                encoded.map_or(*first, |digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()),
            );
            rest = if encoded.is_some() { &tail[2..] } else { tail };
        }
        String::from_utf8(bytes).unwrap()
    };
    header_value.split(',').map(decode).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), value in any::<String>(), name in "[a-c.]{0,8}") {
        let _ = Claims::parse(&bytes, &policy(&["api"]), Duration::from_secs(NOW));
        for claim in ["iss", "aud", "exp", "nbf", "iat", "sub", "scope", "a", "a.b", "c"] {
            let _ = with(claim, &value);
            let _ = with(claim, &json!({ "a": { "b": value } }).to_string()).map(|claims| (claims.text(&name), claims.header_value(&name)));
        }
    }

    #[test]
    fn a_header_value_is_visible_ascii_and_can_be_read_back(values in proptest::collection::vec(any::<String>(), 1..4)) {
        let claims = with("c", &json!(values).to_string()).unwrap();
        let header_value = claims.header_value("c").unwrap();
        prop_assert!(header_value.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        prop_assert_eq!(decoded(&header_value), values);
    }

    #[test]
    fn a_token_is_in_force_from_not_before_to_expiry_and_a_leeway_around(
        not_before in 0_u64..3_000,
        expiry in 0_u64..3_000,
        now in 0_u64..3_000,
    ) {
        let text = json!({ "iss": "us", "aud": "api", "exp": expiry, "nbf": not_before }).to_string();
        let in_force = Claims::parse(text.as_bytes(), &policy(&["api"]), Duration::from_secs(now)).is_ok();
        prop_assert_eq!(in_force, now < expiry + LEEWAY && not_before <= now + LEEWAY);
    }
}
