//! What writes through this isolate made untrue (RFC 9111, section 4.4): what was on its way then must not be kept.

use std::time::Duration;

/// When writes made untrue what was fetched before, by key.
#[derive(Debug, Default)]
pub(super) struct Writes {
    written: Vec<(String, Duration)>,
    /// The same for all keys, when there are too many to remember.
    all_written: Duration,
}

impl Writes {
    /// How many keys are remembered. A key has at most 4 KiB.
    const MAX: usize = 64;

    /// Whether there was none.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// A write has made untrue what was fetched for a key.
    pub(super) fn note(&mut self, key: &str, now: Duration) {
        self.written.retain(|(written, _)| written != key);
        if self.written.len() >= Self::MAX {
            self.written.clear();
            self.all_written = now;
        }
        self.written.push((key.to_owned(), now));
    }

    /// Whether a response whose fetch began at `sent` is older than a write, or may be.
    pub(super) fn may_be_after(&self, key: &str, sent: Duration) -> bool {
        sent <= self.all_written || self.are_after(key, sent)
    }

    /// Whether it is older than a write that is remembered.
    pub(super) fn are_after(&self, key: &str, sent: Duration) -> bool {
        self.written.iter().any(|(written, at)| written == key && sent <= *at)
    }
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
    fn what_is_forgotten_of_many_writes_counts_for_all_keys() {
        let mut writes = Writes::default();
        for second in 0..=Writes::MAX as u64 {
            writes.note(&format!("key{second}"), at(second));
        }
        assert!(writes.may_be_after("key0", at(0)));
        assert!(writes.may_be_after("other", at(Writes::MAX as u64)));
        assert!(!writes.may_be_after("other", at(Writes::MAX as u64 + 1)));
        // What is known of this key only.
        assert!(!writes.are_after("other", at(0)));
        assert!(writes.are_after("key64", at(64)));
    }
}
