//! Is this token genuine, and meant for us?
//!
//! A JSON Web Token in the compact serialization (RFC 7515, 7519) passes four gates, in this order:
//!
//! 1. [`Token::parse`] reads the outer form and the header. The payload stays closed.
//! 2. [`Token::candidates`] names the keys that may have signed it: the algorithm is one that the [`Policy`] lists and the
//!    key's type, curve, `alg`, `use` and `key_ops` fit that algorithm.
//! 3. The caller checks the signature with a candidate and says so: [`Token::verified_by`]. Nothing here computes a
//!    signature: the edge asks WebCrypto, and the native tests ask RustCrypto.
//! 4. [`VerifiedToken::claims`] opens the payload and holds `iss`, `aud`, `exp`, `nbf` and `iat` against the policy.
//!
//! ```
//! # use std::time::Duration;
//! # use tidegate_jwt::{Claims, Key, KeySet, Policy, Rejection, Token};
//! # fn signature_is_valid(key: &Key, signing_input: &str, signature: &[u8]) -> bool { false }
//! fn authenticate(compact: &str, policy: &Policy, keys: &KeySet, now: Duration) -> Result<Claims, Rejection> {
//!     let token = Token::parse(compact)?;
//!     for key in token.candidates(policy, keys)? {
//!         if signature_is_valid(key, token.signing_input(), token.signature()) {
//!             return token.verified_by(key).claims(policy, now);
//!         }
//!     }
//!     Err(Rejection::SignatureInvalid)
//! }
//! ```
//!
//! There is no way around the third gate: a [`Token`] has no claims to give.
//!
//! ```compile_fail
//! # use std::time::Duration;
//! # fn f(policy: &tidegate_jwt::Policy) -> Result<(), tidegate_jwt::Rejection> {
//! let claims = tidegate_jwt::Token::parse("e30.e30.AA")?.claims(policy, Duration::ZERO)?;
//! # Ok(()) }
//! ```
//!
//! What the header says about keys (`jwk`, `jku`, `x5c`, `x5u`) is never read: an attacker who writes the token also writes
//! its header (RFC 8725, section 3.10). The keys come from the operator: a [`KeySet`] from text, or from a secret, or
//! fetched and kept by a [`KeyRing`].

mod rejection;

mod credentials;

mod algorithm;
mod policy;

mod base64url;
mod json;

mod header;
mod token;

mod claims;

mod jwk;
mod key;
mod key_ring;
mod key_set;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::Claims;
pub use credentials::{bearer, constant_time_eq, cookie, presented};
pub use json::object as unique_object;
pub use jwk::KeyFault;
pub use key::{Curve, Key, Material};
pub use key_ring::{KeyPlan, KeyRing};
pub use key_set::{InvalidKeySet, KeySet, SkippedKey};
pub use policy::{InvalidPolicy, Policy};
pub use rejection::Rejection;
pub use token::{Token, VerifiedToken};
