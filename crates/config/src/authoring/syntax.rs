//! Text that is not TOML.

use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

use super::problem::{Place, Problem};

/// What the parser says about the text.
pub(super) struct Syntax {
    pub(super) problems: Vec<Problem>,
    /// Whether the tree has every table and key all the same, so that it can be checked further.
    pub(super) tree_is_whole: bool,
}

impl Syntax {
    /// Adds the problems to those of the tree, and removes those that only follow from them.
    pub(super) fn merge_into(self, problems: &mut Vec<Problem>) {
        problems.retain(|problem| {
            let follows_from = |syntax: &Problem| touch(&syntax.place.span, &problem.place.span);
            !self.problems.iter().any(follows_from)
        });
        problems.extend(self.problems);
    }
}

fn touch(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// The errors of the parser in plain words, with their cures.
///
/// The parser goes on after an error and finds more, most of which only follow from it: of those on one line the first
/// counts, and of those behind a bracket that is not closed, none.
pub(super) fn problems(text: &str, tree: &DeTable<'_>, errors: &[Error]) -> Syntax {
    let mut found: Vec<(Problem, bool)> = errors.iter().map(|error| explain(text, error)).collect();
    found.sort_by_key(|(problem, _)| problem.order());
    if let Some(error) = errors.iter().find(|error| is_unclosed_value(error.message())) {
        let end = error.span().map_or(text.len(), |span| span.start);
        let first = found.first().map_or(end, |(problem, _)| problem.place.span.start);
        if let Some((start, bracket)) = innermost_open(tree, first) {
            found.retain(|(problem, _)| problem.place.span.start < start);
            let place = Place { path: String::new(), span: start..start.saturating_add(1) };
            let problem = Problem::error(&place, "this bracket is not closed", format!("close it with `{bracket}`"));
            found.push((problem, false));
        }
    }
    let mut lines_seen = Vec::new();
    found.retain(|(problem, _)| {
        let before = text.get(..problem.place.span.start).unwrap_or(text);
        let line = before.matches('\n').count();
        let is_first = !lines_seen.contains(&line);
        lines_seen.push(line);
        is_first
    });
    let tree_is_whole = found.iter().all(|(_, is_local)| *is_local);
    Syntax { problems: found.into_iter().map(|(problem, _)| problem).collect(), tree_is_whole }
}

fn is_unclosed_value(message: &str) -> bool {
    message.starts_with("unclosed inline table")
        || (message.starts_with("unclosed array") && !message.starts_with("unclosed array table"))
}

/// The start of the innermost list or inline table around `position`, and the bracket that would close it.
fn innermost_open(table: &DeTable<'_>, position: usize) -> Option<(usize, char)> {
    fn visit(value: &DeValue<'_>, span: Range<usize>, position: usize) -> Option<(usize, char)> {
        let is_around = span.start < position && position <= span.end;
        match value {
            DeValue::Array(list) => {
                let inner = list.iter().find_map(|item| visit(item.get_ref(), item.span(), position));
                inner.or(is_around.then_some((span.start, ']')))
            }
            DeValue::Table(table) => {
                let inner = innermost_open(table, position);
                inner.or(is_around.then_some((span.start, '}')))
            }
            _ => None,
        }
    }
    table.iter().find_map(|(_, value)| visit(value.get_ref(), value.span(), position))
}

/// One error as a problem, and whether the parser lost nothing but a value over it.
fn explain(text: &str, error: &Error) -> (Problem, bool) {
    let span = error.span().unwrap_or(0..0);
    let place = Place { path: String::new(), span };
    let written = text.get(place.span.clone()).unwrap_or_default();
    let message = error.message().split(", expected").next().unwrap_or_default();
    if message.starts_with("string values must be quoted")
        || (message.starts_with("invalid boolean") && is_word(written))
    {
        return (no_quotes(written, &place), true);
    }
    if message.starts_with("duplicate key") {
        let is_header = text.get(..place.span.start).is_some_and(|before| before.ends_with('['));
        return (twice(written, is_header, &place), !is_header);
    }
    let hint = if text.get(place.span.start..).is_some_and(|rest| rest.starts_with('{')) {
        "write the tables as `[[pool]]` and `[[route]]`, and their keys as `key = value` below"
    } else if message.starts_with("unclosed table") || message.starts_with("unclosed array table") {
        "close the header: `[name]`, or `[[name]]` for an entry of a list"
    } else if message.contains("escape") {
        "write a backslash as `\\\\`, or put the text in single quotes"
    } else if message.contains("string") {
        "close the text with the quote that it begins with"
    } else if message.contains("key") {
        "write `key = value`; a key has letters, digits, `-` and `_`"
    } else {
        "correct the TOML syntax of this line: https://toml.io"
    };
    (Problem::error(&place, format!("this is not TOML: {message}"), hint), false)
}

fn no_quotes(written: &str, place: &Place) -> Problem {
    match written.to_lowercase().as_str() {
        "" => Problem::error(place, "this key has no value", "write a value after the `=`"),
        word @ ("true" | "false") => {
            Problem::error(place, format!("`{written}` is not a value"), format!("write `{word}`"))
        }
        _ => Problem::error(place, "a text needs quotes", format!("write `{:?}`", written.trim())),
    }
}

fn twice(written: &str, is_header: bool, place: &Place) -> Problem {
    if is_header {
        let hint =
            format!("for another entry of a list write `[[{written}]]`, each time; else make one table of the two");
        return Problem::error(place, format!("the table `{written}` is there twice"), hint);
    }
    Problem::error(place, format!("the key `{written}` is there twice"), "remove one of the two")
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/'))
}
