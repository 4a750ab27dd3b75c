//! From the compiled form to the gateway's types, which refuse nonsense once more.

mod limit;

use std::fmt::Display;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use tidegate_gateway::Gateway;
use tidegate_gateway::matching::{HostPattern, Pattern, RouteMatch};
use tidegate_gateway::route::{
    Admin, Auth, Cache, CacheBackend, Invalidation, Issuer, Keys, Limit, OriginPolicy, Parts, RouteParts, Scope, Serve,
    Settings, TagTemplate, TokenAuth, Within,
};
use tidegate_http_cache::purge::Manner;
use tidegate_http_cache::{ContentTypes, Heuristic, MediaRange, Rules, StaleWindows};
use tidegate_jwt::{Algorithm, KeySet, Policy};
use tidegate_steering::{self as steering, Balance, Origin, PlaceTable, Pool, PoolIndex, PoolList, Steering};

use crate::compiled::{self, Compiled, Content, InvalidCompiled, Position};

/// Loads the compiled form.
///
/// # Errors
/// When the bytes are not what this version of Tidegate compiled.
pub fn load(bytes: &[u8]) -> Result<Gateway, InvalidCompiled> {
    lower(Compiled::decode(bytes)?).map_err(InvalidCompiled::Refused)
}

/// Makes the gateway; the error says which value is refused and why.
pub(crate) fn lower(compiled: Compiled) -> Result<Gateway, String> {
    let Compiled { version, content } = compiled;
    let Content { settings, pools, steering, issuers, calendars, limits, caches, routes } = content;
    let pools = each("pool", pools, pool)?;
    let issuers: Vec<Rc<Issuer>> = each("issuer", issuers, issuer)?;
    let calendars = each("calendar", calendars, limit::calendar)?;
    let limits: Vec<Rc<Limit>> = each("limit", limits, |limit| limit::limit(limit, &calendars))?;
    let caches: Vec<Rc<Cache>> = each("cache", caches, cache)?;
    let parts = Parts {
        version,
        settings: Settings {
            client_ip: settings.client_ip,
            admin: settings.admin.map(|admin| Admin { path: admin.path, token: admin.token }),
            server_timing: settings.server_timing,
            request_id: settings.request_id,
            cache_backend: match settings.cache_backend {
                compiled::CacheBackend::CacheApi => CacheBackend::CacheApi,
                compiled::CacheBackend::WorkersCache => CacheBackend::WorkersCache,
            },
        },
        steering: self::steering(steering, pools.len()).map_err(|why| format!("steering: {why}"))?,
        routes: each("route", routes, |route| self::route(route, &pools, &issuers, &limits, &caches))?,
        pools,
    };
    Ok(Gateway::new(parts))
}

/// Lowers every item of a list, and says which one is refused.
fn each<C, T>(name: &str, items: Vec<C>, lower: impl Fn(C) -> Result<T, String>) -> Result<Vec<T>, String> {
    let lowered =
        items.into_iter().enumerate().map(|(index, item)| lower(item).map_err(|why| format!("{name}[{index}]: {why}")));
    lowered.collect()
}

fn words(error: impl Display) -> String {
    error.to_string()
}

fn pool(pool: compiled::Pool) -> Result<Pool, String> {
    let balance = match pool.balance {
        compiled::Balance::RoundRobin => Balance::RoundRobin,
        compiled::Balance::Weighted => Balance::Weighted,
        compiled::Balance::Random => Balance::Random,
        compiled::Balance::IpHash => Balance::IpHash,
    };
    let origin = |origin: compiled::Origin| Origin::new(origin.name, &origin.url, origin.weight).map_err(words);
    Pool::new(pool.name, balance, each("origins", pool.origins, origin)?).map_err(words)
}

fn steering(steering: compiled::Steering, pools: usize) -> Result<Steering, String> {
    let policy = match steering.policy {
        compiled::Policy::Off => steering::Policy::Off,
        compiled::Policy::Geo => steering::Policy::Geo,
        compiled::Policy::Random => steering::Policy::Random,
    };
    let list = |positions: Vec<Position>| PoolList::new(pool_indices(&positions, pools)?).map_err(words);
    Ok(Steering {
        policy,
        default_pools: list(steering.default_pools)?,
        fallback_pool: steering.fallback_pool.map(|position| pool_index(position, pools)).transpose()?,
        region_pools: places(steering.region_pools, list)?,
        country_pools: places(steering.country_pools, list)?,
        colo_pools: places(steering.colo_pools, list)?,
    })
}

fn places<P: FromStr + Ord>(
    entries: Vec<(String, Vec<Position>)>,
    list: impl Fn(Vec<Position>) -> Result<PoolList, String>,
) -> Result<PlaceTable<P>, String>
where
    P::Err: Display,
{
    let entry = |(code, pools): (String, Vec<Position>)| Ok((code.parse().map_err(words)?, list(pools)?));
    entries.into_iter().map(entry).collect()
}

fn pool_index(position: Position, pools: usize) -> Result<PoolIndex, String> {
    let index = usize::try_from(position).ok().filter(|index| *index < pools);
    index.map(PoolIndex).ok_or_else(|| format!("there is no pool[{position}]"))
}

fn pool_indices(positions: &[Position], pools: usize) -> Result<Vec<PoolIndex>, String> {
    positions.iter().map(|position| pool_index(*position, pools)).collect()
}

fn issuer(issuer: compiled::Issuer) -> Result<Rc<Issuer>, String> {
    let algorithms = issuer.algorithms.iter().map(|name| name.parse::<Algorithm>()).collect::<Result<_, _>>();
    let leeway = Duration::from_millis(issuer.leeway);
    let policy = Policy::new(issuer.issuer, issuer.audience, algorithms.map_err(words)?, leeway).map_err(words)?;
    let keys = match issuer.keys {
        compiled::Keys::Fixed(json) => Keys::Fixed(Rc::new(KeySet::parse(&json).map_err(words)?)),
        compiled::Keys::Url(url) => Keys::Url(url),
        compiled::Keys::Secret(name) => Keys::Secret(name),
    };
    Ok(Rc::new(Issuer { name: issuer.name, policy, keys, cookie: issuer.cookie }))
}

fn cache(cache: compiled::Cache) -> Result<Rc<Cache>, String> {
    let rules = match cache.ttl {
        Some(ttl) => Rules::new(Duration::from_millis(ttl), cache.override_origin).map_err(words)?,
        None => Rules::ORIGIN_DECIDES,
    };
    let rules = match cache.negative_ttl {
        Some(ttl) => rules.with_negative_ttl(Duration::from_millis(ttl)).map_err(words)?,
        None => rules,
    };
    let rules = rules.with_jitter(cache.jitter_percent).map_err(words)?;
    let rules = match cache.heuristic {
        Some((percent, at_most)) => {
            rules.with_heuristic(Heuristic::new(percent, Duration::from_millis(at_most)).map_err(words)?)
        }
        None => rules,
    };
    let rules = rules.with_stale(StaleWindows {
        while_revalidate: Duration::from_millis(cache.stale_while_revalidate),
        if_error: Duration::from_millis(cache.stale_if_error),
    });
    let rules = match cache.content_types {
        Some(ranges) => {
            let ranges = ranges.iter().map(|range| range.parse::<MediaRange>()).collect::<Result<_, _>>();
            rules.with_content_types(ContentTypes::new(ranges.map_err(words)?))
        }
        None => rules,
    };
    let partition = cache.partition.map(|sources| sources.into_iter().map(Into::into).collect());
    let scope = match cache.scope {
        compiled::Scope::Isolate => Scope::Isolate,
        compiled::Scope::Colo => Scope::Colo,
        compiled::Scope::Global => Scope::Global,
    };
    let tags = cache.tags.iter().map(|tag| TagTemplate::parse(tag)).collect::<Result<_, _>>().map_err(words)?;
    Ok(Rc::new(Cache { name: cache.name, scope, rules, query: cache.query, headers: cache.headers, partition, tags }))
}

fn invalidation(invalidation: compiled::Invalidation) -> Result<Invalidation, String> {
    let compiled::Invalidation { tags, header, within, groups, soft } = invalidation;
    let within = within.map(|within| within.iter().map(|tag| Within::parse(tag)).collect::<Result<_, _>>());
    Ok(Invalidation {
        tags: tags.iter().map(|tag| TagTemplate::parse(tag)).collect::<Result<_, _>>().map_err(words)?,
        header,
        within: within.transpose().map_err(words)?,
        groups,
        manner: if soft { Manner::Soft } else { Manner::Hard },
    })
}

fn route(
    route: compiled::Route,
    pools: &[Pool],
    issuers: &[Rc<Issuer>],
    limits: &[Rc<Limit>],
    caches: &[Rc<Cache>],
) -> Result<RouteParts, String> {
    let host = route.host.as_deref().map(HostPattern::parse).transpose().map_err(words)?;
    let path = Pattern::parse(&route.path).map_err(words)?;
    let auth = match route.auth {
        compiled::Auth::Anyone => Auth::Anyone,
        compiled::Auth::Token { issuers: positions, scopes, forward, keep_authorization } => {
            let issuers = positions.into_iter().map(|position| shared(issuers, position, "issuer"));
            Auth::Token(TokenAuth { issuers: issuers.collect::<Result<_, _>>()?, scopes, forward, keep_authorization })
        }
    };
    let limits = route.limits.into_iter().map(|position| shared(limits, position, "limit"));
    Ok(RouteParts {
        name: route.name,
        matches: RouteMatch::new(host, path, route.methods, route.headers).map_err(words)?,
        auth,
        limits: limits.collect::<Result<_, _>>()?,
        cache: route.cache.map(|position| shared(caches, position, "cache")).transpose()?,
        invalidation: route.invalidation.map(invalidation).transpose()?,
        serve: match route.serve {
            compiled::Serve::Origin => Serve::Origin,
            compiled::Serve::Usage => Serve::Usage,
        },
        origin: OriginPolicy {
            pools: route.pools.map(|positions| pool_indices(&positions, pools.len())).transpose()?,
            timeout: Duration::from_millis(route.timeout),
            retries: route.retries,
        },
    })
}

fn shared<T>(items: &[Rc<T>], position: Position, name: &str) -> Result<Rc<T>, String> {
    let item = usize::try_from(position).ok().and_then(|index| items.get(index));
    item.cloned().ok_or_else(|| format!("there is no {name}[{position}]"))
}
