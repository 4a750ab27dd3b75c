//! The Workers Cache, as its documentation describes it: what `tests/workerd/lib/workers_cache.mjs` is for JavaScript. No
//! runtime on this machine has one.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tidegate_gateway::Unreachable;

use super::edge::Edge;
use super::file::Scenario;
use super::message::{Headers, Request, Response};
use super::run::gateway;
use super::world::{START, World};

/// The URL that a copy says it is of, its metadata, and the response; or that there is none.
type Copy = Option<(String, String, Response)>;

/// The one cache of all locations.
#[derive(Default)]
pub(super) struct Copies {
    /// By path, as the host is no part of the platform's key; with the end of the lifetime.
    kept: BTreeMap<String, (Duration, Copy)>,
    mood: Mood,
    /// How often it was asked, and how often it had to ask the entrypoint.
    asked: usize,
    offered: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    On,
    /// It was not turned on: the entrypoint answers each time.
    Off,
    /// It fails.
    Down,
    /// It takes all URLs for one.
    Confused,
}

impl Copies {
    /// What it has kept; with `must-revalidate`, it serves nothing stale.
    pub(super) fn ask(&mut self, url: &str, now: Duration) -> Result<Option<Copy>, Unreachable> {
        self.asked += 1;
        if self.mood == Mood::Down {
            return Err(Unreachable::new("as the test wants it"));
        }
        let kept = match self.mood {
            Mood::Confused => self.kept.values().find(|(until, copy)| now < *until && copy.is_some()),
            _ => self.kept.get(path(url)).filter(|(until, _)| now < *until),
        };
        let kept = kept.map(|(_, copy)| copy.clone());
        self.offered += usize::from(kept.is_none());
        Ok(kept)
    }

    /// Keeps what the entrypoint offers, for as long as that says.
    pub(super) fn keep(&mut self, url: &str, copy: Copy, cache_control: &str, now: Duration) {
        if cache_control == "no-store" || self.mood == Mood::Off {
            return;
        }
        let seconds = cache_control.strip_prefix("public, max-age=").unwrap();
        let seconds: u64 = seconds.strip_suffix(", must-revalidate").unwrap().parse().unwrap();
        assert!((1..=10).contains(&seconds), "{cache_control}");
        self.kept.insert(path(url).to_owned(), (now + Duration::from_secs(seconds), copy));
    }

    pub(super) fn is_on(&self) -> bool {
        self.mood != Mood::Off
    }
}

fn path(url: &str) -> &str {
    url.splitn(4, '/').nth(3).unwrap()
}

const SCENARIO: &str = r#"
base = ["operated", "app"]
secrets.ADMIN_TOKEN = "the-operators-own-token"
config = """
[cache_backend]
kind = "workers_cache"

[[cache]]
name = "pages"
scope = "global"
ttl = "10m"
tags = ["pages"]

[[route]]
name = "all"
match = { path = "/{*rest}" }
auth = "none"
cache = "pages"
"""

[[origins.app]]
path = "/page"
body = "first"
[[origins.app]]
path = "/page"
body = "second"
[[origins.app]]
path = "/page"
body = "third"
[[origins.app]]
path = "/other"
body = "other"

[[step]]
request = "GET /"
expect = { status = 200 }
"#;

/// Five locations, each with one isolate.
struct Stage {
    world: World,
    edges: Vec<Edge>,
}

impl Stage {
    fn new(mood: Mood) -> Self {
        let scenario: Scenario = toml::from_str(SCENARIO).unwrap();
        let gateway = Rc::new(gateway(&scenario.configuration()).unwrap());
        let world = World::new(&scenario, 1);
        world.copies.borrow_mut().mood = mood;
        Self { world, edges: (0..5).map(|edge| Edge::new(&gateway, format!("edge{edge}"))).collect() }
    }

    fn send(&self, second: u64, edge: usize, method: &str, path: &str, body: Option<&str>) -> (String, &'static str) {
        self.world.now.set(START + Duration::from_secs(second));
        let mut headers = Headers::default();
        headers.add("host", "gateway.test");
        if path.starts_with("/_tidegate") {
            headers.add("authorization", "Bearer the-operators-own-token");
        }
        let (url, body) = (format!("http://gateway.test{path}"), body.map(str::to_owned));
        let request = Request { method: method.to_owned(), url, headers, body, cf: Default::default() };
        let served = self.edges[edge].serve(&request, &self.world);
        let tier = served.record.cache.as_ref().and_then(|cache| cache.tier).unwrap_or("origin");
        (served.response.body, tier)
    }

    #[track_caller]
    fn check(&self, second: u64, edge: usize, path: &str, expected: (&str, &str)) {
        let (body, tier) = self.send(second, edge, "GET", path, None);
        assert_eq!((body.as_str(), tier), expected, "{path} at {second} s, edge {edge}");
    }

    /// How often the platform was asked since the last look, and how often that asked the entrypoint.
    #[track_caller]
    fn asked(&self, expected: (usize, usize)) {
        let mut copies = self.world.copies.borrow_mut();
        assert_eq!((std::mem::take(&mut copies.asked), std::mem::take(&mut copies.offered)), expected);
    }
}

#[test]
fn what_one_location_fetched_the_others_have_from_one_copy() {
    let stage = Stage::new(Mood::On);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.asked((1, 1));
    for edge in 1..5 {
        stage.check(2, edge, "/page", ("first", "workers_cache"));
    }
    stage.asked((4, 1));
    // Then it is in their own memory and store.
    stage.check(3, 1, "/page", ("first", "isolate"));
    stage.check(9, 1, "/page", ("first", "colo"));
    stage.asked((0, 0));
}

#[test]
fn the_word_that_there_is_nothing_hides_no_response_from_a_location() {
    let stage = Stage::new(Mood::On);
    stage.check(0, 0, "/page", ("first", "origin"));
    // The platform still says that there is nothing: the object is asked.
    stage.check(0, 1, "/page", ("first", "object"));
    stage.asked((2, 1));
}

#[test]
fn after_a_write_its_isolate_never_gets_what_a_copy_still_has() {
    let stage = Stage::new(Mood::On);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.check(2, 1, "/page", ("first", "workers_cache"));
    assert_eq!(stage.send(3, 1, "POST", "/page", None).0, "second");
    stage.check(4, 1, "/page", ("third", "origin"));
    stage.check(10, 1, "/page", ("third", "colo"));
    // Elsewhere the copy answers until its end.
    stage.check(11, 2, "/page", ("first", "workers_cache"));
    stage.check(13, 3, "/page", ("third", "workers_cache"));
}

#[test]
fn a_purge_reaches_copies_without_a_word_to_the_platform() {
    let stage = Stage::new(Mood::On);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.check(2, 1, "/page", ("first", "workers_cache"));
    stage.send(3, 0, "POST", "/_tidegate/purge", Some(r#"{"tags":["pages"]}"#));
    stage.check(3, 0, "/page", ("second", "origin"));
    // The copy is of before; the object has what came after.
    stage.check(5, 2, "/page", ("second", "object"));
    stage.check(13, 3, "/page", ("second", "workers_cache"));
}

#[test]
fn a_copy_of_another_place_answers_nobody() {
    let stage = Stage::new(Mood::Confused);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.check(2, 1, "/page", ("first", "workers_cache"));
    stage.check(2, 2, "/other", ("other", "origin"));
    stage.check(3, 3, "/other", ("other", "object"));
}

#[test]
fn where_the_platform_has_no_such_cache_it_is_asked_once_a_minute() {
    let stage = Stage::new(Mood::Off);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.check(59, 0, "/other", ("other", "origin"));
    stage.asked((1, 1));
    stage.check(61, 0, "/third", ("app", "origin"));
    stage.asked((1, 1));
}

#[test]
fn a_platform_that_fails_is_left_out_for_five_seconds() {
    let stage = Stage::new(Mood::Down);
    stage.check(0, 0, "/page", ("first", "origin"));
    stage.check(0, 1, "/page", ("first", "object"));
    stage.check(4, 0, "/other", ("other", "origin"));
    stage.asked((2, 0));
    stage.check(6, 0, "/third", ("app", "origin"));
    stage.asked((1, 0));
}
