use crate::fields::{Fields, is_garbled, is_token, members, trim};
use crate::reason::Reason;
use std::collections::BTreeMap;

/// The request fields that a stored response was selected by, with the values they had; `None` where one was absent.
pub(crate) type Selecting = BTreeMap<String, Option<String>>;

/// Request fields whose values are credentials. The envelope may be kept anywhere, so it never holds one.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Notes what a response with this Vary field depends on.
pub(crate) fn selecting(vary: Option<&str>, request: &dyn Fields) -> Result<Selecting, Reason> {
    let mut selecting = Selecting::new();
    for name in members(vary.unwrap_or_default()) {
        // "A stored response with a Vary header field value containing a member "*" always fails to match" (RFC 9111,
        // section 4.1), so storing it would be in vain.
        if name == "*" {
            return Err(Reason::VaryStar);
        }
        if !is_token(name) {
            return Err(Reason::Malformed);
        }
        let name = name.to_ascii_lowercase();
        let value = request.get(&name);
        if value.is_some() && CREDENTIALS.contains(&name.as_str()) {
            return Err(Reason::VaryCredential);
        }
        // Nobody could tell whether another request has the same value.
        if value.as_deref().is_some_and(is_garbled) {
            return Err(Reason::Malformed);
        }
        let value = value.map(|value| canonical(&name, &value));
        selecting.insert(name, value);
    }
    Ok(selecting)
}

/// "The cache MUST NOT use that stored response without revalidation unless all the presented request header fields
/// nominated by that Vary field value match those fields in the original request." "If a header field is absent from a
/// request, it can only match another request if it is also absent there" (RFC 9111, section 4.1).
pub(crate) fn matches(selecting: &Selecting, request: &dyn Fields) -> bool {
    selecting.iter().all(|(name, value)| request.get(name).map(|presented| canonical(name, &presented)) == *value)
}

/// The same names with the values that this request has: what another variant is selected by. `None` if one of them is a
/// credential, or cannot be read.
pub(crate) fn presented(selecting: &Selecting, request: &dyn Fields) -> Option<Selecting> {
    let mut presented = Selecting::new();
    for name in selecting.keys() {
        let value = request.get(name).map(|value| canonical(name, &value));
        let is_secret = value.is_some() && CREDENTIALS.contains(&name.as_str());
        if is_secret || value.as_deref().is_some_and(is_garbled) {
            return None;
        }
        presented.insert(name.clone(), value);
    }
    Some(presented)
}

/// Values match too when "normalizing both [...] in a way that is known to have identical semantics, according to the
/// header field's specification (e.g., [...] case-insensitive normalization)". Codings, charsets and language tags are
/// compared "case-insensitively" (RFC 9110, sections 8.3.2, 8.4.1 and 8.5.1). The order of languages is left alone: many
/// origins prefer what is named first.
fn canonical(name: &str, value: &str) -> String {
    let value = normalised(value);
    match name {
        "accept-charset" | "accept-encoding" | "accept-language" => value.to_ascii_lowercase(),
        _ => value,
    }
}

/// Two values match when one becomes the other by "adding or removing whitespace, where allowed in the header field's
/// syntax", or by "combining multiple header field lines": whitespace around a comma outside a quoted string has no
/// meaning in any field, because combining lines puts it there (RFC 9110, section 5.3).
fn normalised(value: &str) -> String {
    let mut members = Vec::new();
    let mut rest = value;
    while let Some((member, after)) = split_member(rest) {
        members.push(trim(member));
        rest = after;
    }
    members.push(trim(rest));
    members.join(",")
}

/// Splits at the first comma outside a quoted string.
fn split_member(value: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    let comma = value.bytes().position(|byte| {
        let literal = std::mem::take(&mut escaped);
        match byte {
            _ if literal => false,
            b'\\' if quoted => {
                escaped = true;
                false
            }
            b'"' => {
                quoted = !quoted;
                false
            }
            _ => byte == b',' && !quoted,
        }
    })?;
    let (member, after) = value.split_at_checked(comma)?;
    Some((member, after.strip_prefix(',')?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::tests::Lines;
    use proptest::prelude::*;

    #[track_caller]
    fn check(vary: &str, stored: &[(&str, &str)], presented: &[(&str, &str)], expected: bool) {
        let selecting = selecting(Some(vary), &Lines::new(stored)).unwrap();
        assert_eq!(matches(&selecting, &Lines::new(presented)), expected, "{vary}: {stored:?} {presented:?}");
    }

    #[test]
    fn nominated_fields_have_to_match_by_rfc_9111_section_4_1() {
        check("Foo", &[("Foo", "1")], &[("foo", "1")], true);
        check("Foo", &[("Foo", "1")], &[("Foo", "2")], false);
        check("Foo", &[("Foo", "a")], &[("Foo", "A")], false);
        check("foo, BAR", &[("Foo", "1"), ("Bar", "abc")], &[("Bar", "abc"), ("Foo", "1")], true);
        check("foo, BAR", &[("Foo", "1"), ("Bar", "abc")], &[("Bar", "abcd"), ("Foo", "1")], false);
        check("Foo", &[("Foo", "1"), ("Other", "2")], &[("Foo", "1"), ("Other", "3")], true);
        check("", &[("Foo", "1")], &[], true);
        check(", ,", &[("Foo", "1")], &[], true);
    }

    #[test]
    fn absent_matches_only_absent() {
        check("Foo", &[], &[], true);
        check("Foo", &[], &[("Foo", "")], false);
        check("Foo", &[("Foo", "")], &[], false);
        check("Foo", &[("Foo", "")], &[("Foo", "")], true);
    }

    #[test]
    fn whitespace_around_commas_and_the_number_of_lines_do_not_matter() {
        check("Foo", &[("Foo", "1, 2")], &[("Foo", "1"), ("Foo", "2")], true);
        check("Foo", &[("Foo", "1,2")], &[("Foo", " 1 ,\t2 ")], true);
        check("Foo", &[("Foo", "1 2")], &[("Foo", "1  2")], false);
        check("Foo", &[("Foo", "1,2")], &[("Foo", "2,1")], false);
        check("Foo", &[("Foo", "a=\"1,2\"")], &[("Foo", "a=\"1, 2\"")], false);
        check("Foo", &[("Foo", "a=\"\\\"1,2\"")], &[("Foo", "a=\"\\\"1, 2\"")], false);
        check("Foo", &[("Foo", "a=\"1\", 2")], &[("Foo", "a=\"1\",2")], true);
    }

    #[test]
    fn a_star_anywhere_is_never_stored() {
        for vary in ["*", "*, *", ", *", "*, Foo", "Foo, *", "Foo,*"] {
            assert_eq!(selecting(Some(vary), &Lines::default()), Err(Reason::VaryStar), "{vary:?}");
        }
        assert_eq!(selecting(None, &Lines::default()), Ok(Selecting::new()));
    }

    #[test]
    fn a_nomination_that_is_not_a_name_is_refused() {
        for vary in ["Foo Bar", "\"Foo\"", "Foo; Bar", "Föö"] {
            assert_eq!(selecting(Some(vary), &Lines::default()), Err(Reason::Malformed), "{vary:?}");
        }
    }

    #[test]
    fn a_value_that_is_no_utf_8_is_nobody_elses() {
        let request = Lines::new(&[("x-name", "caf\u{fffd}")]);
        assert_eq!(selecting(Some("x-name"), &request), Err(Reason::Malformed));
        let stored = selecting(Some("x-name"), &Lines::new(&[("x-name", "cafe")])).unwrap();
        assert!(!matches(&stored, &request));
        assert_eq!(presented(&stored, &request), None);
    }

    #[test]
    fn a_credential_is_not_remembered_its_absence_is() {
        for name in CREDENTIALS {
            assert_eq!(selecting(Some(name), &Lines::new(&[(name, "secret")])), Err(Reason::VaryCredential));
            check(name, &[], &[], true);
            check(name, &[], &[(name, "secret")], false);
        }
    }

    proptest! {
        #[test]
        fn the_same_request_matches_and_nothing_panics(vary in "[A-Za-z, *\"]{0,20}", value in ".{0,30}") {
            let request = Lines::new(&[("a", &value), ("b", &value)]);
            if let Ok(selecting) = selecting(Some(&vary), &request) {
                prop_assert!(matches(&selecting, &request));
            }
        }

        #[test]
        fn normalising_twice_is_normalising_once(value in "[a, \t\"\\\\]{0,16}") {
            prop_assert_eq!(normalised(&normalised(&value)), normalised(&value));
        }
    }
}
