//! How a value of the file is read, described and named, in one place.
//!
//! serde stops at the first mistake of a table and forgets where values stand; a report has to show every mistake with its
//! line. So the file's types read themselves from the spanned tree, note what is wrong and go on. The JSON Schema, the
//! reference page, the list of known keys and the defaults come from the same definitions and cannot drift apart.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::later;
use super::names::Names;
use super::node::Node;
use super::problem::{Place, Problem};

/// What reading gathers and needs.
pub(super) struct Reading<'r> {
    /// What the file declares: references are checked against it.
    pub(super) names: Names,
    /// Returns the text of a file beside the configuration.
    pub(super) files: &'r dyn Fn(&str) -> Result<String, String>,
    /// What was found wrong so far.
    pub(super) problems: Vec<Problem>,
    /// Whether the key that is being read may be left out.
    pub(super) is_optional: bool,
}

impl<'r> Reading<'r> {
    pub(super) fn new(names: Names, files: &'r dyn Fn(&str) -> Result<String, String>, problems: Vec<Problem>) -> Self {
        Self { names, files, problems, is_optional: false }
    }

    /// ", or leave `key` out" where that is a cure.
    pub(super) fn or_leave_out(&self, key: &str) -> String {
        if self.is_optional { format!(", or leave `{key}` out") } else { String::new() }
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::error(place, message, hint));
    }
}

/// A kind of value that the file can hold.
pub(super) trait Shape: Sized {
    /// TOML that would be right here; the header of a table that stands for itself, as in `[[pool]]`.
    const EXAMPLE: &'static str;
    /// Whether a list may hold an equal value only once.
    const UNIQUE: bool = false;

    /// What is expected, for "… must be …".
    fn expected() -> String;

    /// The JSON Schema of the value.
    fn schema() -> Value;

    /// Reads a value; `None` when it is wrong, which is noted.
    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self>;

    /// The value of a key that is not written; `None` when it has to be.
    fn absent() -> Option<Self> {
        None
    }

    /// What to do when the key `key` is not written.
    fn cure(key: &str) -> String {
        format!("add `{key} = {}`", Self::EXAMPLE)
    }

    /// Whether the two are the same as items of a list.
    fn repeats(&self, _other: &Self) -> bool {
        false
    }
}

/// A value with its place; no value when the file has it wrong, which the report says already.
#[derive(Debug)]
pub(super) struct Field<T> {
    pub(super) value: Option<T>,
    pub(super) place: Place,
}

impl<T> Field<T> {
    pub(super) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

impl<T> Field<T> {
    /// Whether the key is written in its table, which is at `table`: what is left out stands where its table stands.
    pub(super) fn is_written_in(&self, table: &Place) -> bool {
        self.place.span != table.span
    }
}

impl<T: Shape> Field<T> {
    pub(super) fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Self {
        Self { value: T::read(node, reading), place: node.place.clone() }
    }
}

impl<T> Field<Option<T>> {
    /// The value if it is written and right.
    pub(super) fn written(&self) -> Option<&T> {
        self.value.as_ref()?.as_ref()
    }

    /// Whether the key is not written; a wrong value counts as written.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.value, Some(None))
    }
}

/// Notes that a value is of the wrong kind.
pub(super) fn wrong_kind<T: Shape>(node: &Node<'_>, reading: &mut Reading<'_>) {
    let message = format!("`{}` must be {}, not {}", node.label, T::expected(), node.kind());
    reading.error(&node.place, message, format!("for example `{} = {}`", node.label, T::EXAMPLE));
}

impl<T: Shape> Shape for Option<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;
    const UNIQUE: bool = T::UNIQUE;

    fn expected() -> String {
        T::expected()
    }

    fn schema() -> Value {
        T::schema()
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        T::read(node, reading).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Shape for bool {
    const EXAMPLE: &'static str = "true";

    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let value = node.value.as_bool();
        if value.is_none() {
            wrong_kind::<Self>(node, reading);
        }
        value
    }
}

/// A whole number of the given range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<const LEAST: u64, const MOST: u64>(pub(super) u64);

impl<const LEAST: u64, const MOST: u64> Whole<LEAST, MOST> {
    /// The number where `MOST` fits into 32 bits.
    pub(super) fn small(self) -> Option<u32> {
        u32::try_from(self.0).ok()
    }
}

impl<const LEAST: u64, const MOST: u64> Shape for Whole<LEAST, MOST> {
    const EXAMPLE: &'static str = "1";

    fn expected() -> String {
        if MOST == u64::from(u32::MAX) {
            return format!("a whole number of at least {LEAST}");
        }
        format!("a whole number from {LEAST} to {MOST}")
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let DeValue::Integer(written) = node.value else {
            let message = format!("`{}` must be {}, not {}", node.label, Self::expected(), node.kind());
            let quoted = node.text().and_then(|text| text.parse::<u64>().ok());
            let hint = match quoted {
                Some(number) => format!("remove the quotes: `{} = {number}`", node.label),
                None => format!("for example `{} = {}`", node.label, LEAST.max(1)),
            };
            reading.error(&node.place, message, hint);
            return None;
        };
        let number = u64::from_str_radix(written.as_str(), written.radix()).ok();
        if let Some(number) = number.filter(|number| (LEAST..=MOST).contains(number)) {
            return Some(Self(number));
        }
        let message = format!("`{}` must be {}, not {written}", node.label, Self::expected());
        let or_leave_out = reading.or_leave_out(&node.label);
        let hint = match number {
            Some(0) => format!("zero never means unlimited: write at least {LEAST}{or_leave_out}"),
            Some(number) if number > MOST => format!("write at most {MOST}{or_leave_out}"),
            _ => format!("write {}{or_leave_out}", Self::expected()),
        };
        reading.error(&node.place, message, hint);
        None
    }
}

/// A list of at least `LEAST` items; equal ones are refused where [`Shape::UNIQUE`] says so.
#[derive(Debug)]
pub(super) struct List<T, const LEAST: usize = 0> {
    pub(super) items: Vec<Field<T>>,
}

impl<T, const LEAST: usize> List<T, LEAST> {
    /// The items that are right.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.items.iter().filter_map(Field::get)
    }

    /// The items that are right, with their places.
    pub(super) fn placed(&self) -> impl Iterator<Item = (&T, &Place)> {
        self.items.iter().filter_map(|item| Some((item.get()?, &item.place)))
    }
}

impl<T: Shape, const LEAST: usize> Shape for List<T, LEAST> {
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn expected() -> String {
        "a list".to_owned()
    }

    fn schema() -> Value {
        let mut schema = json!({ "type": "array", "items": T::schema() });
        if let Some(schema) = schema.as_object_mut() {
            if LEAST > 0 {
                schema.insert("minItems".to_owned(), json!(LEAST));
            }
            if T::UNIQUE {
                schema.insert("uniqueItems".to_owned(), json!(true));
            }
        }
        schema
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(list) = node.list() else {
            let (label, kind) = (&node.label, node.kind());
            let hint = match node.value {
                DeValue::Table(_) if T::EXAMPLE.starts_with("[[") => {
                    format!("write `{}`: double brackets start an entry of a list", T::EXAMPLE)
                }
                DeValue::String(text) => format!("write `{label} = [{text:?}]`"),
                _ => format!("for example `{label} = [{}]`", T::EXAMPLE),
            };
            reading.error(&node.place, format!("`{label}` must be a list, not {kind}"), hint);
            return None;
        };
        if list.len() < LEAST {
            let or_leave_out = reading.or_leave_out(&node.label);
            let hint = format!("list at least one, for example `{} = [{}]`{or_leave_out}", node.label, T::EXAMPLE);
            reading.error(&node.place, format!("`{}` is empty", node.label), hint);
            return None;
        }
        let item = |item: Node<'_>| {
            reading.is_optional = false;
            Field::read(&item, reading)
        };
        let items: Vec<Field<T>> = node.items(list).map(item).collect();
        for (index, item) in items.iter().enumerate().filter(|_| T::UNIQUE) {
            let earlier = items.iter().take(index).find(|earlier| match (earlier.get(), item.get()) {
                (Some(earlier), Some(item)) => item.repeats(earlier),
                _ => false,
            });
            if let Some(earlier) = earlier {
                let message = format!("`{}` lists the same twice", node.label);
                let problem = Problem::error(&item.place, message, "remove one of the two");
                reading.problems.push(problem.beside(&earlier.place, "here already"));
            }
        }
        Some(Self { items })
    }

    fn cure(key: &str) -> String {
        match T::EXAMPLE {
            header if header.starts_with("[[") => format!("add a `{header}` table"),
            example => format!("add `{key} = [{example}]`"),
        }
    }
}

/// A table whose keys the operator chooses.
#[derive(Debug)]
pub(super) struct Map<K, V> {
    pub(super) entries: Vec<(Field<K>, Field<V>)>,
}

impl<K, V> Map<K, V> {
    /// The entries of which both halves are right, with the place of the value.
    pub(super) fn placed(&self) -> impl Iterator<Item = (&K, &V, &Place)> {
        self.entries.iter().filter_map(|(key, value)| Some((key.get()?, value.get()?, &value.place)))
    }
}

impl<K: super::text::Text, V: Shape> Shape for Map<K, V> {
    const EXAMPLE: &'static str = "{ }";

    fn expected() -> String {
        "a table".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "object", "propertyNames": K::schema(), "additionalProperties": V::schema() })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(table) = node.table() else {
            let (label, key, value) = (&node.label, K::EXAMPLE.trim_matches('"'), V::EXAMPLE);
            let message = format!("`{label}` must be a table, not {}", node.kind());
            let value = if V::expected() == "a list" { format!("[{value}]") } else { value.to_owned() };
            reading.error(&node.place, message, format!("for example `{label} = {{ {key} = {value} }}`"));
            return None;
        };
        let mut entries: Vec<(Field<K>, Field<V>)> = Vec::new();
        let mut written: Vec<_> = table.iter().collect();
        written.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in written {
            let member = node.member(key.get_ref(), value);
            let place = Place { span: key.span(), ..member.place.clone() };
            let word = match K::parse(key.get_ref()) {
                Ok(word) => Some(word),
                Err(invalid) => {
                    reading.error(&place, format!("the key `{}` {}", key.get_ref(), invalid.predicate), invalid.hint);
                    None
                }
            };
            let field = Field { value: word, place };
            let earlier = entries.iter().find(|(earlier, _)| earlier.value.is_some() && earlier.value == field.value);
            if let Some((earlier, _)) = earlier {
                let message = format!("`{}` names `{}` twice", node.label, key.get_ref());
                let problem = Problem::error(&field.place, message, "remove one of the two");
                reading.problems.push(problem.beside(&earlier.place, "here already"));
            }
            reading.is_optional = true;
            entries.push((field, Field::read(&member, reading)));
        }
        Some(Self { entries })
    }
}

/// Notes a key or value that a later version understands.
pub(super) fn not_yet(later: &later::Later, word: &str, place: &Place, reading: &mut Reading<'_>) {
    reading.error(place, format!("`{word}` is not supported yet"), later.cure);
}
