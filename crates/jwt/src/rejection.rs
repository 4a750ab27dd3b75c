//! Why a request's credentials do not count, in the words of RFC 6750, section 3.

/// Why a request's credentials do not count.
///
/// Holds nothing of the token: it may be logged and sent to the client as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// No token came with the request.
    TokenMissing,
    /// The `Authorization` field says Bearer, but no token in the form of RFC 6750, section 2.1, follows.
    AuthorizationMalformed,
    /// Two cookies carry the token's name.
    CookieRepeated,
    /// The token is longer than 16 KiB.
    TokenTooLarge,
    /// The token is no JWS in the compact serialization.
    TokenMalformed,
    /// The token is encrypted (a JWE).
    TokenEncrypted,
    /// The header is no JSON object with unique members of the right types.
    HeaderMalformed,
    /// The header asks for an extension: `crit`, `b64` or `zip`.
    HeaderUnsupported,
    /// The header's `typ` names another kind of token.
    TypeNotAccepted,
    /// The token is not signed (`alg` is `none`).
    TokenUnsecured,
    /// The token is signed with an algorithm that nothing here verifies.
    AlgorithmUnknown,
    /// The token is signed with an algorithm that the policy does not list.
    AlgorithmNotAllowed,
    /// The issuer has no key of this name that fits the algorithm.
    KeyUnknown,
    /// The token names no key, and too many could have signed it.
    KeyAmbiguous,
    /// The signature is not the key's.
    SignatureInvalid,
    /// The claims set is no JSON object with unique members of the right types.
    ClaimsMalformed,
    /// `iss` is not the issuer that the policy names.
    IssuerMismatch,
    /// `aud` names nobody that the policy names.
    AudienceMismatch,
    /// There is no `exp`.
    ExpiryMissing,
    /// `exp` has passed.
    TokenExpired,
    /// `nbf` is yet to come.
    TokenNotYetValid,
    /// `iat` is yet to come.
    TokenIssuedInFuture,
    /// The token is good, and lacks a scope that the route requires.
    ScopeInsufficient,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::TokenMissing,
        Self::AuthorizationMalformed,
        Self::CookieRepeated,
        Self::TokenTooLarge,
        Self::TokenMalformed,
        Self::TokenEncrypted,
        Self::HeaderMalformed,
        Self::HeaderUnsupported,
        Self::TypeNotAccepted,
        Self::TokenUnsecured,
        Self::AlgorithmUnknown,
        Self::AlgorithmNotAllowed,
        Self::KeyUnknown,
        Self::KeyAmbiguous,
        Self::SignatureInvalid,
        Self::ClaimsMalformed,
        Self::IssuerMismatch,
        Self::AudienceMismatch,
        Self::ExpiryMissing,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenIssuedInFuture,
        Self::ScopeInsufficient,
    ];

    /// The stable name, for logs and for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::AuthorizationMalformed => "authorization_malformed",
            Self::CookieRepeated => "cookie_repeated",
            Self::TokenTooLarge => "token_too_large",
            Self::TokenMalformed => "token_malformed",
            Self::TokenEncrypted => "token_encrypted",
            Self::HeaderMalformed => "header_malformed",
            Self::HeaderUnsupported => "header_unsupported",
            Self::TypeNotAccepted => "type_not_accepted",
            Self::TokenUnsecured => "token_unsecured",
            Self::AlgorithmUnknown => "algorithm_unknown",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::KeyUnknown => "key_unknown",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::SignatureInvalid => "signature_invalid",
            Self::ClaimsMalformed => "claims_malformed",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ExpiryMissing => "expiry_missing",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::TokenIssuedInFuture => "token_issued_in_future",
            Self::ScopeInsufficient => "scope_insufficient",
        }
    }

    /// One sentence for the person who reads the answer.
    pub fn description(self) -> &'static str {
        match self {
            Self::TokenMissing => "The request carries no access token.",
            Self::AuthorizationMalformed => "The Authorization field holds no well-formed bearer token.",
            Self::CookieRepeated => "The request carries the token cookie twice.",
            Self::TokenTooLarge => "The access token is longer than 16384 bytes.",
            Self::TokenMalformed => "The access token is not a signed JWT in the compact serialization.",
            Self::TokenEncrypted => "The access token is encrypted, and only signed tokens are accepted.",
            Self::HeaderMalformed => {
                "The header of the access token is not a JSON object with unique and valid members."
            }
            Self::HeaderUnsupported => "The header of the access token asks for an extension that is not supported.",
            Self::TypeNotAccepted => "The type in the header is not that of an access token.",
            Self::TokenUnsecured => "The access token is not signed.",
            Self::AlgorithmUnknown => "The access token is signed with an unsupported algorithm.",
            Self::AlgorithmNotAllowed => "The access token is signed with an algorithm that is not allowed here.",
            Self::KeyUnknown => "No key of the issuer fits the access token.",
            Self::KeyAmbiguous => "The access token does not name its key, and too many keys fit.",
            Self::SignatureInvalid => "The signature of the access token is invalid.",
            Self::ClaimsMalformed => {
                "The claims of the access token are not a JSON object with unique and valid members."
            }
            Self::IssuerMismatch => "The access token comes from another issuer.",
            Self::AudienceMismatch => "The access token is meant for another audience.",
            Self::ExpiryMissing => "The access token has no expiry.",
            Self::TokenExpired => "The access token expired.",
            Self::TokenNotYetValid => "The access token is not valid yet.",
            Self::TokenIssuedInFuture => "The access token was issued in the future.",
            Self::ScopeInsufficient => "The access token lacks a required scope.",
        }
    }

    /// The error code of RFC 6750, section 3.1. None when no token came: "the resource server SHOULD NOT include an error
    /// code or other error information".
    pub fn error(self) -> Option<&'static str> {
        match self {
            Self::TokenMissing => None,
            // "The request [...] repeats the same parameter, [...] or is otherwise malformed."
            Self::AuthorizationMalformed | Self::CookieRepeated => Some("invalid_request"),
            Self::TokenTooLarge
            | Self::TokenMalformed
            | Self::TokenEncrypted
            | Self::HeaderMalformed
            | Self::HeaderUnsupported
            | Self::TypeNotAccepted
            | Self::TokenUnsecured
            | Self::AlgorithmUnknown
            | Self::AlgorithmNotAllowed
            | Self::KeyUnknown
            | Self::KeyAmbiguous
            | Self::SignatureInvalid
            | Self::ClaimsMalformed
            | Self::IssuerMismatch
            | Self::AudienceMismatch
            | Self::ExpiryMissing
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::TokenIssuedInFuture => Some("invalid_token"),
            Self::ScopeInsufficient => Some("insufficient_scope"),
        }
    }

    /// The status code that RFC 6750, section 3.1, gives the error: 400, 401 or 403.
    pub fn status(self) -> u16 {
        match self.error() {
            Some("invalid_request") => 400,
            Some("insufficient_scope") => 403,
            Some(_) | None => 401,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3). `required_scopes` are named when one of them was lacking.
    pub fn challenge(self, realm: &str, required_scopes: &[String]) -> String {
        let mut challenge = format!("Bearer realm=\"{}\"", quotable(realm));
        let Some(error) = self.error() else { return challenge };
        challenge.push_str(", error=\"");
        challenge.push_str(error);
        challenge.push_str("\", error_description=\"");
        challenge.push_str(self.description());
        challenge.push('"');
        let scopes: Vec<&str> =
            required_scopes.iter().map(String::as_str).filter(|scope| is_scope_token(scope)).collect();
        if self == Self::ScopeInsufficient && !scopes.is_empty() {
            challenge.push_str(", scope=\"");
            challenge.push_str(&scopes.join(" "));
            challenge.push('"');
        }
        challenge
    }
}

/// The content of a quoted-string (RFC 9110, section 5.6.4), without what could end it or the field.
fn quotable(text: &str) -> String {
    text.chars().filter(|character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\')).collect()
}

/// RFC 6749, section 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(rejection: Rejection, scopes: &[&str], status: u16, challenge: &str) {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.challenge("api", &scopes), challenge);
    }

    #[test]
    fn each_error_has_the_status_and_challenge_of_rfc_6750() {
        check(Rejection::TokenMissing, &["read"], 401, r#"Bearer realm="api""#);
        check(
            Rejection::TokenExpired,
            &["read"],
            401,
            r#"Bearer realm="api", error="invalid_token", error_description="The access token expired.""#,
        );
        check(
            Rejection::CookieRepeated,
            &[],
            400,
            r#"Bearer realm="api", error="invalid_request", error_description="The request carries the token cookie twice.""#,
        );
        check(
            Rejection::ScopeInsufficient,
            &["read", "bad scope", "wr\"ite", "", "write:all"],
            403,
            r#"Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a required scope.", scope="read write:all""#,
        );
    }

    #[test]
    fn codes_are_unique_and_descriptions_fit_the_challenge() {
        let codes: BTreeSet<&str> = Rejection::ALL.iter().map(|rejection| rejection.code()).collect();
        assert_eq!(codes.len(), Rejection::ALL.len());
        for rejection in Rejection::ALL {
            assert!(rejection.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            // RFC 6750, section 3: error_description stays within %x20-21 / %x23-5B / %x5D-7E.
            let description = rejection.description();
            assert!(
                description.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "{description}"
            );
            assert!(description.ends_with('.'));
        }
    }

    proptest! {
        #[test]
        fn no_realm_and_no_scope_escapes_the_field(realm in any::<String>(), scopes in proptest::collection::vec(any::<String>(), 0..4)) {
            for rejection in Rejection::ALL {
                let challenge = rejection.challenge(&realm, &scopes);
                prop_assert!(challenge.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
                prop_assert!(!challenge.contains('\\'));
                prop_assert_eq!(challenge.matches('"').count() % 2, 0);
                prop_assert_eq!(challenge.contains(", error="), rejection != Rejection::TokenMissing);
            }
        }
    }
}
