//! One value of the file, with its place and its name.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::problem::Place;

/// A value of the file, and the way to it.
pub(super) struct Node<'a> {
    pub(super) value: &'a DeValue<'a>,
    pub(super) place: Place,
    /// The last part of the path: what a sentence calls this value.
    pub(super) label: String,
}

impl<'a> Node<'a> {
    /// The file as a whole.
    pub(super) fn root(value: &'a DeValue<'a>) -> Self {
        Self { value, place: Place { path: String::new(), span: 0..0 }, label: "file".to_owned() }
    }

    /// The value of one key of this table.
    pub(super) fn member(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        self.absent_member(key, value.get_ref(), value.span())
    }

    /// The value of a key that is not written: it stands where its table stands.
    pub(super) fn absent_member<'b>(&self, key: &str, value: &'b DeValue<'b>, span: Range<usize>) -> Node<'b> {
        Node { value, place: Place { path: join(&self.place.path, key), span }, label: key.to_owned() }
    }

    /// The items of this list.
    pub(super) fn items(&self, list: &'a DeArray<'a>) -> impl Iterator<Item = Node<'a>> {
        list.iter().enumerate().map(|(index, item)| Node {
            value: item.get_ref(),
            place: Place { path: format!("{}[{index}]", self.place.path), span: item.span() },
            label: format!("{}[{index}]", self.label),
        })
    }

    pub(super) fn table(&self) -> Option<&'a DeTable<'a>> {
        self.value.as_table()
    }

    pub(super) fn list(&self) -> Option<&'a DeArray<'a>> {
        self.value.as_array()
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// What kind of value stands here, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(true) => "`true`",
            DeValue::Boolean(false) => "`false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }
}

/// The path of a key below another path.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The same path without the positions in lists: `route[2].origin.role` is a `route.origin.role`.
pub(super) fn kind_of(path: &str) -> String {
    let mut depth = 0_u32;
    path.chars()
        .filter(|character| {
            match character {
                '[' => depth = depth.saturating_add(1),
                ']' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_toml_would_write_it() {
        assert_eq!(join("", "pool"), "pool");
        assert_eq!(join("route[2]", "cache"), "route[2].cache");
        assert_eq!(join("a", "x y"), "a.\"x y\"");
        assert_eq!(join("a", ""), "a.\"\"");
    }

    #[test]
    fn the_kind_of_a_path_has_no_positions() {
        assert_eq!(kind_of("route[2].origin.role"), "route.origin.role");
        assert_eq!(kind_of("pool[10].origins[0]"), "pool.origins");
        assert_eq!(kind_of("gateway"), "gateway");
    }
}
