//! URLs, hosts and paths. What the gateway compares or connects to is read by the gateway's own types.

use core::net::Ipv4Addr;

use serde_json::{Value, json};
use tidegate_gateway::matching::{HostPattern, InvalidHost, InvalidPattern, Pattern};
use tidegate_gateway::path::normalise;
use tidegate_steering::{InvalidOrigin, Origin};

use super::{Invalid, Text};

/// Where an origin listens: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct OriginUrl(pub(in crate::authoring) String);

impl Text for OriginUrl {
    const EXAMPLE: &'static str = "\"https://us-1.example.com\"";

    fn expected() -> String {
        "a URL such as `\"https://us-1.example.com\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "URL", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\s]+/?$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        match Origin::new("origin".to_owned(), text, 1) {
            Ok(origin) => Ok(Self(origin.url().to_owned())),
            Err(invalid) => Err(invalid_origin(text, invalid)),
        }
    }
}

fn invalid_origin(text: &str, invalid: InvalidOrigin) -> Invalid {
    match invalid {
        InvalidOrigin::Scheme => Invalid::new(
            "must begin with `https://` or `http://`",
            match text.split_once("://") {
                Some((_, rest)) => format!("write `https://{rest}`"),
                None => format!("write `https://{}`", text.trim_start_matches('/')),
            },
        ),
        InvalidOrigin::Path => Invalid::new(
            "must end after the host and port",
            format!("write `{}`: the path of each request is forwarded as it is", up_to_path(text)),
        ),
        InvalidOrigin::Credentials => {
            Invalid::secret("must not hold a user name or password", "remove what stands before the `@`")
        }
        InvalidOrigin::Host => {
            Invalid::new("has no usable host", "write a host name in ASCII or an address, IPv6 in brackets")
        }
        InvalidOrigin::Port => Invalid::new("has no usable port", "a port is a number from 1 to 65535"),
        // Neither is part of the text.
        InvalidOrigin::Name | InvalidOrigin::Weight => Invalid::new("is no origin", invalid.to_string()),
    }
}

/// Scheme and authority of a URL.
fn up_to_path(url: &str) -> &str {
    let authority = url.find("://").and_then(|colon| url.get(colon.saturating_add(3)..)).unwrap_or_default();
    let behind = authority.find(['/', '?', '#']).map_or(0, |end| authority.len().saturating_sub(end));
    url.get(..url.len().saturating_sub(behind)).unwrap_or(url)
}

/// Where an issuer publishes its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct KeysUrl(pub(in crate::authoring) String);

impl KeysUrl {
    /// Whether the keys travel in the clear over a network.
    pub(in crate::authoring) fn is_exposed(&self) -> bool {
        let Some(rest) = up_to_path(&self.0).strip_prefix("http://") else { return false };
        if rest.starts_with("[::1]") {
            return false;
        }
        let host = rest.split_once(':').map_or(rest, |(host, _)| host);
        host != "localhost" && !host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Text for KeysUrl {
    const EXAMPLE: &'static str = "\"https://idp.example.com/.well-known/jwks.json\"";

    fn expected() -> String {
        "a URL such as `\"https://idp.example.com/.well-known/jwks.json\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "URL", "pattern": "^https?://[^/?#@\\s]+(/[^#\\s]*)?$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let base = up_to_path(text);
        if !base.starts_with("https://") && !base.starts_with("http://") {
            return Err(invalid_origin(text, InvalidOrigin::Scheme));
        }
        Origin::new("keys".to_owned(), base, 1).map_err(|invalid| invalid_origin(text, invalid))?;
        let rest = text.strip_prefix(base).unwrap_or_default();
        if text.contains('#') {
            return Err(Invalid::new("cannot have a fragment", "remove the `#` and what follows"));
        }
        if !(rest.is_empty() || rest.starts_with('/')) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("is not a URL", format!("for example `{}`", <Self as Text>::EXAMPLE)));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The host of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct HostName(pub(in crate::authoring) HostPattern);

impl Text for HostName {
    const EXAMPLE: &'static str = "\"api.example.com\"";

    fn expected() -> String {
        "a host such as `\"api.example.com\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "host", "pattern": "^((\\*\\.)?[A-Za-z0-9_.-]*[A-Za-z0-9_-]|\\[[0-9A-Fa-f:.]+\\])$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        HostPattern::parse(text).map(Self).map_err(|invalid| match &invalid {
            InvalidHost::Empty => Invalid::new("is empty", "leave it out to match every host"),
            InvalidHost::NotAHost => {
                Invalid::new("is more than a host", "write the host alone, such as `api.example.com`")
            }
            InvalidHost::Port => Invalid::new("cannot have a port", "remove it: a route matches on every port"),
            InvalidHost::Brackets => Invalid::new("needs brackets around an IPv6 address", format!("write `[{text}]`")),
            InvalidHost::TrailingDot => {
                Invalid::new("cannot end in a dot", "remove it: requests with and without it match")
            }
            InvalidHost::Star => Invalid::new(
                "has a star in the wrong place",
                "a star is the whole first label, as in `*.example.com`; to match every host leave `host` out",
            ),
            InvalidHost::NotAscii { label } => Invalid::new(
                format!("has the label `{label}`, which is not ASCII"),
                "write it as browsers send it, beginning with `xn--`",
            ),
            InvalidHost::InvalidIpv4 | InvalidHost::InvalidIpv6 | InvalidHost::Label { .. } | InvalidHost::TooLong => {
                Invalid::new(format!("cannot be `{text}`"), invalid.to_string())
            }
        })
    }
}

/// The path of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct PathPattern {
    /// As written, which is the only spelling that [`Pattern::parse`] accepts.
    pub(in crate::authoring) text: String,
    pub(in crate::authoring) pattern: Pattern,
}

impl Text for PathPattern {
    const EXAMPLE: &'static str = "\"/api/{*rest}\"";

    fn expected() -> String {
        "a path such as `\"/api/{*rest}\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "path", "pattern": "^/[^?#]*$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let pattern = Pattern::parse(text).map_err(|invalid| invalid_pattern(text, &invalid))?;
        Ok(Self { text: text.to_owned(), pattern })
    }
}

fn invalid_pattern(text: &str, invalid: &InvalidPattern) -> Invalid {
    match invalid {
        InvalidPattern::NotAbsolute => {
            Invalid::new("must begin with a slash", format!("write `/{}`", text.trim_start_matches("./")))
        }
        InvalidPattern::Query => {
            Invalid::new("cannot have a query or a fragment", "remove the `?` or `#` and what follows")
        }
        InvalidPattern::NotNormal { normal } => {
            Invalid::new("is not spelled as requests arrive", format!("write `{normal}`"))
        }
        InvalidPattern::Refused(rejection) => {
            let why = rejection.description().trim_end_matches('.').replacen("The", "the", 1);
            Invalid::new(format!("cannot be `{text}`: requests with it are refused"), format!("correct it: {why}"))
        }
        InvalidPattern::PartialParameter { segment } => Invalid::new(
            format!("has a parameter inside the segment `{segment}`"),
            "a parameter is a whole segment, `{id}` or `{*rest}`",
        ),
        InvalidPattern::InvalidName { segment } => Invalid::new(
            format!("has the parameter `{segment}`"),
            "a parameter's name is letters, digits and `_`, and does not begin with a digit",
        ),
        InvalidPattern::RepeatedName { name } => {
            Invalid::new(format!("has two parameters `{name}`"), "give each parameter its own name")
        }
        InvalidPattern::RestNotLast { segment } => Invalid::new(
            format!("goes on after `{segment}`"),
            format!("end the path with `{segment}`: it takes all that remains"),
        ),
        InvalidPattern::ForeignSyntax { segment } => Invalid::new(
            format!("has the segment `{segment}`"),
            "write `{id}` for one segment and `{*rest}` for all that remain",
        ),
        InvalidPattern::TooManySegments => Invalid::new("has too many segments", invalid.to_string()),
    }
}

/// Where the operators' endpoints live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct AdminPath(pub(in crate::authoring) String);

impl Text for AdminPath {
    const EXAMPLE: &'static str = "\"/_tidegate\"";

    fn expected() -> String {
        "a path such as `\"/_tidegate\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "path", "pattern": "^/[^?#{}]*[^?#{}/]$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        if !text.starts_with('/') {
            return Err(invalid_pattern(text, &InvalidPattern::NotAbsolute));
        }
        if text.contains(['?', '#', '{', '}']) {
            return Err(Invalid::new("must be a plain path", "remove query, fragment and parameters"));
        }
        let normal = normalise(text).map_err(|rejection| invalid_pattern(text, &InvalidPattern::Refused(rejection)))?;
        let normal = normal.as_str().strip_suffix('/').unwrap_or(normal.as_str());
        if normal.is_empty() {
            return Err(Invalid::new("cannot be the root", "choose a path of its own, such as `/_tidegate`"));
        }
        if normal != text {
            return Err(Invalid::new("is not spelled as requests arrive", format!("write `{normal}`")));
        }
        Ok(Self(normal.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        check("HTTPS://Us-1.example.com/", Ok(OriginUrl("https://us-1.example.com".to_owned())));
        let scheme = "must begin with `https://` or `http://`";
        check::<OriginUrl>("us-1:80", Err((scheme, "write `https://us-1:80`")));
        check::<OriginUrl>("ftp://a", Err((scheme, "write `https://a`")));
        let hint = "write `https://a:1`: the path of each request is forwarded as it is";
        check::<OriginUrl>("https://a:1/b?c", Err(("must end after the host and port", hint)));
        let hint = "remove what stands before the `@`";
        check::<OriginUrl>("https://u:p@a", Err(("must not hold a user name or password", hint)));
    }

    #[test]
    fn keys_come_from_a_url_that_is_not_overheard() {
        for (url, exposed) in [
            ("https://idp.example.com/keys?v=1", false),
            ("http://idp.example.com/keys", true),
            ("http://idp.example.com:8080", true),
            ("http://127.0.0.1:9000/keys", false),
            ("http://localhost/keys", false),
            ("http://[::1]:9000/keys", false),
            ("http://[::1]/keys", false),
            ("http://127.evil.example/keys", true),
        ] {
            assert_eq!(KeysUrl::parse(url).unwrap().is_exposed(), exposed, "{url}");
        }
        for url in ["", "idp", "ftp://a/b", "https://a/#b", "https://u@a/b", "https:///b", "https://a/b c"] {
            assert!(KeysUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_operators_have_a_plain_path_of_their_own() {
        check("/_tidegate", Ok(AdminPath("/_tidegate".to_owned())));
        check("/a/b", Ok(AdminPath("/a/b".to_owned())));
        check::<AdminPath>("/", Err(("cannot be the root", "choose a path of its own, such as `/_tidegate`")));
        check::<AdminPath>("ops", Err(("must begin with a slash", "write `/ops`")));
        check::<AdminPath>("/ops/", Err(("is not spelled as requests arrive", "write `/ops`")));
        check::<AdminPath>("//ops", Err(("is not spelled as requests arrive", "write `/ops`")));
        check::<AdminPath>("/{x}", Err(("must be a plain path", "remove query, fragment and parameters")));
    }

    #[test]
    fn a_url_ends_before_its_path() {
        assert_eq!(up_to_path("https://a/b"), "https://a");
        assert_eq!(up_to_path("https://a"), "https://a");
        assert_eq!(up_to_path("https://a?b/c"), "https://a");
        assert_eq!(up_to_path("abc"), "abc");
        assert_eq!(up_to_path(""), "");
    }
}
