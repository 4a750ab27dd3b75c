//! JSON objects whose members are unique, at every depth.
//!
//! `serde_json` keeps the last of two members with one name, other parsers keep the first: a token that says `"sub"` twice
//! would be one person here and another at the origin. RFC 7515, section 4, and RFC 7519, section 4, let a reader refuse
//! it, and that is the only reading on which everybody agrees.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads an object. `None` for malformed JSON, another kind of value, or a member given twice.
///
/// Nesting is bounded by the recursion limit of `serde_json`, 128 levels.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(text) {
        Ok(Unique(Value::Object(members))) => Some(members),
        _ => None,
    }
}

/// Reads one string member of an object and skips the rest without building it.
pub(crate) fn text_member(text: &[u8], name: &str) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let found = deserializer.deserialize_map(TextMember { name }).ok()?;
    deserializer.end().ok()?;
    found
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON with unique members")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member given twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

struct TextMember<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for TextMember<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<String>, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if name != self.name {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value::<String>()?).is_some() {
                return Err(A::Error::custom("a member given twice"));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, read: bool) {
        assert_eq!(object(text.as_bytes()).is_some(), read, "{text}");
    }

    #[test]
    fn a_member_given_twice_is_refused_at_every_depth() {
        check(r#"{"a":1,"b":1}"#, true);
        check(r#"{"a":{"a":{"a":1}}}"#, true);
        check(r#"{"a":1,"a":1}"#, false);
        check(r#"{"a":1,"\u0061":2}"#, false);
        check(r#"{"a":{"b":1,"b":2}}"#, false);
        check(r#"{"a":[0,{"b":1,"b":2}]}"#, false);
    }

    #[test]
    fn only_one_whole_object_is_read() {
        check("{}", true);
        check(" {} ", true);
        for refused in
            ["", "null", "[]", "1", "\"a\"", "{} {}", "{},", "{", "\u{feff}{}", "{\"a\":1e400}", "{\"a\":NaN}"]
        {
            check(refused, false);
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_none());
        assert!(object(br#"{"a":"\ud800"}"#).is_none());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(100), true);
        check(&nested(200), false);
        check(&nested(5_000), false);
    }

    #[test]
    fn one_member_is_read_without_the_others() {
        let read = |text: &str| text_member(text.as_bytes(), "iss");
        assert_eq!(read(r#"{"a":[{"iss":"no"}],"iss":"us","b":{}}"#).as_deref(), Some("us"));
        for none in [r#"{"a":1}"#, r#"{"iss":1}"#, r#"{"iss":"us","iss":"us"}"#, r#"{"iss":"us"} x"#, "[]", ""] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn whatever_serde_json_writes_is_read_back(members in proptest::collection::btree_map(".*", any::<i64>(), 0..8)) {
            let text = serde_json::to_string(&members).unwrap();
            let expected: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(object(text.as_bytes()).map(Value::Object), Some(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&text);
            let _ = text_member(&text, "iss");
        }
    }
}
