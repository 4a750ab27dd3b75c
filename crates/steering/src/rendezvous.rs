//! The same client to the same origin, in isolates that know nothing of each other.
//!
//! Weighted rendezvous hashing (Thaler and Ravishankar, 1998): each origin gets a score from the client and its own
//! name, and the highest wins. When an origin goes, only its own clients move, and they spread over the others; when
//! one comes, it takes its share from all alike.

use std::net::{IpAddr, Ipv6Addr};

use crate::draw::mix;

/// What makes two requests come from the same client, for [`crate::Balance::IpHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKey(u64);

impl ClientKey {
    /// Makes the key of an address; different spellings of one address give the same key.
    ///
    /// Of an IPv6 address the first 64 bits count, because a client changes the others at will and by itself
    /// (RFC 8981, temporary addresses). A text that is no address counts as it is.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self(hash(&address.octets())),
            Ok(IpAddr::V6(address)) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Self(hash(&Ipv6Addr::from(network).octets()))
            }
            Err(_) => Self(hash(address.as_bytes())),
        }
    }
}

/// How much a client prefers an origin: above 0; the highest wins. `origin` is the hash of its name.
///
/// With u equally distributed in (0, 1), -ln(u) / weight is the waiting time for an event of that rate, and the first
/// of several such events is each one with the probability weight / sum of the weights. The score is its inverse.
pub(crate) fn score(client: ClientKey, origin: u64, weight: u32) -> f64 {
    let bits = mix(client.0 ^ mix(origin)) >> 12;
    // 52 bits and a half need 53, what an f64 holds: u is never rounded to 0 or 1, whose logarithms are no times.
    let uniform = (bits as f64 + 0.5) / (1_u64 << 52) as f64;
    -f64::from(weight) / uniform.ln()
}

/// FNV-1a, 64 bits; [`mix`] gives it the avalanche that it lacks.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(ClientKey::of_address(one) == ClientKey::of_address(other), same, "{one} {other}");
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the test vectors of the algorithm's authors.
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn two_spellings_of_an_address_are_one_client() {
        check("2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true);
        check("::ffff:203.0.113.7", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
    }

    #[test]
    fn the_last_64_bits_of_an_ipv6_address_do_not_count() {
        check("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true);
        check("2001:db8:0:1::1", "2001:db8:0:2::1", false);
    }

    #[test]
    fn another_text_counts_as_it_is() {
        check("client-1", "client-1", true);
        check("client-1", "client-2", false);
        check("", "0.0.0.0", false);
    }

    #[test]
    fn every_score_is_a_number_above_zero() {
        for client in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            for origin in 0..1000 {
                let score = score(ClientKey(client), origin, 1);
                assert!(score.is_finite() && score > 0.0, "{score}");
            }
        }
    }
}
