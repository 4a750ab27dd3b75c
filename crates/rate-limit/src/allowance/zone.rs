//! A time zone, as the moments at which its clocks changed.

/// A time zone: its offset from UTC, and when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    // Invariant: what `Zone::new` checks.
    first_offset: i32,
    transitions: Vec<(i64, i32)>,
}

/// Why these transitions are not a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidZone {
    /// Transitions must be in order of time.
    #[error("the transitions of a time zone must be in order")]
    Order,
    /// An offset of a day or more.
    #[error("an offset from UTC must be less than a day")]
    Offset,
}

impl Zone {
    /// Creates a zone: the offset before the first transition, then each transition in seconds since the Unix epoch with
    /// the offset from then on, in seconds east of UTC.
    ///
    /// # Errors
    /// `Order` or `Offset`.
    pub fn new(first_offset: i32, transitions: Vec<(i64, i32)>) -> Result<Zone, InvalidZone> {
        if !transitions.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            return Err(InvalidZone::Order);
        }
        let mut offsets = transitions.iter().map(|(_, offset)| *offset).chain([first_offset]);
        if offsets.any(|offset| offset.unsigned_abs() >= 86_400) {
            return Err(InvalidZone::Offset);
        }
        Ok(Zone { first_offset, transitions })
    }

    /// Returns the zone whose clocks never change and show UTC.
    pub fn utc() -> Zone {
        Zone { first_offset: 0, transitions: Vec::new() }
    }

    /// Returns the offset before the first transition, in seconds east of UTC.
    pub fn first_offset(&self) -> i32 {
        self.first_offset
    }

    /// Returns the transitions: seconds since the Unix epoch, and the offset from then on.
    pub fn transitions(&self) -> &[(i64, i32)] {
        &self.transitions
    }
}
