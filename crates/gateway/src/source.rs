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

/// The network that counts as one client: an IPv4 address, or the first 64 bits of an IPv6 one.
///
/// Whoever has one IPv6 address has the 2^64 of its network (RFC 8981 changes them by itself), in many spellings. A text
/// that is no address counts as it is.
pub(crate) fn network(address: &str) -> String {
    match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Err(_) => address.to_owned(),
    }
}

/// The key of one caller: an issuer's subject. No list of sources has such a key.
pub(crate) fn caller(issuer: &str, subject: &str) -> String {
    let mut key = String::from("caller:");
    escape(issuer, &mut key);
    key.push('=');
    escape(subject, &mut key);
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
        for (address, client) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:DB8:0:0:ffff::5", "2001:db8::/64"),
            ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(network(address), client, "{address}");
        }
    }

    #[test]
    fn a_missing_value_is_not_an_empty_one() {
        check(&[(Source::Country, None)], "country");
        check(&[(Source::Country, Some(""))], "country=");
    }
}
