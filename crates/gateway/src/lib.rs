//! The life of one request: match a route, then ask the leaves, in one order.
//!
//! `admit` walks route → auth → limit → cache → admission and ends in a reply or in an [`Exchange`], which walks
//! origin → store → reply. Both are generic over [`Platform`] and [`Head`], the whole surface towards the world, so the
//! same code answers on workerd and under a virtual clock. Bodies are opaque: the core never reads one.
//!
//! Reading order: [`route`] (what a configuration becomes), [`serve`] (the order of the steps), then one file a step.

pub mod matching;
pub mod path;

pub mod route;
pub mod source;

pub mod platform;
pub mod serve;

mod admin;
mod apart;
mod authenticate;
mod caching;
pub mod exchange;
mod facts;
mod flights;
pub mod forward;
pub mod limiting;
pub mod memory;
mod ordered;
mod recent;
pub mod record;
pub mod rejection;
pub mod reply;
mod trace;
mod url;

pub use authenticate::refresh_keys;
pub use caching::{
    BEHIND_MAX, BEHIND_TIMEOUT, COPY_TIMEOUT, METADATA_MAX, News, Offer, SHELVED_MAX, Shelf, is_overwritten, learn,
    offer, overwrite, shelve, unshelve,
};
pub use exchange::{Answered, Attempt, Conclusion, Exchange, Permitted};
pub use flights::{Landing, land};
pub use limiting::renew;
pub use memory::Memory;
pub use platform::{AskFailure, Head, LogFailure, Platform, Unreachable};
pub use reply::{After, Reply, ReplyBody};
pub use route::Gateway;
pub use serve::{Step, admit};
