//! Does this request fit its limits?
//!
//! A limit is a [`Rate`], enforced by the generic cell rate algorithm (GCRA, ITU-T I.371): per key one number is
//! remembered, the theoretical arrival time (TAT), which is the moment when the key's bucket is full again. A request
//! of some cost moves it forward by that many emission intervals, and fits when the bucket is not overdrawn afterwards.
//! For every interval `(s, t]` the admitted cost is at most `burst + requests / per * (t - s)`.
//!
//! An isolate asks with a [`SpendRequest`], which names every limit of one request. The Durable Object that owns the
//! keys answers from its [`Ledger`] with a [`SpendReply`]: all limits are charged, or none is. [`fields`] turns the
//! verdicts into `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! Nothing here reads a clock: `now` is an argument, the time since the Unix epoch.

pub mod fields;
mod ledger;
mod message;
mod rate;
mod reply;
mod request;
mod tat;

pub use ledger::{Ledger, UnknownKey, Write};
pub use message::InvalidMessage;
pub use rate::{InvalidRate, Rate};
pub use reply::{SpendReply, Verdict};
pub use request::{InvalidSpend, Spend, SpendRequest};
pub use tat::StoredTat;
