//! The arrows between the crates, read from `cargo metadata`, and what no crate under `crates/` may name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// For each crate: our crates that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("tidegate-jwt", &[]),
    ("tidegate-rate-limit", &[]),
    ("tidegate-http-cache", &[]),
    ("tidegate-steering", &[]),
    ("tidegate-gateway", &["tidegate-jwt", "tidegate-rate-limit", "tidegate-http-cache", "tidegate-steering"]),
    (
        "tidegate-config",
        &["tidegate-gateway", "tidegate-jwt", "tidegate-rate-limit", "tidegate-http-cache", "tidegate-steering"],
    ),
    (
        "tidegate-cli",
        &[
            "tidegate-config",
            "tidegate-gateway",
            "tidegate-http-cache",
            "tidegate-jwt",
            "tidegate-rate-limit",
            "tidegate-steering",
        ],
    ),
    (
        "tidegate-edge",
        &[
            "tidegate-config",
            "tidegate-gateway",
            "tidegate-jwt",
            "tidegate-rate-limit",
            "tidegate-http-cache",
            "tidegate-steering",
        ],
    ),
    ("tidegate-bindgen", &[]),
    ("tidegate-simulation", &["tidegate-rate-limit"]),
];

/// Crates that do I/O, read a clock, draw randomness or know a platform: none of these below `edge` and `cli`.
const WORLDLY: &[&str] = &[
    "chrono",
    "fastrand",
    "getrandom",
    "instant",
    "js-sys",
    "rand",
    "reqwest",
    "time",
    "tokio",
    "uuid",
    "wasm-bindgen",
    "web-sys",
    "web-time",
    "worker",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// From a crate to its direct dependencies; development dependencies do not reach the Worker and may be anything.
fn dependencies(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let names = package["dependencies"].as_array().unwrap().iter();
            let names = names.filter(|dependency| dependency["kind"] != "dev");
            let names = names.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn arrows_point_from_the_edge_to_the_leaves() {
    let dependencies = dependencies(&metadata());
    for (name, allowed) in ARROWS {
        let found = dependencies.get(*name).unwrap_or_else(|| panic!("{name} is not in the workspace"));
        let ours = found.iter().filter(|dependency| dependency.starts_with("tidegate-"));
        for dependency in ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_crate_has_its_arrows_written_down() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(["tidegate-tests"]).collect();
    for name in dependencies(&metadata()).keys() {
        assert!(known.contains(name.as_str()), "{name} has no line in ARROWS");
    }
}

#[test]
fn only_the_simulation_makes_mistakes_on_purpose() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let mistaken = dependencies.flat_map(|dependency| dependency["features"].as_array().unwrap());
        let mistaken = mistaken.filter(|feature| *feature == "mutants").count();
        assert_eq!(mistaken, usize::from(package["name"] == "tidegate-simulation"), "{}", package["name"]);
    }
}

#[test]
fn decisions_depend_on_nothing_that_does_io() {
    for (name, found) in dependencies(&metadata()) {
        if matches!(name.as_str(), "tidegate-edge" | "tidegate-bindgen" | "tidegate-cli" | "tidegate-tests") {
            continue;
        }
        for dependency in found {
            assert!(!WORLDLY.contains(&dependency.as_str()), "{name} must not name {dependency}");
        }
    }
}

/// What would read a clock, draw randomness, or reach the world from a decision, by the text of the source.
const BANNED_WORDS: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::thread",
    "RandomState",
    "std::env",
];

#[test]
fn decisions_read_no_clock_and_reach_no_world() {
    for file in sources(&root().join("crates")) {
        let path = file.to_string_lossy().replace('\\', "/");
        if path.contains("/crates/cli/") || !path.contains("/src/") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for word in BANNED_WORDS {
            assert!(!text.contains(word), "{path} names {word}");
        }
    }
}

#[test]
fn a_file_fits_in_a_head() {
    // The style page asks for about 300 lines; beyond 500, tests included, a file is more than one noun.
    for folder in ["crates", "edge", "tests", "scripts", "demo", "bench"] {
        for file in sources(&root().join(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 500, "{} has {lines} lines", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs") {
            found.push(path);
        }
    }
    found
}
