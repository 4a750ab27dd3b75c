//! The tier in an isolate's own memory: what it holds answers without a promise.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_http_cache::purge::Stamp;
use tidegate_http_cache::{MemoryTier, Stored};

use super::writes::Writes;
use crate::platform::StoredBody;

/// Responses with more bytes are left to the other tiers.
pub const SHELVED_MAX: usize = 64 * 1024;

/// More than what is remembered about a response takes: its envelope (16 KiB), and its stamp with all the tags that have
/// names.
pub const METADATA_MAX: usize = 32 * 1024;

/// An isolate has 128 MB for everything.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// After this long, what other isolates share is looked up in the location's store again: a write that passed through
/// another isolate has made that one forget it, and not this one.
const UNCONFIRMED: Duration = Duration::from_secs(5);

/// The stored responses in the memory of one isolate.
pub struct Shelf<B> {
    tier: MemoryTier<Shelved<B>>,
    writes: Writes,
}

/// One of them, as it was stored: purges are held against it at every use.
#[derive(Clone)]
pub(super) struct Shelved<B> {
    pub(super) stored: Stored,
    pub(super) stamp: Stamp,
    pub(super) metadata: String,
    pub(super) body: B,
}

impl<B> Default for Shelf<B> {
    fn default() -> Self {
        Self { tier: MemoryTier::new(BYTES_MAX, SHELVED_MAX + METADATA_MAX), writes: Writes::default() }
    }
}

impl<B: StoredBody> Shelf<B> {
    pub(super) fn get(&mut self, key: &str, now: Duration) -> Option<Shelved<B>> {
        self.tier.get(key, now).cloned()
    }

    pub(super) fn insert(&mut self, key: &str, shelved: Shelved<B>, is_shared: bool, now: Duration) {
        let Some(bytes) = shelved.body.whole_bytes().filter(|bytes| *bytes <= SHELVED_MAX) else {
            self.tier.remove(key);
            return;
        };
        let bytes = bytes.saturating_add(shelved.metadata.len());
        let keep_until = shelved.stored.keep_until();
        let until = if is_shared { keep_until.min(now.saturating_add(UNCONFIRMED)) } else { keep_until };
        self.tier.insert(key, shelved, bytes, until);
    }

    /// How many responses it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tier.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tier.is_empty()
    }

    /// How many bytes they take, at most 16 MiB.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tier.bytes()
    }
}

/// Holds a response that was just stored, and says whether it is to be stored anywhere: not if a write has made it untrue on
/// its way. `is_shared`: other isolates have it too, and may forget it.
pub fn shelve<B: StoredBody>(
    shelf: &RefCell<Shelf<B>>,
    key: &str,
    metadata: String,
    body: B,
    is_shared: bool,
    now: Duration,
) -> bool {
    let Some((stamp, stored)) = read(&metadata) else { return true };
    let mut shelf = shelf.borrow_mut();
    let is_true = shelf.writes.last_possible(key).is_none_or(|at| stored.sent() > at);
    if is_true {
        shelf.insert(key, Shelved { stored, stamp, metadata, body }, is_shared, now);
    }
    is_true
}

/// Whether a write has made untrue what these metadata are of, or may have: what is on its way is not kept then.
pub fn is_overwritten<B>(shelf: &RefCell<Shelf<B>>, key: &str, metadata: &str) -> bool {
    is_sent_by(shelf.borrow().writes.last_possible(key), metadata)
}

/// The same for what has long been stored: many writes of other keys are no reason not to believe it.
pub(super) fn is_known_overwritten<B>(shelf: &RefCell<Shelf<B>>, key: &str, metadata: &str) -> bool {
    is_sent_by(shelf.borrow().writes.last_known(key), metadata)
}

/// Metadata are only read where there was a write.
fn is_sent_by(write: Option<Duration>, metadata: &str) -> bool {
    write.is_some_and(|at| read(metadata).is_some_and(|(_, stored)| stored.sent() <= at))
}

/// Forgets a response that a write has made untrue, and what is on its way in its place.
pub fn overwrite<B>(shelf: &RefCell<Shelf<B>>, key: &str, now: Duration) {
    let mut shelf = shelf.borrow_mut();
    shelf.tier.remove(key);
    shelf.writes.note(key, now);
}

/// What metadata say; `None` when they are not ours, or of another version: then nothing is stored.
pub(super) fn read(metadata: &str) -> Option<(Stamp, Stored)> {
    let (stamp, envelope) = Stamp::open(metadata)?;
    Some((stamp, Stored::decode(envelope).ok()?))
}

/// Forgets a response.
pub fn unshelve<B>(shelf: &RefCell<Shelf<B>>, key: &str) {
    shelf.borrow_mut().tier.remove(key);
}
