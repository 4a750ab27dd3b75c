//! Tokens, signed with the keys under `tests/scenarios/keys`.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use tidegate_jwt::Algorithm;

use super::file::{Claim, Token, duration, folder};
use crate::signatures::sign;

/// Whose tokens the configurations trust.
const ISSUER: &str = "https://issuer.example";

/// A key by its name: a private JWK, or the set of public ones.
pub(super) fn key(name: &str) -> Value {
    serde_json::from_str(&key_file(name).unwrap()).unwrap()
}

/// The text of a file that a configuration may name.
pub(super) fn key_file(name: &str) -> Result<String, String> {
    let path =
        folder().join("keys").join(if name.ends_with(".json") { name.to_owned() } else { format!("{name}.json") });
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The bytes of a symmetric key, which are text.
pub(super) fn secret(name: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(key(name)["k"].as_str().unwrap()).unwrap()).unwrap()
}

/// A JWK Set of the public halves of the named keys.
pub(super) fn key_set(names: &[String]) -> String {
    let public = |name: &String| {
        let Value::Object(mut jwk) = key(name) else { panic!("the key {name} is no JSON object") };
        jwk.retain(|member, _| !["d", "p", "q", "dp", "dq", "qi", "k"].contains(&member.as_str()));
        Value::Object(jwk)
    };
    json!({ "keys": names.iter().map(public).collect::<Vec<_>>() }).to_string()
}

impl Token {
    /// Signs it. Times are counted from `now`.
    pub(super) fn sign(&self, now: Duration) -> String {
        let algorithm = self.alg.as_deref().unwrap_or("ES256");
        let key = key(self.key.as_deref().unwrap_or(&algorithm.to_lowercase()));
        let mut header = json!({ "alg": algorithm });
        match &self.kid {
            None => header["kid"] = key["kid"].clone(),
            Some(Claim::Absent(_)) => {}
            Some(Claim::Text(kid)) => header["kid"] = json!(kid),
            Some(Claim::Other(kid)) => header["kid"] = kid.clone(),
        }
        for (name, value) in &self.header {
            header[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signing_input = format!("{}.{}", encode(&header), encode(&Value::Object(self.payload(now))));
        let signature = match algorithm.parse::<Algorithm>() {
            Ok(algorithm) => sign(algorithm, &key, signing_input.as_bytes()),
            // `none` and names that nobody knows: as an attacker writes them.
            Err(_) => Vec::new(),
        };
        format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn payload(&self, now: Duration) -> Map<String, Value> {
        let mut payload = Map::new();
        let mut set = |name: &str, claim: &Option<Claim>, default: Option<&str>, read: &dyn Fn(&str) -> Value| {
            let value = match claim {
                None => default.map(read),
                Some(Claim::Absent(_)) => None,
                Some(Claim::Text(text)) => Some(read(text)),
                Some(Claim::Other(value)) => Some(value.clone()),
            };
            payload.extend(value.map(|value| (name.to_owned(), value)));
        };
        let text = |text: &str| json!(text);
        let time = |offset: &str| json!(point_in_time(offset, now));
        set("iss", &self.issuer, Some(ISSUER), &text);
        set("aud", &self.aud, Some("api"), &text);
        set("sub", &self.sub, Some("alice"), &text);
        set("scope", &self.scope, None, &text);
        set("exp", &self.exp, Some("+5m"), &time);
        set("nbf", &self.nbf, None, &time);
        set("iat", &self.iat, None, &time);
        payload.extend(self.claims.clone());
        payload
    }
}

/// `"+5m"` and `"-5m"`, in seconds since the Unix epoch.
fn point_in_time(offset: &str, now: Duration) -> u64 {
    let (sign, length) = offset.split_at(1);
    let length = duration(length).unwrap();
    match sign {
        "+" => now + length,
        "-" => now - length,
        _ => panic!("`{offset}` must begin with + or -"),
    }
    .as_secs()
}
