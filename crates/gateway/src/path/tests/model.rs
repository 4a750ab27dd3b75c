//! Programs in front of the gateway and behind it, written from their specifications and not from the code under test, and
//! the many spellings of a path.

use proptest::prelude::*;

/// What a WHATWG URL parser makes of a path ("path state"), for special schemes such as `https`.
pub(crate) fn url_parser(raw: &str) -> String {
    // "Remove all ASCII tab or newline from input."
    let input: String = raw.chars().filter(|character| !matches!(character, '\t' | '\n' | '\r')).collect();
    let is_dot = |segment: &str| matches!(segment.to_ascii_lowercase().as_str(), "." | "%2e");
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().as_str(), ".." | ".%2e" | "%2e." | "%2e%2e");
    let mut path: Vec<String> = Vec::new();
    let pieces: Vec<&str> = input.strip_prefix(['/', '\\']).unwrap_or(&input).split(['/', '\\']).collect();
    for (position, piece) in pieces.iter().enumerate() {
        let last = position + 1 == pieces.len();
        if is_dots(piece) {
            path.pop();
        }
        if is_dots(piece) || is_dot(piece) {
            if last {
                path.push(String::new());
            }
            continue;
        }
        path.push(piece.bytes().map(path_percent_encode).collect());
    }
    format!("/{}", path.join("/"))
}

/// "The path percent-encode set": C0 controls and above `~`, space, and `"#<>?^`{}`.
fn path_percent_encode(byte: u8) -> String {
    if byte <= 0x20 || byte > 0x7E || b"\"#<>?^`{}".contains(&byte) {
        format!("%{byte:02X}")
    } else {
        char::from(byte).to_string()
    }
}

/// How a program behind the gateway reads a path. A trailing slash never matters to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    decodes_before_splitting: bool,
    decodes_twice: bool,
    backslash_is_slash: bool,
    strips_matrix_parameters: bool,
    merges_slashes: bool,
    resolves_dots: bool,
}

impl Origin {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0_u8..64).map(|bits| Self {
            decodes_before_splitting: bits & 1 != 0,
            decodes_twice: bits & 2 != 0,
            backslash_is_slash: bits & 4 != 0,
            strips_matrix_parameters: bits & 8 != 0,
            merges_slashes: bits & 16 != 0,
            resolves_dots: bits & 32 != 0,
        })
    }

    /// The decoded segments on which this origin routes.
    pub(crate) fn read(self, path: &str) -> Vec<String> {
        let decode = |text: &str| {
            let once = decode_once(text);
            if self.decodes_twice { decode_once(&once) } else { once }
        };
        let text = if self.decodes_before_splitting { decode(path) } else { path.to_owned() };
        let text = if self.backslash_is_slash { text.replace('\\', "/") } else { text };
        let mut segments: Vec<String> = Vec::new();
        for piece in text.trim_start_matches('/').split('/') {
            let piece = if self.decodes_before_splitting { piece.to_owned() } else { decode(piece) };
            let piece = match piece.split_once(';') {
                Some((before, _)) if self.strips_matrix_parameters => before.to_owned(),
                _ => piece,
            };
            match piece.as_str() {
                "" if self.merges_slashes => {}
                "." if self.resolves_dots => {}
                ".." if self.resolves_dots => {
                    segments.pop();
                }
                _ => segments.push(piece),
            }
        }
        if segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        segments
    }
}

/// Decodes escapes once and leaves malformed ones, as lenient programs do.
pub(crate) fn decode_once(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| byte == b'%') {
            Some(value) => {
                decoded.push(value);
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A decoded segment, from a small alphabet so that generated routes and requests meet.
pub(crate) fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(vec!["a", "b", "admin", "x"]),
        2 => prop::sample::select(vec!["café", "a b", "a+b", "@a:b", "100%", "%2", "...", "~", "{}", "🌊"]),
    ]
    .prop_map(str::to_owned)
}

/// The segments with everything escaped that is no letter or digit.
pub(crate) fn spell_plainly(segments: &[String]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() { path.push(char::from(byte)) } else { path += &format!("%{byte:02X}") }
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// Spells a path in some way that a tape of bytes selects.
pub(crate) struct Speller<'a> {
    tape: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    hostile: bool,
}

impl<'a> Speller<'a> {
    /// Only spellings that the gateway must take for the same path.
    pub(crate) fn harmless(tape: &'a [u8]) -> Self {
        Self { tape: tape.iter().cycle(), hostile: false }
    }

    /// All tricks, most often harmless ones so that they combine.
    pub(crate) fn hostile(tape: &'a [u8]) -> Self {
        Self { tape: tape.iter().cycle(), hostile: true }
    }

    fn pick<'t>(&mut self, harmless: &[&'t str], hostile: &[&'t str]) -> &'t str {
        let choice = usize::from(*self.tape.next().unwrap_or(&0));
        // One in eight.
        let tricks = if self.hostile && choice % 8 == 7 { hostile } else { harmless };
        tricks[choice / 8 % tricks.len()]
    }

    pub(crate) fn spell(mut self, segments: &[String]) -> String {
        let mut path = String::new();
        for segment in segments {
            path += self.pick(
                &["/", "/", "/", "//", "\\", "/./", "/x/../", "/%2e/", "/x/%2E./", "/x//..\\../"],
                &[
                    "%2f",
                    "%5C",
                    "/..;/",
                    "/.;a/",
                    "%252f",
                    "/x/%252e%252e/",
                    "/x%2f../",
                    "/%c0%af",
                    "/.%00/",
                    "/..%3b/",
                ],
            );
            for character in segment.chars() {
                self.spell_character(character, &mut path);
            }
            path +=
                self.pick(&["", "", "", ""], &[";", ";v=1", "%3Bv", "%00", "%20", ".", "%0a", "%2e", "/..", "%2f.."]);
        }
        if segments.is_empty() { "/".to_owned() } else { path }
    }

    fn spell_character(&mut self, character: char, path: &mut String) {
        let raw = character.to_string();
        let upper: String = raw.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (lower, double) = (upper.to_ascii_lowercase(), upper.replace('%', "%25"));
        let tricky = double.replace("25", "%32%35");
        // A raw percent sign is a malformed escape, or another one.
        let raw = if character == '%' { &upper } else { &raw };
        *path +=
            self.pick(&[raw, raw, raw, &upper, &lower], &[&double, &tricky, "%", "%C0%AE", &character.to_string()]);
    }
}

/// A raw path: a spelling of some segments, or noise from the characters that matter.
pub(crate) fn raw_path() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(segment(), 0..5);
    let tape = prop::collection::vec(any::<u8>(), 64);
    let pieces =
        ["/", "/", "\\", ".", "..", "%", "%2", "2", "5", "f", "F", "e", "E", "c", "%2e", "%2F", "%25", "%5c", ";"];
    let more =
        ["a", "b", "é", "%C3", "%A9", "%c0", "%AF", " ", "%20", "\u{1}", "\t", "+", "%2B", "%3b", "{", "|", "%7c"];
    let noise = prop::collection::vec(prop::sample::select([&pieces[..], &more[..]].concat()), 0..16);
    prop_oneof![
        (segments, tape).prop_map(|(segments, tape)| Speller::hostile(&tape).spell(&segments)),
        noise.prop_map(|pieces| format!("/{}", pieces.concat())),
    ]
}
