//! Where a token stands in a request, and the comparison of secrets.

use std::hint::black_box;

use crate::rejection::Rejection;

/// Reads the token of an `Authorization` field (RFC 6750, section 2.1).
///
/// # Errors
/// [`Rejection::TokenMissing`] when the field is empty or of another scheme, [`Rejection::AuthorizationMalformed`] when the
/// scheme is Bearer and anything but one token follows.
pub fn bearer(authorization: &str) -> Result<&str, Rejection> {
    let token = presented(authorization)?;
    if is_b64token(token) { Ok(token) } else { Err(Rejection::AuthorizationMalformed) }
}

/// What follows the scheme Bearer in an `Authorization` field, whether or not it is a token: enough to find one again that
/// [`bearer`] has read before.
///
/// # Errors
/// [`Rejection::TokenMissing`] when the field is empty or of another scheme.
pub fn presented(authorization: &str) -> Result<&str, Rejection> {
    let credentials = authorization.trim_matches([' ', '\t']);
    let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
    // RFC 9110, section 11.1: the scheme is case-insensitive.
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Rejection::TokenMissing);
    }
    Ok(token.trim_start_matches(' '))
}

/// Reads the cookie called `name` from a `Cookie` field (RFC 6265, section 4.2.1). Names are case-sensitive.
///
/// An empty value is no cookie: it is what remains of a deleted one.
///
/// # Errors
/// [`Rejection::CookieRepeated`] when two cookies have the name. Another site under the same domain can set a cookie that a
/// browser sends beside ours, and which of the two comes first is for that site to choose.
pub fn cookie<'a>(cookie_header: &'a str, name: &str) -> Result<Option<&'a str>, Rejection> {
    let mut named = cookie_header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(cookie_name, _)| cookie_name.trim_matches([' ', '\t']) == name)
        .map(|(_, value)| unquoted(value.trim_matches([' ', '\t'])));
    let value = named.next();
    if named.next().is_some() {
        return Err(Rejection::CookieRepeated);
    }
    Ok(value.filter(|value| !value.is_empty()))
}

/// Compares a presented secret with the expected one, in a time that depends on the length of what was presented only.
///
/// With an early exit, the time of the answer tells an attacker how many leading bytes were right.
pub fn constant_time_eq(presented: &[u8], expected: &[u8]) -> bool {
    let mut difference = u8::from(presented.len() != expected.len());
    for (index, byte) in presented.iter().enumerate() {
        // The barrier keeps the compiler from leaving the loop once the outcome is known.
        difference = black_box(difference | (byte ^ expected.get(index).copied().unwrap_or(0)));
    }
    difference == 0
}

/// RFC 6750, section 2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// RFC 6265, section 4.1.1: a cookie-value may stand between double quotes.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bearer_token_is_read_in_every_spelling_of_the_scheme() {
        for field in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER   a.b-c_d", " Bearer a.b-c_d\t"] {
            assert_eq!(bearer(field), Ok("a.b-c_d"), "{field:?}");
        }
        assert_eq!(bearer("Bearer AbC~+/9=="), Ok("AbC~+/9=="));
    }

    #[test]
    fn another_scheme_is_no_token() {
        for field in
            ["", " ", "Basic dTpw", "BearerX a", "Bearer\ta", "a.b.c", "Digest a, Bearer b", "DPoP a", "Béarer a"]
        {
            assert_eq!(bearer(field), Err(Rejection::TokenMissing), "{field:?}");
        }
    }

    #[test]
    fn a_malformed_bearer_field_is_refused() {
        for field in [
            "Bearer",
            "Bearer ",
            "Bearer =",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer a=b",
            "Bearer \"a\"",
            "Bearer é",
            "Bearer a\0",
        ] {
            assert_eq!(bearer(field), Err(Rejection::AuthorizationMalformed), "{field:?}");
        }
    }

    #[track_caller]
    fn check(field: &str, expected: Result<Option<&str>, Rejection>) {
        assert_eq!(cookie(field, "token"), expected, "{field:?}");
    }

    #[test]
    fn one_cookie_of_the_name_is_read() {
        check("token=a.b.c", Ok(Some("a.b.c")));
        check("x=1; token=a=b; y=2", Ok(Some("a=b")));
        check("x=1;token = \"a\" ;", Ok(Some("a")));
        check("token=\"", Ok(Some("\"")));
        for none in ["", ";", "=a", "token", "Token=a", "xtoken=a", "token2=a", "x=token=a", "token=", "token=\"\""] {
            check(none, Ok(None));
        }
    }

    #[test]
    fn two_cookies_of_the_name_are_refused() {
        for field in ["token=a; token=b", "token=a; token=a", "token=; token=a", "token=a; x=1; token =b"] {
            check(field, Err(Rejection::CookieRepeated));
        }
    }

    #[test]
    fn secrets_are_equal_byte_for_byte() {
        for (presented, expected, equal) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("", "a", false),
            ("a\0", "a", false),
        ] {
            assert_eq!(
                constant_time_eq(presented.as_bytes(), expected.as_bytes()),
                equal,
                "{presented:?} {expected:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_field_makes_them_panic(field in any::<String>(), name in any::<String>()) {
            let _ = bearer(&field);
            let _ = bearer(&format!("Bearer {field}"));
            let _ = cookie(&field, &name);
            let _ = cookie(&format!("{name}={field}"), &name);
        }

        #[test]
        fn what_was_read_was_written(token in "[A-Za-z0-9._~+/-]{1,40}={0,2}", name in "[A-Za-z0-9_-]{1,10}") {
            let field = format!("Bearer {token}");
            prop_assert_eq!(bearer(&field), Ok(token.as_str()));
            let field = format!("{name}_=0; {name}={token}");
            prop_assert_eq!(cookie(&field, &name), Ok(Some(token.as_str())));
        }

        #[test]
        fn comparison_agrees_with_equality(left in proptest::collection::vec(0_u8..3, 0..5), right in proptest::collection::vec(0_u8..3, 0..5)) {
            prop_assert_eq!(constant_time_eq(&left, &right), left == right);
        }
    }
}
