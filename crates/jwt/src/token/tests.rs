#![allow(clippy::string_slice)]

use proptest::prelude::*;

use super::*;
use crate::key_set::KeySet;

const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
const NOW: Duration = Duration::from_secs(1_700_000_000);

fn compact(header: &str, payload: &str) -> String {
    format!("{}.{}.AAAA", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()))
}

fn policy(algorithms: &[Algorithm]) -> Policy {
    Policy::new("us".to_owned(), vec!["api".to_owned()], algorithms.to_vec(), Duration::ZERO).unwrap()
}

fn key_set(keys: &[String]) -> KeySet {
    KeySet::parse(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap()
}

fn named(key_id: &str, members: &str) -> String {
    format!(r#"{{"kid":"{key_id}",{members}}}"#)
}

fn unnamed(members: &str) -> String {
    format!("{{{members}}}")
}

#[track_caller]
fn check_parse(compact: &str, expected: Result<(), Rejection>) {
    assert_eq!(Token::parse(compact).map(|_| ()), expected, "{compact}");
}

#[test]
fn a_token_is_three_parts_of_canonical_base64url() {
    let header = base64url::encode(br#"{"alg":"ES256"}"#);
    check_parse(&format!("{header}.e30.AAAA"), Ok(()));
    for malformed in ["", ".", "..", "...", "e30", "e30.e30", "e30.e30.AA.AA"] {
        check_parse(
            malformed,
            if malformed == ".." { Err(Rejection::HeaderMalformed) } else { Err(Rejection::TokenMalformed) },
        );
    }
    for (payload, signature) in [
        ("", "AAAA"),
        ("e30", ""),
        ("e30=", "AAAA"),
        ("e30", "AAA="),
        ("e31", "AAAA"),
        ("e30", "AB"),
        ("e30", "A"),
        ("e3 0", "AAAA"),
        ("e30", "A+AA"),
        ("e30", "AAAA\n"),
    ] {
        check_parse(&format!("{header}.{payload}.{signature}"), Err(Rejection::TokenMalformed));
    }
    check_parse(&format!("{header}=.e30.AAAA"), Err(Rejection::TokenMalformed));
    check_parse(&format!(" {header}.e30.AAAA"), Err(Rejection::TokenMalformed));
    check_parse(&format!("{header}.e30.AAAA.AAAA.AAAA"), Err(Rejection::TokenEncrypted));
}

#[test]
fn a_token_has_at_most_16_kib() {
    let token = compact(r#"{"alg":"ES256"}"#, "{}");
    let padding = "A".repeat(16_384 - token.len());
    check_parse(&format!("{token}{padding}"), Ok(()));
    check_parse(&format!("{token}{padding}AAAA"), Err(Rejection::TokenTooLarge));
}

#[test]
fn the_parts_are_given_as_they_were_sent() {
    let text = compact(r#"{"alg":"ES256","kid":"k"}"#, r#"{"iss":"us"}"#);
    let token = Token::parse(&text).unwrap();
    assert_eq!(token.algorithm(), Algorithm::Es256);
    assert_eq!(token.key_id(), Some("k"));
    assert_eq!(token.unverified_issuer().as_deref(), Some("us"));
    assert_eq!(token.signature(), [0, 0, 0]);
    assert_eq!(format!("{}.AAAA", token.signing_input()), text);
}

#[test]
fn an_issuer_that_is_not_one_text_is_none() {
    for payload in ["{}", "[]", "x", r#"{"iss":1}"#, r#"{"iss":"a","iss":"b"}"#] {
        assert_eq!(
            Token::parse(&compact(r#"{"alg":"ES256"}"#, payload)).unwrap().unverified_issuer(),
            None,
            "{payload}"
        );
    }
}

/// The places in the set of the candidates for a token with `header`.
#[track_caller]
fn check_candidates(header: &str, algorithms: &[Algorithm], keys: &[String], expected: Result<&[usize], Rejection>) {
    let text = compact(header, "{}");
    let set = key_set(keys);
    let candidates = Token::parse(&text).unwrap().candidates(&policy(algorithms), &set).map(|candidates| {
        let place = |candidate: &Key| set.keys().iter().position(|key| std::ptr::eq(key, candidate)).unwrap();
        candidates.into_iter().map(place).collect::<Vec<_>>()
    });
    assert_eq!(candidates.as_deref().map_err(|rejection| *rejection), expected, "{header}");
}

#[test]
fn the_policy_lists_the_algorithms() {
    let keys = [unnamed(P256), unnamed(ED25519)];
    let header = r#"{"alg":"ES256"}"#;
    check_candidates(header, &[Algorithm::Es256], &keys, Ok(&[0]));
    check_candidates(header, &[Algorithm::EdDsa, Algorithm::Es256], &keys, Ok(&[0]));
    check_candidates(header, &[Algorithm::EdDsa], &keys, Err(Rejection::AlgorithmNotAllowed));
    check_candidates(header, &[Algorithm::Hs256], &keys, Err(Rejection::AlgorithmNotAllowed));
}

#[test]
fn a_named_key_comes_alone() {
    use Algorithm::{EdDsa, Es256};
    let keys = [named("a", P256), named("b", P256), unnamed(P256), named("a", ED25519)];
    check_candidates(r#"{"alg":"ES256","kid":"b"}"#, &[Es256], &keys, Ok(&[1]));
    check_candidates(r#"{"alg":"ES256","kid":"a"}"#, &[Es256], &keys, Ok(&[0]));
    check_candidates(r#"{"alg":"EdDSA","kid":"a"}"#, &[EdDsa], &keys, Ok(&[3]));
    check_candidates(r#"{"alg":"ES256"}"#, &[Es256], &keys, Ok(&[0, 1, 2]));
    check_candidates(r#"{"alg":"ES256","kid":"c"}"#, &[Es256], &keys, Ok(&[2]));
    check_candidates(r#"{"alg":"EdDSA","kid":"b"}"#, &[EdDsa], &keys, Err(Rejection::KeyUnknown));
    check_candidates(r#"{"alg":"ES384","kid":"a"}"#, &[Algorithm::Es384], &keys, Err(Rejection::KeyUnknown));
    check_candidates(r#"{"alg":"ES256","kid":""}"#, &[Es256], &keys[..2], Err(Rejection::KeyUnknown));
}

#[test]
fn a_bound_key_serves_its_algorithm_only() {
    let keys = [named("a", &format!(r#"{P256},"alg":"ES256","use":"sig""#))];
    check_candidates(r#"{"alg":"ES256"}"#, &[Algorithm::Es256], &keys, Ok(&[0]));
}

#[test]
fn the_number_of_tries_is_bounded() {
    let keys = vec![unnamed(P256); 9];
    check_candidates(r#"{"alg":"ES256"}"#, &[Algorithm::Es256], &keys[..8], Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
    check_candidates(r#"{"alg":"ES256"}"#, &[Algorithm::Es256], &keys, Err(Rejection::KeyAmbiguous));
}

#[test]
fn keys_in_the_header_are_never_used() {
    for header in [
        format!(r#"{{"alg":"EdDSA","jwk":{{{ED25519}}}}}"#),
        r#"{"alg":"EdDSA","jku":"https://attacker.example/jwks.json"}"#.to_owned(),
        r#"{"alg":"EdDSA","x5u":"https://attacker.example/x509","x5c":["AAAA"]}"#.to_owned(),
    ] {
        check_candidates(&header, &[Algorithm::EdDsa], &[named("a", P256)], Err(Rejection::KeyUnknown));
    }
}

#[test]
fn nothing_of_the_token_is_printed() {
    let text = compact(r#"{"alg":"EdDSA","kid":"k"}"#, r#"{"sub":"alice"}"#);
    let token = Token::parse(&text).unwrap();
    let set = key_set(&[unnamed(ED25519)]);
    let printed = format!("{token:?}");
    let printed = format!("{printed}{:?}", token.verified_by(&set.keys()[0]));
    assert!(!printed.contains("alice") && !printed.contains(&text[..20]) && printed.contains("EdDsa"), "{printed}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), header in any::<String>(), payload in any::<String>(), signature in proptest::collection::vec(any::<u8>(), 0..40)) {
        let set = key_set(&[unnamed(ED25519)]);
        let policy = policy(&[Algorithm::EdDsa]);
        let encode = base64url::encode;
        let made = format!("{}.{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()), encode(&signature));
        let signed = format!("{}.{}.AAAA", encode(br#"{"alg":"EdDSA"}"#), encode(payload.as_bytes()));
        for text in [&text, &made, &signed, &format!("{made}{text}")] {
            if let Ok(token) = Token::parse(text) {
                let _ = token.unverified_issuer();
                let _ = token.candidates(&policy, &set);
                let _ = token.verified_by(&set.keys()[0]).claims(&policy, NOW);
            }
        }
    }

    #[test]
    fn one_signed_token_has_one_spelling(flip in any::<prop::sample::Index>(), with in any::<char>()) {
        // Any other text parses to another signing input or signature, so that its signature has to be checked anew.
        let text = compact(r#"{"alg":"EdDSA"}"#, r#"{"iss":"us"}"#);
        let mut characters: Vec<char> = text.chars().collect();
        let at = flip.index(characters.len());
        prop_assume!(characters[at] != with);
        characters[at] = with;
        let changed: String = characters.into_iter().collect();
        let original = Token::parse(&text).unwrap();
        if let Ok(token) = Token::parse(&changed) {
            prop_assert!(token.signing_input() != original.signing_input() || token.signature() != original.signature());
        }
    }

    /// Whatever key a caller states, the claims open only for a policy that lists the algorithm and a key that fits it.
    #[test]
    fn claims_open_for_the_stated_algorithm_only(
        signed in prop::sample::select(&Algorithm::ALL[..]),
        listed in prop::sample::subsequence(&Algorithm::ALL[..], 1..=13),
        secret_length in 32_usize..80,
    ) {
        let Ok(policy) = Policy::new("us".to_owned(), vec!["api".to_owned()], listed.clone(), Duration::ZERO) else { return Ok(()) };
        let text = compact(&format!(r#"{{"alg":"{signed}"}}"#), r#"{"iss":"us","aud":"api","exp":1700000001}"#);
        let secret = KeySet::from_secret(&vec![1; secret_length]).unwrap();
        let public = key_set(&[unnamed(ED25519), unnamed(P256)]);
        for key in secret.keys().iter().chain(public.keys()) {
            let claims = Token::parse(&text).unwrap().verified_by(key).claims(&policy, NOW);
            let expected = match (listed.contains(&signed), key.fits(signed)) {
                (true, true) => Ok(()),
                (true, false) => Err(Rejection::KeyUnknown),
                (false, _) => Err(Rejection::AlgorithmNotAllowed),
            };
            prop_assert_eq!(claims.map(|_| ()), expected);
        }
    }
}
