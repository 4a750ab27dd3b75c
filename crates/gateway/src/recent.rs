//! What was seen lately, by a text: bounded, and free of bookkeeping where it is hit.

use std::collections::HashMap;

/// Two generations of at most `SIZE` entries each: a full young one becomes the old one, and the old one is dropped whole.
///
/// An entry that is used is in one of them or comes back with one computation; no list has to be kept in order on the hot
/// path.
pub(crate) struct Recent<V, const SIZE: usize, const LONGEST: usize> {
    young: HashMap<Box<str>, V>,
    old: HashMap<Box<str>, V>,
}

impl<V, const SIZE: usize, const LONGEST: usize> Default for Recent<V, SIZE, LONGEST> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V: Clone, const SIZE: usize, const LONGEST: usize> Recent<V, SIZE, LONGEST> {
    pub(crate) fn get(&mut self, text: &str) -> Option<V> {
        if let Some(value) = self.young.get(text) {
            return Some(value.clone());
        }
        let (text, value) = self.old.remove_entry(text)?;
        self.insert(text, value.clone());
        Some(value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }

    /// Remembers a value, unless its text is longer than `LONGEST`: clients choose these texts.
    pub(crate) fn remember(&mut self, text: &str, value: V) {
        if text.len() <= LONGEST {
            self.insert(text.into(), value);
        }
    }

    fn insert(&mut self, text: Box<str>, value: V) {
        if self.young.len() >= SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes_after_two_generations() {
        let mut recent: Recent<usize, 4, 8> = Recent::default();
        recent.remember("used", 0);
        recent.remember("unused", 0);
        for index in 1..100 {
            recent.remember(&index.to_string(), index);
            assert_eq!(recent.get("used"), Some(0));
            assert!(recent.young.len() + recent.old.len() <= 8);
        }
        assert_eq!((recent.get("unused"), recent.get("99")), (None, Some(99)));
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let mut recent: Recent<(), 4, 8> = Recent::default();
        recent.remember("12345678", ());
        recent.remember("123456789", ());
        assert!(recent.get("12345678").is_some() && recent.get("123456789").is_none());
    }
}
