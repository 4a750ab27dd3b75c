//! The keys of one issuer.

use std::fmt;

use serde_json::Value;

use crate::json;
use crate::jwk::{self, KeyFault};
use crate::key::Key;

/// The keys of one issuer (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    // Invariant: at least one key.
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
}

/// A key that stands in the set and is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its name, where it has one.
    pub key_id: Option<String>,
    /// What keeps it from being used.
    pub fault: KeyFault,
}

/// Why there is no such set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidKeySet {
    /// The text is longer than 512 KiB.
    TooLarge,
    /// The text is no JSON object with unique members.
    Malformed,
    /// The object has no array called `keys`.
    KeysMissing,
    /// None of the keys can be used.
    NoUsableKey(Vec<SkippedKey>),
    /// The secret has fewer than 32 bytes.
    SecretTooShort,
}

/// A key takes about 1 KiB with its certificate chain, about 5 KiB at the most: room for a hundred.
const LONGEST_TEXT_BYTES: usize = 512 * 1_024;

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that cannot be used are left out, as RFC 7517, section 5, advises; see
    /// [`KeySet::skipped`].
    ///
    /// # Errors
    /// When the text is no key set, or no key of it can be used.
    pub fn parse(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > LONGEST_TEXT_BYTES {
            return Err(InvalidKeySet::TooLarge);
        }
        let members = json::object(text.as_bytes()).ok_or(InvalidKeySet::Malformed)?;
        let Some(Value::Array(listed)) = members.get("keys") else { return Err(InvalidKeySet::KeysMissing) };
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        for (index, jwk) in listed.iter().enumerate() {
            match jwk.as_object().ok_or(KeyFault::NotAnObject).and_then(jwk::parse) {
                Ok(key) => keys.push(key),
                Err(fault) => {
                    let key_id = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    skipped.push(SkippedKey { index, key_id, fault });
                }
            }
        }
        if keys.is_empty() {
            return Err(InvalidKeySet::NoUsableKey(skipped));
        }
        Ok(Self { keys, skipped })
    }

    /// Makes a set of one HMAC key without a name.
    ///
    /// # Errors
    /// When the secret has fewer than 32 bytes. HS384 needs 48 and HS512 64: a shorter secret is no candidate for them.
    pub fn from_secret(secret: &[u8]) -> Result<Self, InvalidKeySet> {
        let material = jwk::oct(secret.to_vec()).map_err(|_| InvalidKeySet::SecretTooShort)?;
        Ok(Self { keys: vec![Key::new(None, None, material)], skipped: Vec::new() })
    }

    /// The usable keys, in the order of the set.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that were left out.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Whether a token that names `key_id`, or no key, could be signed by one of these.
    pub fn may_hold(&self, key_id: Option<&str>) -> bool {
        key_id.is_none() || self.keys.iter().any(|key| key.key_id().is_none() || key.key_id() == key_id)
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key_id {
            Some(key_id) => write!(formatter, "key {} ({key_id:?}) {}", self.index, self.fault),
            None => write!(formatter, "key {} {}", self.index, self.fault),
        }
    }
}

impl fmt::Display for InvalidKeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => formatter.write_str("the key set is longer than 512 KiB"),
            Self::Malformed => formatter.write_str("the key set is not a JSON object with unique members"),
            Self::KeysMissing => formatter.write_str("the key set has no array called `keys`"),
            Self::NoUsableKey(skipped) => {
                formatter.write_str("the key set has no usable key")?;
                let mut separator = ": ";
                for key in skipped {
                    write!(formatter, "{separator}{key}")?;
                    separator = "; ";
                }
                Ok(())
            }
            Self::SecretTooShort => formatter.write_str("the secret has fewer than 32 bytes"),
        }
    }
}

impl std::error::Error for InvalidKeySet {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ED25519: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}"#;

    #[test]
    fn unusable_keys_are_skipped_with_a_reason() {
        let set = KeySet::parse(&format!(
            r#"{{"keys":[{{"kty":"PQ","kid":"new"}},{ED25519},3,{{"kty":"oct","k":"AQ"}}],"more":true}}"#
        ))
        .unwrap();
        assert_eq!(set.keys().len(), 1);
        let skipped: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
        assert_eq!(
            skipped,
            [
                "key 0 (\"new\") has a `kty` that is none of RSA, EC, OKP, oct",
                "key 2 is not a JSON object",
                "key 3 is a secret of fewer than 32 bytes",
            ]
        );
    }

    #[track_caller]
    fn check(text: &str, message: &str) {
        assert_eq!(KeySet::parse(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_set_without_a_usable_key_is_an_error() {
        check("", "the key set is not a JSON object with unique members");
        check("[]", "the key set is not a JSON object with unique members");
        check(&format!(r#"{{"keys":[{ED25519}],"keys":[]}}"#), "the key set is not a JSON object with unique members");
        check(r#"{"keys":[{"kty":"oct","kty":"RSA"}]}"#, "the key set is not a JSON object with unique members");
        check("{}", "the key set has no array called `keys`");
        check(ED25519, "the key set has no array called `keys`");
        check(r#"{"keys":{}}"#, "the key set has no array called `keys`");
        check(r#"{"keys":[]}"#, "the key set has no usable key");
        check(
            r#"{"keys":[1,{"kid":"a"}]}"#,
            "the key set has no usable key: key 0 is not a JSON object; key 1 (\"a\") lacks the member `kty`",
        );
    }

    #[test]
    fn the_length_of_the_text_is_bounded() {
        let padded = |length: usize| {
            let set = format!(r#"{{"keys":[{ED25519}]}}"#);
            format!("{set}{}", " ".repeat(length - set.len()))
        };
        assert!(KeySet::parse(&padded(LONGEST_TEXT_BYTES)).is_ok());
        check(&padded(LONGEST_TEXT_BYTES + 1), "the key set is longer than 512 KiB");
    }

    #[test]
    fn a_secret_makes_a_set_of_one_key_without_a_name() {
        assert_eq!(KeySet::from_secret(&[1; 31]), Err(InvalidKeySet::SecretTooShort));
        let set = KeySet::from_secret(&[1; 32]).unwrap();
        assert_eq!(set.keys().iter().map(Key::key_id).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn a_key_without_a_name_may_be_any() {
        let named = KeySet::parse(&format!(r#"{{"keys":[{ED25519}]}}"#)).unwrap();
        assert!(named.may_hold(None));
        assert!(named.may_hold(Some("ed")));
        assert!(!named.may_hold(Some("other")));
        assert!(KeySet::from_secret(&[1; 32]).unwrap().may_hold(Some("other")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|Ed25519|.*", value in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = KeySet::parse(&text);
            let encoded = crate::base64url::encode(&bytes);
            let jwk = serde_json::json!({ "keys": [{ "kty": kty, "crv": crv, "x": encoded, "y": encoded, "n": encoded, "e": value, "k": value, "alg": value }] });
            let _ = KeySet::parse(&jwk.to_string());
        }
    }
}
