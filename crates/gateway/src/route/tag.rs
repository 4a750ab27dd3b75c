//! Tags that a configuration writes: fixed text, with values of the request in it.

use std::fmt;

use crate::matching::Parameters;

/// A tag such as `services`, `org:{claim:org}` or `item:{param:id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The value of a claim of the caller's token.
    Claim(String),
    /// What a parameter of the route's path stands for, as the path has it.
    Parameter(String),
}

/// Why a text is no tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidTag {
    /// There is nothing.
    Empty,
    /// A brace has no counterpart.
    Brace,
    /// What stands in braces is neither a claim nor a parameter.
    Value {
        /// What stands there.
        value: String,
    },
    /// White space, a comma or a control character, which no tag in a header could have.
    Separator,
}

impl fmt::Display for InvalidTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Brace => f.write_str("has a brace without its counterpart"),
            Self::Value { value } => {
                write!(f, "has `{{{value}}}`, which is neither a claim nor a parameter of the path")
            }
            Self::Separator => f.write_str("has a space or a comma: these stand between tags"),
        }
    }
}

impl TagTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is none; the message ends a sentence that begins with its name.
    pub fn parse(text: &str) -> Result<Self, InvalidTag> {
        if text.is_empty() {
            return Err(InvalidTag::Empty);
        }
        if text.contains(|character: char| character == ',' || character.is_whitespace() || character.is_control()) {
            return Err(InvalidTag::Separator);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, after) = rest.split_once('{').map_or((rest, None), |(before, after)| (before, Some(after)));
            if before.contains('}') {
                return Err(InvalidTag::Brace);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(after) = after else { break };
            let (value, after) = after.split_once('}').ok_or(InvalidTag::Brace)?;
            parts.push(match value.split_once(':') {
                Some(("claim", name)) if !name.is_empty() => Part::Claim(name.to_owned()),
                Some(("param", name)) if !name.is_empty() => Part::Parameter(name.to_owned()),
                _ => return Err(InvalidTag::Value { value: value.to_owned() }),
            });
            rest = after;
        }
        Ok(Self(parts))
    }

    /// The names of the claims in it.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Claim(name) = part { Some(name.as_str()) } else { None })
    }

    /// The names of the parameters in it.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Parameter(name) = part { Some(name.as_str()) } else { None })
    }

    /// Whether it ends with a value, which may go on in another request.
    pub fn ends_open(&self) -> bool {
        !matches!(self.0.last(), Some(Part::Text(_)))
    }

    /// The tag for a request; `None` when a value is missing or empty: a tag without it would be another tag.
    pub fn expand(&self, claim: impl Fn(&str) -> Option<String>, parameters: Parameters<'_>) -> Option<String> {
        let mut tag = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => tag.push_str(text),
                Part::Claim(name) => tag.push_str(&claim(name).filter(|value| !value.is_empty())?),
                Part::Parameter(name) => tag.push_str(parameters.get(name).filter(|value| !value.is_empty())?),
            }
        }
        Some(tag)
    }
}

impl fmt::Display for TagTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Claim(name) => write!(f, "{{claim:{name}}}"),
            Part::Parameter(name) => write!(f, "{{param:{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::{Found, Matcher, Pattern, RouteMatch};
    use crate::path::normalise;

    #[track_caller]
    fn check(template: &str, path: &str, tag: Option<&str>) {
        let pattern = Pattern::parse("/items/{id}/{*rest}").unwrap();
        let matcher = Matcher::new(&[RouteMatch::new(None, pattern, [], []).unwrap()]).unwrap();
        let path = normalise(path).unwrap();
        let Found::Route { parameters, .. } = matcher.find("a", &path, "GET", &|_| None) else { panic!("{path:?}") };
        let template = TagTemplate::parse(template).unwrap();
        assert_eq!(TagTemplate::parse(&template.to_string()).as_ref(), Ok(&template));
        assert_eq!(
            template.expand(|name| (name == "org").then(|| "acme".to_owned()), parameters).as_deref(),
            tag,
            "{template}"
        );
    }

    #[test]
    fn values_stand_where_their_names_stood() {
        check("items", "/items/1/x", Some("items"));
        check("item:{param:id}", "/items/1/x", Some("item:1"));
        check("org:{claim:org}/items", "/items/1/x", Some("org:acme/items"));
        check("{param:id}-{param:rest}.", "/items/a%20b/x/y", Some("a%20b-x/y."));
    }

    #[test]
    fn a_tag_whose_value_is_missing_is_none() {
        check("rest:{param:rest}", "/items/1", None);
        check("team:{claim:team}", "/items/1", None);
        check("{param:other}", "/items/1", None);
    }

    #[test]
    fn what_no_tag_can_be_is_refused() {
        for (text, invalid) in [
            ("", InvalidTag::Empty),
            ("a b", InvalidTag::Separator),
            ("a,b", InvalidTag::Separator),
            ("org:{claim:org", InvalidTag::Brace),
            ("org:claim:org}", InvalidTag::Brace),
            ("{id}", InvalidTag::Value { value: "id".to_owned() }),
            ("{claim:}", InvalidTag::Value { value: "claim:".to_owned() }),
            ("{header:x}", InvalidTag::Value { value: "header:x".to_owned() }),
        ] {
            assert_eq!(TagTemplate::parse(text), Err(invalid), "{text}");
        }
    }
}
