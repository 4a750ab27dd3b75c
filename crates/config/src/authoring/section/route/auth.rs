//! `auth`: who may use a route.

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::authoring::compile::{Compiler, all};
use crate::authoring::names::{Issuers, Reference};
use crate::authoring::node::Node;
use crate::authoring::shape::{List, Map, Reading, Shape};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{ClaimName, HeaderName, Scope};
use crate::compiled;

table! {
    /// Whose tokens open a route, and what the origin learns of them.
    #[table(word = "auth", example = "{ any = [\"main\"] }")]
    pub(in crate::authoring::section) struct TokenAuth {
        /// The issuers whose tokens are accepted.
        any: List<Reference<Issuers>, 1>,
        /// The scopes that a token must grant, all of them.
        scopes: List<Scope> = [],
        /// Claims that the origin gets as request headers. What a client sends under these headers is removed.
        forward: Map<ClaimName, HeaderName> = {},
        /// Whether the origin sees the `Authorization` of the client: `keep` or `remove`.
        authorization: Authorization = "keep",
    }
}

/// What becomes of the client's `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::authoring::section) enum Authorization {
    Keep,
    Remove,
}

choice!(Authorization { Keep = "keep", Remove = "remove" });

/// Who may use a route.
#[derive(Debug)]
pub(in crate::authoring::section) enum Auth {
    Anyone,
    Token(Box<TokenAuth>),
}

impl Shape for Auth {
    const EXAMPLE: &'static str = "{ any = [\"main\"] }";

    fn expected() -> String {
        "`\"none\"` or a table such as `{ any = [\"main\"] }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "oneOf": [{ "const": "none" }, TokenAuth::schema()] })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        match node.value {
            DeValue::Table(_) => return TokenAuth::read(node, reading).map(|auth| Self::Token(Box::new(auth))),
            DeValue::String(text) if text == "none" => return Some(Self::Anyone),
            _ => {}
        }
        let hint = match node.value {
            DeValue::String(text) if reading.names.position("issuer", text).is_some() => {
                format!("write `auth = {{ any = [\"{text}\"] }}`")
            }
            DeValue::Array(_) => "write `auth = { any = [ … ] }`".to_owned(),
            _ => Self::cure("auth"),
        };
        let message = match node.value {
            DeValue::String(text) => format!("`auth` cannot be `{text}`"),
            _ => format!("`auth` must be {}, not {}", Self::expected(), node.kind()),
        };
        reading.error(&node.place, message, hint);
        None
    }

    fn cure(_: &str) -> String {
        "write `auth = { any = [\"issuer\"] }`, or `auth = \"none\"` to let everybody in".to_owned()
    }
}

impl Auth {
    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Auth> {
        let Self::Token(auth) = self else { return Some(compiled::Auth::Anyone) };
        let forward = auth.forward.get()?.entries.iter();
        Some(compiled::Auth::Token {
            issuers: compiler.positions(auth.any.get()?)?,
            scopes: all(auth.scopes.get()?, |scope| scope.0.clone())?,
            forward: forward
                .map(|(claim, header)| Some((claim.get()?.0.clone(), header.get()?.0.clone())))
                .collect::<Option<_>>()?,
            keep_authorization: *auth.authorization.get()? == Authorization::Keep,
        })
    }
}
