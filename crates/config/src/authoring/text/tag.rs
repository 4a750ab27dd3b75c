//! Tags of replies, with values of the request in them.

use serde_json::{Value, json};
use tidegate_gateway::route::{InvalidTag, TagTemplate, Within};

use super::{Invalid, Text};

/// A tag such as `services`, `org:{claim:org}` or `item:{param:id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct Tag(pub(in crate::authoring) TagTemplate);

impl Text for Tag {
    const EXAMPLE: &'static str = "\"org:{claim:org}\"";

    fn expected() -> String {
        "a tag such as `\"services\"` or `\"org:{claim:org}\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "tag", "pattern": r"^([^\s,{}]|\{(claim|param):[^\s,{}]+\})+$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        TagTemplate::parse(text).map(Self).map_err(invalid)
    }
}

/// A tag, or the start of tags with a `*` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct TagStart {
    pub(in crate::authoring) text: String,
    pub(in crate::authoring) within: Within,
}

impl Text for TagStart {
    const EXAMPLE: &'static str = "\"org:{claim:org}:*\"";

    fn expected() -> String {
        "a tag, or a start of tags such as `\"org:{claim:org}:*\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "tag or start of tags", "pattern": r"^([^\s,{}]|\{(claim|param):[^\s,{}]+\})+$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let within = Within::parse(text).map_err(invalid)?;
        if within.is_start && within.tag.ends_open() {
            // `org:{claim:org}*` would let `acme` purge the tags of `acme2`.
            let end = text.trim_end_matches('*');
            return Err(Invalid::new(
                "ends with a value and `*`, which other values begin with as well",
                format!("put something between the two that no value has, such as `{end}:*`"),
            ));
        }
        Ok(Self { text: text.to_owned(), within })
    }
}

fn invalid(invalid: InvalidTag) -> Invalid {
    let hint = match &invalid {
        InvalidTag::Empty => "write a word, such as `services`".to_owned(),
        InvalidTag::Separator => "write each tag as an item of its own, without spaces".to_owned(),
        InvalidTag::Brace => "braces stand around a value, as in `org:{claim:org}`, and nowhere else".to_owned(),
        InvalidTag::Value { value } if !value.is_empty() && !value.contains(':') => {
            format!("write `{{param:{value}}}` for a parameter of the path, `{{claim:{value}}}` for a claim")
        }
        InvalidTag::Value { .. } => {
            "write `{param:id}` for a parameter of the path, `{claim:org}` for a claim".to_owned()
        }
    };
    Invalid::new(invalid.to_string(), hint)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_tag_is_text_with_values_in_it() {
        for text in ["services", "org:{claim:org}", "{param:id}", "a-{claim:https://x/org}/b"] {
            check(text, Ok(Tag(TagTemplate::parse(text).unwrap())));
        }
    }

    #[test]
    fn a_slip_in_a_tag_has_its_cure() {
        let value = "write `{param:id}` for a parameter of the path, `{claim:id}` for a claim";
        check::<Tag>("item:{id}", Err(("has `{id}`, which is neither a claim nor a parameter of the path", value)));
        let brace = "braces stand around a value, as in `org:{claim:org}`, and nowhere else";
        check::<Tag>("org:{claim:org", Err(("has a brace without its counterpart", brace)));
        let space = "write each tag as an item of its own, without spaces";
        check::<Tag>("a, b", Err(("has a space or a comma: these stand between tags", space)));
        check::<Tag>("", Err(("is empty", "write a word, such as `services`")));
    }

    #[test]
    fn no_value_is_the_start_of_another_one() {
        assert!(TagStart::parse("org:{claim:org}:*").is_ok());
        assert!(TagStart::parse("org:*").is_ok());
        let predicate = "ends with a value and `*`, which other values begin with as well";
        let hint = "put something between the two that no value has, such as `org:{claim:org}:*`";
        check::<TagStart>("org:{claim:org}*", Err((predicate, hint)));
    }
}
