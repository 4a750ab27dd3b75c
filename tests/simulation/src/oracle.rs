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
//!
//! A request that was paid in part by its isolate and in part by the object counts in each part from when that was taken.
//! One in progress is as old as the time since it was let through. It counts before that as well, unless the clock of its
//! isolate was set forward meanwhile: then the isolate may take its answer for too old, give up what it brings, and start the
//! request with other permits.
//! A cost that is settled counts as what was reserved, or less: what a request costs beyond that is charged afterwards.

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
    /// An operator forgot what was used: all but what is in progress.
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
    /// A part of this request's cost was taken by its isolate, before it asked for the rest.
    Taken {
        /// Which.
        request: usize,
        /// What it costs, as far as known.
        cost: u64,
        /// So many parts of so many.
        part: (u64, u64),
        /// What the object's clock showed: milliseconds since the epoch.
        shown: u64,
    },
    /// This request was let through: what was not taken yet is taken now.
    Admitted {
        /// Which.
        request: usize,
        /// What it costs, as far as known.
        cost: u64,
        /// What was taken before: so many parts of so many.
        before: (u64, u64),
        /// What the object's clock showed: milliseconds since the epoch.
        shown: u64,
    },
    /// This request goes on to its origin, some time after it was admitted: from now on it is in progress.
    Passed {
        /// Which.
        request: usize,
        /// What it costs.
        cost: u64,
    },
}

/// What is taken of a cost.
#[derive(Clone, Copy, Debug)]
enum Share {
    /// So many parts of so many, rounded down.
    Part((u64, u64)),
    /// All but that.
    Rest((u64, u64)),
}

impl Share {
    fn of(self, cost: i128) -> i128 {
        let part = |(part, whole): (u64, u64)| cost * i128::from(part) / i128::from(whole.max(1));
        match self {
            Share::Part(share) => part(share),
            Share::Rest(share) => cost - part(share),
        }
    }
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
    /// What the limit's accuracy adds to its numbers, whatever they are.
    debt: u64,
}

impl Meaning {
    /// Begins with nothing used. `debt` is what the limit's accuracy adds to it.
    pub fn new(kind: &Kind, clocks: Clocks, debt: u64) -> Meaning {
        let kind = kind.with_more(debt);
        let definition = match kind {
            Kind::Rate { requests, per, burst } => {
                Definition::Rate(rate::Bucket::new(requests, per, u64::from(burst), clocks))
            }
            Kind::Window { requests, per } => {
                Definition::Window(window::Sliding::new(u64::from(requests), per, clocks))
            }
            Kind::Quota { requests, .. } => Definition::Quota(quota::Used::new(&kind, requests, debt)),
            Kind::Concurrency { requests, timeout } => {
                Definition::Concurrency(concurrency::Running::new(u64::from(requests), timeout, clocks))
            }
        };
        Meaning { definition, debt }
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
        let (request, cost, share, shown) = match *mark {
            Mark::Taken { request, cost, part, shown } => (request, cost, Share::Part(part), shown),
            Mark::Admitted { request, cost, before, shown } => (request, cost, Share::Rest(before), shown),
            Mark::Passed { request, cost } => return self.pass(at, request, cost),
            _ => {
                self.mark(at, mark);
                return None;
            }
        };
        self.room(at, shown);
        let by = match &mut self.definition {
            Definition::Rate(bucket) => bucket.take(request, cost, share),
            Definition::Window(sliding) => sliding.take(at, request, whole(cost, share)),
            Definition::Quota(used) => used.take(request, whole(cost, share)),
            Definition::Concurrency(running) => running.take(at, request, whole(cost, share)),
        };
        excess(at, request, by)
    }

    fn pass(&mut self, at: Moment, request: usize, cost: u64) -> Option<Excess> {
        let Definition::Concurrency(running) = &mut self.definition else { return None };
        running.room(at);
        excess(at, request, running.pass(at, request, cost))
    }

    fn mark(&mut self, at: Moment, mark: &Mark) {
        let changing = match mark {
            Mark::Changing(kind) => Some(Mark::Changing(kind.with_more(self.debt))),
            _ => None,
        };
        let mark = changing.as_ref().unwrap_or(mark);
        match &mut self.definition {
            Definition::Rate(bucket) => bucket.mark(at, mark),
            Definition::Window(sliding) => sliding.mark(at, mark),
            Definition::Quota(used) => used.mark(mark),
            Definition::Concurrency(running) => running.mark(at, mark),
        }
    }
}

/// Kinds that count requests take whole ones.
fn whole(cost: u64, share: Share) -> u64 {
    u64::try_from(share.of(i128::from(cost))).unwrap()
}

/// What was taken of a request, one part after the other, becomes no more than its true cost.
fn settle<'a>(parts: impl DoubleEndedIterator<Item = &'a mut u64>, cost: u64) {
    let mut left = cost;
    for part in parts {
        *part = left.min(*part);
        left -= *part;
    }
}

fn excess(at: Moment, request: usize, by: u64) -> Option<Excess> {
    (by > 0).then_some(Excess { at, request, by })
}

/// By how much a sum is above what is allowed.
fn above(sum: u64, requests: u64) -> u64 {
    sum.saturating_sub(requests)
}

/// Judges what happened to one key of a limit: all of it, in any order.
pub fn judge(kind: &Kind, clocks: Clocks, debt: u64, marks: &mut [(Moment, Mark)]) -> Option<Excess> {
    // At the same millisecond, what gives room comes first, and what goes on was admitted before.
    let order = |mark: &Mark| match mark {
        Mark::Admitted { .. } | Mark::Taken { .. } => 1,
        Mark::Passed { .. } => 2,
        _ => 0,
    };
    marks.sort_by_key(|(at, mark)| (*at, order(mark)));
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
