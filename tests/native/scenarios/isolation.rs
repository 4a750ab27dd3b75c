//! Callers who share URLs and nothing else: whatever they send and in whatever order, none gets the body of another one.

use std::env;
use std::rc::Rc;
use std::time::Duration;

use super::edge::Edge;
use super::file::Scenario;
use super::message::{Headers, Request};
use super::run::gateway;
use super::world::{START, World};

/// How many requests are drawn, for two edges and each scope and backend; a million on demand.
const COUNT: &str = "TIDEGATE_ISOLATION_REQUESTS";
const USUAL_COUNT: u64 = 6_000;

/// The origin answers with whom it was asked for.
const SCENARIO: &str = r#"
base = ["operated", "app", "issuer"]
secrets.ADMIN_TOKEN = "the-operators-own-token"
tokens.a1 = { exp = "+60d", sub = "1", claims = { org = "a" } }
tokens.a2 = { exp = "+60d", sub = "2", claims = { org = "a" } }
tokens.b1 = { exp = "+60d", sub = "4", claims = { org = "b" } }
tokens.ab = { exp = "+60d", sub = "1&org=b", claims = { org = "a&b" } }
tokens.none = { exp = "+60d", sub = "3" }

[[origins.app]]
path = "/org/vary"
echo = ["x-org", "x-sub"]
headers = { vary = "accept-language, x-other", cache-tag = "t" }
[[origins.app]]
path = "/own/tagged"
echo = ["x-org", "x-sub"]
headers = { etag = '"same-for-all"', cache-control = "max-age=300, stale-while-revalidate=100", cache-tag = "t" }
[[origins.app]]
path = "/org/public"
echo = ["x-org", "x-sub"]
headers = { etag = '"same-for-all"', cache-control = "public, max-age=300, stale-if-error=60" }
[[origins.app]]
echo = ["x-org", "x-sub"]

[[step]]
request = "GET /"
expect = { status = 200 }
"#;

fn configuration(scope: &str, backend: &str) -> String {
    let cache = |name: &str, key: &str| {
        format!(
            "[[cache]]\nname = {name:?}\nscope = {scope:?}\nttl = \"10m\"\nstale_while_revalidate = \"5m\"\n{key}\n"
        )
    };
    let route = |name: &str| {
        format!(
            "[[route]]\nname = {name:?}\nmatch = {{ path = \"/{name}/{{*rest}}\" }}\ncache = {name:?}\n\
             auth = {{ any = [\"main\"], forward = {{ sub = \"x-sub\", org = \"x-org\" }} }}\n"
        )
    };
    let org =
        "key = { partition = [\"claim:org\"], query = [\"q\"], headers = [\"x-other\"] }\ntags = [\"{claim:org}\"]";
    let backend = format!("[cache_backend]\nkind = {backend:?}\n");
    [cache("org", org), cache("own", ""), backend, route("org"), route("own")].join("\n")
}

const CALLERS: [(&str, &str, &str); 5] =
    [("a1", "a", "1"), ("a2", "a", "2"), ("b1", "b", "4"), ("ab", "a&b", "1&org=b"), ("none", "", "3")];

const PATHS: [&str; 6] = ["/org/x", "/org/vary", "/org/public", "/own/x", "/own/tagged", "/own/x/../tagged"];
const QUERIES: [&str; 5] = ["", "?q=1", "?q=2&x-org=b", "?x=1", "?q=1&q=2"];

/// What clients try beside their token.
const FIELDS: [(&str, &str); 12] = [
    ("x-org", "b"),
    ("X-Sub", "1"),
    ("x-other", "b"),
    ("x-other", "1&by=x"),
    ("accept-language", "de"),
    ("connection", "x-org, authorization"),
    ("if-none-match", "\"same-for-all\""),
    ("range", "bytes=0-0"),
    ("cache-control", "no-cache"),
    ("cache-control", "max-stale"),
    ("cookie", "org=b"),
    ("cf-connecting-ip", "192.0.2.9"),
];

fn pick<T: Copy>(items: &[T], world: &World) -> T {
    items[usize::try_from(world.random() % items.len() as u64).unwrap()]
}

fn request(world: &World, token: &str) -> Request {
    let mut headers = Headers::default();
    headers.add("host", "gateway.test");
    headers.add("authorization", &format!("Bearer {token}"));
    for _ in 0..world.random() % 3 {
        let (name, value) = pick(&FIELDS, world);
        headers.add(name, value);
    }
    let target = format!("{}{}", pick(&PATHS, world), pick(&QUERIES, world));
    let method = pick(&["GET", "GET", "GET", "GET", "HEAD", "PUT"], world).to_owned();
    Request { method, url: format!("http://gateway.test{target}"), headers, body: None, cf: Default::default() }
}

fn purge(world: &World) -> Request {
    let mut headers = Headers::default();
    headers.add("authorization", "Bearer the-operators-own-token");
    let order = pick(&[r#"{"tags":["t"]}"#, r#"{"tags":["a"],"soft":true}"#, r#"{"prefixes":["/own"]}"#], world);
    let url = "http://gateway.test/_tidegate/purge".to_owned();
    Request { method: "POST".to_owned(), url, headers, body: Some(order.to_owned()), cf: Default::default() }
}

/// How many replies came from a cache: a test in which none does proves nothing.
fn check(scope: &str, backend: &str, seed: u64, count: u64) -> u64 {
    let scenario: Scenario = toml::from_str(SCENARIO).unwrap();
    let gateway =
        Rc::new(gateway(&format!("{}\n{}", scenario.configuration(), configuration(scope, backend))).unwrap());
    let world = World::new(&scenario, seed);
    let edges = ["edge0", "edge1"].map(|name| Edge::new(&gateway, name.to_owned()));
    let tokens = CALLERS.map(|(name, org, sub)| (scenario.tokens[name].sign(START), org, sub));
    let mut hits = 0;
    for index in 0..count {
        // Time stands still during a request: nobody may still be storing what another one looks for.
        world.now.set(START + Duration::from_millis(index * 501));
        let edge = &edges[usize::try_from(world.random() % 2).unwrap()];
        if world.random().is_multiple_of(100) {
            edge.serve(&purge(&world), &world);
        }
        let (token, org, sub) = &tokens[usize::try_from(world.random() % CALLERS.len() as u64).unwrap()];
        let request = request(&world, token);
        let reply = edge.serve(&request, &world);
        world.take_received();
        hits += u64::from(reply.record.cache.as_ref().is_some_and(|cache| cache.outcome == "hit"));
        let (body, whole) = (&reply.response.body, format!("{org}|{sub}"));
        let is_own = match reply.response.status {
            200 if request.method == "HEAD" => body.is_empty(),
            // Whoever shares an organisation shares its replies.
            200 if request.url.contains("/org/") => body.split('|').next() == Some(org),
            200 => *body == whole,
            206 => whole.starts_with(body.as_str()),
            304 => body.is_empty(),
            416 | 504 => true,
            status => panic!("seed {seed}, request {index}: {status} {body}"),
        };
        assert!(is_own, "seed {seed}, request {index}: {} gets {body:?} of {}", whole, request.url);
    }
    hits
}

#[test]
fn nobody_gets_the_body_of_another_partition() {
    let count = env::var(COUNT).ok().and_then(|count| count.parse().ok()).unwrap_or(USUAL_COUNT);
    let kinds = [("isolate", "cache_api"), ("colo", "cache_api"), ("global", "cache_api"), ("global", "workers_cache")];
    for (seed, (scope, backend)) in kinds.into_iter().enumerate() {
        let hits = check(scope, backend, seed as u64, count);
        assert!(hits > count / 10, "{scope}, {backend}: {hits} hits of {count}");
    }
}
