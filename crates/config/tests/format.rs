//! What the format accepts, and how it is described.
#![cfg(feature = "authoring")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should stop"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{check, compare, file, fixtures, to_json, validator};
use proptest::prelude::*;
use serde_json::Value;
use tidegate_config::{compile, load, render, schema};
use tidegate_gateway::Gateway;
use tidegate_gateway::route::{Auth, Keys};
use tidegate_http_cache::purge::Manner;

fn valid() -> impl Iterator<Item = (String, String)> {
    fixtures("valid").into_iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
}

#[test]
fn every_valid_file_is_accepted_without_a_warning() {
    for (name, text) in valid() {
        let checked = check(&text).unwrap_or_else(|problems| panic!("{}", render(&problems, &text, &name, false)));
        assert!(checked.warnings.is_empty(), "{}", render(&checked.warnings, &text, &name, false));
    }
}

#[test]
fn the_schema_accepts_every_valid_file() {
    let validator = validator();
    for folder in ["valid", "warnings"] {
        for path in fixtures(folder) {
            let json = to_json(&fs::read_to_string(&path).unwrap()).unwrap();
            if let Err(error) = validator.validate(&json) {
                panic!("{}: {error} at {}", path.display(), error.instance_path());
            }
        }
    }
}

#[test]
fn the_example_is_accepted_without_a_warning() {
    let text = fs::read_to_string(file("../../../tidegate.toml")).unwrap();
    let checked =
        check(&text).unwrap_or_else(|problems| panic!("{}", render(&problems, &text, "tidegate.toml", false)));
    assert!(checked.warnings.is_empty(), "{}", render(&checked.warnings, &text, "tidegate.toml", false));
    assert!(validator().is_valid(&to_json(&text).unwrap()));
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn the_schema_file_is_current() {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    compare(&text, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tidegate.schema.json"));
}

/// Every key of a schema, as in `route.match.path`.
fn keys(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys(schema, &path, found);
        found.push(path);
    }
    for alternative in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        keys(alternative, path, found);
    }
    if let Some(items) = schema.get("items") {
        keys(items, path, found);
    }
}

/// Whether a file uses the key.
fn uses(value: &Value, path: &[&str]) -> bool {
    match (value, path) {
        (_, []) => true,
        (Value::Array(items), _) => items.iter().any(|item| uses(item, path)),
        (Value::Object(table), [key, rest @ ..]) => table.get(*key).is_some_and(|value| uses(value, rest)),
        _ => false,
    }
}

#[test]
fn one_valid_file_uses_every_key() {
    let json = to_json(&fs::read_to_string(file("valid/everything.toml")).unwrap()).unwrap();
    let mut found = Vec::new();
    keys(&schema(), "", &mut found);
    assert!(found.len() > 50, "{found:?}");
    for key in found {
        assert!(uses(&json, &key.split('.').collect::<Vec<_>>()), "everything.toml does not use `{key}`");
    }
}

#[test]
fn every_key_is_described_and_every_default_is_accepted() {
    fn visit(schema: &Value, path: &str) {
        for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // The members of a JWK are described by RFC 7517.
            if path != "issuer.jwks.keys" {
                assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{path}.{key}");
            }
            if let Some(default) = schema.get("default") {
                let validator = jsonschema::validator_for(schema).unwrap();
                assert!(validator.is_valid(default), "{path}.{key} = {default}");
            }
            visit(schema, format!("{path}.{key}").trim_start_matches('.'));
        }
        for alternative in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            visit(alternative, path);
        }
        if let Some(items) = schema.get("items") {
            visit(items, path);
        }
    }
    visit(&schema(), "");
}

#[test]
fn what_comes_later_is_refused_and_nothing_else_of_the_format() {
    let text = fs::read_to_string(file("format/whole.toml")).unwrap();
    let problems = check(&text).unwrap_err();
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "pool[0].balance: `least_request`",
        "pool[0].max_in_flight: `max_in_flight`",
        "pool[0].origins[1].role: `replica`",
        "pool[0].health: `health`",
        "pool[0].outlier: `outlier`",
        "steering.affinity: `affinity`",
        "api_keys: `api_keys`",
        "route[0].origin.role: `replica`",
    ];
    let expected: Vec<String> = expected.iter().map(|what| format!("{what} is not supported yet")).collect();
    assert_eq!(found, expected);
    compare(&render(&problems, &text, "tidegate.toml", false), &file("format/whole.txt"));
}

#[test]
fn no_depth_of_brackets_exhausts_the_stack() {
    for open in ["[", "{a=", "[{a="] {
        let text = format!("a = {}", open.repeat(50_000));
        assert!(!check(&text).unwrap_err().is_empty());
    }
    assert!(!check(&"[a.".repeat(50_000)).unwrap_err().is_empty());
    assert!(!check(&format!("[{}a]", "a.".repeat(50_000))).unwrap_err().is_empty());
    assert!(!check(&format!("{}a = 1", "a.".repeat(50_000))).unwrap_err().is_empty());
}

#[test]
fn ten_thousand_routes_are_a_configuration() {
    let mut text = fs::read_to_string(file("valid/minimal.toml")).unwrap();
    for index in 0..10_000 {
        text += &format!("[[route]]\nname = \"r{index}\"\nmatch = {{ path = \"/r/{index}\" }}\nauth = \"none\"\n");
    }
    assert_eq!(gateway(&text).routes.len(), 10_001);
}

fn gateway(text: &str) -> Gateway {
    load(&compile(&check(text).unwrap())).unwrap()
}

#[test]
fn what_was_checked_is_what_is_loaded() {
    for (name, text) in valid() {
        let checked = check(&text).unwrap();
        let loaded = load(&compile(&checked)).unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", checked.gateway), "{name}");
    }
}

#[test]
fn the_file_says_what_the_gateway_does() {
    let gateway = gateway(&fs::read_to_string(file("valid/everything.toml")).unwrap());
    let settings = &gateway.settings;
    assert_eq!(settings.admin.as_ref().unwrap().token.as_deref(), Some("TIDEGATE_ADMIN_TOKEN"));
    assert!(settings.server_timing && settings.request_id);
    let route = &gateway.routes[0];
    let Auth::Token(auth) = &route.auth else { panic!("{:?}", route.auth) };
    assert_eq!(
        auth.forward,
        [("sub".to_owned(), "x-user-id".to_owned()), ("email".to_owned(), "x-user-email".to_owned())]
    );
    assert!(!auth.keep_authorization);
    assert!(matches!(&auth.issuers[3].keys, Keys::Secret(name) if name == "OTHER_KEYS"));
    let limits = &route.limits.as_ref().unwrap().limits;
    assert_eq!((limits[0].allowance.capacity(), limits[1].allowance.capacity()), (20, 10));
    assert_eq!(limits[1].ipv6_prefix.bits(), 56);
    assert_eq!(limits[0].key[1].to_string(), "header:x-tenant");
    assert_eq!(route.cache.as_ref().unwrap().headers, ["accept-language"]);
    assert_eq!((route.origin.timeout.as_secs(), route.origin.retries), (10, 5));
    let tags: Vec<String> = route.cache.as_ref().unwrap().tags.iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["services", "org:{claim:org}", "service:{param:rest}"]);
    let invalidation = gateway.routes[1].invalidation.as_ref().unwrap();
    assert_eq!((invalidation.header.as_deref(), invalidation.groups), (Some("x-purge"), true));
    let within: Vec<bool> = invalidation.within.iter().flatten().map(|within| within.is_start).collect();
    assert_eq!((within, invalidation.manner), (vec![false, true], Manner::Soft));
    assert!(route.invalidation.is_none());
    assert!(matches!(gateway.routes[3].auth, Auth::Anyone));
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let gateway = gateway(&fs::read_to_string(file("valid/minimal.toml")).unwrap());
    assert_eq!(gateway.settings.client_ip, "cf-connecting-ip");
    assert!(gateway.settings.admin.is_none() && !gateway.settings.server_timing && !gateway.settings.request_id);
    assert_eq!(gateway.steering.default_pools.pools().len(), 1);
    let route = &gateway.routes[0];
    assert!(route.invalidation.is_none());
    assert!(route.limits.is_none() && route.cache.is_none() && route.origin.pools.is_none());
    assert_eq!((route.origin.timeout.as_secs(), route.origin.retries), (30, 1));
}

#[test]
fn the_secrets_are_listed_with_their_least_length() {
    let checked = check(&fs::read_to_string(file("valid/everything.toml")).unwrap()).unwrap();
    let secrets: Vec<_> = checked
        .secrets
        .iter()
        .map(|secret| (secret.name.as_str(), secret.used_by.as_str(), secret.minimum_bytes))
        .collect();
    let expected = [
        ("TIDEGATE_ADMIN_TOKEN", "gateway.admin.token", 16),
        ("OTHER_KEYS", "issuer key-set-in-a-secret", 1),
        ("INTERNAL_KEY", "issuer shared-secret", 64),
    ];
    assert_eq!(secrets, expected);
}

#[test]
fn the_version_changes_with_the_content_and_with_nothing_else() {
    let text = fs::read_to_string(file("valid/minimal.toml")).unwrap();
    let version = gateway(&text).version;
    assert!(version.len() == 12 && version.bytes().all(|byte| byte.is_ascii_hexdigit()), "{version}");
    assert_eq!(gateway(&format!("# a comment\n{text}")).version, version);
    assert_eq!(gateway(&text.replace("auth = ", "origin = { timeout = \"30s\" }\nauth = ")).version, version);
    assert_ne!(gateway(&text.replace("9001", "9002")).version, version);
}

/// Small pieces of configurations, to be put together in ways that nobody planned.
fn pieces() -> Vec<String> {
    let folders = ["valid", "invalid", "warnings", "format"].into_iter().flat_map(fixtures);
    let texts = folders.map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in any::<String>()) {
        if let Err(problems) = check(&text) {
            prop_assert!(!render(&problems, &text, "file", true).is_empty());
        }
    }

    #[test]
    fn no_mixture_of_lines_makes_the_check_panic(lines in proptest::collection::vec(proptest::sample::select(pieces()), 0..40)) {
        let text = lines.join("\n");
        match check(&text) {
            Ok(checked) => prop_assert!(load(&compile(&checked)).is_ok()),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                prop_assert!(problems.iter().all(|problem| !problem.message.starts_with("the file is refused")));
                prop_assert!(!render(&problems, &text, "file", false).is_empty());
            }
        }
    }

    /// A file with one thing changed.
    #[test]
    fn whatever_the_check_accepts_the_schema_accepts(
        which in 0..1_000_usize,
        with in proptest::sample::select(vec!["0", "\"\"", "\"x\"", "true", "[]", "{}", "\"60s\"", "[\"us\"]", "\"none\"", "1"]),
    ) {
        let text = fs::read_to_string(file("valid/everything.toml")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let which = which % lines.len();
        let changed: Vec<String> = lines.iter().enumerate().map(|(index, line)| match line.split_once(" = ") {
            Some((key, _)) if index == which => format!("{key} = {with}"),
            _ => (*line).to_owned(),
        }).collect();
        let text = changed.join("\n");
        match check(&text) {
            Ok(_) => prop_assert!(validator().is_valid(&to_json(&text).unwrap()), "{}", text),
            // Every refusal of the gateway's own types is said about a line.
            Err(problems) => prop_assert!(problems.iter().all(|problem| !problem.message.starts_with("the file is refused"))),
        }
    }

    #[test]
    fn no_bytes_make_the_load_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&bytes);
        let _ = load(&[&[2], bytes.as_slice()].concat());
    }

    #[test]
    fn damage_to_a_compiled_file_is_never_a_panic(at in 0..2_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = compile(&check(&fs::read_to_string(file("valid/everything.toml")).unwrap()).unwrap());
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
            prop_assert!(load(&bytes).is_err());
        } else {
            bytes[at] = byte;
            let _ = load(&bytes);
        }
    }
}

#[test]
fn another_version_or_a_longer_text_is_not_loaded() {
    let bytes = compile(&check(&fs::read_to_string(file("valid/minimal.toml")).unwrap()).unwrap());
    assert_eq!(
        load(&[]).unwrap_err().to_string(),
        "the compiled configuration is empty: build it with `tidegate compile`"
    );
    let mut other = bytes.clone();
    other[0] = 9;
    let message = "the compiled configuration has format 9, this program reads format 8: build both anew";
    assert_eq!(load(&other).unwrap_err().to_string(), message);
    let mut longer = bytes;
    longer.push(0);
    let message = "the compiled configuration is damaged: build it with `tidegate compile`";
    assert_eq!(load(&longer).unwrap_err().to_string(), message);
}
