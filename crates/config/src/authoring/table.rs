//! Tables with a fixed set of keys, and words out of a fixed set.

use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::later;
use super::node::{Node, join, kind_of};
use super::problem::Place;
use super::shape::{Field, Reading, Shape, not_yet};
use super::suggest::did_you_mean;

/// Defines a table of the file: a type, how it is read, its JSON Schema and its documentation.
///
/// A key with `= default` may be left out and has that value then (a literal that TOML and JSON read alike), a key of type
/// `Option` may be left out, every other key has to be written. `rules` are added to the JSON Schema.
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        #[table(word = $word:literal, example = $example:literal $(, rules = $rules:tt)?)]
        $visibility:vis struct $name:ident {
            $($(#[doc = $key_doc:literal])+ $key:ident: $type:ty $(= $default:tt)?,)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        $visibility struct $name {
            $($(#[doc = $key_doc])+ pub(in $crate::authoring::section) $key: $crate::authoring::shape::Field<$type>,)*
        }

        impl $crate::authoring::shape::Shape for $name {
            const EXAMPLE: &'static str = $example;

            fn expected() -> String {
                format!("a table such as `{}`", $example)
            }

            fn schema() -> serde_json::Value {
                #[allow(unused_mut, unused_assignments)]
                let mut rules = serde_json::Value::Null;
                $(rules = serde_json::json!($rules);)?
                $crate::authoring::table::schema(
                    &[$($doc),+],
                    vec![$($crate::authoring::table::Key::of::<$type>(
                        stringify!($key), &[$($key_doc),+], $crate::authoring::table::default!($($default)?),
                    )),*],
                    rules,
                )
            }

            fn read(
                node: &$crate::authoring::node::Node<'_>,
                reading: &mut $crate::authoring::shape::Reading<'_>,
            ) -> Option<Self> {
                let keys = [$($crate::authoring::table::key_name(stringify!($key))),*];
                let table = $crate::authoring::table::Table::open::<Self>(node, $word, &keys, reading)?;
                Some(Self {
                    $($key: table.field(stringify!($key), $crate::authoring::table::default!($($default)?), reading),)*
                })
            }
        }
    };
}

/// The text of a default, if there is one.
macro_rules! default {
    () => {
        None
    };
    ($default:tt) => {
        Some(stringify!($default))
    };
}

/// Makes an enum of unit variants a word out of a fixed set.
macro_rules! choice {
    ($name:ty { $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)? }) => {
        impl $crate::authoring::text::Text for $name {
            const EXAMPLE: &'static str = concat!("\"", $first_word, "\"");

            fn expected() -> String {
                $crate::authoring::table::one_of(&[$first_word $(, $word)*])
            }

            fn rules() -> serde_json::Value {
                serde_json::json!({ "enum": [$first_word $(, $word)*] })
            }

            fn parse(text: &str) -> Result<Self, $crate::authoring::text::Invalid> {
                match text {
                    $first_word => Ok(Self::$first),
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::authoring::table::not_a_choice(text, &[$first_word $(, $word)*])),
                }
            }
        }
    };
}

pub(super) use {choice, default, table};

/// "`"a"`", or "one of `"a"`, `"b"`".
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word:?}`")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        _ => format!("one of {}", quoted.join(", ")),
    }
}

/// The problem of a word that is not in its set.
pub(super) fn not_a_choice(text: &str, words: &[&str]) -> super::text::Invalid {
    let meant = did_you_mean(text, words.iter().copied());
    super::text::Invalid::new(format!("cannot be `{text}`{meant}"), format!("write {}", one_of(words)))
}

/// The name of a key: Rust writes `r#match` where the file says `match`.
pub(super) fn key_name(identifier: &'static str) -> &'static str {
    identifier.strip_prefix("r#").unwrap_or(identifier)
}

/// Doc comment lines as one text: a line break inside a paragraph is a space.
fn prose(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        match line.trim() {
            "" => text.push_str("\n\n"),
            line => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text
}

/// One key of a table, for its JSON Schema.
pub(super) struct Key {
    name: &'static str,
    schema: Value,
    required: bool,
}

impl Key {
    pub(super) fn of<T: Shape>(identifier: &'static str, doc: &[&str], default: Option<&str>) -> Self {
        let mut schema = Map::new();
        schema.insert("description".to_owned(), json!(prose(doc)));
        if let Some(default) = default.and_then(|default| serde_json::from_str(default).ok()) {
            schema.insert("default".to_owned(), default);
        }
        if let Value::Object(rules) = T::schema() {
            // The description of a table's type gives way to the description of the key.
            schema.extend(rules.into_iter().filter(|(name, _)| name != "description"));
        }
        let required = default.is_none() && T::absent().is_none();
        Self { name: key_name(identifier), schema: Value::Object(schema), required }
    }
}

/// The JSON Schema of a table.
pub(super) fn schema(doc: &[&str], keys: Vec<Key>, rules: Value) -> Value {
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = Map::new();
    schema.insert("description".to_owned(), json!(prose(doc)));
    schema.insert("type".to_owned(), json!("object"));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    if let Value::Object(rules) = rules {
        schema.extend(rules);
    }
    // The order of the definition, for the reference page: a JSON object has none.
    schema.insert("x-key-order".to_owned(), keys.iter().map(|key| key.name).collect());
    let properties: Map<String, Value> = keys.into_iter().map(|key| (key.name.to_owned(), key.schema)).collect();
    schema.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(schema)
}

/// The key of a table whose own table has the key `name`.
fn holder_of<'s>(name: &str, schema: &'s Value) -> Option<&'s str> {
    let has = |schema: &Value| schema.get("properties").is_some_and(|keys| keys.get(name).is_some());
    let holds = |schema: &Value| {
        let alternatives = schema.get("oneOf").and_then(Value::as_array);
        has(schema) || alternatives.into_iter().flatten().any(has)
    };
    let keys = schema.get("properties")?.as_object()?;
    keys.iter().find(|(_, schema)| holds(schema)).map(|(key, _)| key.as_str())
}

/// A table of the file while its keys are read.
pub(super) struct Table<'n, 'a> {
    node: &'n Node<'a>,
    table: &'a DeTable<'a>,
    word: &'static str,
}

impl<'n, 'a> Table<'n, 'a> {
    /// Checks that the value is a table that has no other keys than `keys`.
    pub(super) fn open<T: Shape>(
        node: &'n Node<'a>,
        word: &'static str,
        keys: &[&str],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let Some(table) = node.table() else {
            let message = format!("`{}` must be a table, not {}", node.label, node.kind());
            let hint = match node.value {
                _ if T::EXAMPLE.starts_with("[[") => format!("write a `{}` table", T::EXAMPLE),
                DeValue::Array(_) => format!("there is only one: write `[{0}]` or `{0} = {{ … }}`", node.label),
                _ => format!("for example `{} = {}`", node.label, T::EXAMPLE),
            };
            reading.error(&node.place, message, hint);
            return None;
        };
        for (key, _) in table {
            let name: &str = key.get_ref();
            let place = Place { path: join(&node.place.path, name), span: key.span() };
            if let Some(later) = later::key(&kind_of(&place.path)) {
                not_yet(later, name, &place, reading);
                continue;
            }
            if keys.contains(&name) {
                continue;
            }
            let message = format!("unknown key `{name}`{}", did_you_mean(name, keys.iter().copied()));
            let hint = match holder_of(name, &T::schema()) {
                Some(holder) => format!("`{name}` belongs into `{holder}`: `{holder} = {{ {name} = … }}`"),
                None => {
                    let others: Vec<&str> = keys.iter().copied().filter(|key| !table.contains_key(*key)).collect();
                    match others.as_slice() {
                        [] => format!("remove it: this {word} has all its keys"),
                        _ => format!("the other keys of this {word} are {}", others.join(", ")),
                    }
                }
            };
            reading.error(&place, message, hint);
        }
        Some(Self { node, table, word })
    }

    /// Reads one key.
    pub(super) fn field<T: Shape>(
        &self,
        identifier: &'static str,
        default: Option<&str>,
        reading: &mut Reading<'_>,
    ) -> Field<T> {
        let name = key_name(identifier);
        reading.is_optional = default.is_some() || T::absent().is_some();
        if let Some(value) = self.table.get(name) {
            let member = self.node.member(name, value);
            // It is refused as a whole: what is in it does not matter yet.
            if later::key(&kind_of(&member.place.path)).is_some() {
                return Field { value: None, place: member.place };
            }
            return Field::read(&member, reading);
        }
        let place = Place { path: join(&self.node.place.path, name), ..self.node.place.clone() };
        let value = match default {
            Some(default) => DeValue::parse(default).ok().and_then(|value| {
                T::read(&self.node.absent_member(name, value.get_ref(), place.span.clone()), reading)
            }),
            None => T::absent(),
        };
        if value.is_none() && default.is_none() {
            let message = format!("this {} has no `{name}`", self.word);
            reading.error(&self.node.place, message, T::cure(name));
        }
        Field { value, place }
    }
}
