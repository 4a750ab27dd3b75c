//! Requests and responses as values.

use std::collections::BTreeMap;

use tidegate_gateway::Head;
use tidegate_gateway::platform::Content;
use tidegate_http_cache::Fields;
use tidegate_steering::Location;

/// Header fields by their lower-case names, lines in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(BTreeMap<String, Vec<String>>);

impl Headers {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_lowercase()).or_default().push(value.to_owned());
    }

    /// Replaces every line of a field.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_lowercase(), vec![value.to_owned()]);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_lowercase());
    }

    /// The lines of a field, joined as the platform joins them.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(&name.to_lowercase()).map(|lines| lines.join(", "))
    }

    /// Sets fields given as lines: a name, its value, the next name, and so on.
    pub(super) fn set_lines(&mut self, lines: &str) {
        let lines: Vec<&str> = lines.split('\n').collect();
        for pair in lines.chunks_exact(2) {
            self.set(pair[0], pair[1]);
        }
    }

    /// Removes the fields of names separated by line feeds.
    pub(super) fn remove_lines(&mut self, names: &str) {
        names.split('\n').for_each(|name| self.remove(name));
    }

    /// `updateFields` in `edge/platform.mjs`: every field of `answer` replaces the one that is there, except for some.
    pub(super) fn update(&mut self, answer: &Self, excepted: &[String]) {
        let new = answer.0.iter().filter(|(name, _)| !excepted.contains(name));
        self.0.extend(new.map(|(name, lines)| (name.clone(), lines.clone())));
    }

    fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Fields for Headers {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name)
    }
}

/// A client's request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Headers,
    pub(super) body: Option<String>,
    pub(super) cf: BTreeMap<String, String>,
}

impl Head for Request {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn field(&self, name: &str) -> Option<String> {
        self.headers.get(name)
    }

    fn field_names(&self) -> String {
        self.headers.names()
    }

    fn has_body(&self) -> bool {
        self.body.is_some()
    }

    fn location(&self) -> Location {
        let part = |name: &str| self.cf.get(name).cloned();
        let (colo, country, continent, region_code) =
            (part("colo"), part("country"), part("continent"), part("regionCode"));
        let asn = part("asn").and_then(|asn| asn.parse().ok());
        Location { colo, country, continent, region_code, asn }
    }

    async fn content(&self, bytes_max: usize) -> Content {
        let body = self.body.clone().unwrap_or_default();
        if body.len() > bytes_max { Content::TooLarge } else { Content::Text(body) }
    }
}

/// A response, an origin's or the client's.
#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: String,
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let (last, middle) = parts.split_last().unwrap();
    for part in middle {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[test]
fn a_star_stands_for_any_text() {
    for (text, pattern, expected) in [
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("", "*", true),
        ("abc", "a*c", true),
        ("ac", "a*c", true),
        ("aXbYc", "a*b*c", true),
        ("aXcYb", "a*b*c", false),
        ("ab", "ab*b", false),
        ("xabc", "a*c", false),
    ] {
        assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
    }
}
