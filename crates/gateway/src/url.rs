//! The parts of the absolute URL that the platform hands over.

/// An absolute `http` or `https` URL, cut at its delimiters (RFC 3986, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) scheme: &'a str,
    /// Host and, when not the scheme's default, port.
    pub(crate) authority: &'a str,
    /// Starts with `/`.
    pub(crate) path: &'a str,
    /// Without the `?`; `None` when there is none.
    pub(crate) query: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// A path with its query, of which neither host nor scheme are known.
    pub(crate) fn of_target(text: &'a str) -> Self {
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (path, query) = text.split_once('?').map_or((text, None), |(before, query)| (before, Some(query)));
        Self { scheme: "", authority: "", path, query }
    }

    /// Cuts the URL; `None` for anything that no HTTP request can have.
    pub(crate) fn cut(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let path_start = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(path_start)?;
        if authority.is_empty() || authority.contains('@') {
            return None;
        }
        Some(Self { scheme, authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, parts: Option<(&str, &str, &str, Option<&str>)>) {
        let cut = Url::cut(text).map(|url| (url.scheme, url.authority, url.path, url.query));
        assert_eq!(cut, parts, "{text}");
    }

    #[test]
    fn a_url_is_cut_at_its_delimiters() {
        check("https://a.example/x/y?q=1", Some(("https", "a.example", "/x/y", Some("q=1"))));
        check("http://127.0.0.1:8787", Some(("http", "127.0.0.1:8787", "/", None)));
        check("http://[::1]:80/?", Some(("http", "[::1]:80", "/", Some(""))));
        check("http://a?x/y", Some(("http", "a", "/", Some("x/y"))));
        check("http://a/b#c?d", Some(("http", "a", "/b", None)));
    }

    #[test]
    fn what_no_request_can_have_is_refused() {
        check("/x", None);
        check("http:///x", None);
        check("http://user@a/x", None);
    }
}
