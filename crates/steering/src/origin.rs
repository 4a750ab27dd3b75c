//! One server behind the gateway.

use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;

/// A server that answers requests: where it is, and how large its share is.
// Invariant: the name is not empty; `url` is scheme, host and optional port, without anything behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    name: String,
    url: String,
    weight: NonZeroU32,
}

impl Origin {
    /// Makes an origin from a name, a URL such as `https://us-1.example.com:8443`, and a weight from 1 up.
    ///
    /// # Errors
    /// The name is empty. The weight is 0, which would mean an origin that is there and gets nothing. The URL is more or
    /// less than scheme, host and port: a path is refused because the path that was matched is the path that is
    /// forwarded, and credentials because secrets are never in a configuration.
    pub fn new(name: String, url: &str, weight: u32) -> Result<Self, InvalidOrigin> {
        if name.is_empty() {
            return Err(InvalidOrigin::Name);
        }
        let weight = NonZeroU32::new(weight).ok_or(InvalidOrigin::Weight)?;
        Ok(Self { name, url: base(url)?, weight })
    }

    /// The name in the configuration, unique in its pool.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Scheme, host and port, in lower case, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its share of a pool's requests, relative to the other weights; never 0.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.get()
    }
}

/// Reads scheme, host and port; RFC 3986, section 3.2, and the normalisation of section 6.2.2.1.
fn base(url: &str) -> Result<String, InvalidOrigin> {
    let lower = url.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").ok_or(InvalidOrigin::Scheme)?;
    if !matches!(scheme, "http" | "https") {
        return Err(InvalidOrigin::Scheme);
    }
    // RFC 3986, section 6.2.3: an empty path and "/" are the same.
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(InvalidOrigin::Path);
    }
    if authority.contains('@') {
        return Err(InvalidOrigin::Credentials);
    }
    let (host, port) = split_port(authority);
    if !is_host(host) {
        return Err(InvalidOrigin::Host);
    }
    if port.is_some_and(|port| !is_port(port)) {
        return Err(InvalidOrigin::Port);
    }
    Ok(format!("{scheme}://{authority}"))
}

/// Divides an authority at the colon before its port; the colons inside of `[…]` are an address's own.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

/// Digits only, because `u16` alone would take a sign.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Why something is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidOrigin {
    /// The name is empty.
    Name,
    /// The weight is 0.
    Weight,
    /// The URL does not begin with `http://` or `https://`.
    Scheme,
    /// There is a user name or password in the URL.
    Credentials,
    /// The URL's host is neither a name nor an address.
    Host,
    /// The URL's port is not a number from 1 to 65535.
    Port,
    /// There is a path, query or fragment behind the host.
    Path,
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "an origin needs a name",
            Self::Weight => "a weight is 1 or more; remove an origin that should get no requests",
            Self::Scheme => "an origin's URL begins with `https://` or `http://`",
            Self::Credentials => "an origin's URL holds no user name or password",
            Self::Host => "an origin's URL needs a host name, in ASCII, or an address; IPv6 in brackets",
            Self::Port => "a port is a number from 1 to 65535",
            Self::Path => {
                "an origin's URL ends after the host and port: the path of each request is forwarded as it is"
            }
        })
    }
}

impl std::error::Error for InvalidOrigin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, InvalidOrigin>) {
        let origin = Origin::new("a".to_owned(), url, 1);
        assert_eq!(origin.as_ref().map(Origin::url).map_err(|error| *error), expected, "{url}");
    }

    #[test]
    fn a_url_is_scheme_host_and_port() {
        check("https://us-1.example.com", Ok("https://us-1.example.com"));
        check("http://127.0.0.1:9001", Ok("http://127.0.0.1:9001"));
        check("http://[::1]:9001", Ok("http://[::1]:9001"));
        check("http://[2001:db8::1]", Ok("http://[2001:db8::1]"));
        check("http://my_service:1", Ok("http://my_service:1"));
        check("https://example.com.", Ok("https://example.com."));
        check("http://a:65535", Ok("http://a:65535"));
    }

    #[test]
    fn letter_case_and_a_lone_slash_are_normalised() {
        check("HTTPS://US-1.Example.COM/", Ok("https://us-1.example.com"));
    }

    #[test]
    fn another_scheme_is_refused() {
        for url in ["", "example.com", "ftp://a", "ws://a", "//a", "https:/a", "https:a"] {
            check(url, Err(InvalidOrigin::Scheme));
        }
    }

    #[test]
    fn a_path_query_or_fragment_is_refused() {
        for url in ["https://a/b", "https://a//", "https://a?b", "https://a#b", "https://a/?b"] {
            check(url, Err(InvalidOrigin::Path));
        }
    }

    #[test]
    fn credentials_are_refused() {
        check("https://user:password@a", Err(InvalidOrigin::Credentials));
        check("https://a@b", Err(InvalidOrigin::Credentials));
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for url in [
            "https://",
            "https:///",
            "https://a b",
            "https://a..b",
            "https://.a",
            "https://.",
            "https://bücher.example",
        ] {
            check(url, Err(InvalidOrigin::Host));
        }
        for url in [
            "http://[::1",
            "http://[]",
            "http://[::g]",
            "http://::1:80",
            "http://[::1]x:80",
            "https://a\r\nb",
            "https://:80",
        ] {
            check(url, Err(InvalidOrigin::Host));
        }
    }

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for url in ["https://a:", "https://a:0", "https://a:65536", "https://a:+80", "https://a:8o", "http://[::1]:"] {
            check(url, Err(InvalidOrigin::Port));
        }
    }

    #[test]
    fn zero_weight_and_an_empty_name_are_refused() {
        assert_eq!(Origin::new("a".to_owned(), "https://a", 0), Err(InvalidOrigin::Weight));
        assert_eq!(Origin::new(String::new(), "https://a", 1), Err(InvalidOrigin::Name));
        assert_eq!(Origin::new("a".to_owned(), "https://a", u32::MAX).map(|origin| origin.weight()), Ok(u32::MAX));
    }
}
