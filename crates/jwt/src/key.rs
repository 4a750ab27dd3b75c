//! A key that can verify signatures.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::algorithm::{Algorithm, KeyType};
use crate::base64url;

/// A key that can verify signatures: public, or a secret that both sides know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    // Invariant: the material is of a supported size, and fits the algorithm where the key is bound to one.
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
    fingerprint: String,
}

/// What a key is made of, decoded. Integers are big-endian.
#[derive(Clone, PartialEq, Eq)]
pub enum Material {
    /// An RSA public key.
    Rsa {
        /// The modulus, 2,048 to 8,192 bits, without leading zero bytes.
        modulus: Vec<u8>,
        /// The public exponent, at most 32 bits, without leading zero bytes.
        exponent: Vec<u8>,
    },
    /// A point on a curve. Whether it lies on it is left to whoever imports it.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate, [`Curve::coordinate_bytes`] long.
        x: Vec<u8>,
        /// The second coordinate, as long.
        y: Vec<u8>,
    },
    /// An Ed25519 public key.
    Okp {
        /// The encoded point.
        x: [u8; 32],
    },
    /// An HMAC secret of at least 32 bytes. It is not in the `Debug` output.
    Oct {
        /// The secret.
        secret: Vec<u8>,
    },
}

/// A curve of RFC 7518, section 6.2.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The registered name, as in a key's `crv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// How many bytes a coordinate has: 521 bits take 66.
    pub fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl Key {
    pub(crate) fn new(key_id: Option<String>, algorithm: Option<Algorithm>, material: Material) -> Self {
        let fingerprint = base64url::encode(&Sha256::digest(material.canonical_jwk()));
        Self { key_id, algorithm, material, fingerprint }
    }

    /// The key's name in its set.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What the key is made of.
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// A name that depends on the material alone: the SHA-256 thumbprint of RFC 7638, for a cache of imported keys.
    ///
    /// The thumbprint of an HMAC secret lets others test guesses at a weak one (RFC 7638, section 7): keep it out of logs.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The JSON Web Key to import: `kty` and the public members, and nothing by which an importer could refuse it.
    ///
    /// For an HMAC key it holds the secret.
    pub fn import_jwk(&self) -> String {
        self.material.canonical_jwk()
    }

    /// Whether the key may verify signatures of `algorithm`.
    ///
    /// This stands between a public key and an attacker who signs with HMAC, the public key as the secret (RFC 8725,
    /// section 2.1): the type of the key decides, never the token.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|bound| bound == algorithm) && self.material.fits(algorithm)
    }
}

impl Material {
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match (algorithm.key_type(), self) {
            (KeyType::Rsa, Self::Rsa { .. }) | (KeyType::Okp, Self::Okp { .. }) => true,
            (KeyType::Ec(needed), Self::Ec { curve, .. }) => needed == *curve,
            // RFC 7518, section 3.2: "A key of the same size as the hash output [...] or larger MUST be used".
            (KeyType::Oct { minimum_bytes }, Self::Oct { secret }) => secret.len() >= minimum_bytes,
            (KeyType::Rsa | KeyType::Ec(_) | KeyType::Okp | KeyType::Oct { .. }, _) => false,
        }
    }

    /// The required members in lexicographic order and without white space (RFC 7638, section 3.2). Base64url and the names
    /// of curves need no escapes.
    fn canonical_jwk(&self) -> String {
        let encode = base64url::encode;
        match self {
            Self::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(exponent), encode(modulus))
            }
            Self::Ec { curve, x, y } => {
                format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.name(), encode(x), encode(y))
            }
            Self::Okp { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
            Self::Oct { secret } => format!(r#"{{"k":"{}","kty":"oct"}}"#, encode(secret)),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rsa { .. } => "Rsa",
            Self::Ec { curve, .. } => curve.name(),
            Self::Okp { .. } => "Ed25519",
            Self::Oct { .. } => "Oct",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ec(curve: Curve) -> Material {
        Material::Ec { curve, x: vec![1; curve.coordinate_bytes()], y: vec![1; curve.coordinate_bytes()] }
    }

    #[track_caller]
    fn check(material: Material, algorithms: &str) {
        let key = Key::new(None, None, material);
        let fitting: Vec<&str> =
            Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)).map(Algorithm::name).collect();
        assert_eq!(fitting.join(" "), algorithms);
    }

    #[test]
    fn the_type_of_the_key_decides_the_algorithms() {
        check(Material::Rsa { modulus: vec![255; 256], exponent: vec![3] }, "RS256 RS384 RS512 PS256 PS384 PS512");
        check(ec(Curve::P256), "ES256");
        check(ec(Curve::P384), "ES384");
        check(ec(Curve::P521), "ES512");
        check(Material::Okp { x: [1; 32] }, "EdDSA");
    }

    #[test]
    fn a_secret_is_at_least_as_long_as_the_hash() {
        for (length, algorithms) in [
            (31, ""),
            (32, "HS256"),
            (47, "HS256"),
            (48, "HS256 HS384"),
            (63, "HS256 HS384"),
            (64, "HS256 HS384 HS512"),
        ] {
            check(Material::Oct { secret: vec![1; length] }, algorithms);
        }
    }

    #[test]
    fn a_key_bound_to_an_algorithm_serves_no_other() {
        let key = Key::new(None, Some(Algorithm::Ps256), Material::Rsa { modulus: vec![255; 256], exponent: vec![3] });
        assert!(key.fits(Algorithm::Ps256));
        assert!(!key.fits(Algorithm::Rs256));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let key = Key::new(Some("k".to_owned()), None, Material::Oct { secret: b"A".repeat(32) });
        let printed = format!("{key:?}");
        assert!(!printed.contains("65") && !printed.contains("AAAA") && !printed.contains("QUFB"), "{printed}");
    }

    #[test]
    fn the_fingerprint_depends_on_the_material_alone() {
        let fingerprint = |key_id: &str, algorithm, material| {
            Key::new(Some(key_id.to_owned()), algorithm, material).fingerprint().to_owned()
        };
        let one = fingerprint("a", None, ec(Curve::P256));
        assert_eq!(one, fingerprint("b", Some(Algorithm::Es256), ec(Curve::P256)));
        assert_ne!(one, fingerprint("a", None, ec(Curve::P384)));
        assert_eq!(one.len(), 43);
    }
}
