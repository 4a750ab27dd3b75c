//! Every file under `tests/scenarios`, under a virtual clock. `tests/workerd/scenarios.test.mjs` runs the same files.

mod behind;
mod copies;
mod edge;
mod expect;
mod file;
mod isolation;
mod marketplace;
mod message;
mod run;
mod token;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use file::folder;

/// The folders of scenarios, each of which has a test below.
const TOPICS: [&str; 7] = ["admin", "auth", "cache", "forwarding", "limits", "routing", "steering"];

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Runs every file of a topic, and tells of all that fail.
#[track_caller]
fn check(topic: &str) {
    let paths = entries(&folder().join(topic));
    assert!(!paths.is_empty(), "no scenarios in {topic}");
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            run::run(path).err().map(|failure| format!("tests/scenarios/{topic}/{name}: {failure}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {} scenarios\n{}", failures.len(), paths.len(), failures.join("\n"));
}

#[test]
fn every_topic_has_its_test() {
    let folders = entries(&folder()).into_iter().filter(|path| path.is_dir());
    let names = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let topics: Vec<String> = names.filter(|name| name != "configs" && name != "keys").collect();
    assert_eq!(topics, TOPICS);
}

#[test]
fn admin() {
    check("admin");
}

#[test]
fn auth() {
    check("auth");
}

#[test]
fn cache() {
    check("cache");
}

#[test]
fn forwarding() {
    check("forwarding");
}

#[test]
fn limits() {
    check("limits");
}

#[test]
fn routing() {
    check("routing");
}

#[test]
fn steering() {
    check("steering");
}
