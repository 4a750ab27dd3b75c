//! The head of a request, read in one crossing: each further one would cost as much as the look-ups of a whole request.

use tidegate_gateway::Head;
use tidegate_steering::Location;
use wasm_bindgen::JsValue;
use web_sys::Request;

use crate::js;

/// The head of a `web_sys::Request`, as `head` in `platform.mjs` writes it.
pub(crate) struct RequestHead {
    text: String,
    /// Where each line begins and ends.
    lines: Vec<(usize, usize)>,
}

/// How many lines stand in front of the fields.
const FIELDS: usize = 8;

impl RequestHead {
    /// # Errors
    /// The runtime's own, if it has one.
    pub(crate) fn new(request: &Request) -> Result<Self, JsValue> {
        let text = js::head(request)?;
        let mut lines = Vec::with_capacity(64);
        let mut begin = 0;
        for (end, _) in text.match_indices('\n') {
            lines.push((begin, end));
            begin = end.saturating_add(1);
        }
        lines.push((begin, text.len()));
        Ok(Self { text, lines })
    }

    fn line(&self, index: usize) -> &str {
        let line = self.lines.get(index).and_then(|(begin, end)| self.text.get(*begin..*end));
        line.unwrap_or_default()
    }

    /// The fields, each once. No value can hold a line feed: RFC 9110, section 5.5.
    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        (FIELDS..self.lines.len()).step_by(2).map(|index| (self.line(index), self.line(index.saturating_add(1))))
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
        self.fields().find(|(candidate, _)| *candidate == name).map(|(_, value)| value.to_owned())
    }

    fn field_names(&self) -> String {
        let mut names = String::with_capacity(256);
        for (name, _) in self.fields() {
            if !names.is_empty() {
                names.push('\n');
            }
            names.push_str(name);
        }
        names
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
}
