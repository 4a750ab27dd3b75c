//! The examples of the JOSE standards, and attacks on their readers.
//!
//! Each file under `vectors/jose` is one example and names its source. A file more is a test more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_jwt::{Algorithm, Claims, Key, KeySet, Policy, Rejection, Token};

use crate::signatures::{sign, verify};

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// The examples of one kind, by name.
fn examples(kind: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/jose").join(kind);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn text<'v>(example: &'v Value, member: &str) -> &'v str {
    example[member].as_str().unwrap()
}

fn algorithm(example: &Value) -> Algorithm {
    text(example, "algorithm").parse().unwrap()
}

fn key_set(jwks: &[&Value]) -> KeySet {
    KeySet::parse(&json!({ "keys": jwks }).to_string()).unwrap()
}

/// The private keys of the round trips, one of each type and curve.
fn private_keys() -> Vec<Value> {
    examples("keys").into_iter().map(|example| example["jwk"].clone()).collect()
}

/// The private key that signs with `algorithm`.
fn private_key(algorithm: Algorithm) -> Value {
    private_keys().into_iter().find(|jwk| key_set(&[jwk]).keys()[0].fits(algorithm)).unwrap()
}

fn policy(algorithms: &[Algorithm]) -> Policy {
    Policy::new("https://idp.example".to_owned(), vec!["api".to_owned()], algorithms.to_vec(), Duration::ZERO).unwrap()
}

fn claims() -> Value {
    json!({ "iss": "https://idp.example", "aud": "api", "sub": "alice", "exp": NOW.as_secs() + 60 })
}

/// A token with any header, whatever its signature is made with.
fn token(header: &Value, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signing_input =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims().to_string().as_bytes()));
    let signature = signature(signing_input.as_bytes());
    format!("{signing_input}.{}", encode(&signature))
}

/// What the gateway does with a token.
fn authenticate(compact: &str, policy: &Policy, keys: &KeySet, now: Duration) -> Result<Claims, Rejection> {
    let token = Token::parse(compact)?;
    let signed_by =
        |key: &&Key| verify(token.algorithm(), key.material(), token.signing_input().as_bytes(), token.signature());
    let key = token.candidates(policy, keys)?.into_iter().find(signed_by).ok_or(Rejection::SignatureInvalid)?;
    token.verified_by(key).claims(policy, now)
}

#[test]
fn the_signed_examples_verify() {
    let examples = examples("signed");
    assert!(examples.len() >= 13);
    for example in &examples {
        let source = text(example, "source");
        let keys = key_set(&[&example["jwk"]]);
        let token = Token::parse(text(example, "compact")).unwrap();
        assert_eq!(token.algorithm(), algorithm(example), "{source}");
        assert_eq!(token.key_id(), example["jwk"]["kid"].as_str(), "{source}");
        let candidates = token.candidates(&policy(&[algorithm(example)]), &keys).unwrap();
        assert_eq!(candidates.len(), 1, "{source}");
        let (material, signing_input) = (candidates[0].material(), token.signing_input().as_bytes());
        assert!(verify(token.algorithm(), material, signing_input, token.signature()), "{source}");
    }
}

#[test]
fn a_signed_example_with_one_bit_flipped_does_not_verify() {
    for example in examples("signed") {
        let keys = key_set(&[&example["jwk"]]);
        let material = keys.keys()[0].material();
        let token = Token::parse(text(&example, "compact")).unwrap();
        let (signing_input, signature) = (token.signing_input().as_bytes(), token.signature());
        // Another bit of each byte; of the long signing inputs every fifth byte.
        for at in 0..signature.len() {
            let flipped = with_flipped_bit(signature, at);
            assert!(!verify(token.algorithm(), material, signing_input, &flipped), "{} {at}", example["source"]);
        }
        for at in (0..signing_input.len()).step_by(5) {
            let flipped = with_flipped_bit(signing_input, at);
            assert!(!verify(token.algorithm(), material, &flipped, signature), "{} {at}", example["source"]);
        }
        for length in [0, 1, signature.len() - 1] {
            assert!(!verify(token.algorithm(), material, signing_input, &signature[..length]), "{}", example["source"]);
        }
    }
}

fn with_flipped_bit(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << (at % 8);
    flipped
}

#[test]
fn the_claims_of_rfc_7515_open_until_they_expire() {
    let examples: Vec<_> =
        examples("signed").into_iter().filter(|example| text(example, "payload").contains("joe")).collect();
    assert!(examples.len() >= 3);
    for example in examples {
        let policy = Policy::new("joe".to_owned(), Vec::new(), vec![algorithm(&example)], Duration::ZERO).unwrap();
        let keys = key_set(&[&example["jwk"]]);
        let at = |seconds| authenticate(text(&example, "compact"), &policy, &keys, Duration::from_secs(seconds));
        let claims = at(1_300_819_379).unwrap();
        assert_eq!(claims.text("http://example.com/is_root").as_deref(), Some("true"));
        assert_eq!(claims.expires_at(), Duration::from_secs(1_300_819_380));
        assert_eq!(at(1_300_819_380), Err(Rejection::TokenExpired));
    }
}

#[test]
fn a_payload_that_is_no_claims_set_stays_closed() {
    for example in examples("signed").iter().filter(|example| !text(example, "payload").starts_with('{')) {
        let outcome =
            authenticate(text(example, "compact"), &policy(&[algorithm(example)]), &key_set(&[&example["jwk"]]), NOW);
        assert_eq!(outcome, Err(Rejection::ClaimsMalformed), "{}", example["source"]);
    }
}

#[test]
fn the_refused_examples_are_refused() {
    let examples = examples("refused");
    assert!(examples.len() >= 4);
    for example in examples {
        let rejection = Token::parse(text(&example, "compact")).unwrap_err();
        assert_eq!(rejection.code(), text(&example, "rejection"), "{}", example["source"]);
    }
}

#[test]
fn the_signature_examples_verify_and_are_made_again() {
    let examples = examples("signatures");
    assert!(examples.len() >= 6);
    for example in &examples {
        let keys = key_set(&[&example["jwk"]]);
        let (message, expected) =
            (text(example, "message").as_bytes(), URL_SAFE_NO_PAD.decode(text(example, "signature")));
        let expected = expected.unwrap();
        assert!(verify(algorithm(example), keys.keys()[0].material(), message, &expected), "{}", example["source"]);
        assert_eq!(sign(algorithm(example), &example["jwk"], message), expected, "{}", example["source"]);
    }
}

#[test]
fn a_signature_without_randomness_is_made_again() {
    for example in examples("signed") {
        if matches!(text(&example, "algorithm").get(..2), Some("RS" | "HS" | "Ed")) {
            let token = Token::parse(text(&example, "compact")).unwrap();
            let signature = sign(token.algorithm(), &example["jwk"], token.signing_input().as_bytes());
            assert_eq!(signature, token.signature(), "{}", example["source"]);
        }
    }
}

#[test]
fn the_thumbprint_examples_are_fingerprints() {
    let examples = examples("thumbprints");
    assert!(examples.len() >= 2);
    for example in examples {
        let keys = key_set(&[&example["jwk"]]);
        assert_eq!(keys.keys()[0].fingerprint(), text(&example, "thumbprint"), "{}", example["source"]);
    }
}

#[test]
fn every_algorithm_has_an_example() {
    let examples: Vec<_> =
        ["signed", "signatures"].into_iter().flat_map(examples).map(|example| algorithm(&example)).collect();
    for algorithm in Algorithm::ALL {
        assert!(examples.contains(&algorithm), "{algorithm}");
    }
}

#[test]
fn a_token_signed_with_each_algorithm_opens() {
    for algorithm in Algorithm::ALL {
        let private = private_key(algorithm);
        let compact = token(&json!({ "alg": algorithm.name() }), |input| sign(algorithm, &private, input));
        let claims = authenticate(&compact, &policy(&[algorithm]), &key_set(&[&private]), NOW).unwrap();
        assert_eq!(claims.subject(), Some("alice"), "{algorithm}");
    }
}

#[test]
fn a_key_to_import_is_the_key_itself_without_its_private_members() {
    for private in private_keys() {
        let keys = key_set(&[&private]);
        let imported: Value = serde_json::from_str(&keys.keys()[0].import_jwk()).unwrap();
        assert_eq!(key_set(&[&imported]).keys()[0].material(), keys.keys()[0].material());
        let members: Vec<_> = imported.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(["crv kty x", "crv kty x y", "e kty n", "k kty"].contains(&members.join(" ").as_str()), "{imported}");
    }
}

/// No signature passes for one of another algorithm or another key, whatever the header says of it.
#[test]
fn a_signature_is_of_one_algorithm_and_one_key() {
    let keys = private_keys();
    for signed in Algorithm::ALL {
        let private = private_key(signed);
        for claimed in Algorithm::ALL {
            for other in keys.iter().filter(|other| claimed != signed || **other != private) {
                let compact = token(&json!({ "alg": claimed.name() }), |input| sign(signed, &private, input));
                let outcome = authenticate(&compact, &policy(&[claimed]), &key_set(&[other]), NOW);
                let fits = key_set(&[other]).keys()[0].fits(claimed);
                let expected = if fits { Rejection::SignatureInvalid } else { Rejection::KeyUnknown };
                assert_eq!(outcome, Err(expected), "made with {signed}, claimed to be {claimed}");
            }
        }
    }
}

struct Attack {
    name: &'static str,
    token: String,
    algorithms: &'static [Algorithm],
    keys: KeySet,
    expected: Rejection,
}

fn hs256(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let jwk = json!({ "k": URL_SAFE_NO_PAD.encode(secret) });
    move |input| sign(Algorithm::Hs256, &jwk, input)
}

/// RFC 8725, section 2.1: what an attacker knows, the public key, as the secret of an HMAC.
fn confusions_of_public_keys_and_secrets() -> Vec<Attack> {
    let rsa = private_key(Algorithm::Rs256);
    let keys = key_set(&[&rsa]);
    let modulus = URL_SAFE_NO_PAD.decode(text(&rsa, "n")).unwrap();
    let ed25519 = private_key(Algorithm::EdDsa);
    let point = URL_SAFE_NO_PAD.decode(text(&ed25519, "x")).unwrap();
    let header = json!({ "alg": "HS256" });
    let attack = |name, token, algorithms, keys, expected| Attack { name, token, algorithms, keys, expected };
    let listed = Rejection::AlgorithmNotAllowed;
    let typed = Rejection::KeyUnknown;
    vec![
        attack("the modulus as a secret", token(&header, hs256(&modulus)), &[Algorithm::Rs256], keys.clone(), listed),
        attack(
            "the key's text as a secret",
            token(&header, hs256(keys.keys()[0].import_jwk().as_bytes())),
            &[Algorithm::Rs256],
            keys.clone(),
            listed,
        ),
        attack(
            "the modulus as a secret, HS256 allowed",
            token(&header, hs256(&modulus)),
            &[Algorithm::Hs256],
            keys,
            typed,
        ),
        attack(
            "an Ed25519 point as a secret",
            token(&header, hs256(&point)),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            listed,
        ),
        attack(
            "an Ed25519 point as a secret, HS256 allowed",
            token(&header, hs256(&point)),
            &[Algorithm::Hs256],
            key_set(&[&ed25519]),
            typed,
        ),
        attack(
            "the empty secret",
            token(&header, hs256(b"")),
            &[Algorithm::Hs256],
            key_set(&[&private_key(Algorithm::Hs256)]),
            Rejection::SignatureInvalid,
        ),
    ]
}

/// Keys and algorithms that the attacker chooses in the header.
fn confusions_of_the_header() -> Vec<Attack> {
    let rsa = private_key(Algorithm::Rs256);
    let mut bound = rsa.clone();
    bound["alg"] = json!("RS256");
    let ed25519 = private_key(Algorithm::EdDsa);
    // The attacker's own key: RFC 8032, section 7.1, test 2.
    let own = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
        "d": "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
    });
    let signed = |header: Value, algorithm, jwk: Value| token(&header, move |input| sign(algorithm, &jwk, input));
    let attack = |name, token, algorithms, keys, expected| Attack { name, token, algorithms, keys, expected };
    vec![
        attack(
            "no signature",
            token(&json!({ "alg": "none" }), |_| Vec::new()),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::TokenUnsecured,
        ),
        attack(
            "None with a signature",
            signed(json!({ "alg": "None" }), Algorithm::EdDsa, ed25519.clone()),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::AlgorithmUnknown,
        ),
        attack(
            "an embedded key",
            signed(json!({ "alg": "EdDSA", "jwk": own }), Algorithm::EdDsa, own.clone()),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::SignatureInvalid,
        ),
        attack(
            "a key to fetch",
            signed(
                json!({ "alg": "EdDSA", "jku": "https://attacker.example", "kid": "own" }),
                Algorithm::EdDsa,
                own.clone(),
            ),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::SignatureInvalid,
        ),
        attack(
            "an algorithm of the same key that is not listed",
            signed(json!({ "alg": "RS256" }), Algorithm::Rs256, rsa.clone()),
            &[Algorithm::Ps256],
            key_set(&[&rsa]),
            Rejection::AlgorithmNotAllowed,
        ),
        attack(
            "an algorithm that the key is not for",
            signed(json!({ "alg": "PS256" }), Algorithm::Ps256, rsa.clone()),
            &[Algorithm::Ps256, Algorithm::Rs256],
            key_set(&[&bound]),
            Rejection::KeyUnknown,
        ),
        attack(
            "another curve",
            signed(json!({ "alg": "ES256" }), Algorithm::Es384, private_key(Algorithm::Es384)),
            &[Algorithm::Es256],
            key_set(&[&private_key(Algorithm::Es384)]),
            Rejection::KeyUnknown,
        ),
        attack(
            "an extension that must be understood",
            signed(json!({ "alg": "EdDSA", "crit": ["x"], "x": 1 }), Algorithm::EdDsa, ed25519.clone()),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::HeaderUnsupported,
        ),
        attack(
            "a logout token",
            signed(json!({ "alg": "EdDSA", "typ": "logout+jwt" }), Algorithm::EdDsa, ed25519.clone()),
            &[Algorithm::EdDsa],
            key_set(&[&ed25519]),
            Rejection::TypeNotAccepted,
        ),
    ]
}

/// Signatures that a careless verifier accepts for any message.
fn forged_signatures() -> Vec<Attack> {
    let attack = |name, algorithm: &'static [Algorithm; 1], signature: Vec<u8>| {
        let header = json!({ "alg": algorithm[0].name() });
        let keys = key_set(&[&private_key(algorithm[0])]);
        Attack {
            name,
            token: token(&header, |_| signature),
            algorithms: algorithm,
            keys,
            expected: Rejection::SignatureInvalid,
        }
    };
    let p256 = private_key(Algorithm::Es256);
    let der = token(&json!({ "alg": "ES256" }), |input| {
        let signature = sign(Algorithm::Es256, &p256, input);
        p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().as_bytes().to_vec()
    });
    vec![
        // CVE-2022-21449.
        attack("r and s are zero on P-256", &[Algorithm::Es256], vec![0; 64]),
        attack("r and s are zero on P-384", &[Algorithm::Es384], vec![0; 96]),
        attack("r and s are zero on P-521", &[Algorithm::Es512], vec![0; 132]),
        attack("zero to the power of e", &[Algorithm::Rs256], vec![0; 256]),
        attack("zero to the power of e, PSS", &[Algorithm::Ps256], vec![0; 256]),
        attack("a signature longer than the modulus", &[Algorithm::Rs256], vec![255; 257]),
        attack("a point of order one", &[Algorithm::EdDsa], [vec![1], vec![0; 63]].concat()),
        attack("a truncated MAC", &[Algorithm::Hs256], vec![0; 1]),
        Attack { token: der, ..attack("DER in place of r and s", &[Algorithm::Es256], Vec::new()) },
    ]
}

#[test]
fn no_attack_opens_the_claims() {
    for attack in
        [confusions_of_public_keys_and_secrets(), confusions_of_the_header(), forged_signatures()].into_iter().flatten()
    {
        let outcome = authenticate(&attack.token, &policy(attack.algorithms), &attack.keys, NOW);
        assert_eq!(outcome, Err(attack.expected), "{}", attack.name);
    }
}

#[derive(Debug, Clone)]
enum Edit {
    Replace(char),
    Insert(char),
    Remove,
}

fn edit() -> impl Strategy<Value = Edit> {
    let character = prop_oneof![prop::char::range('-', 'z'), any::<char>()];
    prop_oneof![character.clone().prop_map(Edit::Replace), character.prop_map(Edit::Insert), Just(Edit::Remove)]
}

proptest! {
    /// Not one character of a genuine token can be changed, added or taken away.
    #[test]
    fn an_edited_token_opens_no_claims(at in any::<prop::sample::Index>(), edit in edit(), algorithm in prop::sample::select(&[Algorithm::EdDsa, Algorithm::Hs256][..])) {
        let private = private_key(algorithm);
        let genuine = token(&json!({ "alg": algorithm.name(), "kid": "k" }), |input| sign(algorithm, &private, input));
        let mut characters: Vec<char> = genuine.chars().collect();
        let at = at.index(characters.len());
        match edit {
            Edit::Replace(character) => characters[at] = character,
            Edit::Insert(character) => characters.insert(at, character),
            Edit::Remove => drop(characters.remove(at)),
        }
        let edited: String = characters.into_iter().collect();
        let outcome = authenticate(&edited, &policy(&[algorithm]), &key_set(&[&private]), NOW);
        prop_assert_eq!(outcome.is_ok(), edited == genuine);
    }

    /// Whatever claims and signature an attacker writes, a key that did not sign them opens nothing.
    #[test]
    fn claims_open_for_their_signer_alone(signature in proptest::collection::vec(any::<u8>(), 1..140), algorithm in prop::sample::select(&Algorithm::ALL[..])) {
        let forged = token(&json!({ "alg": algorithm.name() }), |_| signature);
        let keys: Vec<Value> = private_keys();
        let outcome = authenticate(&forged, &policy(&[algorithm]), &key_set(&keys.iter().collect::<Vec<_>>()), NOW);
        prop_assert_eq!(outcome, Err(Rejection::SignatureInvalid));
    }
}
