//! A reply as a value, and what is left to do once it is on its way.

use std::borrow::Cow;

/// Response fields in the order they are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Cow<'static, str>, Cow<'static, str>)>);

impl Fields {
    /// Adds a field; a name that is there already gets a second line.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        self.0.push((name.into(), value.into()));
    }

    /// All fields, names as their standards write them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first line of a field, by its name in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// True when nothing has to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes every line of a field.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(candidate, _)| !candidate.eq_ignore_ascii_case(name));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// A reply that does not come straight from an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<B> {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub fields: Fields,
    /// The body.
    pub body: ReplyBody<B>,
}

/// The body of a [`Reply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody<B> {
    /// None, as for 204, 304 and HEAD.
    Empty,
    /// Text made here: problem details, the operators' JSON.
    Text(String),
    /// A stored response, passed along unread; the reply's fields are set on top of its own.
    Stored {
        /// The response as it was stored.
        response: B,
        /// Whether its body goes to the client: not for HEAD and not for 304.
        with_body: bool,
        /// The part of its body that goes to the client; `None`: the whole.
        part: Option<Part>,
        /// The names of its fields that this reply must not carry.
        removed: Vec<&'static str>,
        /// When the origin has just confirmed it: the fields of that answer replace the stored ones, except for these.
        update: Option<Vec<String>>,
    },
}

/// Bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The position of the first one.
    pub first: u64,
    /// How many; at least one.
    pub length: u64,
}

/// Work on the stored replies that the shell does after the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Keep a copy of the origin's response.
    Store {
        /// The key, a URL.
        key: String,
        /// The metadata, kept beside the body; safe in a field value.
        metadata: String,
        /// The names of the response's fields that are kept in the metadata instead.
        removed: Vec<String>,
        /// How long the tier should keep it, in seconds.
        keep_seconds: u64,
    },
    /// Give a stored response the fields of the answer that has confirmed it; its body stays.
    Freshen {
        /// The key, a URL.
        key: String,
        /// The metadata that the stored response must still have: another one is not what was confirmed.
        replaced: String,
        /// The new metadata.
        metadata: String,
        /// The names of the answer's fields that do not replace the stored ones.
        excepted: Vec<String>,
        /// How long the tier should keep it, in seconds.
        keep_seconds: u64,
    },
    /// Forget what is stored under these keys (RFC 9111, section 4.4).
    Forget {
        /// The keys, URLs.
        keys: Vec<String>,
    },
}
