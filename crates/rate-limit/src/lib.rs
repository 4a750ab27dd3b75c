//! Does this request fit its limits?
//!
//! A limit is an [`Allowance`]: a [`Rate`], a [`Window`], a [`Quota`] or a [`Concurrency`]. What all requests of one key
//! share lives in a Durable Object, the [`Authority`], and what an isolate was lent of it in its [`Holder`].
//!
//! A holder decides a request at once if it was lent enough of all of its limits ([`Want`]), or knows that there is
//! nothing. Otherwise it says what to [`Ask`]; the authority answers the [`Question`] with an [`Answer`]: all limits are
//! charged, or none is, and what will be asked for next is lent. What is lent is set aside until it has expired, so that
//! lost, repeated and late messages, restarts and deaths cost room, and never let a request too many pass. [`fields`]
//! turns the verdicts into `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! Nothing here reads a clock: `now` is an argument, the time since the Unix epoch.

mod account;
mod allowance;
mod answer;
mod authority;
mod decision;
pub mod fields;
mod holder;
mod map;
mod message;
#[cfg(feature = "mutants")]
pub mod mutation;
#[cfg(not(feature = "mutants"))]
mod mutation;
mod nanos;
mod question;
mod rate;
mod usage;
mod verdict;
mod want;
#[cfg(test)]
mod world;

pub use allowance::{
    Allowance, Calendar, Concurrency, InvalidConcurrency, InvalidQuota, InvalidWindow, InvalidZone, Period, Quota,
    Window, Windows, Zone,
};
pub use answer::Answer;
pub use authority::{Authority, UnknownKey, Write};
pub use decision::{Admission, Decided, Decision};
pub use holder::{Ask, Failure, Holder, HolderCounters, Receipt};
pub use message::InvalidMessage;
pub use question::Question;
pub use rate::{InvalidRate, Rate};
pub use usage::Usage;
pub use verdict::Verdict;
pub use want::{Accuracy, Charge, InvalidWant, Mode, Want, WhenUnreachable};
