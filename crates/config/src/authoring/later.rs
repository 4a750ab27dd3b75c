//! What the format has and this version does not do yet: known, refused, never silently ignored.

use std::fmt::Write;

use serde_json::Value;

use super::node::join;

/// A key or a value that is refused for now.
#[derive(Debug)]
pub(super) struct Later {
    /// Where: the path without positions in lists.
    at: &'static str,
    /// The value; for a key, nothing. A `*` at the end stands for any rest.
    value: Option<&'static str>,
    /// What to do today.
    pub(super) cure: &'static str,
}

const fn key_at(at: &'static str, cure: &'static str) -> Later {
    Later { at, value: None, cure }
}

const fn value_at(at: &'static str, value: &'static str, cure: &'static str) -> Later {
    Later { at, value: Some(value), cure }
}

/// Whoever makes one of these work removes its line.
const LATER: &[Later] = &[
    key_at("api_keys", "remove the table, and its name from `auth`: use an `[[issuer]]` for now"),
    value_at("gateway.explain", "signed", "write `explain = \"never\"` or remove it: the log has the decision record"),
    value_at("gateway.explain", "always", "write `explain = \"never\"` or remove it: the log has the decision record"),
    key_at("pool.max_in_flight", "remove it: requests in flight are not counted"),
    key_at("pool.health", "remove it: every origin counts as up, and a failed request is tried on another one"),
    key_at("pool.outlier", "remove it: a failed request is tried on another origin"),
    value_at("pool.balance", "least_request", "use `round_robin`, or `weighted` with a `weight` per origin"),
    value_at(
        "pool.origins.role",
        "replica",
        "remove it: every origin is a primary; put replicas into a pool of their own",
    ),
    value_at("steering.policy", "proximity", "use `geo` with `region_pools` and `country_pools`"),
    value_at("steering.policy", "least_outstanding", "use `geo`, `off` or `random`"),
    key_at("steering.affinity", "remove it; `balance = \"ip_hash\"` keeps a client on one origin of a pool"),
    value_at("limit.key", "api_key", "count by `ip`, `claim:…`, `header:…`, `cookie:…`, `route`, `country` or `asn`"),
    value_at(
        "cache.key.partition",
        "api_key",
        "partition by `claim:…`, `header:…`, `cookie:…`, `ip`, `route`, `country` or `asn`",
    ),
    value_at("route.origin.role", "replica", "remove it, and list a pool of replicas in `pools`"),
];

/// The entry of a key, by the kind of its path.
pub(super) fn key(path: &str) -> Option<&'static Later> {
    LATER.iter().find(|later| later.value.is_none() && later.at == path)
}

/// The entry of a value, by the kind of its path.
pub(super) fn value(path: &str, text: &str) -> Option<&'static Later> {
    LATER.iter().find(|later| {
        later.at == path
            && later.value.is_some_and(|value| match value.strip_suffix('*') {
                Some(start) => text.starts_with(start),
                None => text == value,
            })
    })
}

/// Removes from a JSON Schema, which describes the value at `path`, what is refused for now.
pub(super) fn remove_from(schema: &mut Value, path: &str) {
    let Some(table) = schema.as_object_mut() else { return };
    let is_later = |name: &str| key(&join(path, name)).is_some();
    for list in ["required", "x-key-order"] {
        if let Some(Value::Array(names)) = table.get_mut(list) {
            names.retain(|name| !name.as_str().is_some_and(is_later));
        }
    }
    if let Some(Value::Object(keys)) = table.get_mut("properties") {
        keys.retain(|name, _| !is_later(name));
        for (name, schema) in keys {
            remove_from(schema, &join(path, name));
        }
    }
    if let Some(Value::Array(words)) = table.get_mut("enum") {
        words.retain(|word| word.as_str().is_none_or(|word| value(path, word).is_none()));
    }
    if let Some(items) = table.get_mut("items") {
        remove_from(items, path);
    }
    if let Some(Value::Array(alternatives)) = table.get_mut("oneOf") {
        // An alternative that needs a key that is refused is none.
        alternatives.retain(|alternative| {
            let needed = alternative.get("required").and_then(Value::as_array);
            !needed.into_iter().flatten().filter_map(Value::as_str).any(is_later)
        });
        for alternative in alternatives {
            remove_from(alternative, path);
        }
    }
}

/// What is refused for now, as a Markdown table for the reference page.
#[must_use]
pub fn table() -> String {
    let mut table = "| Not yet | Until then |\n|---|---|\n".to_owned();
    for Later { at, value, cure, .. } in LATER {
        let value = value.map(|value| format!(" = {:?}", value.replace('*', "…"))).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{at}{value}` | {cure} |");
    }
    table
}
