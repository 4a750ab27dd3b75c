use sfv::visitor::{EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, Parser};
use std::convert::Infallible;

use crate::fields::trim;

/// The longest tag. A longer one is no tag: nobody could purge it.
const MAX_TAG: usize = 1024;

/// The tags in a `Cache-Tag` field: separated by commas or white space.
pub fn tag_members(field: &str) -> impl Iterator<Item = &str> {
    field.split([',', ' ', '\t']).map(trim).filter(|tag| !tag.is_empty() && tag.len() <= MAX_TAG)
}

/// The groups in a `Cache-Groups` or `Cache-Group-Invalidation` field: each is a list of strings (RFC 9875, sections 2
/// and 3), whose parameters do not count. A field that is anything else says nothing.
pub fn group_members(field: &str) -> Vec<String> {
    let groups = Parser::new(field).parse_list_with_visitor(Groups::default()).ok().flatten();
    let mut groups = groups.unwrap_or_default();
    groups.retain(|group| !group.is_empty() && group.len() <= MAX_TAG);
    groups
}

#[derive(Default)]
struct Groups {
    groups: Vec<String>,
    others: bool,
}

impl<'de> ListVisitor<'de> for Groups {
    type Out = Option<Vec<String>>;
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(Member(self))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok((!self.others).then_some(self.groups))
    }
}

struct Member<'a>(&'a mut Groups);

impl<'de> EntryVisitor<'de> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.0.others = true;
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        match item {
            BareItemFromInput::String(group) => self.0.groups.push(group.as_str().to_owned()),
            _ => self.0.others = true,
        }
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_separated_by_commas_or_spaces() {
        for (field, tags) in [
            ("a", vec!["a"]),
            ("a, b,c", vec!["a", "b", "c"]),
            ("a b  c", vec!["a", "b", "c"]),
            (" , ,", vec![]),
            ("org:acme, user/1", vec!["org:acme", "user/1"]),
        ] {
            assert_eq!(tag_members(field).collect::<Vec<_>>(), tags, "{field}");
        }
        assert_eq!(tag_members(&"x".repeat(MAX_TAG + 1)).count(), 0);
    }

    #[test]
    fn groups_are_a_list_of_strings_by_rfc_9875() {
        for (field, groups) in [
            (r#""a""#, vec!["a"]),
            (r#""scripts", "a b";p=1"#, vec!["scripts", "a b"]),
            (r#""a", b"#, vec![]),
            (r#""a", ("b")"#, vec![]),
            ("a", vec![]),
            (r#""a"#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(group_members(field), groups, "{field}");
        }
    }
}
