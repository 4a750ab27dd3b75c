//! The JOSE header (RFC 7515, section 4).

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json;
use crate::rejection::Rejection;

/// What the header says that matters: how the token is signed, and with which key.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
}

impl Header {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let members = json::object(text).ok_or(Rejection::HeaderMalformed)?;
        // RFC 7515, section 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by
        // the recipient, then the JWS is invalid." None is understood here, and an empty list is invalid as well. `b64`
        // (RFC 7797) would change what is signed; `zip` means something in encrypted tokens only.
        if ["crit", "b64", "zip"].into_iter().any(|name| members.contains_key(name)) {
            return Err(Rejection::HeaderUnsupported);
        }
        let algorithm = match text_member(&members, "alg")?.ok_or(Rejection::HeaderMalformed)? {
            // RFC 8725, section 3.2. Other spellings of it are unknown algorithms.
            "none" => return Err(Rejection::TokenUnsecured),
            name => name.parse().map_err(|_| Rejection::AlgorithmUnknown)?,
        };
        if text_member(&members, "typ")?.is_some_and(|name| !is_access_token(name)) {
            return Err(Rejection::TypeNotAccepted);
        }
        let key_id = text_member(&members, "kid")?.map(str::to_owned);
        Ok(Self { algorithm, key_id })
    }
}

/// RFC 8725, section 3.11: a type such as `logout+jwt`, `dpop+jwt` or `secevent+jwt` says that the token, signed with the same
/// key as it may be, is meant for something else. Access tokens are typed `at+jwt` (RFC 9068, section 2.1), and many are
/// typed no further than `JWT`.
fn is_access_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // RFC 7515, section 4.1.9: `application/` may be left out, and types are compared without regard to case.
    let subtype = name.strip_prefix("application/").unwrap_or(&name);
    !subtype.ends_with("+jwt") || subtype == "at+jwt"
}

fn text_member<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, Rejection> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejection::HeaderMalformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Algorithm, Option<&str>), Rejection>) {
        let header = Header::parse(text.as_bytes());
        let read =
            header.as_ref().map(|header| (header.algorithm, header.key_id.as_deref())).map_err(|rejection| *rejection);
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn the_algorithm_is_required_and_the_key_optional() {
        check(r#"{"alg":"ES256"}"#, Ok((Algorithm::Es256, None)));
        check(r#"{"alg":"RS256","kid":"k","typ":"JWT","cty":"x","x5t":"x"}"#, Ok((Algorithm::Rs256, Some("k"))));
        check(r#"{"alg":"Ed25519","kid":""}"#, Ok((Algorithm::EdDsa, Some(""))));
        for malformed in [
            "",
            "[]",
            "{}",
            r#"{"kid":"k"}"#,
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","typ":1}"#,
        ] {
            check(malformed, Err(Rejection::HeaderMalformed));
        }
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        check(r#"{"alg":"none","alg":"ES256"}"#, Err(Rejection::HeaderMalformed));
        check(r#"{"alg":"ES256","x":{"a":1,"a":1}}"#, Err(Rejection::HeaderMalformed));
    }

    #[test]
    fn no_spelling_of_none_passes() {
        check(r#"{"alg":"none"}"#, Err(Rejection::TokenUnsecured));
        check(r#"{"alg":"n\u006fne"}"#, Err(Rejection::TokenUnsecured));
        for name in ["None", "NONE", "nOnE", "", " none", "none ", "null"] {
            check(&format!(r#"{{"alg":"{name}"}}"#), Err(Rejection::AlgorithmUnknown));
        }
    }

    #[test]
    fn extensions_are_refused() {
        for member in
            [r#""crit":["exp"]"#, r#""crit":[]"#, r#""crit":null"#, r#""b64":false"#, r#""b64":true"#, r#""zip":"DEF""#]
        {
            check(&format!(r#"{{"alg":"ES256",{member}}}"#), Err(Rejection::HeaderUnsupported));
        }
    }

    #[test]
    fn a_token_of_another_type_is_refused() {
        for accepted in ["JWT", "jwt", "application/jwt", "at+jwt", "AT+JWT", "application/at+jwt", "JOSE", ""] {
            check(&format!(r#"{{"alg":"ES256","typ":"{accepted}"}}"#), Ok((Algorithm::Es256, None)));
        }
        for refused in
            ["logout+jwt", "dpop+jwt", "application/secevent+jwt", "Application/Logout+JWT", "x-at+jwt", "+jwt"]
        {
            check(&format!(r#"{{"alg":"ES256","typ":"{refused}"}}"#), Err(Rejection::TypeNotAccepted));
        }
    }
}
