//! What an account knows of each isolate.

/// A map of isolates. Most keys are asked for by a few of them only, and an object has many keys: so it takes no more room
/// than it has isolates, which no tree does.
#[derive(Clone, Debug)]
pub(super) struct Holders<T> {
    // Invariant: in the order of the ids, none of which comes twice.
    known: Vec<(u64, T)>,
}

impl<T> Default for Holders<T> {
    fn default() -> Holders<T> {
        Holders { known: Vec::new() }
    }
}

impl<T: Default> Holders<T> {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn contains(&self, holder: u64) -> bool {
        self.place(holder).is_ok()
    }

    pub(super) fn get(&self, holder: u64) -> Option<&T> {
        self.known.get(self.place(holder).ok()?).map(|(_, known)| known)
    }

    pub(super) fn get_mut(&mut self, holder: u64) -> Option<&mut T> {
        let place = self.place(holder).ok()?;
        self.known.get_mut(place).map(|(_, known)| known)
    }

    /// Returns what is known of an isolate, after making a place for it if there is none.
    pub(super) fn meet(&mut self, holder: u64) -> Option<&mut T> {
        let place = self.place(holder).unwrap_or_else(|place| {
            if self.known.len() == self.known.capacity() {
                self.known.reserve_exact(self.known.len().max(1));
            }
            self.known.insert(place, (holder, T::default()));
            place
        });
        self.known.get_mut(place).map(|(_, known)| known)
    }

    pub(super) fn remove(&mut self, holder: u64) {
        self.known.retain(|(known, _)| *known != holder);
    }

    /// Forgets one of them, if there is one.
    pub(super) fn forget_one(&mut self) {
        self.known.pop();
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.known.retain_mut(|(_, known)| keep(known));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.known.iter().map(|(_, known)| known)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.known.iter_mut().map(|(holder, known)| (*holder, known))
    }

    fn place(&self, holder: u64) -> Result<usize, usize> {
        self.known.binary_search_by_key(&holder, |(known, _)| *known)
    }
}
