//! Media types that a cache keeps.

use serde_json::{Value, json};
use tidegate_http_cache::{InvalidMediaRange, MediaRange};

use super::{Invalid, Text};

/// A media type without parameters, or all subtypes of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct MediaType(pub(in crate::authoring) MediaRange);

impl Text for MediaType {
    const EXAMPLE: &'static str = "\"application/json\"";

    fn expected() -> String {
        "a media type such as `\"application/json\"` or `\"text/*\"`".to_owned()
    }

    fn rules() -> Value {
        json!({ "title": "media type", "pattern": "^[!#$%&'+.^_`|~0-9A-Za-z-]+/(\\*|[!#$%&'+.^_`|~0-9A-Za-z-]+)$" })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .map(Self)
            .map_err(|invalid: InvalidMediaRange| Invalid::new(predicate(text, invalid), cure(text, invalid)))
    }
}

fn predicate(text: &str, invalid: InvalidMediaRange) -> String {
    format!("cannot be `{text}`, which {invalid}")
}

fn cure(text: &str, invalid: InvalidMediaRange) -> String {
    match invalid {
        InvalidMediaRange::Form => "write type and subtype, as in `application/json` or `text/*`".to_owned(),
        InvalidMediaRange::Everything => "leave `content_types` out: then every type is kept".to_owned(),
        InvalidMediaRange::Star => "list each type, or all of one kind as in `image/*`".to_owned(),
        InvalidMediaRange::Parameter => {
            let essence = text.split(';').next().unwrap_or_default().trim();
            format!("write `{essence}`: it holds with every parameter")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_media_type_has_no_case() {
        for (text, same) in [("application/json", "application/json"), ("Text/*", "text/*")] {
            check(text, Ok(MediaType(same.parse().unwrap())));
        }
    }

    #[test]
    fn a_slip_in_a_media_type_has_its_cure() {
        let form = "write type and subtype, as in `application/json` or `text/*`";
        check::<MediaType>("json", Err(("cannot be `json`, which is no media type", form)));
        let everything = "leave `content_types` out: then every type is kept";
        check::<MediaType>("*/*", Err(("cannot be `*/*`, which is every media type", everything)));
        let star = "list each type, or all of one kind as in `image/*`";
        let predicate = "cannot be `application/*+json`, which has a `*` that does not stand for a whole subtype";
        check::<MediaType>("application/*+json", Err((predicate, star)));
        let parameter = "write `text/html`: it holds with every parameter";
        let predicate = "cannot be `text/html; charset=utf-8`, which has a parameter";
        check::<MediaType>("text/html; charset=utf-8", Err((predicate, parameter)));
    }
}
