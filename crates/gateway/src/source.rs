//! Where a part of a key comes from: the words that limits and cache partitions share.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// One part of the key of a limit, or of a cache's partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The client's address, from the one header that the operator trusts.
    Ip,
    /// A claim of the validated token.
    Claim(String),
    /// A request header, by its lower-case name.
    Header(String),
    /// The name of the matched route.
    Route,
    /// The client's country, ISO 3166-1 alpha-2, as the platform sees it.
    Country,
    /// A cookie. Names are case-sensitive.
    Cookie(String),
    /// The number of the client's network operator (its autonomous system), as the platform sees it.
    Asn,
}

impl Source {
    /// True when the value exists only after a token was validated.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        matches!(self, Self::Claim(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Claim(name) => write!(f, "claim:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Route => f.write_str("route"),
            Self::Country => f.write_str("country"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Asn => f.write_str("asn"),
        }
    }
}

/// The values of a request's key parts, joined so that no two lists of values give the same text.
///
/// Every value is escaped and carries its source; a missing value (`None`) differs from an empty one.
#[must_use]
pub fn join<'a>(parts: impl IntoIterator<Item = (&'a Source, Option<String>)>) -> String {
    let mut key = String::new();
    for (source, value) in parts {
        if !key.is_empty() {
            key.push('&');
        }
        escape(&source.to_string(), &mut key);
        if let Some(value) = value {
            key.push('=');
            escape(&value, &mut key);
        }
    }
    key
}

/// How many bits of an IPv6 address are one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ipv6Prefix(
    // Invariant: what `Ipv6Prefix::new` checks.
    u8,
);

impl Ipv6Prefix {
    /// The least: what a provider gets from its registry. Shorter ones would count unrelated networks as one client.
    pub const MIN: u8 = 32;
    /// The most: a single address.
    pub const MAX: u8 = 128;

    /// Creates the prefix; `None` outside of [`Ipv6Prefix::MIN`] and [`Ipv6Prefix::MAX`].
    #[must_use]
    pub fn new(bits: u8) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&bits).then_some(Self(bits))
    }

    /// The number of bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }
}

/// Whoever has one IPv6 address has the 2^64 of its network (RFC 8981 changes them by itself).
impl Default for Ipv6Prefix {
    fn default() -> Self {
        Self(64)
    }
}

/// The network that counts as one client, in one spelling: an IPv4 address, or the first bits of an IPv6 one.
///
/// A text that is no address counts as it is.
#[must_use]
pub fn network(address: &str, ipv6_prefix: Ipv6Prefix) -> String {
    match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let host_bits = u32::from(Ipv6Prefix::MAX.saturating_sub(ipv6_prefix.0));
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or_default();
            format!("{}/{}", Ipv6Addr::from_bits(address.to_bits() & mask), ipv6_prefix.0)
        }
        Err(_) => address.to_owned(),
    }
}

/// The value of a cookie in a `Cookie` field (RFC 6265, section 4.2.1), as it was sent.
///
/// Several cookies of one name give all their values: which of them the origin takes is unknown, and with the value of one
/// of them, or with none, a request would share a key with requests that have another meaning.
#[must_use]
pub fn cookie(field: &str, name: &str) -> Option<String> {
    let pairs = field.split(';').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(candidate, _)| candidate.trim_matches([' ', '\t']) == name);
    let values: Vec<&str> = named.map(|(_, value)| value.trim_matches([' ', '\t'])).collect();
    (!values.is_empty()).then(|| values.join(";"))
}

/// The key of one caller: an issuer's subject, and everything else that the token says of it. No list of sources has such a
/// key.
pub(crate) fn caller(issuer: &str, subject: &str, fingerprint: &str) -> String {
    let mut key = String::from("caller:");
    escape(issuer, &mut key);
    key.push('=');
    escape(subject, &mut key);
    key.push('=');
    escape(fingerprint, &mut key);
    key
}

/// Escapes the separators of a key and everything that is not visible ASCII.
fn escape(value: &str, key: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'%' | b'&' | b'=' | b'/') {
            key.push(char::from(byte));
        } else {
            key.push('%');
            key.extend(HEX.get(usize::from(byte >> 4)));
            key.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[(Source, Option<&str>)], key: &str) {
        assert_eq!(join(parts.iter().map(|(source, value)| (source, value.map(str::to_owned)))), key);
    }

    #[test]
    fn a_key_names_the_source_of_each_value() {
        check(&[(Source::Ip, Some("203.0.113.7"))], "ip=203.0.113.7");
        check(
            &[(Source::Claim("sub".into()), Some("a b")), (Source::Route, Some("search"))],
            "claim:sub=a%20b&route=search",
        );
    }

    #[test]
    fn separators_inside_a_value_cannot_forge_another_key() {
        check(&[(Source::Ip, Some("1&route=x"))], "ip=1%26route%3Dx");
        check(&[(Source::Header("a".into()), Some("%"))], "header:a=%25");
    }

    #[test]
    fn an_ipv6_client_is_its_network_in_any_spelling() {
        for (address, bits, client) in [
            ("203.0.113.7", 64, "203.0.113.7"),
            ("203.0.113.7", 128, "203.0.113.7"),
            ("::ffff:203.0.113.7", 32, "203.0.113.7"),
            ("2001:db8::1", 64, "2001:db8::/64"),
            ("2001:DB8:0:0:ffff::5", 64, "2001:db8::/64"),
            ("2001:db8:0:1::1", 64, "2001:db8:0:1::/64"),
            ("2001:db8:0:1::1", 128, "2001:db8:0:1::1/128"),
            ("2001:db8:0:ff::1", 57, "2001:db8:0:80::/57"),
            ("2001:db8:0:1::1", 32, "2001:db8::/32"),
            ("unknown", 64, "unknown"),
        ] {
            assert_eq!(network(address, Ipv6Prefix::new(bits).unwrap()), client, "{address}");
        }
    }

    #[test]
    fn a_prefix_has_from_32_to_128_bits() {
        for (bits, fits) in [(0, false), (31, false), (32, true), (128, true), (129, false), (255, false)] {
            assert_eq!(Ipv6Prefix::new(bits).is_some(), fits, "{bits}");
        }
        assert_eq!(Ipv6Prefix::default().bits(), 64);
    }

    #[test]
    fn a_cookie_is_its_value_as_sent() {
        for (field, value) in [
            ("session=a", Some("a")),
            ("a=1; session=\"b c\" ; d=2", Some("\"b c\"")),
            ("session=a=b", Some("a=b")),
            ("session=", Some("")),
            ("Session=a; xsession=b; session", None),
            ("", None),
        ] {
            assert_eq!(cookie(field, "session").as_deref(), value, "{field}");
        }
    }

    #[test]
    fn a_repeated_cookie_shares_no_key_with_any_single_one() {
        assert_eq!(cookie("s=a; s=b", "s").as_deref(), Some("a;b"));
        assert_eq!(cookie("s=; s=", "s").as_deref(), Some(";"));
    }

    #[test]
    fn a_missing_value_is_not_an_empty_one() {
        check(&[(Source::Country, None)], "country");
        check(&[(Source::Country, Some(""))], "country=");
    }
}
