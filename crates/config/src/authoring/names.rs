//! What the file declares by name, and references to it.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::{Value, json};

use super::node::Node;
use super::problem::{Place, Problem};
use super::shape::{Reading, Shape, wrong_kind};
use super::suggest::{did_you_mean, listed};

/// The names in a file, by the kind of table that declares them.
///
/// They are gathered before anything is read, so that a mistake inside a table doesn't make every reference to it wrong.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<&'static str, Vec<String>>);

/// Every kind of table that has a name. `api_keys` are known before they are supported: routes may list them.
const KINDS: [&str; 6] = ["pool", "issuer", "api_keys", "limit", "cache", "route"];

impl Names {
    /// Gathers the names, and notes those that are given twice.
    pub(super) fn gather(root: &Node<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut names = Self::default();
        let Some(table) = root.table() else { return names };
        for kind in KINDS {
            let Some(value) = table.get(kind) else { continue };
            let node = root.member(kind, value);
            let Some(list) = node.list() else { continue };
            let known = names.0.entry(kind).or_default();
            let mut first_places: BTreeMap<String, Place> = BTreeMap::new();
            for item in node.items(list) {
                let Some(value) = item.table().and_then(|table| table.get("name")) else { continue };
                let member = item.member("name", value);
                let Some(name) = member.text() else { continue };
                let first = first_places.entry(name.to_owned()).or_insert_with(|| member.place.clone());
                if *first != member.place {
                    let message = format!("there are two of `[[{kind}]]` with the name `{name}`");
                    let hint = "give one of the two another name";
                    problems.push(Problem::error(&member.place, message, hint).beside(first, "the first one"));
                }
                known.push(name.to_owned());
            }
        }
        names
    }

    /// The position of a name among the tables of its kind.
    pub(super) fn position(&self, kind: &str, name: &str) -> Option<usize> {
        self.all(kind).position(|known| known == name)
    }

    /// How many tables of a kind there are.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.0.get(kind).map_or(0, Vec::len)
    }

    /// Every name of a kind.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.0.get(kind).into_iter().flatten().map(String::as_str)
    }
}

/// A kind of table that others refer to.
pub(super) trait Kind: std::fmt::Debug {
    /// The table that declares it.
    const TABLE: &'static str;
    /// A name that is easy to recognise.
    const EXAMPLE: &'static str;
    /// Another table that declares the same kind of thing.
    const ALSO: Option<&'static str> = None;
}

/// Defines the kinds.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $table:literal, $example:literal $(or $also:literal)?;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(super) struct $name;

        impl Kind for $name {
            const TABLE: &'static str = $table;
            const EXAMPLE: &'static str = $example;
            $(const ALSO: Option<&'static str> = Some($also);)?
        }
    )+};
}

kinds! {
    /// A `[[pool]]`.
    Pools = "pool", "\"us\"";
    /// An `[[issuer]]`.
    Issuers = "issuer", "\"main\"" or "api_keys";
    /// A `[[limit]]`.
    Limits = "limit", "\"per-user\"";
    /// A `[[cache]]`.
    Caches = "cache", "\"pages\"";
}

/// The name of a table that is written elsewhere in the file.
#[derive(Debug)]
pub(super) struct Reference<K> {
    pub(super) name: String,
    kind: PhantomData<K>,
}

impl<K: Kind> Shape for Reference<K> {
    const EXAMPLE: &'static str = K::EXAMPLE;
    const UNIQUE: bool = true;

    fn expected() -> String {
        format!("the name of a `[[{}]]`", K::TABLE)
    }

    fn schema() -> Value {
        json!({ "type": "string", "title": format!("name of a `[[{}]]`", K::TABLE) })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(name) = node.text() else {
            wrong_kind::<Self>(node, reading);
            return None;
        };
        let names = &reading.names;
        let known: Vec<&str> =
            names.all(K::TABLE).chain(K::ALSO.into_iter().flat_map(|kind| names.all(kind))).collect();
        if known.contains(&name) {
            return Some(Self { name: name.to_owned(), kind: PhantomData });
        }
        let table = K::TABLE;
        let message = format!("there is no {table} named `{name}`{}", did_you_mean(name, known.iter().copied()));
        let hint = match known.as_slice() {
            [] => format!("add a `[[{table}]]` table with `name = {name:?}`"),
            [only] => format!("the only {table} is `{only}`"),
            several => format!("there are {}", listed(several.iter().copied())),
        };
        reading.error(&node.place, message, hint);
        None
    }

    fn repeats(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
