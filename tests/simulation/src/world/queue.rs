//! What is going to happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use crate::clock::Moment;

/// Something that happens at a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// Requests come.
    Load { at_us: u64, size: u64 },
    /// A question reaches the object.
    Question { call: usize },
    /// The oldest rows of an instance are in storage.
    Stored { instance: u64 },
    /// An answer, or that there is none, reaches the isolate.
    Answer { call: usize, answer: Reply },
    /// The isolate sends a question again.
    Again { call: usize },
    /// The isolate gives up on a question.
    Deadline { call: usize },
    /// The origin's part of a request is over.
    End { request: usize },
    /// Something fails.
    Fault { index: usize },
    /// An isolate takes up a new configuration.
    Adopt { isolate: usize, limit: usize },
    /// Everybody has it, and nothing lent under the old one is live.
    Changed { limit: usize },
}

/// What an isolate gets back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reply {
    /// An answer, and when the object decided it and what its clock showed.
    Answer { bytes: Rc<[u8]>, decided: Moment, shown: u64 },
    /// The object failed.
    Failed,
    /// The platform says that the object is overloaded.
    Overloaded,
}

/// Events by time; those of the same millisecond in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    added: u64,
}

impl Queue {
    pub(super) fn add(&mut self, at: Moment, event: Event) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[index] = Some(event);
        self.heap.push(Reverse((at, self.added, index)));
        self.added += 1;
    }

    pub(super) fn next(&mut self) -> Option<(Moment, Event)> {
        let Reverse((at, _, index)) = self.heap.pop()?;
        self.free.push(index);
        Some((at, self.events[index].take()?))
    }
}
