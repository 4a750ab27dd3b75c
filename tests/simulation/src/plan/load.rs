//! When requests come.

use super::limits::Span;
use crate::clock::Moment;
use crate::random::Random;

/// The load of a schedule: requests at a mean gap, in some shape.
#[derive(Clone, Debug)]
pub struct Load {
    /// The mean time between two requests, in microseconds.
    pub gap_us: u64,
    /// How they are spread.
    pub shape: Shape,
}

/// How requests are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Evenly, give or take.
    Steady,
    /// Only in the first `on` of every `period` milliseconds, and there the more.
    OnOff {
        /// The busy time, in milliseconds.
        on: u64,
        /// Busy and idle time together.
        period: u64,
    },
    /// So many at the same moment, at all isolates.
    Bursts {
        /// How many.
        size: u64,
    },
}

pub(super) fn draw(random: &mut Random, span: &Span) -> Load {
    let shape = match random.below(3) {
        0 => Shape::Steady,
        1 => {
            let period = random.scaled(500, 20_000);
            Shape::OnOff { on: (period / random.between(2, 8)).max(1), period }
        }
        _ => Shape::Bursts { size: random.between(2, 40) },
    };
    Load { gap_us: (span.end * 1_000 / span.requests).max(1), shape }
}

impl Load {
    /// Returns the time of the next requests after `last_us` and how many come then, in microseconds of true time.
    pub fn next(&self, random: &mut Random, last_us: u64) -> (u64, u64) {
        match self.shape {
            Shape::Steady => (last_us + random.between(0, self.gap_us * 2), 1),
            Shape::Bursts { size } => (last_us + self.gap_us * size / 2 + random.between(0, self.gap_us * size), size),
            Shape::OnOff { on, period } => {
                let gap = random.between(0, self.gap_us * 2 * on / period);
                let at = last_us + gap;
                let into = at % (period * 1_000);
                if into < on * 1_000 { (at, 1) } else { (at - into + period * 1_000, 1) }
            }
        }
    }
}

/// Microseconds to moments.
pub fn moment(micros: u64) -> Moment {
    micros / 1_000
}
