//! What an issuer's tokens have to be.

use std::fmt;
use std::time::Duration;

use crate::algorithm::Algorithm;

/// What one issuer's tokens have to be, as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    // Invariant: the issuer and every audience are non-empty; the algorithms are non-empty and of one kind, symmetric or
    // asymmetric; the leeway is at most `LONGEST_LEEWAY`.
    issuer: String,
    audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
}

/// Why there is no such policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPolicy {
    /// The issuer is empty.
    IssuerEmpty,
    /// One of the audiences is empty.
    AudienceEmpty,
    /// No algorithm is listed.
    AlgorithmsEmpty,
    /// HMAC and public-key algorithms are listed together.
    AlgorithmsMixed,
    /// The leeway is longer than an hour.
    LeewayTooLong,
}

/// RFC 7519, section 4.1.4: "usually no more than a few minutes". An hour is no clock skew any more.
const LONGEST_LEEWAY: Duration = Duration::from_secs(60 * 60);

impl Policy {
    /// Makes a policy.
    ///
    /// A token has to name one of `audience`. With an empty list, a token that names an audience at all is refused: it is
    /// meant for somebody else (RFC 7519, section 4.1.3).
    ///
    /// # Errors
    /// When a name is empty, no algorithm is listed, HMAC stands beside public-key algorithms (a public key could pass as
    /// the HMAC secret: RFC 8725, section 2.1), or the leeway exceeds an hour.
    pub fn new(
        issuer: String,
        audience: Vec<String>,
        algorithms: Vec<Algorithm>,
        leeway: Duration,
    ) -> Result<Self, InvalidPolicy> {
        if issuer.is_empty() {
            return Err(InvalidPolicy::IssuerEmpty);
        }
        if audience.iter().any(String::is_empty) {
            return Err(InvalidPolicy::AudienceEmpty);
        }
        let Some(first) = algorithms.first() else { return Err(InvalidPolicy::AlgorithmsEmpty) };
        if algorithms.iter().any(|algorithm| algorithm.is_symmetric() != first.is_symmetric()) {
            return Err(InvalidPolicy::AlgorithmsMixed);
        }
        if leeway > LONGEST_LEEWAY {
            return Err(InvalidPolicy::LeewayTooLong);
        }
        Ok(Self { issuer, audience, algorithms, leeway })
    }

    /// The value that `iss` must have, character for character.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The values of which `aud` must hold one.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// The algorithms that a token may be signed with.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// How far the issuer's clock may be from ours.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }

    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::IssuerEmpty => "the issuer is empty",
            Self::AudienceEmpty => "an audience is empty",
            Self::AlgorithmsEmpty => "no algorithm is listed",
            Self::AlgorithmsMixed => "HMAC and public-key algorithms are listed together: make two issuers of it",
            Self::LeewayTooLong => "the leeway is longer than an hour",
        })
    }
}

impl std::error::Error for InvalidPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        issuer: &str,
        audience: &[&str],
        algorithms: &[Algorithm],
        leeway: u64,
        expected: Result<(), InvalidPolicy>,
    ) {
        let audience = audience.iter().map(|name| (*name).to_owned()).collect();
        let policy = Policy::new(issuer.to_owned(), audience, algorithms.to_vec(), Duration::from_secs(leeway));
        assert_eq!(policy.map(|_| ()), expected);
    }

    #[test]
    fn nonsense_is_refused() {
        use Algorithm::{EdDsa, Es256, Hs256, Hs512, Ps256, Rs256};
        check("i", &["a"], &[Es256], 60, Ok(()));
        check("i", &[], &[Rs256, Ps256, EdDsa], 0, Ok(()));
        check("i", &["a", "b"], &[Hs256, Hs512], 3_600, Ok(()));
        check("", &["a"], &[Es256], 60, Err(InvalidPolicy::IssuerEmpty));
        check("i", &["a", ""], &[Es256], 60, Err(InvalidPolicy::AudienceEmpty));
        check("i", &["a"], &[], 60, Err(InvalidPolicy::AlgorithmsEmpty));
        check("i", &["a"], &[Rs256, Hs256], 60, Err(InvalidPolicy::AlgorithmsMixed));
        check("i", &["a"], &[Hs256, Rs256], 60, Err(InvalidPolicy::AlgorithmsMixed));
        check("i", &["a"], &[Es256], 3_601, Err(InvalidPolicy::LeewayTooLong));
    }
}
