//! Values that the file writes as text.

mod address;
mod duration;
mod media_type;
mod source;
mod tag;
mod word;

use serde_json::{Value, json};

pub(super) use address::{AdminPath, HostName, KeysUrl, OriginUrl, PathPattern};
pub(super) use duration::{DAY, HOUR, MINUTE, SECOND, Span};
pub(super) use media_type::MediaType;
pub(super) use source::KeySource;
pub(super) use tag::{Tag, TagStart};
pub(super) use word::{
    Audience, ClaimName, ColoCode, CookieName, CountryCode, FieldValue, FileName, HeaderName, Method, Name, QueryName,
    RegionCode, Scope, SecretName, SourceValue,
};

use super::later;
use super::node::{Node, kind_of};
use super::problem::Problem;
use super::shape::{Reading, Shape, not_yet};

/// A value that the file writes as text.
pub(super) trait Text: Sized + PartialEq {
    /// TOML that would be right here.
    const EXAMPLE: &'static str;

    /// What is expected, for "… must be …".
    fn expected() -> String;

    /// What the JSON Schema says beside `"type": "string"`.
    fn rules() -> Value;

    /// Reads the text.
    fn parse(text: &str) -> Result<Self, Invalid>;

    /// What was probably meant by a value that is no text, as TOML.
    fn meant(_node: &Node<'_>) -> Option<String> {
        None
    }
}

/// Why a text is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The end of a sentence that begins with the key.
    pub(super) predicate: String,
    /// What to write.
    pub(super) hint: String,
    /// Whether the text may be a secret: the report does not show it.
    pub(super) is_secret: bool,
}

impl Invalid {
    pub(super) fn new(predicate: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { predicate: predicate.into(), hint: hint.into(), is_secret: false }
    }

    pub(super) fn secret(predicate: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { is_secret: true, ..Self::new(predicate, hint) }
    }
}

impl<T: Text> Shape for T {
    const EXAMPLE: &'static str = <T as Text>::EXAMPLE;
    const UNIQUE: bool = true;

    fn expected() -> String {
        <T as Text>::expected()
    }

    fn schema() -> Value {
        let mut schema = json!({ "type": "string" });
        if let (Some(schema), Value::Object(rules)) = (schema.as_object_mut(), T::rules()) {
            schema.extend(rules);
        }
        schema
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let kind = kind_of(&node.place.path);
        let Some(text) = node.text() else {
            let keys = node.table().into_iter().flatten();
            let later = keys.filter_map(|(key, _)| Some((key, later::value(&kind, key.get_ref())?))).next();
            match later {
                Some((key, later)) => not_yet(later, key.get_ref(), &node.place, reading),
                None => {
                    let message = format!("`{}` must be {}, not {}", node.label, Self::expected(), node.kind());
                    let hint = match T::meant(node) {
                        Some(meant) => format!("write `{} = {meant}`", node.label),
                        None => format!("for example `{} = {}`", node.label, <T as Text>::EXAMPLE),
                    };
                    reading.error(&node.place, message, hint);
                }
            }
            return None;
        };
        if let Some(later) = later::value(&kind, text) {
            not_yet(later, text, &node.place, reading);
            return None;
        }
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(invalid) => {
                let message = format!("`{}` {}", node.label, invalid.predicate);
                let problem = Problem::error(&node.place, message, invalid.hint);
                reading.problems.push(Problem { is_secret: invalid.is_secret, ..problem });
                None
            }
        }
    }

    fn repeats(&self, other: &Self) -> bool {
        self == other
    }
}

/// RFC 9110, section 5.6.2: what methods and the names of headers and cookies are made of.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The same as a regular expression.
const TOKEN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

#[cfg(test)]
#[track_caller]
fn check<T: Text + std::fmt::Debug>(text: &str, expected: Result<T, (&str, &str)>) {
    let found = T::parse(text).map_err(|invalid| (invalid.predicate, invalid.hint));
    assert_eq!(found, expected.map_err(|(predicate, hint)| (predicate.to_owned(), hint.to_owned())), "{text:?}");
}
