//! Which requests a route is for.

use std::collections::BTreeMap;
use std::fmt;

use super::{HostPattern, Pattern};

/// The requests that a route is for.
// Invariant: methods are tokens without lower-case letters, sorted, each once; names of header conditions are tokens in lower
// case, and their values are ones that a field can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch {
    host: Option<HostPattern>,
    path: Pattern,
    methods: Vec<String>,
    headers: BTreeMap<String, String>,
}

/// Why the methods or header conditions of a route are no such. The operator wrote them, so the message says what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidRouteMatch {
    /// A method that is not an upper-case token.
    Method {
        /// What stands there.
        method: String,
    },
    /// A method that is listed twice.
    RepeatedMethod {
        /// The method.
        method: String,
    },
    /// The name of a header condition is not a field name.
    HeaderName {
        /// What stands there.
        name: String,
    },
    /// Two conditions for one field: never both met.
    RepeatedHeader {
        /// The field's name.
        name: String,
    },
    /// The value of a header condition is one that no field has.
    HeaderValue {
        /// The field's name.
        name: String,
    },
}

impl fmt::Display for InvalidRouteMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { method } => {
                let upper = method.to_ascii_uppercase();
                if is_token(&upper) {
                    write!(formatter, "methods are case-sensitive: write `{upper}` for `{method}`")
                } else {
                    write!(
                        formatter,
                        "`{method}` is not a method, such as `GET`; leave the list out to match every method"
                    )
                }
            }
            Self::RepeatedMethod { method } => write!(formatter, "`{method}` is listed twice"),
            Self::HeaderName { name } => write!(formatter, "`{name}` is not the name of a header"),
            Self::RepeatedHeader { name } => {
                write!(formatter, "two conditions for the header `{name}`: names are compared without case")
            }
            Self::HeaderValue { name } => write!(
                formatter,
                "the value for the header `{name}` never arrives: it has outer spaces or something else than visible ASCII"
            ),
        }
    }
}

impl std::error::Error for InvalidRouteMatch {}

impl RouteMatch {
    /// Describes the requests: no `host` means every host, no `methods` every method but `TRACE` and `CONNECT`. The
    /// `headers` are names, in any case, and the values that they must have exactly; all of them must be met.
    ///
    /// # Errors
    /// When a method or a header condition can never be met, or is there twice.
    pub fn new(
        host: Option<HostPattern>,
        path: Pattern,
        methods: impl IntoIterator<Item = String>,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidRouteMatch> {
        let mut sorted: Vec<String> = Vec::new();
        for method in methods {
            // RFC 9110, section 9.1: a method is a case-sensitive token. Every registered one is in upper case, so `get` is
            // a mistake that would leave `GET` without this route's policy.
            if !is_token(&method) || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
                return Err(InvalidRouteMatch::Method { method });
            }
            match sorted.binary_search(&method) {
                Ok(_) => return Err(InvalidRouteMatch::RepeatedMethod { method }),
                Err(position) => sorted.insert(position, method),
            }
        }
        let mut conditions = BTreeMap::new();
        for (name, value) in headers {
            if !is_token(&name) {
                return Err(InvalidRouteMatch::HeaderName { name });
            }
            let name = name.to_ascii_lowercase();
            // RFC 9110, section 5.5: a field value has no outer whitespace; bytes outside ASCII are read differently by
            // different programs, so a condition on them would be met by chance.
            if value.trim() != value || value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
                return Err(InvalidRouteMatch::HeaderValue { name });
            }
            if conditions.contains_key(&name) {
                return Err(InvalidRouteMatch::RepeatedHeader { name });
            }
            conditions.insert(name, value);
        }
        Ok(Self { host, path, methods: sorted, headers: conditions })
    }

    /// The host, unless the route is for every one.
    pub fn host(&self) -> Option<&HostPattern> {
        self.host.as_ref()
    }

    /// The path.
    pub fn path(&self) -> &Pattern {
        &self.path
    }

    /// The methods, sorted; empty means any but `TRACE` and `CONNECT`.
    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// The header conditions: lower-case names and exact values.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}
