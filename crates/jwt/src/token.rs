//! A signed token, before and after its signature was checked.

use std::fmt;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::claims::Claims;
use crate::header::Header;
use crate::json;
use crate::key::Key;
use crate::key_set::KeySet;
use crate::policy::Policy;
use crate::rejection::Rejection;

/// A token whose signature nobody has checked.
pub struct Token<'a> {
    signing_input: &'a str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A token whose signature the caller has checked. Its issuer, audience and times are still to be held against a policy.
pub struct VerifiedToken {
    algorithm: Algorithm,
    // Whether the key that verified it is one for that algorithm.
    key_fits: bool,
    payload: Vec<u8>,
}

/// Servers refuse longer request headers anyway, and the work on a token that anybody can send stays bounded.
const LONGEST_TOKEN_BYTES: usize = 16 * 1_024;

/// How many signatures one request may cost. Sets that are larger name their keys.
const MOST_CANDIDATES: usize = 8;

impl<'a> Token<'a> {
    /// Reads a JWS in the compact serialization (RFC 7515, section 7.1).
    ///
    /// # Errors
    /// When the token is longer than 16 KiB, is not three parts in canonical base64url, or its header is malformed, unsecured
    /// or asks for something that is not supported.
    pub fn parse(compact: &'a str) -> Result<Self, Rejection> {
        if compact.len() > LONGEST_TOKEN_BYTES {
            return Err(Rejection::TokenTooLarge);
        }
        let mut parts = compact.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Rejection::TokenMalformed);
        };
        match parts.count() {
            0 => {}
            // RFC 7516, section 9: an encrypted token has five parts.
            2 => return Err(Rejection::TokenEncrypted),
            _ => return Err(Rejection::TokenMalformed),
        }
        let header = Header::parse(&decode(header)?)?;
        let payload = decode(payload)?;
        let signature = decode(signature)?;
        // A payload that is sent apart (RFC 7515, appendix F) is no claims set, and no algorithm has an empty signature.
        if payload.is_empty() || signature.is_empty() {
            return Err(Rejection::TokenMalformed);
        }
        let (signing_input, _) = compact.rsplit_once('.').ok_or(Rejection::TokenMalformed)?;
        Ok(Self { signing_input, header, payload, signature })
    }

    /// The algorithm that the token claims to be signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The key that the token claims to be signed with. A hint to look it up, and nothing more.
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Who the token claims to come from: only to choose whose keys to try. [`VerifiedToken::claims`] checks it.
    pub fn unverified_issuer(&self) -> Option<String> {
        json::text_member(&self.payload, "iss")
    }

    /// The bytes that are signed (RFC 7515, section 5.1).
    pub fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature, decoded. For ECDSA, both integers in full length one after the other (RFC 7518, section 3.4).
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The keys that may have signed the token: the first whose signature check succeeds did. At least one, at most eight.
    ///
    /// Where the token names a key, keys of that name come alone; else keys without a name are tried, such as a secret.
    ///
    /// # Errors
    /// When the policy does not list the algorithm, no key fits, or the token names no key and more than eight fit.
    pub fn candidates<'k>(&self, policy: &Policy, keys: &'k KeySet) -> Result<Vec<&'k Key>, Rejection> {
        // RFC 8725, section 3.1: the algorithm is for the verifier to choose, the header only says which of them it was.
        if !policy.allows(self.algorithm()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let fitting = || keys.keys().iter().filter(|key| key.fits(self.algorithm()));
        let candidates: Vec<&Key> = match self.key_id() {
            None => fitting().collect(),
            Some(key_id) => {
                let named: Vec<&Key> = fitting().filter(|key| key.key_id() == Some(key_id)).collect();
                if named.is_empty() { fitting().filter(|key| key.key_id().is_none()).collect() } else { named }
            }
        };
        match candidates.len() {
            0 => Err(Rejection::KeyUnknown),
            1..=MOST_CANDIDATES => Ok(candidates),
            _ => Err(Rejection::KeyAmbiguous),
        }
    }

    /// States that `key`'s check of [`Token::signature`] over [`Token::signing_input`] succeeded, with [`Token::algorithm`].
    ///
    /// The key has to be one of the [`Token::candidates`] for the policy that the claims are held against: the key of one
    /// issuer says nothing about the tokens of another.
    pub fn verified_by(self, key: &Key) -> VerifiedToken {
        let algorithm = self.algorithm();
        VerifiedToken { algorithm, key_fits: key.fits(algorithm), payload: self.payload }
    }
}

impl VerifiedToken {
    /// Opens the claims, if the token is one of `policy`'s issuer, for us, and in force at `now` (since the Unix epoch).
    ///
    /// # Errors
    /// When the policy does not list the algorithm, the key that verified it is of another kind, the claims set is
    /// malformed, or `iss`, `aud`, `exp`, `nbf` or `iat` say no.
    pub fn claims(self, policy: &Policy, now: Duration) -> Result<Claims, Rejection> {
        // Both were true of every candidate: a caller who took a key from elsewhere must not get further.
        if !policy.allows(self.algorithm) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        if !self.key_fits {
            return Err(Rejection::KeyUnknown);
        }
        Claims::parse(&self.payload, policy, now)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    base64url::decode(part).ok_or(Rejection::TokenMalformed)
}

/// Neither the token nor its claims: who has the text of a token has its rights.
impl fmt::Debug for Token<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("header", &self.header).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("VerifiedToken").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
