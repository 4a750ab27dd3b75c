//! A JSON Web Key, read (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).

use std::fmt;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::key::{Curve, Key, Material};

/// Why a key of a set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// It is no JSON object.
    NotAnObject,
    /// A required member is missing.
    MemberMissing(&'static str),
    /// A member has the wrong type, encoding or length.
    MemberMalformed(&'static str),
    /// `kty` is none of RSA, EC, OKP, oct.
    KeyTypeUnsupported,
    /// `crv` is none of P-256, P-384, P-521, Ed25519.
    CurveUnsupported,
    /// `use` is not "sig", or `key_ops` lacks "verify".
    NotForVerification,
    /// `alg` is no supported signature algorithm.
    AlgorithmUnsupported,
    /// `alg` needs another type or size of key.
    AlgorithmMismatch,
    /// The RSA modulus has fewer than 2,048 bits.
    RsaTooShort,
    /// The RSA modulus has more than 8,192 bits.
    RsaTooLong,
    /// The RSA exponent is 1, even, or longer than 32 bits.
    RsaExponentUnsafe,
    /// The secret has fewer than 32 bytes.
    SecretTooShort,
}

/// RFC 7518, section 3.3: "A key of size 2048 bits or larger MUST be used".
const SHORTEST_MODULUS_BITS: usize = 2_048;

/// The time of a verification grows with the square of the length: beyond this it hurts, and nobody issues such keys.
const LONGEST_MODULUS_BITS: usize = 8_192;

/// The length of the shortest hash that HMAC is used with here, SHA-256 (RFC 7518, section 3.2).
const SHORTEST_SECRET_BYTES: usize = 32;

/// Reads a key. Members that only a signer needs are ignored, as are certificates.
pub(crate) fn parse(members: &Map<String, Value>) -> Result<Key, KeyFault> {
    if !is_for_verification(members)? {
        return Err(KeyFault::NotForVerification);
    }
    let key_id = text(members, "kid")?.map(str::to_owned);
    let algorithm = match text(members, "alg")? {
        Some(name) => Some(name.parse::<Algorithm>().map_err(|_| KeyFault::AlgorithmUnsupported)?),
        None => None,
    };
    let material = match text(members, "kty")?.ok_or(KeyFault::MemberMissing("kty"))? {
        "RSA" => rsa(members),
        "EC" => ec(members),
        "OKP" => okp(members),
        "oct" => oct(bytes(members, "k")?),
        _ => Err(KeyFault::KeyTypeUnsupported),
    }?;
    if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
        return Err(KeyFault::AlgorithmMismatch);
    }
    Ok(Key::new(key_id, algorithm, material))
}

/// Makes an HMAC key of a secret.
pub(crate) fn oct(secret: Vec<u8>) -> Result<Material, KeyFault> {
    if secret.len() < SHORTEST_SECRET_BYTES {
        return Err(KeyFault::SecretTooShort);
    }
    Ok(Material::Oct { secret })
}

/// RFC 7517, sections 4.2 and 4.3. A key that is meant for encryption has no say about signatures.
fn is_for_verification(members: &Map<String, Value>) -> Result<bool, KeyFault> {
    if text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Ok(false);
    }
    match members.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|operation| operation == "verify")),
        Some(_) => Err(KeyFault::MemberMalformed("key_ops")),
    }
}

fn rsa(members: &Map<String, Value>) -> Result<Material, KeyFault> {
    let modulus = without_leading_zeros(bytes(members, "n")?);
    let exponent = without_leading_zeros(bytes(members, "e")?);
    let bits = bit_length(&modulus);
    if bits < SHORTEST_MODULUS_BITS {
        return Err(KeyFault::RsaTooShort);
    }
    if bits > LONGEST_MODULUS_BITS {
        return Err(KeyFault::RsaTooLong);
    }
    if !is_odd(&modulus) {
        return Err(KeyFault::MemberMalformed("n"));
    }
    // With an exponent of 1, the padded message is its own signature: anybody could sign.
    if exponent == [1] || !is_odd(&exponent) || exponent.len() > 4 {
        return Err(KeyFault::RsaExponentUnsafe);
    }
    Ok(Material::Rsa { modulus, exponent })
}

fn ec(members: &Map<String, Value>) -> Result<Material, KeyFault> {
    let name = text(members, "crv")?.ok_or(KeyFault::MemberMissing("crv"))?;
    let curve = Curve::ALL.into_iter().find(|curve| curve.name() == name).ok_or(KeyFault::CurveUnsupported)?;
    // RFC 7518, section 6.2.1.2: "The length of this octet string MUST be the full size of a coordinate for the curve".
    let coordinate = |name| {
        let bytes = bytes(members, name)?;
        if bytes.len() == curve.coordinate_bytes() { Ok(bytes) } else { Err(KeyFault::MemberMalformed(name)) }
    };
    Ok(Material::Ec { curve, x: coordinate("x")?, y: coordinate("y")? })
}

fn okp(members: &Map<String, Value>) -> Result<Material, KeyFault> {
    if text(members, "crv")?.ok_or(KeyFault::MemberMissing("crv"))? != "Ed25519" {
        return Err(KeyFault::CurveUnsupported);
    }
    let x = bytes(members, "x")?.try_into().map_err(|_| KeyFault::MemberMalformed("x"))?;
    Ok(Material::Okp { x })
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<Option<&'m str>, KeyFault> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::MemberMalformed(name)),
    }
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    let text = text(members, name)?.ok_or(KeyFault::MemberMissing(name))?;
    base64url::decode(text).ok_or(KeyFault::MemberMalformed(name))
}

/// RFC 7518, section 6.3.1.1, forbids a leading zero byte and warns that some libraries write one.
fn without_leading_zeros(integer: Vec<u8>) -> Vec<u8> {
    integer.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// The bits of an integer without leading zero bytes.
fn bit_length(integer: &[u8]) -> usize {
    let leading_zeros = integer.first().map_or(0, |byte| byte.leading_zeros() as usize);
    integer.len().saturating_mul(8).saturating_sub(leading_zeros)
}

fn is_odd(integer: &[u8]) -> bool {
    integer.last().is_some_and(|byte| byte % 2 == 1)
}

impl fmt::Display for KeyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAnObject => "is not a JSON object",
            Self::MemberMissing(name) => return write!(formatter, "lacks the member `{name}`"),
            Self::MemberMalformed(name) => return write!(formatter, "has a malformed member `{name}`"),
            Self::KeyTypeUnsupported => "has a `kty` that is none of RSA, EC, OKP, oct",
            Self::CurveUnsupported => "has a `crv` that is none of P-256, P-384, P-521, Ed25519",
            Self::NotForVerification => "is not for verification (`use` or `key_ops`)",
            Self::AlgorithmUnsupported => "has an `alg` that is no supported signature algorithm",
            Self::AlgorithmMismatch => "does not fit its own `alg`",
            Self::RsaTooShort => "is an RSA key of fewer than 2048 bits",
            Self::RsaTooLong => "is an RSA key of more than 8192 bits",
            Self::RsaExponentUnsafe => "has an RSA exponent that is 1, even, or longer than 32 bits",
            Self::SecretTooShort => "is a secret of fewer than 32 bytes",
        })
    }
}

impl std::error::Error for KeyFault {}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use serde_json::json;

    use super::*;

    fn read(jwk: &Value) -> Result<Key, KeyFault> {
        parse(jwk.as_object().unwrap())
    }

    #[track_caller]
    fn check(jwk: Value, expected: Result<(), KeyFault>) {
        assert_eq!(read(&jwk).map(|_| ()), expected, "{jwk}");
    }

    /// `jwk` with `name` set to `value`, or removed where `value` is null.
    fn with(jwk: &Value, name: &str, value: Value) -> Value {
        let mut changed = jwk.clone();
        let members = changed.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.to_owned(), value)
        };
        changed
    }

    fn modulus(bytes: usize, first: u8, last: u8) -> Value {
        let mut modulus = vec![0x55; bytes];
        modulus[0] = first;
        modulus[bytes - 1] = last;
        json!(base64url::encode(&modulus))
    }

    fn rsa_jwk() -> Value {
        json!({ "kty": "RSA", "n": modulus(256, 0x80, 1), "e": "AQAB" })
    }

    fn ec_jwk(curve: &str, bytes: usize) -> Value {
        let coordinate = base64url::encode(&vec![1; bytes]);
        json!({ "kty": "EC", "crv": curve, "x": coordinate, "y": coordinate })
    }

    fn okp_jwk() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(&[1; 32]) })
    }

    #[test]
    fn a_key_states_its_type_and_members() {
        for jwk in [rsa_jwk(), ec_jwk("P-256", 32), ec_jwk("P-384", 48), ec_jwk("P-521", 66), okp_jwk()] {
            check(jwk.clone(), Ok(()));
            for (name, value) in jwk.as_object().unwrap() {
                let name: &'static str =
                    ["kty", "n", "e", "crv", "x", "y"].into_iter().find(|known| known == name).unwrap();
                check(with(&jwk, name, Value::Null), Err(KeyFault::MemberMissing(name)));
                check(with(&jwk, name, json!(1)), Err(KeyFault::MemberMalformed(name)));
                if !matches!(name, "kty" | "crv") {
                    check(
                        with(&jwk, name, json!(format!("{}=", value.as_str().unwrap()))),
                        Err(KeyFault::MemberMalformed(name)),
                    );
                }
            }
            check(with(&jwk, "kid", json!(1)), Err(KeyFault::MemberMalformed("kid")));
            check(with(&jwk, "d", json!(1)), Ok(()));
        }
        check(json!({ "kty": "rsa" }), Err(KeyFault::KeyTypeUnsupported));
    }

    #[test]
    fn coordinates_have_the_full_size_of_the_curve() {
        for (curve, bytes) in [("P-256", 32), ("P-384", 48), ("P-521", 66)] {
            check(ec_jwk(curve, bytes - 1), Err(KeyFault::MemberMalformed("x")));
            check(ec_jwk(curve, bytes + 1), Err(KeyFault::MemberMalformed("x")));
            check(with(&ec_jwk(curve, bytes), "y", json!("AQ")), Err(KeyFault::MemberMalformed("y")));
        }
        check(with(&okp_jwk(), "x", json!(base64url::encode(&[1; 31]))), Err(KeyFault::MemberMalformed("x")));
        check(with(&okp_jwk(), "crv", json!("Ed448")), Err(KeyFault::CurveUnsupported));
        check(with(&ec_jwk("P-256", 32), "crv", json!("secp256k1")), Err(KeyFault::CurveUnsupported));
    }

    #[test]
    fn an_rsa_modulus_has_2048_to_8192_bits() {
        check(with(&rsa_jwk(), "n", modulus(256, 0x80, 1)), Ok(()));
        check(with(&rsa_jwk(), "n", modulus(256, 0x7f, 1)), Err(KeyFault::RsaTooShort));
        check(with(&rsa_jwk(), "n", modulus(1_024, 0xff, 1)), Ok(()));
        check(with(&rsa_jwk(), "n", modulus(1_025, 0x01, 1)), Err(KeyFault::RsaTooLong));
        check(with(&rsa_jwk(), "n", modulus(256, 0x80, 2)), Err(KeyFault::MemberMalformed("n")));
        check(with(&rsa_jwk(), "n", json!("")), Err(KeyFault::RsaTooShort));
        check(with(&rsa_jwk(), "n", modulus(257, 0, 1)), Err(KeyFault::RsaTooShort));
    }

    #[test]
    fn an_rsa_exponent_is_odd_and_more_than_one() {
        for (exponent, safe) in [
            ("Aw", true),
            ("AQAB", true),
            ("AAEAAQ", true),
            ("_____w", true),
            ("AQ", false),
            ("Ag", false),
            ("AA", false),
            ("", false),
            ("AQAAAAE", false),
        ] {
            let expected = if safe { Ok(()) } else { Err(KeyFault::RsaExponentUnsafe) };
            check(with(&rsa_jwk(), "e", json!(exponent)), expected);
        }
    }

    #[test]
    fn a_leading_zero_byte_does_not_change_the_key() {
        let padded = with(&rsa_jwk(), "e", json!("AAEAAQ"));
        assert_eq!(read(&padded), read(&rsa_jwk()));
    }

    #[test]
    fn a_secret_has_at_least_32_bytes() {
        for (length, expected) in
            [(32, Ok(())), (31, Err(KeyFault::SecretTooShort)), (0, Err(KeyFault::SecretTooShort))]
        {
            check(json!({ "kty": "oct", "k": base64url::encode(&vec![7; length]) }), expected);
        }
        check(json!({ "kty": "oct" }), Err(KeyFault::MemberMissing("k")));
    }

    #[test]
    fn a_key_for_something_else_is_not_used() {
        let refused = Err(KeyFault::NotForVerification);
        for (name, value, expected) in [
            ("use", json!("sig"), Ok(())),
            ("use", json!("enc"), refused),
            ("use", json!("other"), refused),
            ("use", json!(1), Err(KeyFault::MemberMalformed("use"))),
            ("key_ops", json!(["verify"]), Ok(())),
            ("key_ops", json!(["sign", "verify"]), Ok(())),
            ("key_ops", json!(["sign"]), refused),
            ("key_ops", json!([]), refused),
            ("key_ops", json!("verify"), Err(KeyFault::MemberMalformed("key_ops"))),
            ("alg", json!("RS256"), Ok(())),
            ("alg", json!("PS512"), Ok(())),
            ("alg", json!("ES256"), Err(KeyFault::AlgorithmMismatch)),
            ("alg", json!("HS256"), Err(KeyFault::AlgorithmMismatch)),
            ("alg", json!("RSA-OAEP"), Err(KeyFault::AlgorithmUnsupported)),
            ("alg", json!("none"), Err(KeyFault::AlgorithmUnsupported)),
        ] {
            check(with(&rsa_jwk(), name, value), expected);
        }
    }
}
