//! What is known of a request once its route and its identity are.

use std::cell::OnceCell;

use tidegate_jwt::Claims;
use tidegate_steering::Location;

use crate::forward::rejoin_cookies;
use crate::platform::Head;
use crate::source::{self, Ipv6Prefix, Source};

/// The facts that keys and origins are chosen by.
pub(crate) struct Facts<'r, H> {
    pub(crate) head: &'r H,
    pub(crate) route: &'r str,
    pub(crate) request_id: &'r str,
    pub(crate) client_ip: Option<&'r str>,
    pub(crate) claims: Option<&'r Claims>,
    pub(crate) location: OnceCell<Location>,
}

impl<'r, H: Head> Facts<'r, H> {
    /// Asked of the platform once, and only when something depends on it.
    pub(crate) fn location(&self) -> &Location {
        self.location.get_or_init(|| self.head.location())
    }

    /// The data center, when the location was asked for anyway.
    pub(crate) fn known_colo(&self) -> Option<String> {
        self.location.get().and_then(|location| location.colo.clone())
    }

    /// The text of a claim of the caller's token.
    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        self.claims.and_then(|claims| claims.text(name))
    }

    /// One part of a key; `None` when the request does not say. All requests that do not say share one key.
    pub(crate) fn value(&self, source: &Source, ipv6_prefix: Ipv6Prefix) -> Option<String> {
        match source {
            Source::Ip => self.client_ip.map(|address| source::network(address, ipv6_prefix)),
            Source::Claim(name) => self.claim(name),
            Source::Header(name) => self.head.field(name),
            Source::Route => Some(self.route.to_owned()),
            Source::Country => self.location().country.clone(),
            Source::Cookie(name) => {
                let cookies = self.head.field("cookie")?;
                source::cookie(rejoin_cookies(&cookies).as_deref().unwrap_or(&cookies), name)
            }
            Source::Asn => self.location().asn.map(|asn| asn.to_string()),
        }
    }
}
