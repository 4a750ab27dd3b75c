//! Things that JavaScript reports back about, by number.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use crate::state;

/// What waits for JavaScript to report back, by the number that it reports back with.
///
/// A number instead of an object, because registering an object's finalizer costs a tenth of a small request. A request
/// that the runtime cancels never reports back: what is overdue is dropped when others come, and the oldest when there
/// are too many.
pub(crate) struct Numbered<T> {
    last: u32,
    // The numbers are ours: nobody can choose some that collide.
    waiting: HashMap<u32, (Duration, T), BuildHasherDefault<DefaultHasher>>,
}

/// More than one isolate has memory for.
const WAITING_MAX: usize = 16_384;

impl<T> Default for Numbered<T> {
    /// The first number is drawn: what belongs to an instance that trapped must not meet what is its successor's.
    fn default() -> Self {
        Self { last: state::random() as u32, waiting: HashMap::default() }
    }
}

impl<T> Numbered<T> {
    /// Keeps something until it is taken, but hardly longer than until it is overdue.
    pub(crate) fn insert(&mut self, thing: T, overdue: Duration, now: Duration) -> u32 {
        self.last = self.last.wrapping_add(1);
        // All are looked at once in a while: one with a long timeout must not keep the others.
        if self.last.is_multiple_of(256) {
            self.waiting.retain(|_, (overdue, _)| *overdue >= now);
        }
        if self.waiting.len() >= WAITING_MAX {
            let oldest = self.waiting.keys().copied().max_by_key(|number| self.last.wrapping_sub(*number));
            oldest.and_then(|oldest| self.waiting.remove(&oldest));
        }
        self.waiting.insert(self.last, (overdue, thing));
        self.last
    }

    /// What was kept under a number, unless it was dropped.
    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        self.waiting.remove(&number).map(|(_, thing)| thing)
    }
}
