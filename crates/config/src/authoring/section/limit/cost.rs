//! `cost`: what one request takes from a limit.

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::authoring::node::Node;
use crate::authoring::problem::Place;
use crate::authoring::shape::{Field, Reading, Shape, Whole};
use crate::authoring::table::table;
use crate::authoring::text::HeaderName;
use crate::compiled;

/// What one request may cost.
type Number = Whole<1, 4_294_967_295>;

table! {
    /// The cost that a request header says. Whoever sends the header chooses it, from 1 to `at_most`.
    #[table(word = "cost", example = "{ header = \"x-cost\", at_most = 100 }")]
    pub(in crate::authoring::section) struct HeaderCost {
        /// The request header.
        header: HeaderName,
        /// The cost of a request without the header, or with one that is no whole number of at least 1.
        otherwise: Number = 1,
        /// What a larger number counts as.
        at_most: Number,
    }
}

table! {
    /// The cost that the origin says in its response.
    #[table(word = "cost", example = "{ reserve = 100, settle = \"x-tokens-used\" }")]
    pub(in crate::authoring::section) struct SettledCost {
        /// What is taken before the origin is asked, and stands when it does not say.
        reserve: Number,
        /// The response header with what the request did cost: the rest comes back, or more is taken.
        settle: HeaderName,
    }
}

/// What one request takes.
#[derive(Debug)]
pub(in crate::authoring::section) enum Cost {
    Fixed(Number),
    Header(HeaderCost),
    Settled(SettledCost),
}

impl Shape for Cost {
    const EXAMPLE: &'static str = "5";

    fn expected() -> String {
        format!("a whole number, or a table such as `{}`", HeaderCost::EXAMPLE)
    }

    fn schema() -> Value {
        json!({ "oneOf": [Number::schema(), HeaderCost::schema(), SettledCost::schema()] })
    }

    fn read(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        match node.value {
            DeValue::Table(table) if ["reserve", "settle"].iter().any(|key| table.contains_key(*key)) => {
                if ["header", "otherwise", "at_most"].iter().any(|key| table.contains_key(*key)) {
                    let hint = "keep `header`, `otherwise` and `at_most`, or `reserve` and `settle`";
                    reading.error(&node.place, "`cost` is said by the request and by the response", hint);
                    return None;
                }
                SettledCost::read(node, reading).map(Self::Settled)
            }
            DeValue::Table(_) => HeaderCost::read(node, reading).map(Self::Header),
            DeValue::Integer(_) => Number::read(node, reading).map(Self::Fixed),
            _ => {
                let message = format!("`cost` must be {}, not {}", Self::expected(), node.kind());
                reading.error(&node.place, message, format!("for example `cost = {}`", Self::EXAMPLE));
                None
            }
        }
    }
}

impl Cost {
    /// The most that is taken before the origin is asked, with the place that says so.
    pub(super) fn most<'c>(&'c self, place: &'c Place) -> Option<(u64, &'c Place)> {
        let said = |number: &'c Field<Number>| Some((number.get()?.0, &number.place));
        match self {
            Self::Fixed(number) => Some((number.0, place)),
            Self::Header(cost) => said(&cost.at_most),
            Self::Settled(cost) => said(&cost.reserve),
        }
    }

    /// What is taken from most requests.
    pub(super) fn usual(&self) -> Option<u64> {
        match self {
            Self::Fixed(number) => Some(number.0),
            Self::Header(cost) => Some(cost.otherwise.get()?.0),
            Self::Settled(cost) => Some(cost.reserve.get()?.0),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Settled(_))
    }

    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        let Self::Header(cost) = self else { return };
        if let (Some(otherwise), Some(at_most)) = (cost.otherwise.get(), cost.at_most.get())
            && otherwise.0 > at_most.0
        {
            let message = format!("`otherwise` is {}, above `at_most`", otherwise.0);
            reading.error(&cost.otherwise.place, message, format!("write at most {}", at_most.0));
        }
    }

    pub(super) fn compile(&self) -> Option<compiled::Cost> {
        Some(match self {
            Self::Fixed(number) => compiled::Cost::Fixed(number.small()?),
            Self::Header(cost) => compiled::Cost::Header {
                name: cost.header.get()?.0.clone(),
                otherwise: cost.otherwise.get()?.small()?,
                at_most: cost.at_most.get()?.small()?,
            },
            Self::Settled(cost) => {
                compiled::Cost::Settled { reserve: cost.reserve.get()?.small()?, header: cost.settle.get()?.0.clone() }
            }
        })
    }
}
