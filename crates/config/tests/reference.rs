//! `docs/configuration.md` is written from the same definitions as the check.
#![cfg(feature = "authoring")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails should stop")]

mod common;

use std::fmt::Write;
use std::path::Path;

use common::compare;
use serde_json::Value;
use tidegate_config::{later, schema};

const START: &str = "\
<!-- Written by the tests of crates/config from the definitions that the check uses: edit those, not this page. -->
# The configuration file

One TOML file, one array of tables per kind, everything referred to by `name`. `tidegate check FILE` reads it and reports
every mistake with its line and its cure; nothing deploys unchecked. An editor completes and checks the keys when the file
begins with `#:schema ./tidegate.schema.json`.

- A **name** has 1 to 64 letters, digits, `-`, `_` and `.`, and begins with a letter or a digit.
- A **duration** is text: a whole number and one of `ms`, `s`, `m`, `h`, `d`, as in `\"30s\"`.
- A **secret** is never in the file: `{ secret = \"NAME\" }` names a Worker secret.
- A **source** says what is counted or kept apart: `\"ip\"` (the client's address), `\"claim:NAME\"` (a claim of the
  validated token), `\"header:NAME\"` (a request header), `\"cookie:NAME\"`, `\"route\"`,
  `\"country\"` or `\"asn\"` (the client's network operator).
- Unknown keys are errors. Zero never means unlimited.

The smallest file:

```toml
[[pool]]
name = \"us\"
origins = [{ name = \"us-1\", url = \"https://us-1.example.com\" }]

[[route]]
name = \"all\"
match = { path = \"/{*rest}\" }
auth = \"none\"
```
";

/// The keys of a table in the order of their definition.
fn keys(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let order = schema["x-key-order"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
    order.map(|key| (key, &schema["properties"][key]))
}

/// A table of the file, with every table below it that is not on the page yet.
fn section<'s>(page: &mut String, seen: &mut Vec<&'s Value>, title: &str, path: &str, schema: &'s Value) {
    let description = schema["description"].as_str().unwrap_or_default();
    write!(page, "\n{title}\n\n{description}\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n").unwrap();
    for (key, schema_of_key) in keys(schema) {
        let default = default(key, schema_of_key, schema);
        let meaning = schema_of_key["description"].as_str().unwrap();
        writeln!(page, "| `{key}` | {} | {default} | {meaning} |", value(schema_of_key)).unwrap();
    }
    for (key, schema) in keys(schema) {
        let tables = tables(schema);
        for table in &tables {
            let path = format!("{path}.{key}");
            let title = match keys(table).next() {
                Some((first, _)) if tables.len() > 1 => format!("### `{path}` with `{first}`"),
                _ => format!("### `{path}`"),
            };
            if !seen.contains(&&table["properties"]) {
                seen.push(&table["properties"]);
                section(page, seen, &title, &path, table);
            }
        }
    }
}

/// The tables that a key can hold, or those in its list or under its own keys.
fn tables(schema: &Value) -> Vec<&Value> {
    if schema["title"] == "Worker secret" {
        return Vec::new();
    }
    if schema.get("x-key-order").is_some() {
        return vec![schema];
    }
    let inner = [schema.get("items"), schema.get("additionalProperties")].into_iter().flatten();
    let alternatives = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    alternatives.chain(inner).filter(|schema| schema.is_object()).flat_map(tables).collect()
}

fn default(key: &str, schema_of_key: &Value, schema: &Value) -> String {
    let required = schema["required"].as_array();
    if required.into_iter().flatten().any(|required| required == key) {
        return "required".to_owned();
    }
    match schema_of_key.get("default") {
        None => String::new(),
        Some(Value::Object(table)) if table.is_empty() => String::new(),
        Some(default) => format!("`{default}`"),
    }
}

/// What a key may hold, in words.
fn value(schema: &Value) -> String {
    let title = schema["title"].as_str();
    if title == Some("Worker secret") {
        return "`{ secret = \"NAME\" }`".to_owned();
    }
    if let Some(alternatives) = schema["oneOf"].as_array().filter(|_| schema.get("properties").is_none()) {
        let mut words: Vec<String> = alternatives.iter().map(value).collect();
        words.dedup();
        return words.join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    match (title, schema["type"].as_str().unwrap_or_default()) {
        (Some(title), _) => title.to_owned(),
        (None, "array") => format!("list of: {}", value(&schema["items"])),
        (None, "boolean") => "`true` or `false`".to_owned(),
        (None, "integer") => match schema["maximum"].as_u64() {
            Some(most) if most < u64::from(u32::MAX) => format!("{} to {most}", schema["minimum"]),
            _ => format!("at least {}", schema["minimum"]),
        },
        (None, "object") => match schema.get("propertyNames") {
            Some(names) => format!("table: {} = {}", value(names), value(&schema["additionalProperties"])),
            None => "table, see below".to_owned(),
        },
        (None, other) => other.to_owned(),
    }
}

fn page() -> String {
    let mut page = START.to_owned();
    let mut seen = Vec::new();
    let schema = schema();
    for (name, schema) in keys(&schema) {
        match schema.get("items") {
            Some(items) => section(&mut page, &mut seen, &format!("## `[[{name}]]`"), name, items),
            None => section(&mut page, &mut seen, &format!("## `[{name}]`"), name, schema),
        }
    }
    page.push_str(
        "\n## Not supported yet\n\nThe format has more than this version does. It is refused, never ignored.\n\n",
    );
    page.push_str(&later());
    page
}

#[test]
fn the_reference_page_is_current() {
    compare(&page(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md"));
}
