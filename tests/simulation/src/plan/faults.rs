//! What goes wrong, and when.

use super::{Kind, Plan};
use crate::clock::{MAX_STEP_BACK, Moment};
use crate::random::Random;

/// One failure, or one act of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The object loses its memory and what was not stored yet.
    Restart,
    /// Another instance of the object starts while the last one still runs.
    Supersede,
    /// The object's alarm: it forgets what no longer matters, and deletes old rows.
    Prune,
    /// The isolate is gone with all it held; a new one takes its place.
    Kill {
        /// Which.
        isolate: usize,
    },
    /// No message from or to the isolate arrives.
    Partition {
        /// Which.
        isolate: usize,
        /// How long, in milliseconds.
        millis: u64,
    },
    /// The object answers nobody.
    Outage {
        /// How long, in milliseconds.
        millis: u64,
    },
    /// The platform says that the object is overloaded.
    Overload {
        /// How long, in milliseconds.
        millis: u64,
    },
    /// The clock of an isolate is set.
    Step {
        /// Whose.
        isolate: usize,
        /// By how many milliseconds.
        by: i64,
    },
    /// A new configuration is deployed: isolates take it up one after the other.
    Change {
        /// Which limit.
        limit: usize,
        /// Its new numbers.
        kind: Kind,
        /// How long it takes, in milliseconds.
        millis: u64,
    },
    /// An operator resets a key.
    Reset {
        /// Of which limit.
        limit: usize,
        /// Which key.
        key: usize,
    },
}

pub(super) fn draw(random: &mut Random, plan: &Plan) -> Vec<(Moment, Fault)> {
    let mut faults = Vec::new();
    let isolates = plan.isolates.len();
    // Each kind of failure happens in some schedules only, or none would be seen alone.
    for kind in 0..10 {
        if !random.permille(250) {
            continue;
        }
        for _ in 0..random.between(1, 4) {
            let at = random.between(0, plan.end);
            if let Some(fault) = fault(random, plan, kind, isolates) {
                faults.push((at, fault));
            }
        }
    }
    // One change a schedule: two at once have no simple definition of what may pass.
    let mut changed = false;
    faults.retain(|(_, fault)| !matches!(fault, Fault::Change { .. }) || !std::mem::replace(&mut changed, true));
    // And one step back an isolate: the guard is for one in the life of a lease.
    let mut set_back = Vec::new();
    faults.retain(|(_, fault)| match fault {
        Fault::Step { isolate, by } if *by < 0 => {
            let first = !set_back.contains(isolate);
            set_back.push(*isolate);
            first
        }
        _ => true,
    });
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn fault(random: &mut Random, plan: &Plan, kind: usize, isolates: usize) -> Option<Fault> {
    let isolate = random.below(isolates);
    let limit = random.below(plan.limits.len());
    let millis = random.scaled(100, 15_000);
    Some(match kind {
        0 => Fault::Restart,
        1 => Fault::Supersede,
        2 => Fault::Prune,
        3 => Fault::Kill { isolate },
        4 => Fault::Partition { isolate, millis },
        5 => Fault::Outage { millis },
        6 => Fault::Overload { millis: millis / 10 + 1 },
        7 => {
            // The guard of 50 ms is for either: a holder that is set back, or objects that disagree.
            let back = if plan.clocks.apart_ms == 0 { MAX_STEP_BACK } else { MAX_STEP_BACK / 2 };
            let forward = random.scaled(1, 100_000);
            let by = if random.permille(500) { i64::try_from(forward).unwrap() } else { -i64::try_from(back).unwrap() };
            Fault::Step { isolate, by }
        }
        8 => Fault::Change { limit, kind: plan.limits[limit].kind.changed(random), millis },
        _ => Fault::Reset { limit, key: random.below(plan.limits[limit].keys.len()) },
    })
}
