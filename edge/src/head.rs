//! The head of a request, read in one crossing: each further one would cost as much as the look-ups of a whole request.

use std::cell::{OnceCell, RefCell};

use tidegate_gateway::Head;
use tidegate_gateway::platform::Content;
use tidegate_steering::Location;
use wasm_bindgen::prelude::{JsError, JsValue};
use web_sys::Request;

use crate::js;
use crate::work::Settled;

/// The head of a `web_sys::Request`, as `head.mjs` writes it.
pub(crate) struct RequestHead {
    request: Request,
    text: String,
    /// The lines in front of the fields.
    first: [Line; FIRST],
    /// Name and value of the fields that are read at once and are there.
    known: Vec<(Line, Line)>,
    /// Where the names of all fields begin.
    names: usize,
    /// Each of them; a request without a cache is hardly ever asked for one.
    each: OnceCell<Vec<Line>>,
}

/// Where a line begins and ends.
type Line = (usize, usize);

/// How many lines stand in front of the fields.
const FIRST: usize = 3;

/// The fields that a request without a cache is asked for.
const READ_AT_ONCE: [&str; 9] = [
    "authorization",
    "cdn-loop",
    "cf-connecting-ip",
    "connection",
    "cookie",
    "traceparent",
    "tracestate",
    "upgrade",
    "via",
];

/// Tells JavaScript which fields are read at once.
pub(crate) fn read_always() {
    js::read_always(&READ_AT_ONCE.join("\n"));
}

thread_local! {
    /// Where JavaScript writes: the runtime encodes a text into memory in a fifth of the time that a loop over it takes.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

const SCRATCH_BYTES: usize = 8 * 1024;

fn read(request: &Request, scratch: &mut Vec<u8>) -> Result<String, JsValue> {
    let mut written = js::head(request, scratch)?;
    if written > scratch.len() {
        scratch.resize(written, 0);
        written = js::head(request, scratch)?;
    }
    // What the runtime encodes is always UTF-8; checking is faster than repairing.
    let bytes = scratch.get(..written).unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|_| JsError::new("the head of a request is not UTF-8").into())
}

impl RequestHead {
    /// # Errors
    /// The runtime's own, if it has one.
    pub(crate) fn new(request: Request) -> Result<Self, JsValue> {
        let text = SCRATCH.with_borrow_mut(|scratch| read(&request, scratch))?;
        let mut lines = Lines { text: &text, begin: 0 };
        let first = std::array::from_fn(|_| lines.next());
        let mut known = Vec::with_capacity(READ_AT_ONCE.len());
        let names = loop {
            let name = lines.next();
            // The names begin after the empty line that stands where one more name of a known field would.
            if name.0 == name.1 {
                break lines.begin;
            }
            known.push((name, lines.next()));
        };
        Ok(Self { first, known, names, each: OnceCell::new(), request, text })
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    fn line(&self, line: Line) -> &str {
        self.text.get(line.0..line.1).unwrap_or_default()
    }

    /// The names of all fields, one a line.
    fn names(&self) -> &str {
        self.text.get(self.names..).unwrap_or_default()
    }

    /// Whether a field is there that is not read at once.
    fn is_there(&self, name: &str) -> bool {
        let each = self.each.get_or_init(|| {
            let mut lines = Lines { text: &self.text, begin: self.names };
            std::iter::from_fn(|| (lines.begin < self.text.len()).then(|| lines.next())).collect()
        });
        let is_it = |line: &Line| line.1.saturating_sub(line.0) == name.len() && self.line(*line) == name;
        each.iter().any(is_it) && !READ_AT_ONCE.contains(&name)
    }

    fn first(&self, index: usize) -> &str {
        self.first.get(index).map_or("", |line| self.line(*line))
    }
}

/// Takes one line after the other off a text; when it ends, all further ones are empty.
struct Lines<'a> {
    text: &'a str,
    begin: usize,
}

impl Lines<'_> {
    fn next(&mut self) -> Line {
        let begin = self.begin;
        let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
        // A plain loop: the searches of the standard library are for longer texts.
        let end = begin.saturating_add(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
        self.begin = end.saturating_add(1).min(self.text.len());
        (begin, end)
    }
}

impl Head for RequestHead {
    fn method(&self) -> &str {
        self.first(0)
    }

    fn url(&self) -> &str {
        self.first(1)
    }

    fn field(&self, name: &str) -> Option<String> {
        // No value can hold a line feed: RFC 9110, section 5.5.
        if let Some((_, value)) = self.known.iter().find(|(known, _)| self.line(*known) == name) {
            return Some(self.line(*value).to_owned());
        }
        if self.is_there(name) { js::field(&self.request, name) } else { None }
    }

    fn field_names(&self) -> String {
        self.names().to_owned()
    }

    fn has_body(&self) -> bool {
        !self.first(2).is_empty()
    }

    fn location(&self) -> Location {
        let text = js::place(&self.request);
        let mut lines = text.split('\n');
        let mut said = || lines.next().filter(|line| !line.is_empty()).map(str::to_owned);
        let (colo, country, continent, region_code) = (said(), said(), said(), said());
        Location { colo, country, continent, region_code, asn: said().and_then(|asn| asn.parse().ok()) }
    }

    async fn content(&self, bytes_max: usize) -> Content {
        match Settled::from(js::text(&self.request, bytes_max)).await {
            Ok(text) => text.as_string().map_or(Content::TooLarge, Content::Text),
            Err(_) => Content::Unreadable,
        }
    }
}
