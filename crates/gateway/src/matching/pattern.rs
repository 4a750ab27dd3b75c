//! Which paths a route is for.

use std::collections::BTreeSet;
use std::fmt;

use crate::path::{self, NormalPath, PathRejection};

/// The most segments of a pattern: the tree of patterns is as deep, and reading it recurses.
const MAX_SEGMENTS: usize = 64;

/// A path whose segments may be parameters: `/`, `/a/b`, `/a/{id}`, `/a/{*rest}`.
///
/// `{id}` stands for one segment, `{*rest}` for all that remain, none included. The other segments are in normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Vec<Segment>);

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Segment {
    /// Matches itself.
    Literal(String),
    /// Matches any one segment. Holds the name.
    Parameter(String),
    /// Matches all remaining segments; always the last. Holds the name.
    Rest(String),
}

/// Why a text is no path pattern. The operator wrote it, so the message says what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidPattern {
    /// The pattern does not begin with a slash.
    NotAbsolute,
    /// A query or a fragment.
    Query,
    /// The pattern is spelled otherwise than the paths that it is compared to, so it would never match.
    NotNormal {
        /// The spelling that matches.
        normal: String,
    },
    /// A request with such a path is refused.
    Refused(PathRejection),
    /// A brace that is not around a whole segment.
    PartialParameter {
        /// The segment.
        segment: String,
    },
    /// A parameter's name is not one.
    InvalidName {
        /// The segment.
        segment: String,
    },
    /// Two parameters of one name.
    RepeatedName {
        /// The name.
        name: String,
    },
    /// A segment after `{*rest}`.
    RestNotLast {
        /// The segment that should be the last.
        segment: String,
    },
    /// Another router's way to write a parameter, which would be a literal here and leave paths unprotected.
    ForeignSyntax {
        /// The segment.
        segment: String,
    },
    /// More than 64 segments.
    TooManySegments,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => formatter.write_str("a path begins with a slash"),
            Self::Query => formatter.write_str("a path has no query and no fragment: routes do not match on them"),
            Self::NotNormal { normal } => write!(formatter, "requests arrive in another spelling: write `{normal}`"),
            Self::Refused(rejection) => write!(formatter, "requests with such a path are refused: {rejection}"),
            Self::PartialParameter { segment } => write!(
                formatter,
                "`{segment}`: a parameter is a whole segment, `{{id}}` or `{{*rest}}`; a brace in a literal is `%7B` or `%7D`"
            ),
            Self::InvalidName { segment } => write!(
                formatter,
                "`{segment}`: a parameter's name is letters, digits and `_`, and does not begin with a digit"
            ),
            Self::RepeatedName { name } => write!(formatter, "two parameters are named `{name}`"),
            Self::RestNotLast { segment } => {
                write!(formatter, "`{segment}` takes all that remains: nothing may follow it")
            }
            Self::ForeignSyntax { segment } => write!(
                formatter,
                "`{segment}`: write `{{id}}` for one segment and `{{*rest}}` for all that remain; \
                 a literal neither begins with `:` nor contains `*`"
            ),
            Self::TooManySegments => write!(formatter, "a path has at most {MAX_SEGMENTS} segments"),
        }
    }
}

impl std::error::Error for InvalidPattern {}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the syntax is wrong, or when no request could match because paths are compared in normal form.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let Some(relative) = text.strip_prefix('/') else {
            return Err(InvalidPattern::NotAbsolute);
        };
        if text.contains(['?', '#']) {
            return Err(InvalidPattern::Query);
        }
        let mut builder = path::Builder::with_capacity(text.len());
        let mut segments = Vec::new();
        for raw in relative.split(['/', '\\']) {
            match Segment::parse(raw)? {
                segment @ Segment::Literal(_) => {
                    builder.push(raw).map_err(InvalidPattern::Refused)?;
                    segments.push(segment);
                }
                segment => {
                    builder.push_normal(raw);
                    segments.push(segment);
                }
            }
        }
        let normal = builder.finish().map_err(InvalidPattern::Refused)?;
        let normal = normal.strip_suffix('/').unwrap_or(&normal);
        // The root is the one pattern that is a slash.
        let normal = if normal.is_empty() { "/" } else { normal };
        if normal != path::encode_non_ascii(text) {
            // What the message says to write has to be a pattern itself.
            Self::parse(normal)?;
            return Err(InvalidPattern::NotNormal { normal: normal.to_owned() });
        }
        if normal == "/" {
            segments.clear();
        }
        check_segments(&segments)?;
        Ok(Self(segments))
    }

    /// The names of the parameters, in the order of the path.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// The pattern without its names, such as `/a/{}/{*}`: two patterns of one shape match the same paths.
    pub fn shape(&self) -> String {
        self.written(|segment| match segment {
            Segment::Literal(literal) => literal.clone(),
            Segment::Parameter(_) => "{}".to_owned(),
            Segment::Rest(_) => "{*}".to_owned(),
        })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn written(&self, write: impl Fn(&Segment) -> String) -> String {
        if self.0.is_empty() {
            return "/".to_owned();
        }
        self.0.iter().fold(String::new(), |text, segment| text + "/" + &write(segment))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written(|segment| match segment {
            Segment::Literal(literal) => literal.clone(),
            Segment::Parameter(name) => format!("{{{name}}}"),
            Segment::Rest(name) => format!("{{*{name}}}"),
        }))
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.contains(['{', '}']) {
            let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
                return Err(InvalidPattern::PartialParameter { segment: text.to_owned() });
            };
            if inner.contains(['{', '}']) {
                return Err(InvalidPattern::PartialParameter { segment: text.to_owned() });
            }
            let (name, rest) = match inner.strip_prefix('*') {
                Some(name) => (name, true),
                None => (inner, false),
            };
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) || !name.bytes().all(valid) {
                return Err(InvalidPattern::InvalidName { segment: text.to_owned() });
            }
            return Ok(if rest { Self::Rest(name.to_owned()) } else { Self::Parameter(name.to_owned()) });
        }
        // `/admin/*` as a literal would leave `/admin/users` to whatever less specific route there is.
        if text.starts_with(':') || text.contains('*') {
            return Err(InvalidPattern::ForeignSyntax { segment: text.to_owned() });
        }
        Ok(Self::Literal(path::encode_non_ascii(text)))
    }
}

/// Checks what no segment can tell alone.
fn check_segments(segments: &[Segment]) -> Result<(), InvalidPattern> {
    if segments.len() > MAX_SEGMENTS {
        return Err(InvalidPattern::TooManySegments);
    }
    let mut names = BTreeSet::new();
    let mut rest: Option<&str> = None;
    for segment in segments {
        if let Some(name) = rest {
            return Err(InvalidPattern::RestNotLast { segment: format!("{{*{name}}}") });
        }
        if let Segment::Parameter(name) | Segment::Rest(name) = segment
            && !names.insert(name)
        {
            return Err(InvalidPattern::RepeatedName { name: name.clone() });
        }
        if let Segment::Rest(name) = segment {
            rest = Some(name);
        }
    }
    Ok(())
}

/// What the parameters of a pattern stand for in a path. Nothing is computed or copied until it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    pattern: &'a Pattern,
    path: &'a NormalPath,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(pattern: &'a Pattern, path: &'a NormalPath) -> Self {
        Self { pattern, path }
    }

    /// The pattern that matched.
    pub fn pattern(&self) -> &'a Pattern {
        self.pattern
    }

    /// The names and values in the order of the path. Values are in normal form, escapes included; that of `{*rest}` has no
    /// outer slashes and is empty when nothing remains.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut remaining = self.path.relative();
        self.pattern.0.iter().filter_map(move |segment| match segment {
            Segment::Literal(_) => {
                path::next_segment(&mut remaining);
                None
            }
            Segment::Parameter(name) => Some((name.as_str(), path::next_segment(&mut remaining)?)),
            Segment::Rest(name) => Some((name.as_str(), remaining.unwrap_or(""))),
        })
    }

    /// The value of one parameter.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find_map(|(its_name, value)| (its_name == name).then_some(value))
    }
}
