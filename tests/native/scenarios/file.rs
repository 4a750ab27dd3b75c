//! The format of a scenario, as `tests/scenarios/README.md` describes it. A key that nobody knows is an error.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    #[serde(default)]
    base: Many,
    #[serde(default)]
    config: String,
    #[serde(default)]
    each: Each,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Secret>,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, Token>,
    #[serde(default)]
    pub(super) origins: BTreeMap<String, Vec<Reply>>,
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
}

/// What the whole file is run for, one after the other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    scope: Vec<String>,
}

/// The value of a Worker secret.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Secret {
    Text(String),
    Key { key: String },
}

/// What a server answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Many>,
    pub(super) body: Option<String>,
    pub(super) echo: Option<Vec<String>>,
    pub(super) keys: Option<Vec<String>>,
    #[serde(default, deserialize_with = "span")]
    pub(super) delay: Duration,
    #[serde(default)]
    pub(super) drop: bool,
}

/// A token to be signed. `false` leaves a claim out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) alg: Option<String>,
    pub(super) key: Option<String>,
    pub(super) kid: Option<Claim>,
    pub(super) issuer: Option<Claim>,
    pub(super) aud: Option<Claim>,
    pub(super) sub: Option<Claim>,
    pub(super) scope: Option<Claim>,
    pub(super) exp: Option<Claim>,
    pub(super) nbf: Option<Claim>,
    pub(super) iat: Option<Claim>,
    #[serde(default)]
    pub(super) claims: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) header: BTreeMap<String, serde_json::Value>,
}

/// A claim's text, or that it is left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Claim {
    Absent(False),
    Text(String),
    Other(serde_json::Value),
}

/// The token of a request: the name of one of the file's, or one for this request alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Shown {
    Named(String),
    Own(Box<Token>),
}

/// One request, and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(default, deserialize_with = "optional_span")]
    pub(super) at: Option<Duration>,
    #[serde(default)]
    pub(super) edge: usize,
    pub(super) down: Option<Vec<String>>,
    pub(super) limiter: Option<Behaviour>,
    pub(super) purge_log: Option<Behaviour>,
    pub(super) request: String,
    #[serde(default = "default_host")]
    pub(super) host: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Many>,
    pub(super) body: Option<String>,
    #[serde(default = "default_address")]
    pub(super) ip: String,
    #[serde(default)]
    pub(super) cf: BTreeMap<String, String>,
    pub(super) token: Option<Shown>,
    pub(super) token_cookie: Option<String>,
    #[serde(default = "once")]
    pub(super) repeat: usize,
    pub(super) expect: Expect,
}

/// How Durable Objects behave.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Behaviour {
    Up,
    /// It answers with an error.
    Fails,
    /// It never answers.
    Silent,
}

/// What is expected of a reply, and of what happened behind it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Wanted>,
    pub(super) body: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) asked: Option<Asked>,
    #[serde(default)]
    pub(super) seen: BTreeMap<String, Wanted>,
    pub(super) target: Option<String>,
    pub(super) received: Option<String>,
    #[serde(default)]
    pub(super) calls: BTreeMap<Call, usize>,
    pub(super) record: Option<serde_json::Value>,
}

/// A call into the platform that the hot path does without.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    Limiter,
    PurgeLog,
    Signature,
}

/// A field's value: `*` stands for any text; `false` is a field that is not there.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wanted {
    Absent(False),
    Like(String),
    Not { not: String },
}

/// The servers that were asked.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Asked {
    One(String),
    InOrder(Vec<String>),
    Times(BTreeMap<String, usize>),
}

/// One text, or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Many {
    One(String),
    Several(Vec<String>),
    #[default]
    None,
}

impl Many {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let several = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
            Self::None => &[],
        };
        several.iter().map(String::as_str)
    }
}

/// The value `false` and no other.
#[derive(Clone, Copy, Debug)]
pub(super) struct False;

impl<'de> Deserialize<'de> for False {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            false => Ok(Self),
            true => Err(D::Error::custom("only `false` means something here")),
        }
    }
}

fn default_host() -> String {
    "gateway.test".to_owned()
}

fn default_address() -> String {
    "192.0.2.1".to_owned()
}

fn once() -> usize {
    1
}

/// The folder of all scenarios.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

impl Scenario {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        if !text.starts_with("# ") {
            return Err("the first line must be a comment that states the rule".to_owned());
        }
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    /// The configuration: the parts that the file names, then its own.
    pub(super) fn configuration(&self) -> String {
        let part = |name: &str| fs::read_to_string(folder().join("configs").join(format!("{name}.toml"))).unwrap();
        let parts: Vec<String> = self.base.iter().map(part).chain([self.config.clone()]).collect();
        parts.join("\n")
    }

    /// The configurations that the file is run with: what each differs by, and its text.
    pub(super) fn configurations(&self) -> Vec<(&str, String)> {
        let text = self.configuration();
        match self.each.scope.as_slice() {
            [] => vec![("", text)],
            scopes => scopes.iter().map(|scope| (scope.as_str(), text.replace("$scope", scope))).collect(),
        }
    }
}

/// A whole number and its unit, as in the configuration file.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no duration such as \"30s\""))?;
    let milliseconds = match text.trim_start_matches(digits) {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("`{unit}` is no unit of time")),
    };
    Ok(Duration::from_millis(number * milliseconds))
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn optional_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    span(deserializer).map(Some)
}
