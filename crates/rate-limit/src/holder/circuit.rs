//! Which objects are not worth a question at the moment.

use super::Failure;
use crate::map::Map;

const SECOND: u64 = 1_000_000_000;
/// So many failures in a row, and the object is left alone for a while; then one question tries.
const FAILURES: u32 = 5;
const PAUSE: u64 = 2 * SECOND;
/// What failed so long ago says nothing about now.
const FORGOTTEN: u64 = 60 * SECOND;
/// An object that has too much to do is left alone for a random time from half a second up, at most five.
const SHORTEST_BACKOFF: u64 = SECOND / 2;
const LONGEST_BACKOFF: u64 = 5 * SECOND;
/// At most so many objects in trouble are remembered.
const MAX_CIRCUITS: usize = 1_000;

/// The objects that have failed lately.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    circuits: Map<String, Circuit>,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    overloads: u32,
    open_until: u64,
    failed_at: u64,
    /// When the one question was sent that tries whether the object is back.
    probed_at: Option<u64>,
}

impl Circuits {
    /// Returns whether to ask the object now.
    pub(super) fn allows(&mut self, object: &str, now: u64) -> bool {
        if self.circuits.is_empty() {
            return true;
        }
        let Some(circuit) = self.circuits.get_mut(object) else { return true };
        if now < circuit.open_until {
            return false;
        }
        if now > circuit.open_until.max(circuit.failed_at).saturating_add(FORGOTTEN) {
            self.circuits.remove(object);
            return true;
        }
        if circuit.failures < FAILURES {
            return true;
        }
        let waits = circuit.probed_at.is_some_and(|at| now < at.saturating_add(PAUSE));
        if !waits {
            circuit.probed_at = Some(now);
        }
        !waits
    }

    /// Returns for how long the object is left alone.
    pub(super) fn pause(&self, object: &str, now: u64) -> u64 {
        self.circuits.get(object).map_or(0, |circuit| circuit.open_until.saturating_sub(now))
    }

    pub(super) fn succeeded(&mut self, object: &str) {
        if !self.circuits.is_empty() {
            self.circuits.remove(object);
        }
    }

    pub(super) fn failed(&mut self, object: &str, failure: Failure, now: u64, random: u64) {
        if self.circuits.len() >= MAX_CIRCUITS && !self.circuits.contains_key(object) {
            self.circuits.retain(|_, circuit| now < circuit.open_until);
            if self.circuits.len() >= MAX_CIRCUITS {
                let any = self.circuits.keys().next().cloned();
                any.and_then(|any| self.circuits.remove(&any));
            }
        }
        let circuit = self.circuits.entry(object.to_owned()).or_default();
        circuit.probed_at = None;
        circuit.failed_at = now;
        match failure {
            Failure::Unreachable => {
                circuit.failures = circuit.failures.saturating_add(1);
                if circuit.failures >= FAILURES {
                    circuit.open_until = circuit.open_until.max(now.saturating_add(PAUSE));
                }
            }
            Failure::Overloaded => {
                let longest = SHORTEST_BACKOFF.checked_shl(circuit.overloads.min(8).saturating_add(1));
                let longest = longest.unwrap_or(LONGEST_BACKOFF).min(LONGEST_BACKOFF);
                let spread = longest.saturating_sub(SHORTEST_BACKOFF).max(1);
                let backoff = SHORTEST_BACKOFF.saturating_add(random.checked_rem(spread).unwrap_or(0));
                circuit.overloads = circuit.overloads.saturating_add(1);
                circuit.open_until = circuit.open_until.max(now.saturating_add(backoff));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_the_circuit_and_one_question_tries_after_two_seconds() {
        let mut circuits = Circuits::default();
        for at in 0..5 {
            assert!(circuits.allows("o", at));
            circuits.failed("o", Failure::Unreachable, at, 0);
        }
        assert!(!circuits.allows("o", 5));
        assert!(circuits.allows("another", 5));
        assert!(!circuits.allows("o", 4 + PAUSE - 1));
        assert!(circuits.allows("o", 4 + PAUSE));
        assert!(!circuits.allows("o", 4 + PAUSE));
        circuits.failed("o", Failure::Unreachable, 5 + PAUSE, 0);
        assert!(!circuits.allows("o", 5 + PAUSE));
        assert!(circuits.allows("o", 5 + 2 * PAUSE));
        circuits.succeeded("o");
        assert!(circuits.allows("o", 5 + 2 * PAUSE) && circuits.allows("o", 5 + 2 * PAUSE));
    }

    #[test]
    fn a_failure_of_a_minute_ago_says_nothing_about_now() {
        let mut circuits = Circuits::default();
        (0..5).for_each(|at| circuits.failed("o", Failure::Unreachable, at, 0));
        let later = 4 + PAUSE + FORGOTTEN + 1;
        assert!(circuits.allows("o", later) && circuits.allows("o", later));
    }

    #[test]
    fn a_success_starts_the_count_anew() {
        let mut circuits = Circuits::default();
        for at in 0..20 {
            circuits.failed("o", Failure::Unreachable, at, 0);
            if at % 4 == 3 {
                circuits.succeeded("o");
            }
            assert!(circuits.allows("o", at));
        }
    }

    #[test]
    fn an_object_that_has_too_much_to_do_is_left_alone_from_half_a_second_to_five() {
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            let mut circuits = Circuits::default();
            for _ in 0..12 {
                circuits.failed("o", Failure::Overloaded, 0, random);
                let pause = circuits.pause("o", 0);
                assert!((SHORTEST_BACKOFF..=LONGEST_BACKOFF).contains(&pause), "{pause}");
                assert!(!circuits.allows("o", pause - 1) && circuits.allows("o", pause));
            }
        }
    }
}
