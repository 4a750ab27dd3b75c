/// The header section of a request or of a response, read one field at a time.
///
/// Reading a header of the platform crosses the Wasm boundary, so this crate asks for a field when a rule needs it and
/// for no other.
pub trait Fields {
    /// The value of the field `name` (always asked for in lower case): its lines in the order received, joined by `",
    /// "` (RFC 9110, section 5.3). `None` when there is no such line.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F> Fields for F
where
    F: Fn(&str) -> Option<String>,
{
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// Whether a value has bytes that are no UTF-8. A field may have any above 0x7F (RFC 9110, section 5.5); platforms that
/// give values as text put U+FFFD in the place of each, so two values that look the same here may be different ones for
/// whoever gets them as bytes.
pub fn is_garbled(value: &str) -> bool {
    value.contains(char::REPLACEMENT_CHARACTER)
}

/// The field in which a store keeps [`Stored::encode`](crate::Stored::encode) beside the response.
pub const ENVELOPE_FIELD: &str = "tidegate-stored";

/// Fields that end at this hop, or that belong to the gateway. They are never stored.
///
/// RFC 9111, section 3.1: the Connection field and what RFC 9110, section 7.6.1 lists with it; fields specific to the
/// proxy used; trailers are discarded, and with them their announcement. `Age` is replaced on every reuse (section 4).
/// An origin that sends the envelope's own name, or that under which the coding of a body is kept, would otherwise write the
/// cache's metadata.
pub(crate) const NEVER_STORED: [&str; 13] = [
    "age",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "tidegate-coding",
    "trailer",
    "transfer-encoding",
    "upgrade",
    ENVELOPE_FIELD,
];

/// Fields that the envelope carries, because a store that sees them may expire, vary or answer by them on its own.
pub(crate) const ENVELOPED: [&str; 11] = [
    "cache-control",
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "date",
    "etag",
    "expires",
    "last-modified",
    "pragma",
    "surrogate-control",
    "tidegate-cache-control",
    "vary",
];

/// Fields without which a stored response would say something else. `Connection`, `private="..."` and `no-cache="..."`
/// may not take them away: a reply without `Vary` or `Cache-Control` would poison the next cache, one without
/// `Content-Encoding` its reader. "Cache-Control is never appropriate as a connection option" (RFC 9110, section
/// 7.6.1).
pub(crate) const INDISPENSABLE: [&str; 9] = [
    "cache-control",
    "cdn-cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "expires",
    "tidegate-cache-control",
    "vary",
];

/// Yields the members of a comma-separated list without quoted strings, empty ones left out (RFC 9110, section
/// 5.6.1.2).
pub(crate) fn members(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(trim).filter(|member| !member.is_empty())
}

/// Removes optional whitespace (RFC 9110, section 5.6.3) from both ends.
pub(crate) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Is this a token (RFC 9110, section 5.6.2)?
pub(crate) fn is_token(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header section for tests: lines of `name: value`.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Lines(pub(crate) Vec<(String, String)>);

    impl Lines {
        pub(crate) fn new(lines: &[(&str, &str)]) -> Self {
            Self(lines.iter().map(|(name, value)| (name.to_lowercase(), (*value).to_owned())).collect())
        }
    }

    impl Fields for Lines {
        fn get(&self, name: &str) -> Option<String> {
            let lines: Vec<&str> = self.0.iter().filter(|line| line.0 == name).map(|line| line.1.as_str()).collect();
            (!lines.is_empty()).then(|| lines.join(", "))
        }
    }

    #[test]
    fn empty_list_members_are_ignored() {
        assert_eq!(members(", a ,,\tb,").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(members(" , ").count(), 0);
    }

    #[test]
    fn a_token_has_no_separators() {
        for (value, token) in [
            ("max-age", true),
            ("*", true),
            ("", false),
            ("a b", false),
            ("a;b", false),
            ("\"a\"", false),
            ("ä", false),
        ] {
            assert_eq!(is_token(value), token, "{value:?}");
        }
    }

    #[test]
    fn a_closure_is_a_header_section() {
        let fields = |name: &str| (name == "vary").then(|| "*".to_owned());
        assert_eq!(Fields::get(&fields, "vary").as_deref(), Some("*"));
        assert_eq!(Fields::get(&fields, "age"), None);
    }
}
