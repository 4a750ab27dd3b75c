use crate::fields::Fields;
use crate::stored::Stored;
use crate::vary;

/// The longest key, in bytes. Stores accept more, yet a key longer than this is somebody filling the cache.
const MAX_KEY: usize = 4096;

/// What tells two stored responses apart. The order of the names in a list has no meaning, the order of several values
/// of one name has. `None` is a source without a value, which is not the same as an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyParts<'a> {
    /// The name of the `[[cache]]`.
    pub cache: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host as it was matched.
    pub host: &'a str,
    /// The path as it was matched and is forwarded.
    pub path: &'a str,
    /// The query pairs that the configuration chose.
    pub query: &'a [(&'a str, Option<&'a str>)],
    /// The request fields that the configuration chose.
    pub headers: &'a [(&'a str, Option<&'a str>)],
    /// The sources by which callers are kept apart, such as `claim:org`.
    pub partition: &'a [(&'a str, Option<&'a str>)],
}

/// The key as a URL, which is what a Cache API takes for one.
///
/// Different parts never give the same key: whatever is not a letter, a digit or one of `-_.~` is percent-encoded, so
/// no value can imitate a separator or another label. Every path segment begins with a label, so there is no dot
/// segment for a URL parser to resolve. The method is not part of the key: only responses to GET are stored.
///
/// `None` when the key would exceed 4 KiB ([`Reason::KeyTooLong`](crate::Reason::KeyTooLong)).
pub fn key(parts: &KeyParts<'_>) -> Option<String> {
    // A name that cannot exist (RFC 2606): nothing is ever fetched from there.
    let mut key = String::with_capacity(256);
    key.push_str("https://cache.tidegate.invalid");
    for (label, value) in [("cache", parts.cache), ("scheme", parts.scheme), ("host", parts.host), ("path", parts.path)]
    {
        segment(&mut key, label, None, Some(value))?;
    }
    for (label, pairs) in [("query", parts.query), ("header", parts.headers), ("partition", parts.partition)] {
        let mut pairs: Vec<_> = pairs.iter().collect();
        // Stable: values of one name keep their order.
        pairs.sort_by_key(|(name, _)| *name);
        for (name, value) in pairs {
            segment(&mut key, label, Some(name), *value)?;
        }
    }
    Some(key)
}

/// The key of another variant of a resource, beside the response that its own [`key`] holds (RFC 9111, section 4.1): for
/// what the fields that this response was selected by say in this request.
///
/// The variants of one response are a family: when it is invalidated, the next one under its key has another family, and
/// no request finds the variants of the old one again.
///
/// `None` when the key would be too long, or hold a credential.
pub fn variant_key(key: &str, stored: &Stored, request: &dyn Fields) -> Option<String> {
    let mut variant = key.to_owned();
    segment(&mut variant, "family", None, Some(&format!("{:x}", stored.family)))?;
    for (name, value) in vary::presented(&stored.selecting, request)? {
        segment(&mut variant, "vary", Some(&name), value.as_deref())?;
    }
    Some(variant)
}

/// Appends `/label:name=value`. `None` when the key has become too long.
fn segment(key: &mut String, label: &str, name: Option<&str>, value: Option<&str>) -> Option<()> {
    key.push('/');
    key.push_str(label);
    if let Some(name) = name {
        key.push(':');
        encode(key, name)?;
    }
    if let Some(value) = value {
        key.push('=');
        encode(key, value)?;
    }
    (key.len() <= MAX_KEY).then_some(())
}

fn encode(key: &mut String, text: &str) -> Option<()> {
    if text.len() > MAX_KEY {
        return None;
    }
    // Bytes first: a text grows by one character at a time several times as slowly.
    let mut encoded = Vec::with_capacity(text.len().saturating_mul(3));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(byte);
        } else {
            encoded.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    key.push_str(str::from_utf8(&encoded).ok()?);
    Some(())
}

/// A hexadecimal digit, in upper case (RFC 3986, section 2.1).
fn digit(value: u8) -> u8 {
    if value < 10 { b'0' | value } else { b'7'.wrapping_add(value) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use super::*;
    use proptest::prelude::*;

    const PARTS: KeyParts<'static> = KeyParts {
        cache: "search",
        scheme: "https",
        host: "api.example.com",
        path: "/a",
        query: &[],
        headers: &[],
        partition: &[],
    };

    #[test]
    fn every_part_is_labelled_and_encoded() {
        let parts = KeyParts {
            path: "/a/../b%2F?x#y",
            query: &[("page", Some("2")), ("category", Some("books & more")), ("empty", Some("")), ("flag", None)],
            headers: &[("accept-language", Some("de")), ("x-absent", None)],
            partition: &[("claim:org", Some("acme/1=2"))],
            ..PARTS
        };
        assert_eq!(
            key(&parts).as_deref(),
            Some(concat!(
                "https://cache.tidegate.invalid/cache=search/scheme=https/host=api.example.com",
                "/path=%2Fa%2F..%2Fb%252F%3Fx%23y",
                "/query:category=books%20%26%20more/query:empty=/query:flag/query:page=2",
                "/header:accept-language=de/header:x-absent/partition:claim%3Aorg=acme%2F1%3D2",
            ))
        );
    }

    #[test]
    fn names_are_sorted_values_of_one_name_are_not() {
        let of = |query: &[(&str, Option<&str>)]| key(&KeyParts { query, ..PARTS });
        let (a1, a2, b) = (("a", Some("1")), ("a", Some("2")), ("b", None));
        assert_eq!(of(&[b, a1, a2]), of(&[a1, a2, b]));
        assert_ne!(of(&[a1, a2]), of(&[a2, a1]));
    }

    #[test]
    fn a_key_ends_at_four_kibibytes() {
        let base = key(&KeyParts { path: "", ..PARTS }).unwrap().len();
        let fits = "a".repeat(MAX_KEY - base);
        assert_eq!(key(&KeyParts { path: &fits, ..PARTS }).map(|key| key.len()), Some(MAX_KEY));
        assert_eq!(key(&KeyParts { path: &format!("{fits}a"), ..PARTS }), None);
        // Encoding triples a byte.
        assert_eq!(key(&KeyParts { path: &"/".repeat(2000), ..PARTS }), None);
        assert_eq!(key(&KeyParts { partition: &[("ip", Some(&"a".repeat(MAX_KEY)))], ..PARTS }), None);
    }

    type Pairs = Vec<(String, Option<String>)>;

    /// Owned parts with values that try to imitate the key's own syntax.
    #[derive(Debug, Clone, PartialEq)]
    struct Owned {
        texts: [String; 4],
        pairs: [Pairs; 3],
    }

    impl Owned {
        fn key(&self) -> Option<String> {
            let pairs = self
                .pairs
                .each_ref()
                .map(|pairs| pairs.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect::<Vec<_>>());
            let [cache, scheme, host, path] = self.texts.each_ref().map(String::as_str);
            let [query, headers, partition] = pairs.each_ref().map(Vec::as_slice);
            key(&KeyParts { cache, scheme, host, path, query, headers, partition })
        }

        fn sorted(mut self) -> Self {
            self.pairs.iter_mut().for_each(|pairs| pairs.sort_by(|a, b| a.0.cmp(&b.0)));
            self
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a:=/%.&]{0,3}",
            prop::sample::select(vec![
                "",
                "a",
                "/query:a=b",
                "%2F",
                "%2f",
                "..",
                "/header:a",
                "partition:claim%3Aorg=x",
                "ä",
                "\0"
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn owned() -> impl Strategy<Value = Owned> {
        let pairs = || prop::collection::vec((text(), prop::option::of(text())), 0..3);
        ([text(), text(), text(), text()], [pairs(), pairs(), pairs()])
            .prop_map(|(texts, pairs)| Owned { texts, pairs })
    }

    /// Reads a key back: what can be decoded cannot have collided.
    fn decoded(key: &str) -> Option<Owned> {
        let plain = |text: &str| {
            let mut bytes = Vec::new();
            let mut rest = text.bytes();
            while let Some(byte) = rest.next() {
                bytes.push(match byte {
                    b'%' => u8::from_str_radix(std::str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?,
                    _ => byte,
                });
            }
            String::from_utf8(bytes).ok()
        };
        let mut owned = Owned { texts: Default::default(), pairs: Default::default() };
        for segment in key.strip_prefix("https://cache.tidegate.invalid/")?.split('/') {
            let (label, value) = segment.split_once('=').map_or((segment, None), |(label, value)| (label, Some(value)));
            let value = match value {
                Some(value) => Some(plain(value)?),
                None => None,
            };
            let (kind, name) = label.split_once(':').unwrap_or((label, ""));
            match kind {
                "query" => owned.pairs[0].push((plain(name)?, value)),
                "header" => owned.pairs[1].push((plain(name)?, value)),
                "partition" => owned.pairs[2].push((plain(name)?, value)),
                _ => owned.texts[["cache", "scheme", "host", "path"].iter().position(|text| *text == kind)?] = value?,
            }
        }
        Some(owned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_key_gives_its_parts_back(parts in owned()) {
            prop_assert_eq!(decoded(&parts.key().unwrap()), Some(parts.sorted()));
        }

        #[test]
        fn different_parts_never_give_the_same_key(one in owned(), other in owned()) {
            prop_assert_eq!(one.key() == other.key(), one.sorted() == other.sorted());
        }

        #[test]
        fn a_url_parser_has_nothing_to_change(parts in owned()) {
            let key = parts.key().unwrap();
            let path = key.strip_prefix("https://cache.tidegate.invalid/").unwrap();
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%:=/".contains(&byte)));
            prop_assert!(path.split('/').all(|segment| !segment.is_empty() && !segment.starts_with(['.', '%'])));
        }

        #[test]
        fn any_text_makes_a_key_or_none(text in ".{0,2000}") {
            if let Some(key) = key(&KeyParts { path: &text, ..PARTS }) {
                prop_assert!(key.len() <= MAX_KEY);
            }
        }
    }
}
