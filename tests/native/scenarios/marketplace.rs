//! System A: a marketplace with many instances. What they would each compute and keep is computed once per lifetime, at
//! however many edges it is asked for, and whichever instance computes it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::edge::Edge;
use super::file::Scenario;
use super::message::{Headers, Request};
use super::run::gateway;
use super::world::{START, World};

/// Each cache's path and its lifetime in seconds.
const CACHES: [(&str, usize); 4] = [("search", 60), ("ranking", 120), ("places", 300), ("rates", 1_800)];

/// For so long every cache is asked, so often.
const SECONDS: usize = 3_600;
const STEP: usize = 5;

fn configuration(scope: &str, instances: usize) -> String {
    let origins = (0..instances).map(|index| format!("{{ name = \"web{index}\", url = \"https://web{index}.test\" }}"));
    let pool = format!("[[pool]]\nname = \"web\"\norigins = [{}]\n", origins.collect::<Vec<_>>().join(", "));
    let cache = |(name, lifetime): (&str, usize)| {
        format!(
            "[[cache]]\nname = {name:?}\nscope = {scope:?}\nttl = \"{lifetime}s\"\n\
             [[route]]\nname = {name:?}\nmatch = {{ path = \"/api/{name}\" }}\nauth = \"none\"\ncache = {name:?}\n"
        )
    };
    CACHES.into_iter().map(cache).fold(pool, |text, cache| text + &cache)
}

fn request(name: &str) -> Request {
    let mut headers = Headers::default();
    headers.add("host", "gateway.test");
    let url = format!("http://gateway.test/api/{name}");
    Request { method: "GET".to_owned(), url, headers, body: None, cf: Default::default() }
}

/// Asks at one edge after the other in no order; `fillers` is how many of them fetch for themselves.
#[track_caller]
fn check(scope: &str, instances: usize, edges: usize, fillers: usize) {
    let scenario: Scenario = toml::from_str("step = []").unwrap();
    let gateway = Rc::new(gateway(&configuration(scope, instances)).unwrap());
    let world = World::new(&scenario, edges as u64);
    let edges: Vec<Edge> = (0..edges).map(|edge| Edge::new(&gateway, format!("edge{edge}"))).collect();
    let mut computed: BTreeMap<String, usize> = BTreeMap::new();
    for second in (0..SECONDS).step_by(STEP) {
        world.now.set(START + Duration::from_secs(second as u64));
        let drawn = usize::try_from(world.random() % edges.len() as u64).unwrap();
        // A cache that every edge fills is asked at each of them.
        let asked = if fillers == 1 { &edges[drawn..=drawn] } else { &edges[..] };
        for (edge, (name, _)) in asked.iter().flat_map(|edge| CACHES.map(|cache| (edge, cache))) {
            assert_eq!(edge.serve(&request(name), &world).response.status, 200);
        }
        for received in world.take_received() {
            *computed.entry(received.target).or_default() += 1;
        }
    }
    for (name, lifetime) in CACHES {
        let count = computed[&format!("/api/{name}")];
        let expected = fillers * SECONDS / lifetime;
        assert_eq!(count, expected, "{scope}, {instances} instances, {} edges: {name}", edges.len());
    }
}

#[test]
fn a_global_cache_is_computed_once_in_a_lifetime_for_any_number_of_instances_and_edges() {
    for instances in [1, 4] {
        for edges in [1, 3, 8] {
            check("global", instances, edges, 1);
        }
    }
}

#[test]
fn a_cache_of_a_location_is_computed_once_in_a_lifetime_by_each() {
    for scope in ["isolate", "colo"] {
        for edges in [1, 3, 8] {
            check(scope, 4, edges, edges);
        }
    }
}
