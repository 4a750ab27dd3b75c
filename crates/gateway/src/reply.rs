//! A reply as a value, and what is left to do once it is on its way.

use std::borrow::Cow;

use crate::platform::Behind;

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

/// Work on the stored responses that the shell does after the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After<B> {
    /// Keep a copy of the origin's response, wherever it is shared.
    Store(Box<Store>),
    /// Give a stored response the fields of the answer that has confirmed it; its body stays.
    Freshen(Box<Freshen<B>>),
    /// Keep in this location's store what came from the object behind it.
    Promote {
        /// The key, a URL.
        key: String,
        /// The response, whole.
        body: B,
        /// How long the store should keep it, in seconds.
        keep_seconds: u64,
    },
    /// Forget what is stored under these keys, wherever it is shared (RFC 9111, section 4.4).
    Forget(Vec<Forgotten>),
    /// Give the object behind its lease back.
    End(Behind, Vec<u8>),
}

/// A response to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The key, a URL.
    pub key: String,
    /// The metadata, kept beside the body; safe in a field value.
    pub metadata: String,
    /// The names of the response's fields that are kept in the metadata instead.
    pub removed: Vec<String>,
    /// How long a store should keep it, in seconds; `None` when this location's store does not.
    pub keep_seconds: Option<u64>,
    /// The object behind that is to have it as well.
    pub behind: Option<Bring>,
}

/// A stored response that the origin has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshen<B> {
    /// The response, if it is whole in memory.
    pub body: Option<B>,
    /// The key, a URL.
    pub key: String,
    /// The metadata that the stored response must still have: another one is not what was confirmed.
    pub replaced: String,
    /// The new metadata.
    pub metadata: String,
    /// The names of the answer's fields that do not replace the stored ones.
    pub excepted: Vec<String>,
    /// How long a store should keep it, in seconds; `None` when this location's store does not.
    pub keep_seconds: Option<u64>,
    /// The object behind that is to have it as well.
    pub behind: Option<Bring>,
}

/// What the object behind is told about a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bring {
    /// The object and the key.
    pub place: Behind,
    /// The word that comes with it; a `Filled` of `tidegate-http-cache`.
    pub filled: Vec<u8>,
    /// The word in its place, if it has more than [`BEHIND_MAX`](crate::BEHIND_MAX) bytes.
    pub too_large: Vec<u8>,
    /// The word in its place, if it breaks off.
    pub failed: Vec<u8>,
}

/// A key that is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The key, a URL.
    pub key: String,
    /// The name of the object behind that may have it.
    pub object: Option<String>,
}
