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
    // Invariant: nothing that waits has an older number.
    oldest: u32,
    // The numbers are ours: nobody can choose some that collide.
    waiting: HashMap<u32, (Duration, T), BuildHasherDefault<DefaultHasher>>,
}

/// More than one isolate has memory for.
const WAITING_MAX: usize = 16_384;

impl<T> Default for Numbered<T> {
    /// The first number is drawn: what belongs to an instance that trapped must not meet what is its successor's.
    fn default() -> Self {
        let last = state::random() as u32;
        Self { last, oldest: last, waiting: HashMap::default() }
    }
}

impl<T> Numbered<T> {
    /// Keeps something until it is taken, but hardly longer than until it is overdue.
    pub(crate) fn insert(&mut self, thing: T, overdue: Duration, now: Duration) -> u32 {
        self.last = self.last.wrapping_add(1);
        // All are looked at once in a while: one with a long timeout must not keep the others.
        if self.last.is_multiple_of(256) {
            self.waiting.retain(|_, (overdue, _)| *overdue >= now);
            let ages = self.waiting.keys().map(|number| self.last.wrapping_sub(*number));
            self.oldest = self.last.wrapping_sub(ages.max().unwrap_or(0));
        }
        while self.waiting.len() >= WAITING_MAX {
            self.waiting.remove(&self.oldest);
            self.oldest = self.oldest.wrapping_add(1);
        }
        self.waiting.insert(self.last, (overdue, thing));
        self.last
    }

    /// What was kept under a number, unless it was dropped.
    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        self.waiting.remove(&number).map(|(_, thing)| thing)
    }
}
