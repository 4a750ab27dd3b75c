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

mod account;
mod allowance;
mod answer;
mod authority;
mod decision;
pub mod fields;
mod holder;
mod ledger;
mod message;
#[cfg(feature = "mutants")]
pub mod mutation;
#[cfg(not(feature = "mutants"))]
mod mutation;
mod nanos;
mod question;
mod rate;
mod reply;
mod request;
mod spend_message;
mod tat;
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
pub use authority::{Authority, Write};
pub use decision::{Admission, Decided, Decision};
pub use holder::{Ask, Failure, Holder, HolderCounters, Receipt};
pub use ledger::{Ledger, SpendWrite, UnknownKey};
pub use message::InvalidMessage;
pub use question::Question;
pub use rate::{InvalidRate, Rate};
pub use reply::{SpendReply, SpendVerdict};
pub use request::{InvalidSpend, Spend, SpendRequest};
pub use spend_message::InvalidSpendMessage;
pub use tat::StoredTat;
pub use usage::Usage;
pub use verdict::Verdict;
pub use want::{Accuracy, Charge, InvalidWant, Mode, Want, WhenUnreachable};
