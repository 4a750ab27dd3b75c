//! The limits in an isolate's memory, of which there are not too many.

use std::rc::Rc;

use super::entry::Entry;
use crate::map::Map;
use crate::want::Want;

/// At most so many limits: 15 MB. One that is forgotten loses what it was lent, nothing else.
const MAX_ENTRIES: usize = 20_000;

/// Entries by key. A key is found with one look, and then by its place while the request is decided.
#[derive(Debug)]
pub(super) struct Table {
    // Invariant: `places[key]` is the index of the entry with that key, and each entry has one.
    places: Map<Rc<str>, usize>,
    #[expect(clippy::vec_box, reason = "a list of entries would need as much memory again whenever it grows")]
    entries: Vec<Box<Entry>>,
    /// Where to look next for one that was not used since the last look.
    hand: usize,
    pub(super) max_entries: usize,
}

impl Default for Table {
    fn default() -> Table {
        Table { places: Map::default(), entries: Vec::new(), hand: 0, max_entries: MAX_ENTRIES }
    }
}

impl Table {
    /// Returns the place of a want's entry, made if it isn't there, for the request with this number. The place is valid
    /// until a later request is decided. Tells what debt was forgotten to make room.
    pub(super) fn place(&mut self, want: &Want, request: u64, born: u64, now: u64) -> (usize, u64) {
        if let Some(place) = self.places.get(want.key()).copied() {
            if let Some(entry) = self.entries.get_mut(place) {
                entry.touched = request;
            }
            return (place, 0);
        }
        let mut entry = Entry::new(want, born, now);
        entry.touched = request;
        let key = Rc::clone(&entry.key);
        let place = if self.entries.len() < self.max_entries { None } else { self.victim(request, now) };
        let (place, forgotten) = match place.and_then(|place| Some((place, self.entries.get_mut(place)?))) {
            Some((place, victim)) => {
                self.places.remove(&victim.key);
                let debt = victim.debt;
                **victim = entry;
                (place, debt)
            }
            None => {
                self.entries.push(Box::new(entry));
                (self.entries.len().saturating_sub(1), 0)
            }
        };
        self.places.insert(key, place);
        (place, forgotten)
    }

    /// Returns the place of a key's entry, if it is there.
    pub(super) fn index(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    pub(super) fn at(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place).map(Box::as_mut)
    }

    pub(super) fn find(&mut self, key: &str) -> Option<&mut Entry> {
        self.at(self.index(key)?)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().map(Box::as_mut)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Chooses whom to forget: the first that was not used since the hand last came by (the CLOCK algorithm), two rounds
    /// later for one that owes. Never an entry of the request itself, nor one whose requests are in progress.
    fn victim(&mut self, request: u64, now: u64) -> Option<usize> {
        let count = self.entries.len();
        for step in 0..count.saturating_mul(3) {
            let place = self.hand;
            self.hand = self.hand.saturating_add(1).checked_rem(count).unwrap_or(0);
            let Some(entry) = self.entries.get_mut(place) else { continue };
            let owes = entry.debt > 0 && step < count.saturating_mul(2);
            if entry.touched == request || owes || entry.is_in_use(now) {
                continue;
            }
            if !std::mem::take(&mut entry.used) {
                return Some(place);
            }
        }
        None
    }
}
