//! Signatures made and verified with RustCrypto, where the gateway on its platform asks WebCrypto.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, Verifier as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rsa::rand_core::{CryptoRng, RngCore};
use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tidegate_jwt::{Algorithm, Curve, Material};

/// Whether `signature` is one of `signing_input` by the owner of `material`.
pub(crate) fn verify(algorithm: Algorithm, material: &Material, signing_input: &[u8], signature: &[u8]) -> bool {
    match material {
        Material::Rsa { modulus, exponent } => verify_rsa(algorithm, modulus, exponent, signing_input, signature),
        Material::Ec { curve, x, y } => verify_ecdsa(algorithm, *curve, x, y, signing_input, signature),
        Material::Okp { x } => verify_ed25519(algorithm, x, signing_input, signature),
        Material::Oct { secret } => verify_hmac(algorithm, secret, signing_input, signature),
    }
}

/// Signs `signing_input` with a private (or secret) JSON Web Key. The same input always gives the same signature.
pub(crate) fn sign(algorithm: Algorithm, private_jwk: &Value, signing_input: &[u8]) -> Vec<u8> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(private_jwk[name].as_str().unwrap()).unwrap();
    match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
            rsa_private_key(member).sign(pkcs1(algorithm), &rsa_digest(algorithm, signing_input)).unwrap()
        }
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
            let mut salt = SaltFrom::new(signing_input);
            let digest = rsa_digest(algorithm, signing_input);
            rsa_private_key(member).sign_with_rng(&mut salt, pss(algorithm), &digest).unwrap()
        }
        Algorithm::Es256 => {
            let signature: p256::ecdsa::Signature =
                p256::ecdsa::SigningKey::from_slice(&member("d")).unwrap().sign(signing_input);
            signature.to_bytes().to_vec()
        }
        Algorithm::Es384 => {
            let signature: p384::ecdsa::Signature =
                p384::ecdsa::SigningKey::from_slice(&member("d")).unwrap().sign(signing_input);
            signature.to_bytes().to_vec()
        }
        Algorithm::Es512 => {
            let signature: p521::ecdsa::Signature =
                p521::ecdsa::SigningKey::from_slice(&member("d")).unwrap().sign(signing_input);
            signature.to_bytes().to_vec()
        }
        Algorithm::EdDsa => {
            let seed: [u8; 32] = member("d").try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed).sign(signing_input).to_bytes().to_vec()
        }
        Algorithm::Hs256 => hmac_sha256(&member("k"), signing_input).finalize().into_bytes().to_vec(),
        Algorithm::Hs384 => hmac_sha384(&member("k"), signing_input).finalize().into_bytes().to_vec(),
        Algorithm::Hs512 => hmac_sha512(&member("k"), signing_input).finalize().into_bytes().to_vec(),
    }
}

fn verify_rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8], signing_input: &[u8], signature: &[u8]) -> bool {
    let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
    let Ok(key) = RsaPublicKey::new_with_max_size(modulus, exponent, 8_192) else { return false };
    let digest = rsa_digest(algorithm, signing_input);
    match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
            key.verify(pkcs1(algorithm), &digest, signature).is_ok()
        }
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
            key.verify(pss(algorithm), &digest, signature).is_ok()
        }
        _ => false,
    }
}

fn verify_ecdsa(
    algorithm: Algorithm,
    curve: Curve,
    x: &[u8],
    y: &[u8],
    signing_input: &[u8],
    signature: &[u8],
) -> bool {
    // SEC 1, section 2.3.3: an uncompressed point.
    let point = [&[4], x, y].concat();
    match (algorithm, curve) {
        (Algorithm::Es256, Curve::P256) => {
            let (Ok(key), Ok(signature)) =
                (p256::ecdsa::VerifyingKey::from_sec1_bytes(&point), p256::ecdsa::Signature::from_slice(signature))
            else {
                return false;
            };
            key.verify(signing_input, &signature).is_ok()
        }
        (Algorithm::Es384, Curve::P384) => {
            let (Ok(key), Ok(signature)) =
                (p384::ecdsa::VerifyingKey::from_sec1_bytes(&point), p384::ecdsa::Signature::from_slice(signature))
            else {
                return false;
            };
            key.verify(signing_input, &signature).is_ok()
        }
        (Algorithm::Es512, Curve::P521) => {
            let (Ok(key), Ok(signature)) =
                (p521::ecdsa::VerifyingKey::from_sec1_bytes(&point), p521::ecdsa::Signature::from_slice(signature))
            else {
                return false;
            };
            key.verify(signing_input, &signature).is_ok()
        }
        _ => false,
    }
}

fn verify_ed25519(algorithm: Algorithm, x: &[u8; 32], signing_input: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (ed25519_dalek::VerifyingKey::from_bytes(x), ed25519_dalek::Signature::from_slice(signature))
    else {
        return false;
    };
    algorithm == Algorithm::EdDsa && key.verify(signing_input, &signature).is_ok()
}

fn verify_hmac(algorithm: Algorithm, secret: &[u8], signing_input: &[u8], signature: &[u8]) -> bool {
    match algorithm {
        Algorithm::Hs256 => hmac_sha256(secret, signing_input).verify_slice(signature).is_ok(),
        Algorithm::Hs384 => hmac_sha384(secret, signing_input).verify_slice(signature).is_ok(),
        Algorithm::Hs512 => hmac_sha512(secret, signing_input).verify_slice(signature).is_ok(),
        _ => false,
    }
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).unwrap().chain_update(message)
}

fn hmac_sha384(secret: &[u8], message: &[u8]) -> Hmac<Sha384> {
    Hmac::new_from_slice(secret).unwrap().chain_update(message)
}

fn hmac_sha512(secret: &[u8], message: &[u8]) -> Hmac<Sha512> {
    Hmac::new_from_slice(secret).unwrap().chain_update(message)
}

fn rsa_private_key(member: impl Fn(&str) -> Vec<u8>) -> RsaPrivateKey {
    let integer = |name| BigUint::from_bytes_be(&member(name));
    RsaPrivateKey::from_components(integer("n"), integer("e"), integer("d"), vec![integer("p"), integer("q")]).unwrap()
}

/// The hash that an RSA algorithm signs. Empty for any other algorithm: it verifies nothing.
fn rsa_digest(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => Sha256::digest(message).to_vec(),
        Algorithm::Rs384 | Algorithm::Ps384 => Sha384::digest(message).to_vec(),
        Algorithm::Rs512 | Algorithm::Ps512 => Sha512::digest(message).to_vec(),
        _ => Vec::new(),
    }
}

fn pkcs1(algorithm: Algorithm) -> Pkcs1v15Sign {
    match algorithm {
        Algorithm::Rs256 => Pkcs1v15Sign::new::<rsa::sha2::Sha256>(),
        Algorithm::Rs384 => Pkcs1v15Sign::new::<rsa::sha2::Sha384>(),
        Algorithm::Rs512 => Pkcs1v15Sign::new::<rsa::sha2::Sha512>(),
        other => panic!("{other} is not PKCS #1 v1.5"),
    }
}

/// RFC 7518, section 3.5: the salt is as long as the hash, and MGF1 uses the same hash.
fn pss(algorithm: Algorithm) -> Pss {
    match algorithm {
        Algorithm::Ps256 => Pss::new::<rsa::sha2::Sha256>(),
        Algorithm::Ps384 => Pss::new::<rsa::sha2::Sha384>(),
        Algorithm::Ps512 => Pss::new::<rsa::sha2::Sha512>(),
        other => panic!("{other} is not PSS"),
    }
}

/// A PSS salt that is random to whoever does not know the message, so that a failing test fails the same way again.
struct SaltFrom {
    state: [u8; 32],
}

impl SaltFrom {
    fn new(message: &[u8]) -> Self {
        Self { state: Sha256::digest(message).into() }
    }
}

impl RngCore for SaltFrom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        for chunk in destination.chunks_mut(self.state.len()) {
            self.state = Sha256::digest(self.state).into();
            chunk.iter_mut().zip(self.state).for_each(|(byte, random)| *byte = random);
        }
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(destination);
        Ok(())
    }
}

impl CryptoRng for SaltFrom {}
