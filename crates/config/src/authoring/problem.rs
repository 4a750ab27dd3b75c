//! What is wrong with a configuration, where, and how to put it right.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Whether a problem stops the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; something in it has no effect or is unwise.
    Warning,
}

/// Where something stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The way to it, as in `route[2].cache`; empty for the file as a whole.
    pub path: String,
    /// The bytes of the text that it covers.
    pub span: Range<usize>,
}

/// One mistake in the file: one sentence that says what is wrong, one that names the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file is refused because of it.
    pub severity: Severity,
    /// Where the mistake is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Other places that have a part in it, each with a few words.
    pub related: Vec<(Place, String)>,
    /// Whether a secret stands there: the report does not show it.
    pub is_secret: bool,
}

impl Problem {
    pub(crate) fn error(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (message, hint) = (message.into(), hint.into());
        Self { severity: Severity::Error, place: place.clone(), message, hint, related: Vec::new(), is_secret: false }
    }

    /// A secret that stands in the file.
    pub(crate) fn secret(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { is_secret: true, ..Self::error(place, message, hint) }
    }

    pub(crate) fn warning(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message, hint) }
    }

    #[must_use]
    pub(crate) fn beside(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }

    /// The order of a report: the order of the file.
    pub(crate) fn order(&self) -> (usize, usize, String) {
        (self.place.span.start, self.place.span.end, self.message.clone())
    }
}

/// One line, for logs and tests: the path and the message.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.path.is_empty() {
            write!(f, "{}: ", self.place.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Draws problems over the lines that they are about.
///
/// `text` is the file that was checked and `file_name` what to call it; `color` adds ANSI colours for a terminal.
#[must_use]
pub fn render(problems: &[Problem], text: &str, file_name: &str, color: bool) -> String {
    let text = &*masked(problems, text);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn = problems.iter().map(|problem| {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let primary =
            AnnotationKind::Primary.span(one_line(text, &problem.place.span)).label(problem.place.path.as_str());
        let related = problem
            .related
            .iter()
            .map(|(place, label)| AnnotationKind::Context.span(one_line(text, &place.span)).label(label.as_str()));
        let snippet = Snippet::source(text).path(file_name).annotation(primary).annotations(related);
        let group = level.primary_title(problem.message.as_str()).element(snippet);
        renderer.render(&[group.element(Level::HELP.message(problem.hint.as_str()))])
    });
    let mut report = drawn.collect::<Vec<_>>().join("\n\n");
    report.push('\n');
    report
}

/// The text with stars over its secrets: reports end up in the logs of builds.
fn masked<'t>(problems: &[Problem], text: &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for Problem { place, .. } in problems.iter().filter(|problem| problem.is_secret) {
        if let Some(secret) = text.get(place.span.clone()) {
            // As many bytes, so that every other span still fits; ends of lines stay where they are.
            let stars: String = secret.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
            text.to_mut().replace_range(place.span.clone(), &stars);
        }
    }
    text
}

/// The part of a span on its first line: a caret under a whole table helps nobody.
///
/// The result lies on character boundaries within the text, whatever the span.
fn one_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end).max(start);
    let line = text.get(start..end).and_then(|covered| covered.lines().next()).unwrap_or_default();
    start..start.saturating_add(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, span: Range<usize>, covered: &str) {
        let line = one_line(text, &span);
        assert_eq!(text.get(line), Some(covered));
        let place = Place { path: "a".to_owned(), span };
        assert!(!render(&[Problem::error(&place, "message", "hint")], text, "file", false).is_empty());
    }

    #[test]
    fn a_caret_stays_on_its_line_and_inside_the_text() {
        check("a = 1\n", 4..5, "1");
        check("a = [\n 1,\n]\n", 4..11, "[");
        check("a = 1\r\nb = 2\r\n", 0..14, "a = 1");
        check("a = 1", 5..5, "");
        check("a = 1", 4..900, "1");
        check("a = 1", 900..901, "");
        check("é = 1", 1..2, "é");
        check("", 0..0, "");
    }

    #[test]
    fn a_report_shows_no_secret() {
        let text = "[a]\ntoken = \"hünter2\"\nb = 1\n";
        let start = text.find('"').unwrap();
        let token = Place { path: "a.token".to_owned(), span: start..text.find("\nb").unwrap() };
        let other = Place { path: "a".to_owned(), span: 0..3 };
        let problems = [Problem::error(&other, "m", "h").beside(&token, "here"), Problem::secret(&token, "m", "h")];
        let report = render(&problems, text, "file", false);
        assert!(!report.contains("nter2") && report.contains("token = **********"), "{report}");
    }

    #[test]
    fn a_report_names_line_column_path_and_cure() {
        let text = "[[cache]]\ntll = \"60s\"\n";
        let place = Place { path: "cache[0].tll".to_owned(), span: 10..13 };
        let other = Place { path: "cache[0]".to_owned(), span: 0..9 };
        let problem = Problem::error(&place, "unknown key `tll`", "write `ttl`").beside(&other, "in this table");
        let expected = "\
error: unknown key `tll`
 --> tidegate.toml:2:1
  |
1 | [[cache]]
  | --------- in this table
2 | tll = \"60s\"
  | ^^^ cache[0].tll
  |
  = help: write `ttl`
";
        assert_eq!(render(&[problem], text, "tidegate.toml", false), expected);
    }
}
