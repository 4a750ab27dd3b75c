//! What the shell and an exchange tell each other.

use std::time::Duration;

use tidegate_http_cache::Fields as FieldSource;

use super::Exchange;
use crate::caching::News;
use crate::limiting::Held;
use crate::record::Record;
use crate::reply::{After, Fields, Reply};

/// One request to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The absolute URL.
    pub url: String,
    /// The names of the client's fields that the origin must not see, separated by line feeds.
    pub removed: &'a str,
    /// The fields that the gateway sets, as lines: a name, its value, the next name, and so on.
    pub set: &'a str,
    /// When it is sent.
    pub sent: Duration,
    /// How long the origin may take until its response header is complete, from when it has the whole request; and for
    /// each part of a body.
    pub timeout: Duration,
    /// Whether the response's body is kept as it comes, in whatever coding.
    pub raw: bool,
}

/// What became of an attempt.
pub enum Answered<'a> {
    /// The response header is there.
    Response {
        /// The status code.
        status: u16,
        /// The response's fields.
        fields: &'a dyn FieldSource,
    },
    /// The time was up.
    TimedOut,
    /// There was no response; the reason is for the log.
    Failed {
        /// Never shown to a client.
        reason: String,
    },
}

/// What follows an attempt.
pub enum Conclusion<B> {
    /// Send the next [`Attempt`]; a response that is there is not wanted.
    Retry(Box<Exchange<B>>),
    /// Pass the origin's response on untouched.
    Pass {
        /// What the request holds of its limits until the client has the whole response, or went away.
        held: Option<Held>,
        /// Why.
        record: Box<Record>,
    },
    /// Remove and set fields of the origin's response, and leave work behind.
    Amend {
        /// What is asked first, with [`learn`](crate::learn): when the client has its reply, what it purged is in the log.
        first: Option<News>,
        /// The names of the fields to remove first.
        removed: Vec<String>,
        /// The fields to set.
        fields: Fields,
        /// Whether the client holds the content already: then the reply is a 304 without it.
        not_modified: bool,
        /// What is done after the reply.
        after: Vec<After<B>>,
        /// What the request holds of its limits until the client has the whole response, or went away.
        held: Option<Held>,
        /// Why.
        record: Box<Record>,
    },
    /// Another reply than the origin's: the stored one that it has confirmed, a stale one, or a problem.
    Reply {
        /// The reply.
        reply: Reply<B>,
        /// What is done after the reply.
        after: Vec<After<B>>,
        /// Why.
        record: Box<Record>,
    },
}

/// What becomes of a revalidation that no client waits for.
pub enum Permitted<B> {
    /// It is sent.
    Go(Box<Exchange<B>>),
    /// It need not be: somebody else fetches, or has done so.
    Done(Vec<After<B>>),
}
