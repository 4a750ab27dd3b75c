//! What operators read when something is wrong.
#![cfg(feature = "authoring")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails should stop")]

mod common;

use std::fs;
use std::path::Path;

use common::{check, compare, file, fixtures, to_json, validator};
use tidegate_config::{Problem, Severity, render};

/// The comment that a fixture has when its mistake is not one of shape.
const SCHEMA_IS_BLIND: &str = "# The JSON Schema cannot see it.";

fn name(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn report(text: &str, problems: &[Problem]) -> String {
    render(problems, text, "tidegate.toml", false)
}

#[test]
fn every_mistake_has_the_expected_report() {
    for path in fixtures("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let problems = check(&text).expect_err(name(&path));
        assert!(problems.iter().all(|problem| problem.severity == Severity::Error), "{}", name(&path));
        compare(&report(&text, &problems), &path.with_extension("txt"));
    }
}

#[test]
fn every_report_belongs_to_a_fixture() {
    for folder in ["invalid", "warnings"] {
        for entry in fs::read_dir(file(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.with_extension("toml").exists(), "{} has no fixture", path.display());
        }
    }
}

#[test]
fn a_fixture_shows_one_mistake_in_one_report() {
    for path in fixtures("invalid") {
        let problems = check(&fs::read_to_string(&path).unwrap()).unwrap_err();
        let expected = match name(&path) {
            "twelve_mistakes" => 12,
            "empty_file" | "syntax_and_more" => 2,
            _ => 1,
        };
        assert_eq!(problems.len(), expected, "{}: {problems:#?}", name(&path));
    }
}

#[test]
fn every_problem_says_where_what_and_what_to_do() {
    for path in fixtures("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        for problem in check(&text).unwrap_err() {
            let Problem { place, message, hint, .. } = &problem;
            assert!(place.span.end <= text.len(), "{}: {problem}", name(&path));
            assert!(!message.is_empty() && message.len() <= 160, "{}: {problem}", name(&path));
            assert!(!hint.is_empty() && hint.len() <= 160, "{}: {problem}", name(&path));
            assert!(!message.ends_with('.') && !hint.ends_with('.'), "{}: {problem}", name(&path));
        }
    }
}

#[test]
fn no_report_shows_a_secret() {
    for path in fixtures("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let report = report(&text, &check(&text).unwrap_err());
        assert!(!report.contains("correct-horse"), "{}:\n{report}", name(&path));
        assert!(!report.contains("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), "{}:\n{report}", name(&path));
    }
}

#[test]
fn the_schema_refuses_every_mistake_of_shape() {
    let validator = validator();
    for path in fixtures("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let is_refused = to_json(&text).is_some_and(|json| !validator.is_valid(&json));
        let is_blind = text.lines().any(|line| line == SCHEMA_IS_BLIND);
        assert_eq!(is_refused, !is_blind, "{}", name(&path));
    }
}

#[test]
fn every_warning_has_the_expected_report() {
    for path in fixtures("warnings") {
        let text = fs::read_to_string(&path).unwrap();
        let checked = check(&text).unwrap_or_else(|problems| panic!("{}", report(&text, &problems)));
        assert!(checked.warnings.iter().all(|problem| problem.severity == Severity::Warning), "{}", name(&path));
        compare(&report(&text, &checked.warnings), &path.with_extension("txt"));
    }
}
