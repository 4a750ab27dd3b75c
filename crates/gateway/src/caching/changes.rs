//! What an unsafe request makes untrue when it succeeds (RFC 9111, section 4.4).

use std::cell::OnceCell;

use tidegate_http_cache::{self as http_cache, Fields as FieldSource};

use super::key::{Key, key};
use super::search::object;
use crate::authenticate::Identity;
use crate::exchange::Opening;
use crate::facts::Facts;
use crate::matching::Found;
use crate::path::{NormalPath, normalise};
use crate::platform::{Head, Platform};
use crate::reply::{After, Forgotten};
use crate::route::{Auth, Gateway};
use crate::url::Url;

/// An unsafe request on its way: what a GET would find at the places that it changes, in the writer's own partition and
/// with the writer's header values, in the tier of this data center. Other variants live out their lifetime.
pub(crate) struct Changes {
    /// The name of this location.
    location: Option<String>,
    target: String,
    identity: Option<Identity>,
    client_ip: Option<String>,
}

impl Changes {
    /// `None` for a method that changes nothing, and where nothing is stored.
    pub(crate) fn of<H: Head, P: Platform>(opening: &Opening<'_, H>, platform: &P) -> Option<Self> {
        let Opening { gateway, facts, identity, url, .. } = *opening;
        if !gateway.has_caches || http_cache::is_safe(facts.head.method()) {
            return None;
        }
        Some(Self {
            location: platform.location().or_else(|| facts.location().colo.clone()),
            target: format!("{}://{}{}", url.scheme, url.authority, with_query(url.path, url.query)),
            identity: identity.cloned(),
            client_ip: facts.client_ip.map(str::to_owned),
        })
    }

    /// The keys to forget once the response is known.
    pub(crate) fn conclude<B>(
        &self,
        gateway: &Gateway,
        request: &impl Head,
        status: u16,
        response: &dyn FieldSource,
    ) -> Option<After<B>> {
        if !http_cache::invalidates(request.method(), status) {
            return None;
        }
        let target = Url::cut(&self.target)?;
        let mut keys: Vec<Forgotten> = self.key(gateway, request, &target).into_iter().collect();
        // "A cache MAY invalidate other URIs when it receives a non-error status code in response to an unsafe request
        // method [...]. In particular, the URI(s) in the Location and Content-Location response header fields (if present)
        // are candidates [...]. However, a cache MUST NOT trigger an invalidation under these conditions if the origin of
        // the URI to be invalidated differs from that of the target URI": otherwise one tenant's writes could empty
        // another one's cache.
        for name in ["location", "content-location"] {
            let Some(reference) = response.get(name) else { continue };
            let resolved = resolve(&target, reference.trim());
            let Some(url) = resolved.as_deref().and_then(Url::cut) else { continue };
            let same_origin =
                url.scheme.eq_ignore_ascii_case(target.scheme) && url.authority.eq_ignore_ascii_case(target.authority);
            let key = self.key(gateway, request, &url).filter(|key| same_origin && !keys.contains(key));
            keys.extend(key);
        }
        (!keys.is_empty()).then_some(After::Forget(keys))
    }

    fn key(&self, gateway: &Gateway, head: &impl Head, url: &Url<'_>) -> Option<Forgotten> {
        let path: NormalPath = normalise(url.path).ok()?;
        let found = gateway.matcher.find(url.authority, &path, "GET", &|name| head.field(name));
        let Found::Route { index, .. } = found else { return None };
        let read = gateway.routes.get(index)?;
        let cache = read.cache.as_ref()?;
        // The key of a GET that needs no token does not know of the writer's.
        let identity = self.identity.as_ref().filter(|_| matches!(read.auth, Auth::Token(_)));
        let facts = Facts {
            head,
            route: &read.name,
            request_id: "",
            client_ip: self.client_ip.as_deref(),
            claims: identity.map(|identity| &*identity.claims),
            location: OnceCell::new(),
        };
        match key(cache, read, &facts, identity, url, &path) {
            Key::At(key) => {
                let object = object(cache.scope, || self.location.clone(), &key);
                Some(Forgotten { key, object })
            }
            Key::TooLong | Key::Nobody => None,
        }
    }
}

fn with_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// Resolves a URI reference (RFC 3986, section 5.2). Dot segments are left to the normalisation that every path goes
/// through.
fn resolve(base: &Url<'_>, reference: &str) -> Option<String> {
    let reference = reference.split_once('#').map_or(reference, |(before, _)| before);
    let Url { scheme, authority, path, query } = *base;
    let is_scheme = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if reference.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
        return Some(reference.to_owned());
    }
    let rest = if let Some(rest) = reference.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    } else if reference.starts_with('/') {
        reference.to_owned()
    } else if reference.is_empty() {
        with_query(path, query)
    } else if reference.starts_with('?') {
        format!("{path}{reference}")
    } else {
        // Another scheme, such as `mailto:`, names nothing that is stored here.
        let colon = reference.find(':').unwrap_or(usize::MAX);
        if colon < reference.find(['/', '?']).unwrap_or(usize::MAX) {
            return None;
        }
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        format!("{directory}/{reference}")
    };
    Some(format!("{scheme}://{authority}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_by_rfc_3986_section_5_4() {
        let base = Url::cut("https://a.example/b/c/d;p?q").unwrap();
        for (reference, expected) in [
            ("https://g/h", Some("https://g/h")),
            ("g", Some("https://a.example/b/c/g")),
            ("./g", Some("https://a.example/b/c/./g")),
            ("g/", Some("https://a.example/b/c/g/")),
            ("/g", Some("https://a.example/g")),
            ("//g", Some("https://g")),
            ("?y", Some("https://a.example/b/c/d;p?y")),
            ("g?y=/x", Some("https://a.example/b/c/g?y=/x")),
            ("g#s", Some("https://a.example/b/c/g")),
            ("", Some("https://a.example/b/c/d;p?q")),
            ("#s", Some("https://a.example/b/c/d;p?q")),
            ("../g", Some("https://a.example/b/c/../g")),
            ("mailto:x", None),
            ("g?y=a://b", Some("https://a.example/b/c/g?y=a://b")),
        ] {
            assert_eq!(resolve(&base, reference).as_deref(), expected, "{reference:?}");
        }
    }
}
