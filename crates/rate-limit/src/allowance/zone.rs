//! What clocks on the wall show: the offset of one time zone from UTC, as it changes over the years.
//!
//! A zone is a list of transitions, compiled from the tz database before deployment: the Worker carries the zones that
//! its configuration names and no database.

/// A time zone: seconds east of UTC, and the moments at which they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    // Invariant: what `Zone::new` checks.
    first_offset: i32,
    transitions: Vec<(i64, i32)>,
}

/// Why these numbers are not a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidZone {
    /// An offset is further from UTC than [`Zone::MAX_OFFSET`].
    #[error("an offset must be less than 26 hours")]
    Offset,
    /// Two transitions at the same moment, or a later one before an earlier one.
    #[error("the transitions must be in order, each at a moment of its own")]
    Order,
    /// More transitions than [`Zone::MAX_TRANSITIONS`].
    #[error("a zone must have at most 1000 transitions")]
    TransitionCount,
}

/// A stretch of time with one offset: `from <= t < until`.
struct Span {
    from: i64,
    until: i64,
    offset: i64,
}

impl Zone {
    /// The largest offset, in seconds: RFC 9636, section 3.2, recommends less than 26 hours to either side.
    pub const MAX_OFFSET: i32 = 26 * 60 * 60 - 1;
    /// The most transitions. Thirty years of daylight saving time are 60, or 120 where Ramadan interrupts it.
    pub const MAX_TRANSITIONS: usize = 1_000;

    /// Creates a zone with `first_offset` seconds east of UTC until the first of `transitions`.
    ///
    /// A transition is a moment, in seconds since the Unix epoch, and the offset that holds from then on, in seconds
    /// east of UTC. The offset of the last one holds forever.
    ///
    /// # Errors
    /// Each variant of [`InvalidZone`] names what does not fit.
    pub fn new(first_offset: i32, transitions: Vec<(i64, i32)>) -> Result<Zone, InvalidZone> {
        let mut offsets = transitions.iter().map(|(_, offset)| *offset).chain([first_offset]);
        if offsets.any(|offset| offset.unsigned_abs() > Zone::MAX_OFFSET.unsigned_abs()) {
            return Err(InvalidZone::Offset);
        }
        if transitions.len() > Zone::MAX_TRANSITIONS {
            return Err(InvalidZone::TransitionCount);
        }
        if !transitions.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            return Err(InvalidZone::Order);
        }
        Ok(Zone { first_offset, transitions })
    }

    /// Returns Coordinated Universal Time.
    pub fn utc() -> Zone {
        Zone { first_offset: 0, transitions: Vec::new() }
    }

    /// Returns the offset before the first transition, in seconds east of UTC.
    pub fn first_offset(&self) -> i32 {
        self.first_offset
    }

    /// Returns the transitions: seconds since the Unix epoch, and the offset from then on in seconds east of UTC.
    pub fn transitions(&self) -> &[(i64, i32)] {
        &self.transitions
    }

    /// Returns what the clocks show at `time`, both in seconds since midnight of 1 January 1970.
    pub(crate) fn local(&self, time: i64) -> i64 {
        time.saturating_add(self.span(self.index(time)).offset)
    }

    /// Returns the first moment at which clocks show `local` or later.
    ///
    /// Where a clock is set forward over `local`, that is the moment at which it is set; where it is set back, the
    /// first of the two moments.
    pub(crate) fn first_showing(&self, local: i64) -> i64 {
        // A span that ends that much before `local` never shows it, whatever its offset.
        let margin = i64::from(Zone::MAX_OFFSET);
        let skipped = self.transitions.partition_point(|(at, _)| at.saturating_add(margin) <= local);
        for span in self.spans(skipped) {
            let moment = local.saturating_sub(span.offset).max(span.from);
            if moment < span.until {
                return moment;
            }
        }
        i64::MAX
    }

    /// Returns the last moment that is not after `time` at which clocks show a multiple of `length` seconds.
    pub(crate) fn last_full(&self, time: i64, length: i64) -> i64 {
        for index in (0..=self.index(time)).rev() {
            let span = self.span(index);
            let last = time.min(span.until.saturating_sub(1));
            let past = last.saturating_add(span.offset).checked_rem_euclid(length).unwrap_or_default();
            let moment = last.saturating_sub(past);
            if moment >= span.from {
                return moment;
            }
        }
        i64::MIN
    }

    /// Returns the first moment after `time` at which clocks show a multiple of `length` seconds.
    pub(crate) fn next_full(&self, time: i64, length: i64) -> i64 {
        for span in self.spans(self.index(time)) {
            let first = time.saturating_add(1).max(span.from);
            let past = first.saturating_add(span.offset).checked_rem_euclid(length).unwrap_or_default();
            let moment = first.saturating_add(if past == 0 { 0 } else { length.saturating_sub(past) });
            if moment < span.until {
                return moment;
            }
        }
        i64::MAX
    }

    /// The number of transitions up to `time`, which is the index of its span.
    fn index(&self, time: i64) -> usize {
        self.transitions.partition_point(|(at, _)| *at <= time)
    }

    fn spans(&self, first: usize) -> impl Iterator<Item = Span> {
        (first..=self.transitions.len()).map(|index| self.span(index))
    }

    fn span(&self, index: usize) -> Span {
        let before = index.checked_sub(1).and_then(|index| self.transitions.get(index));
        let (from, offset) = before.copied().unwrap_or((i64::MIN, self.first_offset));
        let until = self.transitions.get(index).map_or(i64::MAX, |(at, _)| *at);
        Span { from, until, offset: i64::from(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first_offset: i32, transitions: &[(i64, i32)], refused: Option<InvalidZone>) {
        assert_eq!(Zone::new(first_offset, transitions.to_vec()).err(), refused);
    }

    #[test]
    fn an_offset_is_less_than_26_hours() {
        check(Zone::MAX_OFFSET, &[(0, -Zone::MAX_OFFSET)], None);
        check(Zone::MAX_OFFSET + 1, &[], Some(InvalidZone::Offset));
        check(0, &[(0, -Zone::MAX_OFFSET - 1)], Some(InvalidZone::Offset));
        check(i32::MIN, &[], Some(InvalidZone::Offset));
    }

    #[test]
    fn transitions_are_in_order() {
        check(0, &[(-5, 3_600), (7, 0), (8, 3_600)], None);
        check(0, &[(7, 3_600), (7, 0)], Some(InvalidZone::Order));
        check(0, &[(8, 3_600), (7, 0)], Some(InvalidZone::Order));
    }

    #[test]
    fn a_zone_has_at_most_1000_transitions() {
        let many = |count: i64| (0..count).map(|at| (at, 0)).collect::<Vec<_>>();
        check(0, &many(1_000), None);
        check(0, &many(1_001), Some(InvalidZone::TransitionCount));
    }

    #[test]
    fn before_the_first_transition_and_after_the_last_an_offset_holds_forever() {
        let zone = Zone::new(-3_600, vec![(1_000, 7_200), (2_000, 0)]).unwrap();
        let shown = [i64::MIN + 3_600, 0, 999, 1_000, 1_999, 2_000, i64::MAX].map(|time| zone.local(time));
        assert_eq!(shown, [i64::MIN, -3_600, -2_601, 8_200, 9_199, 2_000, i64::MAX]);
    }
}
