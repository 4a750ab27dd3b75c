//! `jwks`: where the public keys of an issuer are.

use serde_json::{Map, Value, json};
use tidegate_jwt::KeySet;
use toml::de::{DeTable, DeValue};

use crate::authoring::node::Node;
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{Reading, Shape, wrong_kind};
use crate::authoring::table::table;
use crate::authoring::text::{FileName, KeysUrl, SecretName, Text};
use crate::compiled;

/// The members of a JWK that only its owner should have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

table! {
    /// Where the public keys of an issuer are. Exactly one of the four.
    #[table(
        word = "key set",
        example = "{ url = \"https://idp.example.com/.well-known/jwks.json\" }",
        rules = { "minProperties": 1, "maxProperties": 1 }
    )]
    pub(in crate::authoring::section) struct Jwks {
        /// Where the issuer publishes its JWK Set. It is fetched when needed, kept, and fetched anew when a token names an
        /// unknown key.
        url: Option<KeysUrl>,
        /// A file with a JWK Set, beside the configuration. It is read when the configuration is built.
        file: Option<KeyFile>,
        /// The public keys themselves, as JWKs.
        keys: Option<InlineKeys>,
        /// The name of a Worker secret that holds a JWK Set.
        secret: Option<SecretName>,
    }
}

/// Public keys that are known when the configuration is built.
#[derive(Debug)]
pub(super) struct PublicKeys {
    /// The JWK Set.
    json: String,
    pub(super) set: KeySet,
}

/// The keys in a file beside the configuration.
#[derive(Debug)]
pub(in crate::authoring::section) struct KeyFile(PublicKeys);

/// Keys in the configuration itself.
#[derive(Debug)]
pub(in crate::authoring::section) struct InlineKeys(PublicKeys);

impl Jwks {
    /// Whether the key set is in a Worker secret.
    pub(super) fn is_secret(&self) -> bool {
        !self.secret.is_absent()
    }

    pub(super) fn secret(&self) -> Option<&SecretName> {
        self.secret.written()
    }

    /// The keys, if they are known when the configuration is built.
    pub(super) fn fixed(&self) -> Option<&PublicKeys> {
        let file = self.file.written().map(|KeyFile(keys)| keys);
        file.or_else(|| self.keys.written().map(|InlineKeys(keys)| keys))
    }

    pub(super) fn check(&self, place: &Place, reading: &mut Reading<'_>) {
        let absent = [self.url.is_absent(), self.file.is_absent(), self.keys.is_absent(), self.secret.is_absent()];
        match absent.iter().filter(|absent| !**absent).count() {
            0 => reading.error(place, "`jwks` is empty", "write one of `url`, `file`, `keys` and `secret`"),
            1 => {}
            _ => reading.error(
                place,
                "`jwks` has more than one source of keys",
                "keep one of `url`, `file`, `keys` and `secret`",
            ),
        }
    }

    pub(super) fn warn(&self, warnings: &mut Vec<Problem>) {
        if self.url.written().is_some_and(KeysUrl::is_exposed) {
            let message = "the keys travel unprotected: whoever can change them on the way can sign tokens";
            warnings.push(Problem::warning(&self.url.place, message, "write `https://`"));
        }
        let place = if self.file.is_absent() { &self.keys.place } else { &self.file.place };
        for skipped in self.fixed().into_iter().flat_map(|keys| keys.set.skipped()) {
            let hint = "nothing to do if no token is signed with it; else repair the key";
            warnings.push(Problem::warning(place, format!("a key is not used: {skipped}"), hint));
        }
    }

    pub(super) fn compile(&self) -> Option<compiled::Keys> {
        if let Some(url) = self.url.written() {
            return Some(compiled::Keys::Url(url.0.clone()));
        }
        Some(compiled::Keys::Fixed(self.fixed()?.json.clone()))
    }
}

impl Shape for KeyFile {
    const EXAMPLE: &'static str = <FileName as Text>::EXAMPLE;

    fn expected() -> String {
        <FileName as Text>::expected()
    }

    fn schema() -> Value {
        FileName::schema()
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let FileName(name) = FileName::read(node, reading)?;
        let json = match (reading.files)(&name) {
            Ok(json) => json,
            Err(reason) => {
                let hint = "the path is relative to the folder of the configuration";
                reading.error(&node.place, format!("cannot read `{name}`: {reason}"), hint);
                return None;
            }
        };
        let listed = serde_json::from_str::<Value>(&json).ok();
        let keys = listed.as_ref().and_then(|set| set.get("keys")).and_then(Value::as_array);
        if let Some(member) = keys.into_iter().flatten().find_map(|key| private_member(|name| key.get(name).is_some()))
        {
            // The file is not shown: there is nothing to hide in the report.
            let message = format!("`{name}` holds a private or secret key (`{member}`)");
            reading.error(&node.place, message, PRIVATE_HINT);
            return None;
        }
        public_keys(json, &node.place, &format!("`{name}`"), reading).map(Self)
    }
}

const PRIVATE_HINT: &str = "keep public keys only: verifying needs no private key, and a shared secret is \
                            `secret = { secret = \"NAME\" }`";

fn private_member(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    PRIVATE.into_iter().find(|member| has(member))
}

fn public_keys(json: String, place: &Place, what: &str, reading: &mut Reading<'_>) -> Option<PublicKeys> {
    match KeySet::parse(&json) {
        Ok(set) => Some(PublicKeys { json, set }),
        Err(invalid) => {
            let hint = "write a JWK Set (RFC 7517): `{ \"keys\": [ … ] }` with RSA, EC or OKP public keys";
            reading.error(place, format!("{what} has no usable keys: {invalid}"), hint);
            None
        }
    }
}

impl Shape for InlineKeys {
    const EXAMPLE: &'static str = "[{ kty = \"OKP\", crv = \"Ed25519\", x = \"…\" }]";

    fn expected() -> String {
        "a list of JWKs".to_owned()
    }

    fn schema() -> Value {
        let private: Vec<Value> = PRIVATE.iter().map(|member| json!({ "required": [member] })).collect();
        let key = json!({
            "type": "object",
            "required": ["kty"],
            "properties": { "kty": { "enum": ["RSA", "EC", "OKP"] } },
            "not": { "anyOf": private },
        });
        json!({ "title": "JWKs", "type": "array", "minItems": 1, "items": key })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(list) = node.list() else {
            wrong_kind::<Self>(node, reading);
            return None;
        };
        let mut keys = Vec::new();
        let mut sound = true;
        for item in node.items(list) {
            let Some(table) = item.table() else {
                let message = format!("`{}` must be a JWK, not {}", item.label, item.kind());
                reading.error(&item.place, message, format!("for example `keys = {}`", Self::EXAMPLE));
                sound = false;
                continue;
            };
            for (name, value) in table.iter().filter(|(name, _)| PRIVATE.contains(&name.get_ref().as_ref())) {
                let member = item.member(name.get_ref(), value);
                let message = format!("`{}` is a private or secret key (`{}`)", item.label, name.get_ref());
                reading.problems.push(Problem::secret(&member.place, message, PRIVATE_HINT));
                sound = false;
            }
            keys.push(Value::Object(object(table)));
        }
        let json = json!({ "keys": keys }).to_string();
        sound.then(|| public_keys(json, &node.place, &format!("`{}`", node.label), reading).map(Self))?
    }
}

fn object(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.get_ref().to_string(), to_json(value.get_ref()))).collect()
}

fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Array(list) => list.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
        // No member that we read is a number or a date.
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => Value::Null,
    }
}
