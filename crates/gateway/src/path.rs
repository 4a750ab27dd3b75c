//! One spelling for every path, before any decision is made on it.
//!
//! A path has many spellings: `/admin`, `/%61dmin`, `/x/../admin`, `//admin`, `/admin/`. When the gateway reads one of them
//! differently from the origin behind it, a client picks the spelling that the gateway finds harmless and the origin finds
//! interesting, and walks past the route's policy. So a path is normalised once, the result is what routes are matched
//! against AND what is forwarded, and whatever two readers could take differently is refused. `docs/paths.md` has the table.

use std::fmt;

#[cfg(test)]
pub(crate) mod tests;

/// The longest path, in bytes: as sent, and again as forwarded (escaping may make it longer).
pub const MAX_LENGTH: usize = 8 * 1024;

/// A path in normal form: it has no other spelling that [`normalise`] accepts and returns differently.
// Invariant: begins with `/`; no empty segment except a last one (a trailing slash); no `.` or `..` segment; every byte is
// `/`, a `pchar` other than `;`, or part of an upper-case escape of some other byte; the escapes decode to valid UTF-8
// without `/`, `\`, `;`, control characters, and without `%` before two hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalPath(String);

impl NormalPath {
    /// The path as it is forwarded, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as an owned string, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The segments between the slashes, none of them empty: `/` has none, and a trailing slash adds none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let mut remaining = self.relative();
        std::iter::from_fn(move || next_segment(&mut remaining))
    }

    /// The path without its outer slashes, or nothing for the root.
    pub(crate) fn relative(&self) -> Option<&str> {
        let relative = self.0.strip_prefix('/')?;
        let relative = relative.strip_suffix('/').unwrap_or(relative);
        (!relative.is_empty()).then_some(relative)
    }
}

impl AsRef<str> for NormalPath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for NormalPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a path is refused. The client chose this spelling, so the answer is a 4xx; nothing of the path is repeated in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathRejection {
    /// The path does not begin with a slash, as in `OPTIONS *`.
    NotAbsolute,
    /// The path is longer than [`MAX_LENGTH`], as sent or as it would be forwarded.
    TooLong,
    /// A `%` without two hexadecimal digits after it.
    MalformedEscape,
    /// `%2F` or `%5C`: one segment to the gateway, two to an origin that decodes before it splits.
    EncodedSlash,
    /// An escaped `%` before two hexadecimal digits: another path to an origin that decodes twice.
    DoubleEncoding,
    /// A control character, raw or escaped: it ends a string, a line or a header in some program on the way.
    ControlCharacter,
    /// `;`, raw or escaped: the start of a matrix parameter, which some origins cut off before they route.
    MatrixParameter,
    /// Escaped bytes that are not UTF-8, such as an overlong form of `/` or `.`.
    InvalidUtf8,
}

impl PathRejection {
    /// Every reason, in the order of `docs/paths.md`.
    pub const ALL: [Self; 8] = [
        Self::NotAbsolute,
        Self::TooLong,
        Self::MalformedEscape,
        Self::EncodedSlash,
        Self::DoubleEncoding,
        Self::ControlCharacter,
        Self::MatrixParameter,
        Self::InvalidUtf8,
    ];

    /// The stable code of the reason, for the error body and the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::TooLong => "path_too_long",
            Self::MalformedEscape => "path_malformed_escape",
            Self::EncodedSlash => "path_encoded_slash",
            Self::DoubleEncoding => "path_double_encoding",
            Self::ControlCharacter => "path_control_character",
            Self::MatrixParameter => "path_matrix_parameter",
            Self::InvalidUtf8 => "path_invalid_utf8",
        }
    }

    /// The reason in one sentence, for the client.
    pub fn description(self) -> &'static str {
        match self {
            Self::NotAbsolute => "The path must begin with a slash.",
            Self::TooLong => "The path is longer than 8192 bytes.",
            Self::MalformedEscape => "A percent sign in the path is not followed by two hexadecimal digits.",
            Self::EncodedSlash => "The path contains an encoded slash or backslash.",
            Self::DoubleEncoding => "The path is percent-encoded twice.",
            Self::ControlCharacter => "The path contains a control character.",
            Self::MatrixParameter => "The path contains a semicolon.",
            Self::InvalidUtf8 => "The escapes in the path do not decode to UTF-8.",
        }
    }

    /// The status of the answer: 414 (RFC 9110, section 15.5.15) for a path that is too long, otherwise 400.
    pub fn status(self) -> u16 {
        match self {
            Self::TooLong => 414,
            Self::NotAbsolute
            | Self::MalformedEscape
            | Self::EncodedSlash
            | Self::DoubleEncoding
            | Self::ControlCharacter
            | Self::MatrixParameter
            | Self::InvalidUtf8 => 400,
        }
    }
}

impl fmt::Display for PathRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.description())
    }
}

impl std::error::Error for PathRejection {}

/// Brings a request's path (without the query) into normal form. Idempotent: a normal path is returned as it is.
///
/// # Errors
/// When programs that read the path could disagree about it; see [`PathRejection`].
pub fn normalise(raw_path: &str) -> Result<NormalPath, PathRejection> {
    // Checked before any work is done, so that the work is bounded.
    if raw_path.len() > MAX_LENGTH {
        return Err(PathRejection::TooLong);
    }
    // A URL parser reads `\` as `/` (WHATWG URL, "path state"), and so do origins on Windows.
    let Some(relative) = raw_path.strip_prefix(['/', '\\']) else {
        return Err(PathRejection::NotAbsolute);
    };
    let mut builder = Builder::with_capacity(raw_path.len());
    for segment in relative.split(['/', '\\']) {
        builder.push(segment)?;
    }
    builder.finish().map(NormalPath)
}

/// Collects segments and resolves the dots among them.
pub(crate) struct Builder {
    /// A slash before each segment. Empty segments stay until the end: a `..` removes the segment before it even when that
    /// one is empty (RFC 3986, section 5.2.4), so merging slashes first would give another path than the URL parsers do.
    normal: String,
    /// The last segment was `.` or `..`: what remains is a directory, and ends in a slash unless something follows.
    ends_in_dots: bool,
}

impl Builder {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { normal: String::with_capacity(bytes), ends_in_dots: false }
    }

    /// Appends one segment of a raw path.
    pub(crate) fn push(&mut self, raw: &str) -> Result<(), PathRejection> {
        if raw.bytes().all(is_literal) {
            self.push_normal(raw);
        } else {
            let decoded = decode(raw)?;
            refuse_ambiguous(&decoded)?;
            self.push_normal(&encode(&decoded));
        }
        Ok(())
    }

    /// Appends one segment that is in normal form, or is no part of a path (a pattern's parameter).
    pub(crate) fn push_normal(&mut self, segment: &str) {
        self.ends_in_dots = matches!(segment, "." | "..");
        if segment == ".." {
            // Above the root there is nothing to remove: the path is clamped there.
            self.normal.truncate(self.normal.rfind('/').unwrap_or(0));
        } else if segment != "." {
            self.normal.push('/');
            self.normal.push_str(segment);
        }
    }

    /// The path with its slashes merged.
    pub(crate) fn finish(mut self) -> Result<String, PathRejection> {
        if self.ends_in_dots {
            self.normal.push('/');
        }
        if self.normal.contains("//") {
            let mut merged = String::with_capacity(self.normal.len());
            for segment in self.normal.split('/').filter(|segment| !segment.is_empty()) {
                merged.push('/');
                merged.push_str(segment);
            }
            if self.normal.ends_with('/') {
                merged.push('/');
            }
            self.normal = merged;
        }
        if self.normal.len() > MAX_LENGTH {
            return Err(PathRejection::TooLong);
        }
        Ok(self.normal)
    }
}

/// Whether a byte stands for itself in a normal path: `pchar` of RFC 3986, section 3.3, without `;`.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// Decodes every escape of one segment, once.
fn decode(raw: &str) -> Result<String, PathRejection> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let (Some(high), Some(low)) = (bytes.next().and_then(nibble), bytes.next().and_then(nibble)) else {
                return Err(PathRejection::MalformedEscape);
            };
            high << 4 | low
        } else {
            byte
        };
        decoded.push(byte);
    }
    // Strict: overlong forms and surrogates are no UTF-8 (RFC 3629, section 3), yet lenient decoders turn `%C0%AF` into `/`.
    String::from_utf8(decoded).map_err(|_| PathRejection::InvalidUtf8)
}

/// The value of a hexadecimal digit.
fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Refuses a decoded segment that another program would cut, split or decode further.
fn refuse_ambiguous(decoded: &str) -> Result<(), PathRejection> {
    for character in decoded.chars() {
        match character {
            // Raw ones were taken as separators, so these came from escapes.
            '/' | '\\' => return Err(PathRejection::EncodedSlash),
            ';' => return Err(PathRejection::MatrixParameter),
            _ if character.is_control() => return Err(PathRejection::ControlCharacter),
            _ => {}
        }
    }
    // Looked for in the decoded text, because the digits may have been escaped as well: `%25%32%66` is `%2f`.
    let mut escapes = decoded.split('%').skip(1).map(|after| after.bytes().take(2).filter_map(nibble).count());
    if escapes.any(|digits| digits == 2) { Err(PathRejection::DoubleEncoding) } else { Ok(()) }
}

/// Escapes whatever does not stand for itself, with upper-case digits (RFC 3986, section 6.2.2.1).
fn encode(decoded: &str) -> String {
    let mut encoded = String::with_capacity(decoded.len());
    for byte in decoded.bytes() {
        if is_literal(byte) {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
    }
    encoded
}

/// Escapes the characters that are not ASCII, and nothing else.
pub(crate) fn encode_non_ascii(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
    }
    encoded
}

/// Appends `%XX`.
fn push_escape(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    for nibble in [byte >> 4, byte & 0x0F] {
        text.extend(DIGITS.get(usize::from(nibble)).copied().map(char::from));
    }
}

/// Takes the first segment off what remains of a path without its outer slashes.
pub(crate) fn next_segment<'a>(remaining: &mut Option<&'a str>) -> Option<&'a str> {
    let text = (*remaining)?;
    match text.split_once('/') {
        Some((segment, after)) => {
            *remaining = Some(after);
            Some(segment)
        }
        None => {
            *remaining = None;
            Some(text)
        }
    }
}
