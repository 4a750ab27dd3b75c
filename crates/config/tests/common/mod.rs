//! Fixtures: configuration files with what is to be said about them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use tidegate_config::{Checked, Problem};

/// Set this variable to write the expected files anew.
pub(crate) const UPDATE: &str = "TIDEGATE_UPDATE_EXPECTED";

/// The file `path` below the folder of these tests.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// Every `.toml` in a folder, sorted by name.
pub(crate) fn fixtures(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(file(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "there is nothing in {folder}");
    files
}

/// Checks a text; key files are those in `tests/keys`.
pub(crate) fn check(text: &str) -> Result<Checked, Vec<Problem>> {
    let read = |name: &str| fs::read_to_string(file("keys").join(name)).map_err(|_| "there is no such file".to_owned());
    tidegate_config::check(text, &read)
}

/// Compares what was found with the expected file, or writes that.
#[track_caller]
pub(crate) fn compare(found: &str, expected: &Path) {
    if std::env::var_os(UPDATE).is_some() {
        fs::write(expected, found).unwrap();
        return;
    }
    let text = fs::read_to_string(expected).unwrap_or_default();
    assert!(
        found == text,
        "{} is not what is expected (write it anew with {UPDATE}=1):\n{found}\nexpected:\n{text}",
        expected.display()
    );
}

/// A TOML text as the JSON that a JSON Schema judges; `None` if it is not TOML.
pub(crate) fn to_json(text: &str) -> Option<serde_json::Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(serde_json::to_value(table).unwrap())
}

pub(crate) fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&tidegate_config::schema()).unwrap()
}
