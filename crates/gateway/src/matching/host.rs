//! Which hosts a route is for, and what the `Host` of a request means.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest host name and the longest label in it, in bytes (RFC 1035, section 2.3.4; a name of 255 octets on the wire is
/// 253 characters long).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A host (`api.example.com`, `192.0.2.1`, `[2001:db8::1]`), or every host below a name (`*.example.com`).
// Invariant: in lower case, without port and trailing dot; an IP address in the form that its type displays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(String);

/// Why a text is no host pattern. The operator wrote it, so the message says what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidHost {
    /// Nothing is left to match.
    Empty,
    /// A scheme, a path or user information.
    NotAHost,
    /// Ports are not matched.
    Port,
    /// An IPv6 address without its brackets.
    Brackets,
    /// Brackets around something else than an IPv6 address.
    InvalidIpv6,
    /// A last label that makes it an IPv4 address (WHATWG URL, "ends in a number"), of which it isn't one.
    InvalidIpv4,
    /// The trailing dot of an absolute name.
    TrailingDot,
    /// A star that is not the whole first label.
    Star,
    /// A label outside ASCII.
    NotAscii {
        /// The label.
        label: String,
    },
    /// A label with other characters than letters, digits, `-` and `_`, with an outer `-`, or of the wrong length.
    Label {
        /// The label.
        label: String,
    },
    /// More than 253 characters.
    TooLong,
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("a host is empty: leave it out to match every host"),
            Self::NotAHost => formatter.write_str("a host has no scheme, path, query or user: write `api.example.com`"),
            Self::Port => formatter.write_str("a host has no port: a route matches on every port, leave it out"),
            Self::Brackets => formatter.write_str("an IPv6 address stands in brackets: write `[2001:db8::1]`"),
            Self::InvalidIpv6 => formatter.write_str("the text between the brackets is not an IPv6 address"),
            Self::InvalidIpv4 => {
                formatter.write_str("a host whose last label is a number is an IPv4 address: write `192.0.2.1`")
            }
            Self::TrailingDot => {
                formatter.write_str("a host has no trailing dot: leave it out, requests match with it too")
            }
            Self::Star => formatter.write_str(
                "a star is the whole first label and stands for one or more labels: write `*.example.com`, \
                 or leave the host out to match every host",
            ),
            Self::NotAscii { label } => write!(
                formatter,
                "the label `{label}` is not ASCII: write its A-label as browsers send it (`xn--…`, RFC 5890)"
            ),
            Self::Label { label } => write!(
                formatter,
                "the label `{label}` is not one to 63 letters, digits, `-` and `_` without an outer `-`"
            ),
            Self::TooLong => write!(formatter, "a host is longer than {MAX_NAME} characters"),
        }
    }
}

impl std::error::Error for InvalidHost {}

impl HostPattern {
    /// Reads a host in any case, or `*.` and a host name.
    ///
    /// # Errors
    /// When no request could match it, or it says something that is not matched, such as a port.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        if text.is_empty() {
            return Err(InvalidHost::Empty);
        }
        if let Some(address) = text.strip_prefix('[') {
            return ipv6_pattern(address);
        }
        if text.contains(['/', '?', '#', '@', '\\']) {
            return Err(InvalidHost::NotAHost);
        }
        if text.contains(':') {
            let address = text.parse::<Ipv6Addr>();
            return Err(if address.is_ok() { InvalidHost::Brackets } else { InvalidHost::Port });
        }
        if text.len() > MAX_NAME {
            return Err(InvalidHost::TooLong);
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        if name.contains('*') {
            return Err(InvalidHost::Star);
        }
        if name.ends_with('.') {
            return Err(InvalidHost::TrailingDot);
        }
        for label in name.split('.') {
            check_label(label)?;
        }
        if ends_in_number(name) && lower.parse::<Ipv4Addr>().is_err() {
            return Err(InvalidHost::InvalidIpv4);
        }
        Ok(Self(lower))
    }

    /// The pattern in lower case: a host, or `*.` and a name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// What follows the `*.`, if the pattern is for the hosts below a name.
    pub(super) fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads what follows a `[`.
fn ipv6_pattern(text: &str) -> Result<HostPattern, InvalidHost> {
    let Some((address, port)) = text.split_once(']') else {
        return Err(InvalidHost::InvalidIpv6);
    };
    if !port.is_empty() {
        return Err(InvalidHost::Port);
    }
    match address.parse::<Ipv6Addr>() {
        Ok(address) => Ok(HostPattern(format!("[{address}]"))),
        Err(_) => Err(InvalidHost::InvalidIpv6),
    }
}

/// Letters, digits and inner hyphens (RFC 1123, section 2.1), and the underscore that names inside a network often have.
fn check_label(label: &str) -> Result<(), InvalidHost> {
    if !label.is_ascii() {
        return Err(InvalidHost::NotAscii { label: label.to_owned() });
    }
    if !is_label(label) || label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidHost::Label { label: label.to_owned() });
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let mut bytes = label.bytes();
    (1..=MAX_LABEL).contains(&label.len()) && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether URL parsers take the name for an IPv4 address, in decimal or hexadecimal (WHATWG URL, "ends in a number").
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    hexadecimal || last.bytes().all(|digit| digit.is_ascii_digit())
}

/// The host of a request as patterns spell it: lower case, without port (RFC 9110, section 7.2) and trailing dot (the same
/// name, made absolute). Nothing if it is malformed.
pub(super) fn canonical(host: &str) -> Option<Cow<'_, str>> {
    if let Some(address) = host.strip_prefix('[') {
        let (address, port) = address.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        return is_port(port).then(|| Cow::Owned(format!("[{address}]")));
    }
    let name = match host.split_once(':') {
        Some((name, port)) => port.bytes().all(|digit| digit.is_ascii_digit()).then_some(name)?,
        None => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return None;
    }
    Some(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    })
}

/// Nothing, or a colon and the digits that RFC 3986, section 3.2.3, allows after it (none is a port too).
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The names that the host is below, the longest first.
pub(super) fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(after_label(host), |name| after_label(name))
}

fn after_label(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, suffix)| suffix)
}
