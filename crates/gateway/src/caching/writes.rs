//! What writes through this isolate made untrue (RFC 9111, section 4.4): what was on its way then must not be kept.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// When writes made untrue what was fetched before, by key.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// The latest of each key, the oldest first. A hash is enough: two keys that share one only seem written twice.
    written: VecDeque<(u64, Duration)>,
    /// When the last of those was that are forgotten: what is newer, they have not made untrue.
    forgotten: Option<Duration>,
}

impl Writes {
    /// How many keys are remembered, in 16 KiB.
    const MAX: usize = 1024;

    /// A write has made untrue what was fetched for a key.
    pub(super) fn note(&mut self, key: &str, now: Duration) {
        let key = hash(key);
        self.written.retain(|(written, _)| *written != key);
        if self.written.len() >= Self::MAX {
            self.forgotten = self.written.pop_front().map(|(_, at)| at).max(self.forgotten);
        }
        self.written.push_back((key, now));
    }

    /// When a response must have been sent for after, if no write may have made it untrue.
    pub(super) fn last_possible(&self, key: &str) -> Option<Duration> {
        self.last_known(key).max(self.forgotten)
    }

    /// The same of the writes that are remembered.
    pub(super) fn last_known(&self, key: &str) -> Option<Duration> {
        let key = hash(key);
        self.written.iter().find(|(written, _)| *written == key).map(|(_, at)| *at)
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000_000_u64.saturating_add(seconds))
    }

    #[test]
    fn the_last_write_of_a_key_counts_for_it_alone() {
        let mut writes = Writes::default();
        writes.note("key", at(9));
        writes.note("key", at(10));
        for (key, last) in [("key", Some(at(10))), ("other", None)] {
            assert_eq!((writes.last_known(key), writes.last_possible(key)), (last, last), "{key}");
        }
    }

    #[test]
    fn what_is_forgotten_of_many_writes_counts_for_what_may_be_older() {
        let mut writes = Writes::default();
        for second in 0..=Writes::MAX as u64 + 1 {
            writes.note(&format!("key{second}"), at(second));
        }
        // The writes of the first two keys are forgotten.
        for (key, known) in [("key0", None), ("key1", None), ("other", None), ("key2", Some(at(2)))] {
            assert_eq!(writes.last_known(key), known, "{key}");
            assert_eq!(writes.last_possible(key), known.max(Some(at(1))), "{key}");
        }
    }

    #[test]
    fn a_key_that_is_written_again_and_again_displaces_no_other() {
        let mut writes = Writes::default();
        writes.note("once", at(0));
        (1..10_000).for_each(|second| writes.note("often", at(second)));
        assert_eq!(writes.last_known("once"), Some(at(0)));
        assert_eq!(writes.last_possible("other"), None);
    }
}
