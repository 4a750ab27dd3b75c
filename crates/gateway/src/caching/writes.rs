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

    /// Whether there was none.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// A write has made untrue what was fetched for a key.
    pub(super) fn note(&mut self, key: &str, now: Duration) {
        let key = hash(key);
        self.written.retain(|(written, _)| *written != key);
        if self.written.len() >= Self::MAX {
            self.forgotten = self.written.pop_front().map(|(_, at)| at).max(self.forgotten);
        }
        self.written.push_back((key, now));
    }

    /// Whether a response whose fetch began at `sent` is older than a write, or may be.
    pub(super) fn may_be_after(&self, key: &str, sent: Duration) -> bool {
        self.forgotten.is_some_and(|at| sent <= at) || self.are_after(key, sent)
    }

    /// Whether it is older than a write that is remembered.
    pub(super) fn are_after(&self, key: &str, sent: Duration) -> bool {
        let key = hash(key);
        self.written.iter().any(|(written, at)| *written == key && sent <= *at)
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
    fn what_was_sent_for_before_a_write_is_untrue() {
        let mut writes = Writes::default();
        writes.note("key", at(10));
        for (key, sent, is_untrue) in [("key", 9, true), ("key", 10, true), ("key", 11, false), ("other", 9, false)] {
            assert_eq!(writes.may_be_after(key, at(sent)), is_untrue, "{key} at {sent}");
            assert_eq!(writes.are_after(key, at(sent)), is_untrue, "{key} at {sent}");
        }
    }

    #[test]
    fn what_is_forgotten_of_many_writes_counts_for_what_may_be_older() {
        let mut writes = Writes::default();
        let all = Writes::MAX as u64;
        for second in 0..=all + 1 {
            writes.note(&format!("key{second}"), at(second));
        }
        // The writes of the first two keys are forgotten.
        for (key, sent, may_be_untrue) in
            [("key0", 0, true), ("key1", 1, true), ("other", 1, true), ("other", 2, false)]
        {
            assert_eq!(writes.may_be_after(key, at(sent)), may_be_untrue, "{key} at {sent}");
            // What is known of this key only.
            assert!(!writes.are_after(key, at(sent)), "{key} at {sent}");
        }
        assert!(writes.may_be_after("key2", at(2)) && writes.are_after("key2", at(2)));
    }

    #[test]
    fn a_key_that_is_written_again_and_again_displaces_no_other() {
        let mut writes = Writes::default();
        writes.note("once", at(0));
        (1..10_000).for_each(|second| writes.note("often", at(second)));
        assert!(writes.are_after("once", at(0)));
        assert!(!writes.may_be_after("other", at(0)));
    }
}
