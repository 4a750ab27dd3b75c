//! What this isolate fetches for its caches at the moment, so that it does not fetch it twice.
//!
//! No request can wait for another one inside an isolate: the runtime kills it. What is kept here are notes with times, which
//! a request looks at when its own timer rings.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use crate::memory::Memory;

/// The notes of one isolate, by key.
#[derive(Debug, Default)]
pub(crate) struct Flights(
    // So few that keys which collide cost nothing.
    HashMap<String, Flight, BuildHasherDefault<DefaultHasher>>,
);

/// One note.
#[derive(Clone, Copy, Debug)]
struct Flight {
    /// Until when it counts.
    until: Duration,
    /// Whether what came was for nobody else: then everybody fetches.
    passes: bool,
    /// How many fetches have failed one after the other.
    failures: u8,
}

/// What a request is to do about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boarding {
    /// Fetch, for everybody.
    First,
    /// Somebody does, or has just done.
    Taken,
    /// Fetch for yourself: the last response was for nobody else.
    Alone,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Its response is being stored.
    Storing,
    /// It is stored: who finds it untrue already, because it was purged meanwhile, fetches anew.
    Stored,
    /// There is none, or it holds what is stored already.
    Nothing,
    /// The origin failed.
    Failed,
    /// Its response is for nobody else, or good for nobody else without another question to the origin.
    Uncacheable,
}

/// Notes how a fetch for a key ended, if this isolate has noted that there is one.
pub fn land(key: Option<&str>, how: Landing, memory: &RefCell<Memory>, now: Duration) {
    if let Some(key) = key {
        memory.borrow_mut().flights.land(key, how, now);
    }
}

impl Flights {
    /// How many keys are noted at once. A key has at most 4 KiB.
    const MAX: usize = 256;

    /// How long a fetch behind a reply that never reports back keeps others away: the platform ends what runs on for that
    /// long after a reply.
    pub(crate) const BEHIND_A_REPLY: Duration = Duration::from_secs(30);

    /// How long after its answer a fetch keeps others away, while its response is stored: a body that is slow is still one
    /// fetch. Its end, or that it breaks off, is reported.
    const STORING: Duration = Duration::from_secs(5);

    /// How long everybody fetches alone after a response that was for nobody else.
    const ALONE: Duration = Duration::from_secs(5);

    /// The same after several fetches have failed one after the other: who waits would wait for each of them.
    const GIVEN_UP: Duration = Duration::from_secs(2);

    /// So many failures in a row are no accident.
    const MAX_FAILURES: u8 = 2;

    /// Notes that a key is being fetched, unless it is already. Who does not report back after `lasts` is taken for dead.
    pub(crate) fn board(&mut self, key: &str, lasts: Duration, now: Duration) -> Boarding {
        let failures = match self.0.get(key) {
            Some(flight) if now < flight.until => {
                return if flight.passes { Boarding::Alone } else { Boarding::Taken };
            }
            Some(flight) => flight.failures,
            None => 0,
        };
        if self.0.len() >= Self::MAX {
            self.0.retain(|_, flight| now < flight.until);
        }
        if self.0.len() >= Self::MAX {
            // What is not noted is not coordinated.
            return Boarding::Alone;
        }
        self.0.insert(key.to_owned(), Flight { until: now.saturating_add(lasts), passes: false, failures });
        Boarding::First
    }

    /// Notes how a fetch ended.
    pub(crate) fn land(&mut self, key: &str, how: Landing, now: Duration) {
        let Some(flight) = self.0.get_mut(key) else { return };
        let failures = flight.failures.saturating_add(1);
        let (passes, lasts, failures) = match how {
            Landing::Stored if flight.passes => return,
            Landing::Storing => (false, Self::STORING, 0),
            Landing::Uncacheable => (true, Self::ALONE, 0),
            Landing::Failed if failures >= Self::MAX_FAILURES => (true, Self::GIVEN_UP, 0),
            Landing::Failed => (false, Duration::ZERO, failures),
            Landing::Stored | Landing::Nothing => (false, Duration::ZERO, 0),
        };
        *flight = Flight { until: now.saturating_add(lasts), passes, failures };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(5);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(1_000_000_u64.saturating_add(milliseconds))
    }

    #[track_caller]
    fn check(how: Option<Landing>, boarding: &[(u64, Boarding)]) {
        for (now, expected) in boarding {
            let mut flights = Flights::default();
            assert_eq!(flights.board("key", LASTS, at(0)), Boarding::First);
            if let Some(how) = how {
                flights.land("key", how, at(100));
            }
            assert_eq!(flights.board("key", LASTS, at(*now)), *expected, "{how:?} at {now} ms");
            assert_eq!(flights.board("other", LASTS, at(*now)), Boarding::First);
        }
    }

    #[test]
    fn one_fetches_and_one_that_never_reports_is_taken_for_dead() {
        check(None, &[(0, Boarding::Taken), (4_999, Boarding::Taken), (5_000, Boarding::First)]);
    }

    #[test]
    fn while_a_response_is_stored_nobody_fetches_it_again() {
        check(Some(Landing::Storing), &[(100, Boarding::Taken), (5_099, Boarding::Taken), (5_100, Boarding::First)]);
    }

    #[test]
    fn after_a_response_for_nobody_else_everybody_fetches_alone() {
        let alone = Boarding::Alone;
        check(Some(Landing::Uncacheable), &[(100, alone), (5_099, alone), (5_100, Boarding::First)]);
    }

    #[test]
    fn what_is_stored_keeps_nobody_from_fetching_and_sends_nobody_to_wait() {
        for (how, then) in [(Landing::Storing, Boarding::First), (Landing::Uncacheable, Boarding::Alone)] {
            let mut flights = Flights::default();
            flights.board("key", LASTS, at(0));
            flights.land("key", how, at(100));
            flights.land("key", Landing::Stored, at(110));
            assert_eq!(flights.board("key", LASTS, at(120)), then, "{how:?}");
        }
    }

    #[test]
    fn after_nothing_the_next_one_fetches() {
        check(Some(Landing::Nothing), &[(100, Boarding::First)]);
    }

    #[test]
    fn after_two_failures_in_a_row_everybody_fetches_alone() {
        let mut flights = Flights::default();
        for (now, how, then) in [
            (0, Landing::Failed, Boarding::First),
            (1, Landing::Storing, Boarding::Taken),
            (1_000, Landing::Failed, Boarding::First),
            (2_000, Landing::Failed, Boarding::Alone),
            (5_000, Landing::Failed, Boarding::First),
        ] {
            flights.board("key", LASTS, at(now));
            flights.land("key", how, at(now));
            assert_eq!(flights.board("key", LASTS, at(now)), then, "{how:?} at {now} ms");
        }
        flights.land("key", Landing::Failed, at(5_000));
        assert_eq!(flights.board("key", LASTS, at(6_999)), Boarding::Alone);
        assert_eq!(flights.board("key", LASTS, at(7_000)), Boarding::First);
    }

    #[test]
    fn what_is_not_noted_is_not_coordinated() {
        let mut flights = Flights::default();
        for key in 0..Flights::MAX {
            assert_eq!(flights.board(&key.to_string(), LASTS, at(0)), Boarding::First);
        }
        assert_eq!(flights.board("one more", LASTS, at(4_999)), Boarding::Alone);
        assert_eq!(flights.board("one more", LASTS, at(5_000)), Boarding::First);
    }
}
