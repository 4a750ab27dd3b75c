//! May this response be stored, and may a stored one answer this request?
//!
//! A shared cache by RFC 9111, as decisions only: no body, no clock, no store. The life of a cached GET in six calls:
//!
//! 1. [`lookup`]: does this request concern a cache at all? If not, it is forwarded untouched and its response is not
//!    stored.
//! 2. [`key`]: where would a stored response be?
//! 3. [`answer`]: may the [`Stored`] response found there be used, and how old is it? When nothing usable is there and
//!    [`only_if_cached`] holds, the reply is 504; otherwise the request goes to the origin without its
//!    [`forwarded_conditionals`], so that a full response comes back for everybody, but with the
//!    [`Stored::validators`] of a stale response, so that it need not.
//! 4. [`storable`]: may what came back be kept, and for how long? Or, after a 304: [`freshen`] what is stored. Or, after
//!    an error: is it [`stale_if_error`]?
//! 5. [`precondition`]: does the client hold this response already, so that a 304 without the
//!    [`not_modified_omits`] does? Else, which part does it want: [`selection`].
//! 6. [`invalidates`]: does this reply to an unsafe method make stored responses untrue?
//!
//! [`CacheStatus`] and [`age_field`] then say so to the client. Every refusal carries a [`Reason`].
//!
//! The store is a plain one. [`Stored`] is the envelope that travels beside the response in [`ENVELOPE_FIELD`]; the
//! fields by which a store might form an opinion of its own ([`Stored::withheld`]) are taken off the response and live
//! in the envelope, from where [`Stored::fields`] puts them back on a reply.
//!
//! A 404 or 410 is stored when the origin or the operator says for how long, by a lifetime of its own that is short if nobody
//! says otherwise; a 5xx only when the origin says for how long. While an origin fails, [`stale_if_error`] is what keeps its clients served.
//!
//! Why not the crate `http-cache-semantics` (weighed at 3.0.0)? It compares directive names by case, so that `No-Store`
//! is stored, and splits `Cache-Control` at every comma, quoted or not. It knows no targeted fields, no field lists of
//! `private` and `no-cache`, no lifetime that an operator configured, and says "no" without a reason. It owns copies of
//! both header sections, which for us would mean carrying every header of every request across the Wasm boundary, and
//! it brings `http` and `time` along. What it does well, the RFC's sentence above the line that obeys it, is taken over.

mod fields;

mod cache_control;
mod content_types;
mod date;
mod delta_seconds;
mod entity_tag;
mod targeted;

mod freshness;
mod storable;
mod stored;
mod vary;

mod freshen;
mod key;
mod precondition;
mod range;
mod reuse;

mod invalidation;
mod reason;
mod status;

pub mod fill;
mod memory;
pub mod purge;
mod refresh_ahead;

pub use content_types::{ContentTypes, InvalidMediaRange, MediaRange};
pub use fields::{ENVELOPE_FIELD, Fields, is_garbled};
pub use freshen::{Freshened, freshen, freshen_by_head};
pub use freshness::{Heuristic, InvalidRules, Rules, StaleWindows};
pub use invalidation::{invalidates, is_safe};
pub use key::{KeyParts, key, variant_key};
pub use memory::MemoryTier;
pub use precondition::{Precondition, forwarded_conditionals, not_modified_omits, precondition, precondition_of};
pub use range::{Selection, selection};
pub use reason::Reason;
pub use refresh_ahead::refresh_ahead;
pub use reuse::{Answer, Lookup, answer, answers_unasked, is_error, lookup, only_if_cached, selects, stale_if_error};
pub use status::{CacheStatus, Forward, age_field};
pub use storable::{Exchange, Sharing, storable};
pub use stored::{MAX_ENVELOPE, Stored, Undecodable};
