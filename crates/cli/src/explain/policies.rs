//! What a route asks of a request, and where it sends it.

use tidegate_config::Checked;
use tidegate_gateway::matching::Parameters;
use tidegate_gateway::path::NormalPath;
use tidegate_gateway::route::{
    Auth, Cache, CacheBackend, Invalidation, Issuer, Keys, Route, Scope, Serve, TagTemplate, TokenAuth, Within,
};
use tidegate_gateway::source::{self, Ipv6Prefix, Source};
use tidegate_http_cache::is_safe;
use tidegate_http_cache::purge::Manner;
use tidegate_steering::{Balance, Because, ClientKey, Origin, Policy, Pool, Rotation};

use super::{Lines, Request, in_words};

/// Says what a route asks of a request, in the order of the gateway's steps.
pub(super) fn explain(checked: &Checked, route: &Route, request: &Request, path: &NormalPath, lines: &mut Lines) {
    let known = Known { checked, route, request, parameters: route.parameters(path) };
    match &route.auth {
        Auth::Anyone => lines.add("auth", "none: everybody is let in"),
        Auth::Token(auth) => lines.add_all("auth", token(auth, request)),
    }
    match &route.limits {
        None => lines.add("limits", "none"),
        Some(limits) => lines.add_all("limits", known.limits(limits)),
    }
    match &route.cache {
        None => lines.add("cache", "none"),
        Some(cache) => lines.add_all("cache", known.cache(cache, path)),
    }
    if let Some(invalidation) = &route.invalidation {
        lines.add_all("success", known.invalidation(invalidation));
    }
    match route.serve {
        Serve::Origin => known.pools(lines),
        Serve::Usage => {
            lines.add("answer", "what is left of these limits, as JSON; nothing is charged, no origin is asked")
        }
    }
}

/// Whose token is needed, and what becomes of it.
fn token(auth: &TokenAuth, request: &Request) -> Vec<String> {
    let mut texts: Vec<String> = auth.issuers.iter().map(|issuer| issuer_in_words(issuer)).collect();
    if !auth.scopes.is_empty() {
        texts.push(format!("it must grant {}", auth.scopes.join(", ")));
    }
    let cookies: Vec<&str> = auth.issuers.iter().filter_map(|issuer| issuer.cookie.as_deref()).collect();
    let place = cookies
        .iter()
        .fold("Authorization: Bearer".to_owned(), |place, cookie| format!("{place} or the cookie {cookie}"));
    let is_shown =
        request.header("authorization").is_some() || (!cookies.is_empty() && request.header("cookie").is_some());
    let outcome =
        if is_shown { "whether it is good is not verified here" } else { "this request has none: answered with 401" };
    texts.push(format!("it comes in {place}; {outcome}"));
    texts.extend(auth.forward.iter().map(|(claim, header)| format!("the origin gets the claim {claim} as {header}")));
    if !auth.keep_authorization {
        texts.push("the origin does not get Authorization".to_owned());
    }
    texts
}

fn issuer_in_words(issuer: &Issuer) -> String {
    let algorithms: Vec<&str> = issuer.policy.algorithms().iter().map(|algorithm| algorithm.name()).collect();
    let keys = match &issuer.keys {
        Keys::Fixed(_) => "the keys in the configuration".to_owned(),
        Keys::Url(url) => format!("the keys from {url}"),
        Keys::Secret(name) => format!("the secret {name}"),
    };
    let audience = issuer.policy.audience().join(" or ");
    format!("a token of {} for {audience}, by {} with {keys}", issuer.name, algorithms.join(" or "))
}

/// What is known of a request without its token.
pub(super) struct Known<'a> {
    pub(super) checked: &'a Checked,
    pub(super) route: &'a Route,
    pub(super) request: &'a Request,
    pub(super) parameters: Parameters<'a>,
}

impl Known<'_> {
    /// The value of a source, as far as it is known.
    pub(super) fn value(&self, source: &Source, ipv6_prefix: Ipv6Prefix) -> Option<String> {
        match source {
            Source::Ip => self.client_ip().map(|address| source::network(&address, ipv6_prefix)),
            Source::Claim(name) => self.request.claim(name),
            Source::Header(name) => self.request.header(name),
            Source::Route => Some(self.route.name.clone()),
            Source::Country => self.request.location.country.clone(),
            Source::Cookie(name) => self.request.header("cookie").and_then(|cookies| source::cookie(&cookies, name)),
            Source::Asn => self.request.location.asn.map(|asn| asn.to_string()),
        }
    }

    /// Sources with their values.
    pub(super) fn values(&self, sources: &[Source], ipv6_prefix: Ipv6Prefix) -> String {
        let texts = sources.iter().map(|source| match self.value(source, ipv6_prefix) {
            Some(value) => format!("{source} = {value:?}"),
            None if source.needs_token() => format!("{source} of the token"),
            None => format!("{source} (not in this request)"),
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    fn client_ip(&self) -> Option<String> {
        self.request.header(&self.checked.gateway.settings.client_ip).filter(|address| !address.is_empty())
    }

    fn cache(&self, cache: &Cache, path: &NormalPath) -> Vec<String> {
        let name = &cache.name;
        if !matches!(self.request.method.as_str(), "GET" | "HEAD") {
            return vec![format!("{name}: not asked, only GET and HEAD are")];
        }
        let fresh = match self.checked.ttl(name) {
            Some(ttl) => format!("fresh for {} when the origin does not say", in_words(ttl)),
            None => "fresh for as long as the origin says".to_owned(),
        };
        let shared = match &cache.partition {
            Some(sources) if sources.is_empty() => "everybody".to_owned(),
            Some(sources) => format!("requests with the same {}", self.values(sources, Ipv6Prefix::default())),
            None if matches!(self.route.auth, Auth::Anyone) => "everybody".to_owned(),
            None => "nobody: each caller has replies of its own".to_owned(),
        };
        let mut texts = vec![
            format!("{name}: kept {}, {fresh}", place(cache.scope, self.checked.gateway.settings.cache_backend)),
            format!("{name}: chosen by {}", self.cache_key(cache, path).join(", ")),
            format!("{name}: shared by {shared}"),
        ];
        if let Some(ttl) = cache.rules.negative_ttl() {
            texts.push(format!("{name}: a 404 or 410 is fresh for {} when the origin does not say", in_words(ttl)));
        }
        if cache.rules.jitter_percent() > 0 {
            let percent = cache.rules.jitter_percent();
            texts.push(format!(
                "{name}: lifetimes that the origin does not state are up to {percent} % shorter, at random"
            ));
        }
        if !cache.tags.is_empty() {
            let tags: Vec<String> = cache.tags.iter().map(|tag| self.tag(tag)).collect();
            texts.push(format!("{name}: tagged {}", tags.join(", ")));
        }
        if let Some(types) = cache.rules.content_types() {
            let types: Vec<String> = types.ranges().iter().map(ToString::to_string).collect();
            texts.push(format!("{name}: no other Content-Type is kept than {}", types.join(", ")));
        }
        if cache.query.is_some() {
            texts.push("the origin sees no other parameter of the query".to_owned());
        }
        texts
    }

    /// A tag with the values that are known of this request.
    fn tag(&self, tag: &TagTemplate) -> String {
        match tag.expand(|name| self.request.claim(name), self.parameters) {
            Some(text) => format!("{text:?}"),
            None if tag.claims().any(|claim| self.request.claim(claim).is_none()) => {
                format!("{:?} with the token's values", tag.to_string())
            }
            None => format!("{:?} (not here: the path has no such value)", tag.to_string()),
        }
    }

    /// What a write purges.
    fn invalidation(&self, invalidation: &Invalidation) -> Vec<String> {
        if is_safe(&self.request.method) {
            return vec![format!("nothing: {} changes nothing", self.request.method)];
        }
        let how = if invalidation.manner == Manner::Soft { " softly" } else { "" };
        let mut texts = Vec::new();
        if !invalidation.tags.is_empty() {
            let tags: Vec<String> = invalidation.tags.iter().map(|tag| self.tag(tag)).collect();
            texts.push(format!("purges{how} what is tagged {}", tags.join(", ")));
        }
        if let Some(header) = &invalidation.header {
            let start = |within: &Within| {
                format!("{}{}", self.tag(&within.tag), if within.is_start { " and what begins so" } else { "" })
            };
            let within = match &invalidation.within {
                None => "any tag".to_owned(),
                Some(within) => within.iter().map(start).collect::<Vec<_>>().join(", "),
            };
            texts.push(format!("purges{how} what the origin names in `{header}`: {within}"));
        }
        if invalidation.groups {
            texts.push(format!("purges{how} the groups that the origin names in `Cache-Group-Invalidation`"));
        }
        texts
    }

    /// The parts of a cache key.
    fn cache_key(&self, cache: &Cache, path: &NormalPath) -> Vec<String> {
        let Request { scheme, query, .. } = self.request;
        let mut parts = vec![format!("{scheme}://{}{path}", self.request.authority().to_lowercase())];
        let query = query.as_deref().unwrap_or_default();
        match &cache.query {
            None if query.is_empty() => parts.push("no query".to_owned()),
            None => parts.push(format!("query {query}")),
            Some(names) => parts.extend(names.iter().map(|name| {
                let named = |pair: &&str| pair.split('=').next() == Some(name);
                let pairs: Vec<&str> = query.split('&').filter(named).collect();
                if pairs.is_empty() {
                    format!("query {name} (not in this request)")
                } else {
                    format!("query {}", pairs.join("&"))
                }
            })),
        }
        parts.extend(cache.headers.iter().map(|name| match self.request.header(name) {
            Some(value) => format!("header {name}: {value}"),
            None => format!("header {name} (not in this request)"),
        }));
        parts
    }

    /// The pools in their order, and the rule by which each chooses an origin.
    fn pools(&self, lines: &mut Lines) {
        let gateway = &self.checked.gateway;
        let allowed = self.route.origin.pools.as_deref();
        let order = gateway.steering.order(&self.request.location, allowed, 0);
        let pools: Vec<&Pool> = order.pools().iter().filter_map(|index| gateway.pools.get(index.0)).collect();
        let names: Vec<&str> = pools.iter().map(|pool| pool.name()).collect();
        let text = match gateway.steering.policy {
            Policy::Random => format!("in random order: {}", names.join(", ")),
            Policy::Geo | Policy::Off => names.join(", then "),
        };
        lines.add("pools", format!("{text} (because of {})", because(order.because())));
        if allowed.is_some() {
            lines.add("", "no other pool: the route lists its own");
        }
        lines.add_all("origin", pools.iter().map(|pool| self.first_choice(pool)));
        let policy = &self.route.origin;
        let retries = match policy.retries {
            0 => "no other origin is tried".to_owned(),
            1 => "then another one, once, if the request can be repeated".to_owned(),
            times => format!("then up to {times} others, if the request can be repeated"),
        };
        lines.add("", format!("each has {} to answer, {retries}", in_words(policy.timeout)));
    }

    fn first_choice(&self, pool: &Pool) -> String {
        let name = pool.name();
        let plain = || pool.origins().iter().map(Origin::name).collect::<Vec<_>>().join(", ");
        let weighted = || {
            if pool.origins().iter().all(|origin| origin.weight() == 1) {
                return plain();
            }
            let weighed = pool.origins().iter().map(|origin| format!("{} (weight {})", origin.name(), origin.weight()));
            weighed.collect::<Vec<_>>().join(", ")
        };
        match (pool.balance(), self.client_ip()) {
            _ if pool.origins().len() == 1 => format!("of {name}: {}", plain()),
            (Balance::RoundRobin, _) => format!("of {name}, in equal turns: {}", plain()),
            (Balance::Weighted, _) => format!("of {name}, in turns by weight: {}", weighted()),
            (Balance::Random, _) => format!("of {name}, by chance and weight: {}", weighted()),
            (Balance::IpHash, None) => format!("of {name}, by the client's address: one of {}", weighted()),
            (Balance::IpHash, Some(address)) => {
                let client = ClientKey::of_address(&address);
                let first = pool.first(&mut Rotation::new(pool, 0), Some(client), 0);
                let first = pool.origin(first).map(Origin::name).unwrap_or_default();
                format!("of {name}, always for this address: {first}")
            }
        }
    }
}

/// Where a cache keeps its replies.
fn place(scope: Scope, backend: CacheBackend) -> &'static str {
    match (scope, backend) {
        (Scope::Isolate, _) => "in the isolate that fetched it",
        (Scope::Colo, _) => "in this Cloudflare location",
        (Scope::Global, CacheBackend::CacheApi) => "for all Cloudflare locations",
        (Scope::Global, CacheBackend::WorkersCache) => {
            "for all Cloudflare locations, with copies for 10s in the Workers Cache"
        }
    }
}

/// The part of the file that decided.
fn because(because: Because) -> String {
    match because {
        Because::Colo(_) | Because::Country(_) | Because::Region(_) => format!("steering.{because}"),
        Because::Default => "steering.default_pools".to_owned(),
        Because::Fallback => "steering.fallback_pool".to_owned(),
        Because::Listed => "steering.policy = \"off\": the listed order".to_owned(),
        Because::Route => "the route's own list".to_owned(),
        Because::Random => "steering.policy = \"random\"".to_owned(),
    }
}
