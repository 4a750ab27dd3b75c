//! The head of a request, read in one crossing: each further one would cost as much as the look-ups of a whole request.

use std::cell::RefCell;

use tidegate_gateway::Head;
use tidegate_gateway::platform::Content;
use tidegate_steering::Location;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Request;

use crate::js;

/// The head of a `web_sys::Request`, as `head.mjs` writes it.
pub(crate) struct RequestHead {
    request: Request,
    text: String,
    /// Where each line begins and ends.
    lines: Vec<(usize, usize)>,
    /// The line of the first name.
    names: usize,
}

/// How many lines stand in front of the fields.
const FIELDS: usize = 8;

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
    Ok(String::from_utf8_lossy(scratch.get(..written).unwrap_or_default()).into_owned())
}

impl RequestHead {
    /// # Errors
    /// The runtime's own, if it has one.
    pub(crate) fn new(request: Request) -> Result<Self, JsValue> {
        let text = SCRATCH.with_borrow_mut(|scratch| read(&request, scratch))?;
        let mut lines = Vec::with_capacity(64);
        let mut begin = 0;
        for (end, _) in text.match_indices('\n') {
            lines.push((begin, end));
            begin = end.saturating_add(1);
        }
        lines.push((begin, text.len()));
        let mut head = Self { request, text, lines, names: 0 };
        // The names begin after the empty line that stands where one more name of a known field would.
        let is_empty = |index: &usize| head.line(*index).is_empty();
        let empty = (FIELDS..head.lines.len()).step_by(2).find(is_empty).unwrap_or(head.lines.len());
        head.names = empty.saturating_add(1);
        Ok(head)
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    fn line(&self, index: usize) -> &str {
        let line = self.lines.get(index).and_then(|(begin, end)| self.text.get(*begin..*end));
        line.unwrap_or_default()
    }

    /// The fields that were read at once. No value can hold a line feed: RFC 9110, section 5.5.
    fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        (FIELDS..self.names).step_by(2).map(|index| (self.line(index), self.line(index.saturating_add(1))))
    }
}

impl Head for RequestHead {
    fn method(&self) -> &str {
        self.line(0)
    }

    fn url(&self) -> &str {
        self.line(1)
    }

    fn field(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.known().find(|(known, _)| *known == name) {
            return Some(value.to_owned());
        }
        let is_there = (self.names..self.lines.len()).any(|index| self.line(index) == name);
        if is_there { js::field(&self.request, name) } else { None }
    }

    fn field_names(&self) -> String {
        let begin = self.lines.get(self.names).map_or(self.text.len(), |(begin, _)| *begin);
        self.text.get(begin..).unwrap_or_default().to_owned()
    }

    fn has_body(&self) -> bool {
        !self.line(2).is_empty()
    }

    fn location(&self) -> Location {
        let place = |index| Some(self.line(index).to_owned()).filter(|value| !value.is_empty());
        Location {
            colo: place(3),
            country: place(4),
            continent: place(5),
            region_code: place(6),
            asn: self.line(7).parse().ok(),
        }
    }

    async fn content(&self, bytes_max: usize) -> Content {
        match JsFuture::from(js::text(&self.request, bytes_max)).await {
            Ok(text) => text.as_string().map_or(Content::TooLarge, Content::Text),
            Err(_) => Content::Unreadable,
        }
    }
}
