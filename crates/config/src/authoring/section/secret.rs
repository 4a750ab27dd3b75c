//! Secrets: named in the file, never in it.

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::authoring::node::Node;
use crate::authoring::problem::Problem;
use crate::authoring::shape::{Field, Reading, Shape};
use crate::authoring::table::table;
use crate::authoring::text::SecretName;

/// One Worker secret that a configuration needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its name, for `wrangler secret put`.
    pub name: String,
    /// What needs it, in words.
    pub used_by: String,
    /// The least length in bytes that is not a mistake.
    pub minimum_bytes: usize,
}

/// The secrets of a configuration, in the order of the file.
#[derive(Debug, Default)]
pub(in crate::authoring) struct Secrets(pub(in crate::authoring) Vec<Secret>);

impl Secrets {
    pub(super) fn need(&mut self, name: &SecretName, used_by: impl Into<String>, minimum_bytes: usize) {
        self.0.push(Secret { name: name.0.clone(), used_by: used_by.into(), minimum_bytes });
    }
}

table! {
    /// The name of a Worker secret, which `wrangler secret put` fills.
    #[table(word = "secret", example = "{ secret = \"TIDEGATE_ADMIN_TOKEN\" }")]
    pub(super) struct Named {
        /// The name: capitals, digits and `_`.
        secret: SecretName,
    }
}

/// `{ secret = "NAME" }`.
#[derive(Debug)]
pub(super) struct SecretTable(Field<SecretName>);

impl SecretTable {
    pub(super) fn name(&self) -> Option<&SecretName> {
        self.0.get()
    }
}

impl Shape for SecretTable {
    const EXAMPLE: &'static str = Named::EXAMPLE;

    fn expected() -> String {
        Named::expected()
    }

    fn schema() -> Value {
        let mut schema = Named::schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("title".to_owned(), json!("Worker secret"));
        }
        schema
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if let DeValue::String(_) = node.value {
            let message = format!("`{}` must not hold the secret itself", node.label);
            let hint = format!("make it a Worker secret and write `{} = {{ secret = \"NAME\" }}`", node.label);
            reading.problems.push(Problem::secret(&node.place, message, hint));
            return None;
        }
        Named::read(node, reading).map(|named| Self(named.secret))
    }
}
