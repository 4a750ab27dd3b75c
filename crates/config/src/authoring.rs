//! Authoring: from the text that an operator writes to the compiled form.
//!
//! The text becomes a tree of values that know their places ([`node`]). The tables of the file ([`section`]) read
//! themselves from it and note what is wrong ([`shape`], [`table`], [`text`]), then what does not agree with each other.
//! A file without errors is compiled ([`compile`]) and lowered once, before it is called checked.

mod compile;
mod later;
mod names;
mod node;
mod problem;
mod section;
mod shape;
mod suggest;
mod syntax;
mod table;
mod text;
mod time_zone;

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tidegate_gateway::Gateway;
use tidegate_gateway::source::Source;
use toml::de::{DeTable, DeValue};

pub use later::table as later;
pub use problem::{Place, Problem, Severity, render};
pub use section::Secret;

use crate::compiled::{self, Compiled, Content};
use crate::lower::lower;
use compile::Compiler;
use names::Names;
use node::Node;
use section::{File, Secrets};
use shape::{Reading, Shape};

/// A file without errors.
#[derive(Debug)]
pub struct Checked {
    /// What has no effect in it or is unwise, in the order of the file.
    pub warnings: Vec<Problem>,
    /// The Worker secrets that it needs, in the order of the file.
    pub secrets: Vec<Secret>,
    /// What it becomes in the Worker.
    pub gateway: Gateway,
    compiled: Compiled,
}

impl Checked {
    /// How long the replies of a cache are fresh when the origin does not say.
    #[must_use]
    pub fn ttl(&self, cache: &str) -> Option<Duration> {
        let cache = self.compiled.content.caches.iter().find(|compiled| compiled.name == cache)?;
        cache.ttl.map(Duration::from_millis)
    }

    /// The name of the time zone of a limit's quota, or of the override of it that a source's value chooses.
    #[must_use]
    pub fn time_zone(&self, limit: &str, by: Option<(&Source, &str)>) -> Option<&str> {
        let content = &self.compiled.content;
        let limit = content.limits.iter().find(|compiled| compiled.name == limit)?;
        let allowance = match by {
            None => &limit.allowance,
            Some((source, value)) => {
                let source = compiled::Source::from(source);
                let (_, values) = limit.overrides.iter().find(|(other, _)| *other == source)?;
                values.iter().find(|(other, _)| other == value).map(|(_, allowance)| allowance)?
            }
        };
        let compiled::Allowance::Quota { calendar, .. } = allowance else { return None };
        content.calendars.get(usize::try_from(*calendar).ok()?).map(|calendar| calendar.zone.as_str())
    }

    /// How many tables of each kind there are, for a summary: as ("route", 4).
    #[must_use]
    pub fn counts(&self) -> [(&'static str, usize); 5] {
        let Content { pools, issuers, limits, caches, routes, .. } = &self.compiled.content;
        [
            ("route", routes.len()),
            ("pool", pools.len()),
            ("issuer", issuers.len()),
            ("limit", limits.len()),
            ("cache", caches.len()),
        ]
    }
}

/// Checks the text of a configuration file.
///
/// `files` returns the text of a file by the path in the configuration, or the reason why it cannot be read.
///
/// # Errors
/// Every mistake in the file, in the order of the file.
pub fn check(text: &str, files: &dyn Fn(&str) -> Result<String, String>) -> Result<Checked, Vec<Problem>> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let syntax = syntax::problems(text, tree.get_ref(), &errors);
    if !syntax.tree_is_whole {
        return Err(syntax.problems);
    }
    let value = DeValue::Table(tree.into_inner());
    let root = Node::root(&value);
    let mut problems = Vec::new();
    let names = Names::gather(&root, &mut problems);
    let mut reading = Reading::new(names, files, problems);
    let file = File::read(&root, &mut reading);
    if let Some(file) = &file {
        file.check(&mut reading);
    }
    let Reading { names, mut problems, .. } = reading;
    syntax.merge_into(&mut problems);
    if !problems.is_empty() {
        problems.sort_by_key(Problem::order);
        problems.dedup();
        return Err(problems);
    }
    let checked = file.as_ref().ok_or_else(unexplained).and_then(|file| finish(file, &names));
    // Whatever the gateway's types refuse is found above, with its place; this is the net below.
    checked.map_err(|refused| {
        let hint = "this should have been said about one line: please report it, with the file";
        vec![Problem::error(&root.place, format!("the file is refused: {refused}"), hint)]
    })
}

fn unexplained() -> String {
    "a value is missing or wrong".to_owned()
}

/// Compiles and lowers a file without errors.
fn finish(file: &File, names: &Names) -> Result<Checked, String> {
    let mut compiler = Compiler { names, secrets: Secrets::default(), calendars: Vec::new() };
    let content = file.compile(&mut compiler).ok_or_else(unexplained)?;
    let compiled = Compiled { version: version(&content), content };
    let gateway = lower(compiled.clone())?;
    let mut warnings = file.warnings();
    warnings.sort_by_key(Problem::order);
    Ok(Checked { warnings, secrets: compiler.secrets.0, gateway, compiled })
}

/// The first 12 hexadecimal digits of the SHA-256 of the content.
fn version(content: &Content) -> String {
    let bytes = postcard::to_allocvec(content).unwrap_or_default();
    let mut version = String::new();
    for byte in Sha256::digest(bytes).iter().take(6) {
        // Writing to a String cannot fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
}

/// The form that the Worker loads.
#[must_use]
pub fn compile(checked: &Checked) -> Vec<u8> {
    checked.compiled.encode()
}

/// The JSON Schema (draft 7, which editors know best) of the file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("tidegate.toml"));
    if let Value::Object(file) = File::schema() {
        schema.extend(file);
    }
    let mut schema = Value::Object(schema);
    later::remove_from(&mut schema, "");
    schema
}
