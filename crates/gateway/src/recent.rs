//! What was seen lately, by a text: bounded, and free of bookkeeping where it is hit.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Two generations of at most `SIZE` entries each: a full young one becomes the old one, and the old one is dropped whole.
///
/// An entry that is used is in one of them or comes back with one computation; no list has to be kept in order on the hot
/// path. Of two texts with one hash the later one is remembered.
pub(crate) struct Recent<V, const SIZE: usize, const LONGEST: usize> {
    young: HashMap<u64, Entry<V>>,
    old: HashMap<u64, Entry<V>>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

struct Entry<V> {
    text: Box<str>,
    value: V,
}

impl<V, const SIZE: usize, const LONGEST: usize> Default for Recent<V, SIZE, LONGEST> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), hasher: BuildHasherDefault::new() }
    }
}

impl<V: Clone, const SIZE: usize, const LONGEST: usize> Recent<V, SIZE, LONGEST> {
    pub(crate) fn get(&mut self, text: &str) -> Option<V> {
        let hash = self.hasher.hash_one(text);
        if let Some(entry) = self.young.get(&hash).filter(|entry| same(&entry.text, text)) {
            return Some(entry.value.clone());
        }
        let entry = self.old.remove(&hash).filter(|entry| same(&entry.text, text))?;
        let value = entry.value.clone();
        self.insert(hash, entry);
        Some(value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values()).map(|entry| &entry.value)
    }

    /// Remembers a value, unless its text is longer than `LONGEST`: clients choose these texts.
    pub(crate) fn remember(&mut self, text: &str, value: V) {
        if text.len() <= LONGEST {
            self.insert(self.hasher.hash_one(text), Entry { text: text.into(), value });
        }
    }

    fn insert(&mut self, hash: u64, entry: Entry<V>) {
        if self.young.len() >= SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, entry);
    }
}

/// True when two texts are one. A token has hundreds of bytes, and in Wasm `==` looks at one after the other.
fn same(a: &str, b: &str) -> bool {
    let (a_words, a_rest) = a.as_bytes().as_chunks::<8>();
    let (b_words, b_rest) = b.as_bytes().as_chunks::<8>();
    let equal = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
    a.len() == b.len() && a_words.iter().zip(b_words).all(equal) && a_rest == b_rest
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
    fn texts_are_the_same_when_every_byte_is() {
        let text = "0123456789abcdefghi";
        for length in 0..=text.len() {
            let whole = text.get(..length).unwrap();
            assert!(same(whole, whole), "{whole}");
            assert!(!same(whole, &format!("{whole}x")) && !same(&format!("{whole}x"), whole), "{whole}");
            for index in 0..length {
                let mut other = whole.to_owned();
                other.replace_range(index..=index, "x");
                assert!(!same(whole, &other), "{whole} {other}");
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let mut recent: Recent<(), 4, 8> = Recent::default();
        recent.remember("12345678", ());
        recent.remember("123456789", ());
        assert!(recent.get("12345678").is_some() && recent.get("123456789").is_none());
    }
}
