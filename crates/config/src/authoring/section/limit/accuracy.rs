//! `accuracy`: how exactly a limit holds over all edge locations together.

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::authoring::later;
use crate::authoring::node::{Node, kind_of};
use crate::authoring::shape::{Reading, Shape, not_yet, wrong_kind};
use crate::authoring::table::{not_a_choice, table};
use crate::compiled;

table! {
    /// How many requests too many may pass, so that none waits for a key that this isolate does not know.
    #[table(word = "accuracy", example = "{ bounded = 0.01 }")]
    pub(in crate::authoring::section) struct BoundedTable {
        /// The share of the limit, above 0 and at most 1, that may pass too many.
        bounded: Share,
    }
}

/// A share above 0 and at most 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::authoring::section) struct Share(pub(super) u32);

impl Shape for Share {
    const EXAMPLE: &'static str = "0.01";

    fn expected() -> String {
        "a number above 0 and at most 1".to_owned()
    }

    fn schema() -> Value {
        json!({ "title": "share", "type": "number", "minimum": 0.000_001, "maximum": 1 })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let written = match node.value {
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) => number.to_string(),
            _ => {
                wrong_kind::<Self>(node, reading);
                return None;
            }
        };
        let share = written.parse::<f64>().ok().filter(|share| (0.000_001..=1.0).contains(share));
        let Some(share) = share else {
            let message = format!("`{}` must be {}, not {written}", node.label, Self::expected());
            let hint = "for one request in a hundred write `0.01`; for none write `accuracy = \"exact\"`";
            reading.error(&node.place, message, hint);
            return None;
        };
        // Within 1 and 1,000,000 as checked above.
        Some(Self((share * 1_000_000.0).round() as u32))
    }
}

/// How exact a limit is.
#[derive(Debug)]
pub(in crate::authoring::section) enum Accuracy {
    Exact,
    Local,
    Bounded(BoundedTable),
}

const WORDS: [&str; 2] = ["exact", "local"];

impl Shape for Accuracy {
    const EXAMPLE: &'static str = "\"exact\"";

    fn expected() -> String {
        "`\"exact\"`, `\"local\"` or a table such as `{ bounded = 0.01 }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "oneOf": [{ "enum": WORDS }, BoundedTable::schema()] })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if let DeValue::Table(_) = node.value {
            return BoundedTable::read(node, reading).map(Self::Bounded);
        }
        let Some(text) = node.text() else {
            wrong_kind::<Self>(node, reading);
            return None;
        };
        if let Some(later) = later::value(&kind_of(&node.place.path), text) {
            not_yet(later, text, &node.place, reading);
            return None;
        }
        match text {
            "exact" => Some(Self::Exact),
            "local" => Some(Self::Local),
            "bounded" => {
                let hint = "write the share that may pass too many: `accuracy = { bounded = 0.01 }`";
                reading.error(&node.place, "`accuracy` cannot be `bounded` without a number", hint);
                None
            }
            _ => {
                let invalid = not_a_choice(text, &WORDS);
                let hint = format!("write {}", Self::expected());
                reading.error(&node.place, format!("`accuracy` {}", invalid.predicate), hint);
                None
            }
        }
    }
}

impl Accuracy {
    /// The share of a bounded one.
    pub(super) fn share(&self) -> Option<Share> {
        match self {
            Self::Bounded(table) => table.bounded.get().copied(),
            Self::Exact | Self::Local => None,
        }
    }

    pub(super) fn compile(&self) -> Option<compiled::Accuracy> {
        Some(match self {
            Self::Exact => compiled::Accuracy::Exact,
            Self::Local => compiled::Accuracy::Local,
            Self::Bounded(_) => compiled::Accuracy::Bounded { parts_per_million: self.share()?.0 },
        })
    }
}
