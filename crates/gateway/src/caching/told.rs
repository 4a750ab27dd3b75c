//! A request as its origin sees it.

use tidegate_http_cache::Fields as FieldSource;

use crate::authenticate::Identity;
use crate::exchange::claims;
use crate::facts::Facts;
use crate::forward::is_address;
use crate::platform::Head;
use crate::route::Route;
use crate::url::Url;

/// A request as its origin sees it, which is what `Vary` speaks of: fields that the gateway sets have the gateway's
/// value.
pub(super) struct Forwarded<'h, H> {
    pub(super) head: &'h H,
    pub(super) told: &'h dyn Told,
}

impl<H: Head> FieldSource for Forwarded<'_, H> {
    fn get(&self, name: &str) -> Option<String> {
        match self.told.value(name) {
            Some(value) => value,
            None if is_address(name) => None,
            None => self.head.field(name),
        }
    }
}

/// What the gateway tells the origin of a request, by field.
pub(super) trait Told {
    /// The value of a field, if it is one of these; it can be that it has none.
    fn value(&self, name: &str) -> Option<Option<String>>;

    /// All of them, for whatever outlives the request.
    fn all(&self) -> Vec<(String, Option<String>)>;
}

impl Told for Vec<(String, Option<String>)> {
    fn value(&self, name: &str) -> Option<Option<String>> {
        self.iter().find(|(told, _)| told == name).map(|(_, value)| value.clone())
    }

    fn all(&self) -> Vec<(String, Option<String>)> {
        self.clone()
    }
}

/// Read from the request itself: most stored responses are asked for none of it.
pub(super) struct Telling<'a, H> {
    pub(super) route: &'a Route,
    pub(super) facts: &'a Facts<'a, H>,
    pub(super) identity: Option<&'a Identity>,
    pub(super) url: &'a Url<'a>,
}

impl<H: Head> Telling<'_, H> {
    fn ours(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("x-forwarded-for", self.facts.client_ip),
            ("x-forwarded-proto", Some(self.url.scheme)),
            ("x-forwarded-host", Some(self.url.authority)),
            // Each request has its own: a response that varies by one of these answers nobody else.
            ("x-request-id", Some(self.facts.request_id)),
            ("traceparent", Some(self.facts.request_id)),
        ]
    }

    fn claim(&self, name: &str) -> Option<String> {
        claims(self.route, self.identity).into_iter().find_map(|(header, value)| (header == name).then_some(value))
    }
}

impl<H: Head> Told for Telling<'_, H> {
    fn value(&self, name: &str) -> Option<Option<String>> {
        if self.route.protected.claims().any(|claim| claim == name) {
            return Some(self.claim(name));
        }
        self.ours().into_iter().find(|(ours, _)| *ours == name).map(|(_, value)| value.map(str::to_owned))
    }

    fn all(&self) -> Vec<(String, Option<String>)> {
        let claims = self.route.protected.claims().map(|name| (name.to_owned(), self.claim(name)));
        let ours = self.ours().into_iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        claims.chain(ours).collect()
    }
}
