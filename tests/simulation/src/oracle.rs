//! What a limit means, judged from the outside: by the requests that were let through, and nothing else.
//!
//! Each kind has a definition of its own here, which shares no code with the one under test. A definition knows how
//! much room a limit has left at a moment; whoever is admitted with less room than it costs is a violation.
//!
//! **Time.** A request that the object decided counts from the moment at which the object decided; one that an isolate
//! decided from memory, from that moment. All of it in true time, which only the simulator knows. While all clocks are
//! right nothing is forgiven. When they are not, the definitions give way by exactly what the assumptions cost:
//!
//! - clocks run wrong by up to 0.49 % each (1 % between two): a bucket refills by 0.49 % faster, an interval is 1 %
//!   shorter;
//! - clocks show whole milliseconds, so that what began and ended by two of them is up to 3 ms off;
//! - a clock that is set forward by `d`, and an instance of the object whose clock is ahead by `d`, give what the rate
//!   gives in `d` (up to a full bucket).
//! - A calendar's window ends by the clock of the object.

mod calendar;
mod concurrency;
mod quota;
mod rate;
mod window;

use crate::clock::Moment;
use crate::plan::Kind;

/// Something that happened to one key of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A clock that spends from this limit went forward by so many milliseconds.
    Jumped(u64),
    /// An operator forgot what was used.
    Reset,
    /// From now on some isolates have these numbers, and others the old ones.
    Changing(Kind),
    /// From now on all have the new ones.
    Changed,
    /// What this request costs is known now.
    Settled {
        /// Which.
        request: usize,
        /// Its true cost.
        cost: u64,
    },
    /// This request ended.
    Ended {
        /// Which.
        request: usize,
    },
    /// This request was let through.
    Admitted {
        /// Which.
        request: usize,
        /// What it costs, as far as known.
        cost: u64,
        /// What the object's clock showed: milliseconds since the epoch.
        shown: u64,
    },
}

/// More was let through than the limit allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// When.
    pub at: Moment,
    /// The request that was too many.
    pub request: usize,
    /// By how much, in requests of cost one, rounded up.
    pub by: u64,
}

/// What clocks may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// All show the true time.
    Right,
    /// They are off within the assumptions.
    Off,
}

/// A kind's definition, with what it remembers.
enum Definition {
    Rate(rate::Bucket),
    Window(window::Sliding),
    Quota(quota::Used),
    Concurrency(concurrency::Running),
}

/// The definition of one key of a limit, followed through time.
pub struct Meaning {
    definition: Definition,
}

impl Meaning {
    /// Begins with nothing used. `debt` is what the limit's accuracy adds to it.
    pub fn new(kind: &Kind, clocks: Clocks, debt: u64) -> Meaning {
        let definition = match *kind {
            Kind::Rate { requests, per, burst } => {
                Definition::Rate(rate::Bucket::new(requests, per, u64::from(burst) + debt, clocks))
            }
            Kind::Window { requests, per } => {
                Definition::Window(window::Sliding::new(u64::from(requests) + debt, per, clocks))
            }
            Kind::Quota { requests, .. } => Definition::Quota(quota::Used::new(kind, requests + debt)),
            Kind::Concurrency { requests, timeout } => {
                Definition::Concurrency(concurrency::Running::new(u64::from(requests) + debt, timeout, clocks))
            }
        };
        Meaning { definition }
    }

    /// Returns how much may still pass at `at`; negative when too much did.
    pub fn room(&mut self, at: Moment, shown: u64) -> i64 {
        match &mut self.definition {
            Definition::Rate(bucket) => bucket.room(at),
            Definition::Window(sliding) => sliding.room(at),
            Definition::Quota(used) => used.room(shown),
            Definition::Concurrency(running) => running.room(at),
        }
    }

    /// Follows what happened; returns by how much a request was too many.
    pub fn follow(&mut self, at: Moment, mark: &Mark) -> Option<Excess> {
        if let Mark::Admitted { request, cost, shown } = *mark {
            let room = self.room(at, shown);
            self.take(at, request, cost);
            let by = u64::try_from(i64::try_from(cost).unwrap() - room).unwrap_or(0);
            return (by > 0).then_some(Excess { at, request, by });
        }
        match &mut self.definition {
            Definition::Rate(bucket) => bucket.mark(at, mark),
            Definition::Window(sliding) => sliding.mark(at, mark),
            Definition::Quota(used) => used.mark(mark),
            Definition::Concurrency(running) => running.mark(at, mark),
        }
        None
    }

    /// Lets a request through, whether it fits or not.
    fn take(&mut self, at: Moment, request: usize, cost: u64) {
        match &mut self.definition {
            Definition::Rate(bucket) => bucket.take(request, cost),
            Definition::Window(sliding) => sliding.take(at, request, cost),
            Definition::Quota(used) => used.take(request, cost),
            Definition::Concurrency(running) => running.take(at, request, cost),
        }
    }
}

/// Judges what happened to one key of a limit: all of it, in any order.
pub fn judge(kind: &Kind, clocks: Clocks, debt: u64, marks: &mut [(Moment, Mark)]) -> Option<Excess> {
    // At the same millisecond, what gives room comes first.
    marks.sort_by_key(|(at, mark)| (*at, matches!(mark, Mark::Admitted { .. })));
    let mut meaning = Meaning::new(kind, clocks, debt);
    marks.iter().find_map(|(at, mark)| meaning.follow(*at, mark))
}

/// Returns when the next window of a quota begins after `shown`, both in milliseconds since the epoch.
pub fn next_window(kind: &Kind, shown: u64) -> u64 {
    let mut labels = calendar::Labels::new(kind);
    let mut second = shown / 1_000;
    let label = labels.of(second);
    while labels.of(second) == label {
        second += 60;
    }
    second * 1_000
}

#[cfg(test)]
mod tests;
