//! What an exchange is opened with, and what the origin gets of it.

use std::cell::RefCell;
use std::rc::Rc;

use tidegate_steering::{Attempts, Body, ClientKey, Location, Retries};

use crate::authenticate::Identity;
use crate::caching::Fill;
use crate::facts::Facts;
use crate::forward::{self, Told, rejoin_cookies};
use crate::matching::Parameters;
use crate::memory::Memory;
use crate::path::NormalPath;
use crate::platform::{Head, Platform, StoredBody};
use crate::route::{Auth, Gateway, Route};
use crate::trace::TraceParent;
use crate::url::Url;

/// What an exchange is opened with.
pub(crate) struct Opening<'a, H> {
    pub(crate) gateway: &'a Rc<Gateway>,
    pub(crate) route: &'a Rc<Route>,
    pub(crate) parameters: Parameters<'a>,
    pub(crate) facts: &'a Facts<'a, H>,
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) url: &'a Url<'a>,
    pub(crate) path: &'a NormalPath,
}

/// Step "admission": the pools in the order that steering says, and the first origin.
pub(crate) fn choose<H: Head>(opening: &Opening<'_, H>, memory: &RefCell<Memory>, random: u64) -> Option<Attempts> {
    let Opening { gateway, route, facts, .. } = *opening;
    let nowhere = Location::default();
    let location = if gateway.steering.needs_location() { facts.location() } else { &nowhere };
    let order = gateway.steering.order(location, route.origin.pools.as_deref(), random);
    let body = if facts.head.has_body() { Body::Present } else { Body::Absent };
    let retries = Retries::granted(route.origin.retries, facts.head.method(), body);
    let client = facts.client_ip.map(ClientKey::of_address);
    memory
        .borrow_mut()
        .with_fleet(&gateway.pools, random, |fleet| Attempts::begin(order, retries, client, random, fleet))
}

/// The path that was matched is the path that is forwarded; the query is the client's, or what the cache's key has of it.
pub(super) fn target<H, B: StoredBody>(opening: &Opening<'_, H>, fill: Option<&Fill<B>>) -> String {
    let query = fill.and_then(Fill::query).or(opening.url.query);
    match query {
        Some(query) if !query.is_empty() => format!("{}?{query}", opening.path.as_str()),
        _ => opening.path.as_str().to_owned(),
    }
}

/// The names of the fields that the origin must not see, separated by line feeds.
pub(super) fn removed<H: Head, B: StoredBody>(opening: &Opening<'_, H>, fill: Option<&Fill<B>>) -> String {
    let head = opening.facts.head;
    let names = head.field_names();
    let upgrade = head.field("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    let nominated = head.field("connection").unwrap_or_default();
    let mut removed: Vec<&str> = opening.route.protected.removed(&names, &nominated, upgrade);
    removed.extend(fill.map_or(&[][..], Fill::withheld));
    removed.join("\n")
}

/// The fields that the gateway sets, as lines.
pub(super) fn set<H: Head, P: Platform>(opening: &Opening<'_, H>, platform: &P) -> String {
    let head = opening.facts.head;
    let trace_id = (platform.random(), platform.random());
    let (traceparent, goes_on) = TraceParent::next(head.field("traceparent").as_deref(), trace_id, platform.random());
    let cookie = head.field("cookie").and_then(|cookie| rejoin_cookies(&cookie));
    forward::set_fields(&Told {
        client_ip: opening.facts.client_ip,
        scheme: opening.url.scheme,
        authority: opening.url.authority,
        request_id: opening.facts.request_id,
        traceparent: &traceparent,
        tracestate: head.field("tracestate").filter(|_| goes_on).as_deref(),
        via: head.field("via").as_deref(),
        cdn_loop: head.field("cdn-loop").as_deref(),
        cookie: cookie.as_deref(),
        claims: &claims(opening.route, opening.identity),
    })
}

/// The claims that the route forwards, under the names of its headers; a claim that the token lacks sets none.
pub(crate) fn claims(route: &Route, identity: Option<&Identity>) -> Vec<(String, String)> {
    let (Auth::Token(auth), Some(identity)) = (&route.auth, identity) else { return Vec::new() };
    let values =
        auth.forward.iter().map(|(claim, header)| Some((header.clone(), identity.claims.header_value(claim)?)));
    values.flatten().collect()
}
