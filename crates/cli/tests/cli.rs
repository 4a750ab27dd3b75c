//! The program as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should stop"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Runs the program in the folder of these tests.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.args(arguments).current_dir(folder()).output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The arguments of a command line with double quotes.
fn arguments(line: &str) -> Vec<String> {
    let pieces = line.split('"').enumerate();
    let words = pieces.flat_map(|(index, piece)| match index % 2 {
        0 => piece.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![piece.to_owned()],
    });
    words.collect()
}

/// Set TIDEGATE_UPDATE_EXPECTED to write the explanations anew.
#[test]
fn every_explanation_is_as_expected() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder().join("explain")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let line = text.lines().next().unwrap();
        let arguments = arguments(line.strip_prefix("$ tidegate ").unwrap());
        let output = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", file.display());
        let found = format!("{line}\n{}", output.stdout);
        if std::env::var_os("TIDEGATE_UPDATE_EXPECTED").is_some() {
            fs::write(&file, found).unwrap();
        } else {
            assert!(found == text, "{}:\n{found}\nexpected:\n{text}", file.display());
        }
    }
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, stderr: &str) {
    let output = run(arguments);
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{}", output.stderr);
    assert!(output.stderr.contains(stderr), "{}", output.stderr);
}

#[test]
fn a_good_file_is_summed_up_in_one_line() {
    let output = run(&["check", "gateway.toml"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_eq!(output.stdout, "gateway.toml: ok, 4 routes, 3 pools, 1 issuer, 2 limits, 2 caches\n");
}

#[test]
fn a_bad_file_is_reported_on_standard_error_without_colours() {
    let path = scratch("bad").join("bad.toml");
    let text = fs::read_to_string(folder().join("gateway.toml")).unwrap();
    fs::write(&path, text.replace("ttl = ", "tll = ").replace("balance = \"ip_hash\"", "balance = \"iphash\""))
        .unwrap();
    let name = path.to_str().unwrap();
    refused(&["check", name], 1, "error: unknown key `tll`, did you mean `ttl`?");
    refused(&["check", name], 1, &format!("--> {name}:51:1"));
    refused(&["check", name], 1, &format!("\n{name}: 2 problems\n"));
    refused(&["explain", name, "--request", "GET /"], 1, "did you mean `ip_hash`?");
    assert!(!run(&["check", name]).stderr.contains('\u{1b}'));
}

#[test]
fn a_warning_is_no_refusal() {
    let path = scratch("warning").join("warning.toml");
    let text = fs::read_to_string(folder().join("gateway.toml")).unwrap();
    fs::write(&path, text.replace("cache = \"pages\"\n", "")).unwrap();
    let output = run(&["check", path.to_str().unwrap()]);
    assert_eq!(output.code, 0);
    assert!(output.stdout.contains(": ok, 4 routes"));
    assert!(output.stderr.contains("warning: no route uses the cache `pages`"), "{}", output.stderr);
    assert!(output.stderr.ends_with(": 1 warning\n"), "{}", output.stderr);
}

#[test]
fn what_cannot_be_carried_out_is_said_in_one_line() {
    refused(&["check", "absent.toml"], 2, "tidegate: cannot read absent.toml: there is no such file\n");
    refused(&["check", "explain"], 2, "tidegate: cannot read explain: it is a folder\n");
    let latin = scratch("latin").join("latin.toml");
    fs::write(&latin, b"# one\n# \xe9\n").unwrap();
    refused(&["check", latin.to_str().unwrap()], 2, "line 2 is not UTF-8; save the file as UTF-8\n");
    let explain = |request| vec!["explain", "gateway.toml", "--request", request];
    refused(
        &explain("GET x"),
        2,
        "tidegate: --request \"GET x\": write a method and a path or URL, as in \"GET /x\"\n",
    );
    refused(&[explain("/"), vec!["--header", "x"]].concat(), 2, "write a name and a value");
    refused(&[explain("/"), vec!["--cf", "DE"]].concat(), 2, "write a key and a value, as in \"country=DE\"");
    refused(
        &[explain("/"), vec!["--cf", "planet=earth"]].concat(),
        2,
        "the keys are country, continent, colo, region and asn",
    );
    refused(&[explain("/"), vec!["--claim", "pro"]].concat(), 2, "write a name and a value, as in \"plan=pro\"");
    refused(&[explain("/"), vec!["--cf", "asn=AS1"]].concat(), 2, "write a number, as in \"asn=64500\"");
    refused(&["compile", "gateway.toml", "--out", "/"], 2, "name a file such as build/config.bin");
    refused(&["compile", "gateway.toml", "--out", "config.json"], 2, "name a file such as build/config.bin");
    refused(&["frobnicate"], 2, "Usage: tidegate");
}

#[test]
fn the_schema_is_json() {
    let output = run(&["schema"]);
    assert_eq!(output.code, 0);
    let schema: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(schema["properties"]["route"]["type"], "array");
}

#[test]
fn the_compiled_form_loads_and_the_manifest_names_the_secrets() {
    let out = scratch("compile").join("deep/config.bin");
    let output = run(&["compile", "gateway.toml", "--out", out.to_str().unwrap()]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.contains("needs the secret TIDEGATE_ADMIN_TOKEN for gateway.admin.token, at least 16 bytes"));
    let gateway = tidegate_config::load(&fs::read(&out).unwrap()).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(out.with_extension("json")).unwrap()).unwrap();
    assert_eq!(manifest["version"], gateway.version.as_str());
    assert_eq!(manifest["routes"], 4);
    assert_eq!(manifest["workers_cache"], true);
    let secret =
        serde_json::json!({ "name": "TIDEGATE_ADMIN_TOKEN", "for": "gateway.admin.token", "minimum_bytes": 16 });
    assert_eq!(manifest["secrets"], serde_json::json!([secret]));
    // Nothing is left of the writing.
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn a_refused_file_leaves_what_was_compiled_before() {
    let folder = scratch("keep");
    let (out, bad) = (folder.join("config.bin"), folder.join("bad.toml"));
    fs::write(&out, "before").unwrap();
    fs::write(&bad, "banana = 1\n").unwrap();
    refused(&["compile", bad.to_str().unwrap(), "--out", out.to_str().unwrap()], 1, "unknown key `banana`");
    assert_eq!(fs::read_to_string(&out).unwrap(), "before");
    assert!(!out.with_extension("json").exists());
}

#[test]
fn key_files_are_found_beside_the_configuration() {
    let folder = scratch("keys");
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    fs::write(folder.join("keys.json"), keys).unwrap();
    let text = fs::read_to_string(self::folder().join("gateway.toml")).unwrap();
    let text = text.replace("url = \"https://idp.example.com/jwks.json\"", "file = \"keys.json\"");
    fs::write(folder.join("tidegate.toml"), text.replace("[\"ES256\", \"RS256\"]", "[\"EdDSA\"]")).unwrap();
    assert_eq!(run(&["check", folder.join("tidegate.toml").to_str().unwrap()]).code, 0);
}
