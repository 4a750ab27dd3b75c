//! The slots of a sliding window that count.

/// How many slots a window has.
const SLOTS: u128 = 64;
const MILLISECOND: u128 = 1_000_000;

/// What was charged, by slot. The slot `index` is the time `index * width .. (index + 1) * width`, in nanoseconds since the
/// Unix epoch, and comes free one window after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    per: u128,
    width: u128,
    // Invariant: in the order of their indices, none of which comes twice, and `sum` is the sum of their units.
    slots: Vec<Slot>,
    sum: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) index: u64,
    pub(super) units: u64,
    /// How much of it may turn out to be a guess that was too high.
    pub(super) promised: u64,
}

impl Slots {
    pub(super) fn new(per: u128) -> Slots {
        // A whole number of milliseconds, so that a row can say when a slot ends.
        let width = per.div_ceil(SLOTS).div_ceil(MILLISECOND).max(1).saturating_mul(MILLISECOND);
        Slots { per, width, slots: Vec::new(), sum: 0 }
    }

    /// What counts, all together.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// Frees the slots that end a window before `now` or earlier.
    pub(super) fn advance(&mut self, now: u128) {
        let free = self.slots.iter().take_while(|slot| self.free_after(slot.index) <= now).count();
        let freed = self.slots.drain(..free).fold(0_u64, |sum, slot| sum.saturating_add(slot.units));
        self.sum = self.sum.saturating_sub(freed);
    }

    /// Charges what can be used until `until`, and returns the slot.
    pub(super) fn charge(&mut self, units: u64, until: u128) -> u64 {
        let index = self.index(until);
        if units == 0 {
            return index;
        }
        self.sum = self.sum.saturating_add(units);
        match self.slots.binary_search_by_key(&index, |slot| slot.index) {
            Ok(position) => {
                if let Some(slot) = self.slots.get_mut(position) {
                    slot.units = slot.units.saturating_add(units);
                }
            }
            Err(position) => self.slots.insert(position, Slot { index, units, promised: 0 }),
        }
        index
    }

    /// Undoes a charge, as far as it still counts, and returns how much that is.
    pub(super) fn remove(&mut self, units: u64, until: u128) -> u64 {
        let index = self.index(until);
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.index == index) else { return 0 };
        let removed = units.min(slot.units);
        slot.units = slot.units.saturating_sub(removed);
        slot.promised = slot.promised.min(slot.units);
        self.sum = self.sum.saturating_sub(removed);
        self.slots.retain(|slot| slot.units > 0);
        removed
    }

    /// Notes that so much of what was charged until `until` may come back.
    pub(super) fn promise(&mut self, units: u64, until: u128) {
        let index = self.index(until);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.index == index) {
            slot.promised = slot.promised.saturating_add(units).min(slot.units);
        }
    }

    /// Takes back what was promised, from the oldest slots first: that is the one who comes free first, whichever was
    /// meant, so at no time less counts than should.
    pub(super) fn make_good(&mut self, mut units: u64) {
        for slot in &mut self.slots {
            let back = units.min(slot.promised).min(slot.units);
            units = units.saturating_sub(back);
            slot.promised = slot.promised.saturating_sub(back);
            slot.units = slot.units.saturating_sub(back);
            self.sum = self.sum.saturating_sub(back);
        }
        self.slots.retain(|slot| slot.units > 0);
    }

    /// The first time at which at most `most` counts, or 0 if that is so already.
    pub(super) fn below(&self, most: u64) -> u128 {
        let mut sum = self.sum;
        let mut time = 0;
        for slot in &self.slots {
            if sum <= most {
                break;
            }
            sum = sum.saturating_sub(slot.units);
            time = self.free_after(slot.index);
        }
        time
    }

    /// The same charges in the slots of a window of another length: each ends where it did or later. Nothing is promised.
    pub(super) fn cut(&self, per: u128) -> Slots {
        let mut slots = Slots::new(per);
        for Slot { index, units, .. } in &self.slots {
            slots.charge(*units, self.end(*index).saturating_sub(1));
        }
        slots
    }

    /// What was charged for `now` and later.
    pub(super) fn from(&self, now: u128) -> Slots {
        let first = self.index(now);
        let slots: Vec<Slot> = self.slots.iter().filter(|slot| slot.index >= first).copied().collect();
        let sum = slots.iter().fold(0_u64, |sum, slot| sum.saturating_add(slot.units));
        Slots { per: self.per, width: self.width, slots, sum }
    }

    /// When a charge until `until` comes free.
    pub(super) fn free(&self, until: u128) -> u128 {
        self.free_after(self.index(until))
    }

    /// When the slot comes free.
    pub(super) fn free_after(&self, index: u64) -> u128 {
        self.end(index).saturating_add(self.per)
    }

    pub(super) fn end(&self, index: u64) -> u128 {
        u128::from(index).saturating_add(1).saturating_mul(self.width)
    }

    fn index(&self, time: u128) -> u64 {
        time.checked_div(self.width).and_then(|index| u64::try_from(index).ok()).unwrap_or(u64::MAX)
    }
}
