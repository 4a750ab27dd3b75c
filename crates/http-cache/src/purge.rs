//! Purge by generations: nothing is deleted, what was stored before a purge is no longer believed.
//!
//! One [`PurgeLog`] for the whole deployment numbers the purges and keeps, for each [`Target`], the number of the latest
//! one. Every isolate holds a copy, the [`Generations`], and asks for what is new since its own number. A response is
//! stored with a [`Stamp`]: the number that the isolate knew when it *began* to fetch, and the response's tags. A
//! stored response is good while no purge with a higher number concerns it. So a purge costs one row, whatever it
//! concerns and wherever that is stored, and a fill that races with a purge loses: its stamp is the older one.

mod delta;
mod generations;
mod log;
mod question;
mod stamp;
mod tags;
mod target;

pub use delta::{Delta, InvalidDelta};
pub use generations::{Asked, Believed, Generations, Readiness};
pub use log::{Manner, PurgeLog, PurgeRow, Receipt};
pub use question::Question;
pub use stamp::{Generation, Stamp};
pub use tags::{group_members, tag_members};
pub use target::{Place, Target};
