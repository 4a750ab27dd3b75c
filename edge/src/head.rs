//! The head of a request, read lazily: each field costs a crossing into JavaScript.

use std::cell::OnceCell;

use tidegate_gateway::Head;
use tidegate_steering::Location;
use web_sys::{Headers, Request};

use crate::js;

/// A `web_sys::Request` without its body.
pub(crate) struct RequestHead {
    request: Request,
    headers: Headers,
    method: OnceCell<String>,
    url: OnceCell<String>,
}

impl RequestHead {
    pub(crate) fn new(request: Request) -> Self {
        Self { headers: request.headers(), request, method: OnceCell::new(), url: OnceCell::new() }
    }
}

impl Head for RequestHead {
    fn method(&self) -> &str {
        self.method.get_or_init(|| self.request.method())
    }

    fn url(&self) -> &str {
        self.url.get_or_init(|| self.request.url())
    }

    fn field(&self, name: &str) -> Option<String> {
        // An invalid name is the only error, and no field has one.
        self.headers.get(name).ok().flatten()
    }

    fn field_names(&self) -> String {
        js::field_names(&self.headers)
    }

    fn has_body(&self) -> bool {
        self.request.body().is_some()
    }

    fn location(&self) -> Location {
        let text = js::location(&self.request);
        let mut lines = text.split('\n').map(|line| (!line.is_empty()).then(|| line.to_owned()));
        let mut next = || lines.next().flatten();
        Location { colo: next(), country: next(), continent: next(), region_code: next() }
    }
}
