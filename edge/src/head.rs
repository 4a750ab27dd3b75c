//! The head of a request, read in one crossing: each further one would cost as much as the look-ups of a whole request.

use tidegate_gateway::Head;
use tidegate_steering::Location;
use wasm_bindgen::JsValue;
use web_sys::Request;

use crate::js;

/// The head of a `web_sys::Request`, as `head` in `platform.mjs` writes it.
pub(crate) struct RequestHead {
    text: String,
}

impl RequestHead {
    /// # Errors
    /// The runtime's own, if it has one.
    pub(crate) fn new(request: &Request) -> Result<Self, JsValue> {
        Ok(Self { text: js::head(request)? })
    }

    fn line(&self, index: usize) -> &str {
        self.text.split('\n').nth(index).unwrap_or_default()
    }

    /// The fields, each once. No value can hold a line feed: RFC 9110, section 5.5.
    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut lines = self.text.split('\n').skip(7);
        std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
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
        Location { colo: place(3), country: place(4), continent: place(5), region_code: place(6) }
    }
}
