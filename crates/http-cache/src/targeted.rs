use crate::cache_control::{Argument, Directive, Malformed, ResponseControl, directives};
use crate::delta_seconds;
use crate::fields::Fields;
use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};
use std::convert::Infallible;

/// The target list of RFC 9213, section 2.2: the gateway's own field before the one for all content delivery networks.
const TARGET_LIST: [&str; 2] = ["tidegate-cache-control", "cdn-cache-control"];

/// The field that decides about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A targeted field: Cache-Control and Expires do not count.
    Targeted,
    CacheControl,
    /// Neither. Expires may still say something.
    Silent,
}

/// What the deciding field says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) source: Source,
    pub(crate) control: ResponseControl,
}

impl Policy {
    /// "The cache MUST select the first field with a valid, non-empty value and use its value to determine the caching
    /// policy for the response, and it MUST ignore the Cache-Control and Expires header fields in that response" (RFC
    /// 9213, section 2.2).
    pub(crate) fn read(response: &dyn Fields) -> Result<Self, Malformed> {
        for name in TARGET_LIST {
            if let Some(directives) = response.get(name).and_then(|value| dictionary(&value)) {
                return Ok(Self { source: Source::Targeted, control: ResponseControl::of(directives) });
            }
        }
        Ok(match response.get("cache-control") {
            Some(field) => Self { source: Source::CacheControl, control: ResponseControl::of(directives(&field)?) },
            None => Self { source: Source::Silent, control: ResponseControl::default() },
        })
    }
}

/// Parses a targeted field. "If a targeted field in a given response is empty, or a parsing error is encountered, that
/// field MUST be ignored by the cache" (RFC 9213, section 2.1): `None`.
fn dictionary(value: &str) -> Option<Vec<Directive>> {
    let members = Parser::new(value).parse_dictionary_with_visitor(Members::default()).ok()?;
    (!members.is_empty()).then_some(members)
}

#[derive(Default)]
struct Members(Vec<Directive>);

impl<'de> DictionaryVisitor<'de> for Members {
    type Out = Vec<Directive>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        // The last value of a key counts (RFC 9651, section 4.2.2).
        self.0.retain(|directive| directive.name != key.as_str());
        Ok(Entry { members: self, name: key.as_str() })
    }

    fn finish(self) -> Result<Vec<Directive>, Infallible> {
        Ok(self.0)
    }
}

struct Entry<'a, 'de> {
    members: &'a mut Members,
    name: &'de str,
}

impl Entry<'_, '_> {
    fn push(self, argument: Argument) {
        self.members.0.push(Directive { name: self.name.to_owned(), argument });
    }
}

impl<'de> EntryVisitor<'de> for Entry<'_, 'de> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.push(Argument::Invalid);
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Entry<'_, 'de> {
    type Out = ();
    type Error = Infallible;

    /// "Cache directives that have no value will be mapped to a Boolean", a quoted string "to a String", a token "to a
    /// Token, an Integer, or a Decimal". "Implementations SHOULD NOT consume values that violate these inferred
    /// constraints." "Parameters received on cache directives are to be ignored."
    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        self.push(match item {
            BareItemFromInput::Boolean(true) => Argument::Absent,
            BareItemFromInput::Integer(integer) => u64::try_from(i64::from(integer))
                .map_or(Argument::Invalid, |seconds| Argument::Seconds(delta_seconds::from_secs(seconds))),
            BareItemFromInput::String(string) => Argument::Names(string.as_str().to_owned()),
            BareItemFromInput::Token(token) => Argument::Names(token.as_str().to_owned()),
            _ => Argument::Invalid,
        });
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache_control::Extent;
    use crate::fields::tests::Lines;
    use proptest::prelude::*;
    use std::time::Duration;

    fn max_age(seconds: u64) -> ResponseControl {
        ResponseControl { max_age: Some(Duration::from_secs(seconds)), ..ResponseControl::default() }
    }

    fn targeted(value: &str) -> Option<ResponseControl> {
        match Policy::read(&Lines::new(&[("CDN-Cache-Control", value), ("Cache-Control", "no-store")])) {
            Ok(Policy { source: Source::Targeted, control }) => Some(control),
            _ => None,
        }
    }

    #[test]
    fn the_first_valid_field_of_the_target_list_decides_by_rfc_9213_section_2_2() {
        #[track_caller]
        fn check(lines: &[(&str, &str)], source: Source, control: ResponseControl) {
            assert_eq!(Policy::read(&Lines::new(lines)), Ok(Policy { source, control }), "{lines:?}");
        }
        let none = ResponseControl::default;
        let (own, cdn, all) = ("Tidegate-Cache-Control", "CDN-Cache-Control", "Cache-Control");
        check(&[], Source::Silent, none());
        check(&[(all, "max-age=3")], Source::CacheControl, max_age(3));
        check(&[(all, "")], Source::CacheControl, none());
        check(&[(own, "max-age=1"), (cdn, "max-age=2"), (all, "max-age=3")], Source::Targeted, max_age(1));
        check(&[(cdn, "max-age=2"), (all, "no-store")], Source::Targeted, max_age(2));
        check(&[(own, "&&&"), (cdn, "max-age=2"), (all, "max-age=3")], Source::Targeted, max_age(2));
        check(&[(own, ""), (cdn, "max-age =2"), (all, "max-age=3")], Source::CacheControl, max_age(3));
        check(&[(cdn, "none"), (all, "max-age=3")], Source::Targeted, none());
        check(
            &[(cdn, "max-age=2"), (cdn, "public"), (all, "no-store")],
            Source::Targeted,
            ResponseControl { public: true, ..max_age(2) },
        );
        // A field for another kind of cache does not count.
        check(&[("Surrogate-Control", "max-age=2"), (all, "max-age=3")], Source::CacheControl, max_age(3));
    }

    #[test]
    fn a_parsing_error_or_no_member_means_no_field_by_rfc_9213_section_2_1() {
        for value in [
            "",
            "  ",
            "max-age=10000, &&&&&",
            "max-age = 10",
            "max-age= 10",
            "Max-Age=10",
            "max-age=10,",
            "max-age=9999999999999999",
            "no-cache=\"a",
            "private=\"ä\"",
        ] {
            assert_eq!(targeted(value), None, "{value:?}");
        }
    }

    #[test]
    fn values_map_to_directives_by_rfc_9213_section_2_1() {
        #[track_caller]
        fn check(value: &str, expected: ResponseControl) {
            assert_eq!(targeted(value), Some(expected), "{value:?}");
        }
        let none = ResponseControl::default;
        let extent = |names: &[&str]| Extent::Fields(names.iter().map(|name| (*name).to_owned()).collect());
        check("max-age=600;x=1, foo=(a b)", max_age(600));
        check("max-age=99999999999", max_age(2_147_483_648));
        check("max-age=1, max-age=2", max_age(2));
        check("max-age=2, no-store", ResponseControl { no_store: true, ..max_age(2) });
        check("no-cache", ResponseControl { no_cache: Extent::Response, ..none() });
        check("no-cache=\"A, b\"", ResponseControl { no_cache: extent(&["a", "b"]), ..none() });
        check("private=x-user", ResponseControl { private: extent(&["x-user"]), ..none() });
        check("private=(x-user)", ResponseControl { private: Extent::Response, ..none() });
        check("public=?0", none());
        check("private=?0", ResponseControl { private: Extent::Response, ..none() });
        check("private=\"a\", private", ResponseControl { private: Extent::Response, ..none() });
        // A lifetime that is not a non-negative integer is stale.
        for value in ["max-age=\"600\"", "max-age=600.0", "max-age=-1", "max-age", "max-age=a", "max-age=(600)"] {
            check(value, max_age(0));
        }
    }

    #[test]
    fn a_malformed_cache_control_is_refused_unless_a_targeted_field_decides() {
        let broken = ("Cache-Control", "private; max-age=60");
        assert_eq!(Policy::read(&Lines::new(&[broken])), Err(Malformed));
        assert!(Policy::read(&Lines::new(&[("CDN-Cache-Control", "max-age=1"), broken])).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(value in ".{0,80}") {
            targeted(&value);
        }
    }
}
