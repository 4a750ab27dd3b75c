//! The question: may a request of this cost pass all of these limits?

use crate::rate::Rate;

/// One limit that a request has to fit: a bucket, its rate, and what the request costs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    // Invariant: what `Spend::new` checks.
    key: String,
    rate: Rate,
    cost: u32,
}

/// All limits of one request, which are charged together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRequest {
    // Invariant: what `SpendRequest::new` checks.
    limits: Vec<Spend>,
}

/// Why a question can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSpend {
    /// The key is empty or longer than [`Spend::MAX_KEY_BYTES`].
    #[error("a limit's key must have from 1 to 1024 bytes")]
    KeyLength,
    /// A request that costs nothing.
    #[error("a request must cost at least 1")]
    NoCost,
    /// The request could not pass even a full bucket: to wait doesn't help.
    #[error("the cost is above the burst, so the request can never pass")]
    CostAboveBurst,
    /// No limit, or more than [`SpendRequest::MAX_LIMITS`].
    #[error("a request must have from 1 to 32 limits")]
    LimitCount,
}

impl Spend {
    /// The longest key. Keys come from claims and header fields, and a client must not fill the object's memory.
    pub const MAX_KEY_BYTES: usize = 1024;

    /// Creates the wish to take `cost` from the bucket that `key` names.
    ///
    /// A key has one rate: put the limit's name into it. When a rate changes, the key keeps the time that it owes, up
    /// to what its new bucket can owe.
    ///
    /// # Errors
    /// `KeyLength`, `NoCost`, or `CostAboveBurst` for a request that no wait will ever let pass.
    pub fn new(key: impl Into<String>, rate: Rate, cost: u32) -> Result<Spend, InvalidSpend> {
        let key = key.into();
        if key.is_empty() || key.len() > Spend::MAX_KEY_BYTES {
            return Err(InvalidSpend::KeyLength);
        }
        if cost == 0 {
            return Err(InvalidSpend::NoCost);
        }
        if cost > rate.burst() {
            return Err(InvalidSpend::CostAboveBurst);
        }
        Ok(Spend { key, rate, cost })
    }

    /// Returns the name of the bucket.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the rate at which the bucket fills.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Returns how many requests' worth this one takes.
    pub fn cost(&self) -> u32 {
        self.cost
    }
}

impl SpendRequest {
    /// The most limits of one request, which bounds a message and a decision.
    pub const MAX_LIMITS: usize = 32;

    /// Creates the question for all limits of a request.
    ///
    /// Limits that name the same key share one bucket and are charged one after the other, each on top of those before.
    ///
    /// # Errors
    /// `LimitCount`, or `CostAboveBurst` when limits of the same key cost more together than the bucket ever holds.
    pub fn new(limits: Vec<Spend>) -> Result<SpendRequest, InvalidSpend> {
        if limits.is_empty() || limits.len() > SpendRequest::MAX_LIMITS {
            return Err(InvalidSpend::LimitCount);
        }
        for (index, last) in limits.iter().enumerate() {
            let together: u64 = limits
                .iter()
                .take(index.saturating_add(1))
                .filter(|spend| spend.key == last.key)
                .fold(0, |sum, spend| sum.saturating_add(spend.rate.increment(spend.cost)));
            if together > last.rate.fill_nanos() {
                return Err(InvalidSpend::CostAboveBurst);
            }
        }
        Ok(SpendRequest { limits })
    }

    /// Returns the limits in the order in which they were named, which is the order of the verdicts.
    pub fn limits(&self) -> &[Spend] {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(burst: u32) -> Rate {
        Rate::new(1, Duration::from_secs(1), burst).unwrap()
    }

    #[track_caller]
    fn check(key: &str, burst: u32, cost: u32, refused: Option<InvalidSpend>) {
        assert_eq!(Spend::new(key, rate(burst), cost).err(), refused);
    }

    #[test]
    fn a_cost_that_can_never_pass_is_refused_before_it_is_asked() {
        check("k", 3, 0, Some(InvalidSpend::NoCost));
        check("k", 3, 1, None);
        check("k", 3, 3, None);
        check("k", 3, 4, Some(InvalidSpend::CostAboveBurst));
        check("k", u32::MAX, u32::MAX, None);
    }

    #[test]
    fn a_key_has_from_1_to_1024_bytes() {
        check("", 1, 1, Some(InvalidSpend::KeyLength));
        check("k", 1, 1, None);
        check(&"k".repeat(1024), 1, 1, None);
        check(&"k".repeat(1025), 1, 1, Some(InvalidSpend::KeyLength));
        check(&"ü".repeat(513), 1, 1, Some(InvalidSpend::KeyLength));
    }

    #[track_caller]
    fn check_together(limits: &[(&str, u32, u32)], refused: Option<InvalidSpend>) {
        let limits = limits.iter().map(|&(key, burst, cost)| Spend::new(key, rate(burst), cost).unwrap()).collect();
        assert_eq!(SpendRequest::new(limits).err(), refused);
    }

    #[test]
    fn limits_of_one_key_that_can_never_pass_together_are_refused() {
        check_together(&[("k", 3, 1), ("k", 3, 2)], None);
        check_together(&[("k", 3, 2), ("k", 3, 2)], Some(InvalidSpend::CostAboveBurst));
        check_together(&[("k", 3, 2), ("other", 3, 2)], None);
        check_together(&[("k", 3, 3), ("k", 9, 6)], None);
        check_together(&[("k", 9, 6), ("k", 3, 3)], Some(InvalidSpend::CostAboveBurst));
    }

    #[test]
    fn a_request_has_from_1_to_32_limits() {
        check_together(&[], Some(InvalidSpend::LimitCount));
        check_together(&[("k", 32, 1); 32], None);
        check_together(&[("k", 33, 1); 33], Some(InvalidSpend::LimitCount));
    }
}
