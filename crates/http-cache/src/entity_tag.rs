use crate::fields::is_garbled;

/// One entity tag (RFC 9110, section 8.8.3). A backslash escapes nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntityTag<'a> {
    pub(crate) weak: bool,
    pub(crate) opaque: &'a str,
}

impl<'a> EntityTag<'a> {
    /// Reads the value of an ETag field; `None` if it is not one entity tag and nothing else.
    pub(crate) fn read(value: &'a str) -> Option<Self> {
        let (tag, rest) = Self::first(value.trim_matches([' ', '\t']))?;
        rest.is_empty().then_some(tag)
    }

    /// The entity tag at the beginning, and what follows it. One with bytes that cannot be read is none: it might be another
    /// one.
    fn first(value: &'a str) -> Option<(Self, &'a str)> {
        let unmarked = value.strip_prefix("W/");
        let (opaque, rest) = unmarked.unwrap_or(value).strip_prefix('"')?.split_once('"')?;
        (!is_garbled(opaque)).then_some((Self { weak: unmarked.is_some(), opaque }, rest))
    }

    /// Lists the entity tags of a field value. Members that are none are skipped.
    pub(crate) fn list(value: &'a str) -> Vec<Self> {
        let mut found = Vec::new();
        let mut rest = value;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return found;
            }
            if let Some((tag, after)) = Self::first(rest) {
                rest = after.trim_start_matches([' ', '\t']);
                if rest.is_empty() || rest.starts_with(',') {
                    found.push(tag);
                    continue;
                }
            }
            rest = rest.split_once(',').map_or("", |(_, after)| after);
        }
    }

    /// "Two entity tags are equivalent if their opaque-tags match character-by-character, regardless of either or both
    /// being tagged as weak" (RFC 9110, section 8.8.3.2).
    pub(crate) fn matches_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    /// "Two entity tags are equivalent if both are not weak and their opaque-tags match character-by-character".
    pub(crate) fn matches_strongly(self, other: Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_bytes_that_are_no_utf_8_is_no_tag() {
        assert_eq!(EntityTag::read("\"a\u{fffd}\""), None);
        assert_eq!(EntityTag::list("\"a\u{fffd}\", \"b\"").len(), 1);
    }

    #[test]
    fn comparisons_of_rfc_9110_section_8_8_3_2() {
        #[track_caller]
        fn check(one: &str, other: &str, strong: bool, weak: bool) {
            let (one, other) = (EntityTag::read(one).unwrap(), EntityTag::read(other).unwrap());
            assert_eq!((one.matches_strongly(other), one.matches_weakly(other)), (strong, weak), "{one:?} {other:?}");
        }
        check("W/\"1\"", "W/\"1\"", false, true);
        check("W/\"1\"", "W/\"2\"", false, false);
        check("W/\"1\"", "\"1\"", false, true);
        check("\"1\"", "\"1\"", true, true);
    }

    #[test]
    fn a_value_is_one_tag_or_none() {
        for value in ["", "abc", "\"a\", \"b\"", "\"a", "w/\"a\"", "W\"a\"", "\"a\"b", "*"] {
            assert_eq!(EntityTag::read(value), None, "{value:?}");
        }
        assert_eq!(EntityTag::read(" W/\"\" "), Some(EntityTag { weak: true, opaque: "" }));
    }
}
