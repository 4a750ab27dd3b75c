#![allow(clippy::arithmetic_side_effects)]

use super::*;

const SECOND: u64 = 1_000_000_000;
const TIMEOUT: u64 = 10 * SECOND;

const ERA: u64 = 7;

/// The answer to a question that was sent at second 100.
fn brings(sequence: u64, taken: u64) -> Brought<'static> {
    Brought { sequence, sent: 100 * SECOND, era: ERA, taken, loan: None }
}

/// Permits that the first question brought, sent at second 100.
fn granted(count: u64) -> Permits {
    let mut permits = Permits::default();
    permits.report(1, 100 * SECOND);
    permits.receive(&brings(1, count), TIMEOUT, 100 * SECOND);
    permits
}

#[test]
fn a_request_starts_only_if_its_timeout_is_over_before_the_permits_expire() {
    // 12.2 seconds from the object, less a hundredth and 50 ms.
    let last = 100 * SECOND + 2_028_000_000;
    for (now, free) in [(100 * SECOND, 3), (last, 3), (last + 1, 0)] {
        assert_eq!(granted(3).free(TIMEOUT, now), free, "at {now}");
    }
    assert_eq!(granted(3).start(4, TIMEOUT, 100 * SECOND), None);
}

#[test]
fn a_permit_is_free_again_when_its_request_ends_or_its_timeout_is_over() {
    let mut permits = granted(2);
    let first = permits.start(1, TIMEOUT, 100 * SECOND).unwrap();
    let second = permits.start(1, TIMEOUT, 101 * SECOND).unwrap();
    assert_eq!((permits.in_use(101 * SECOND), permits.free(TIMEOUT, 101 * SECOND)), (2, 0));
    permits.finish(first);
    assert_eq!((permits.in_use(101 * SECOND), permits.free(TIMEOUT, 101 * SECOND)), (1, 1));
    assert_eq!(permits.in_use(111 * SECOND - 1), 1);
    assert_eq!(permits.in_use(111 * SECOND), 0);
    // Its end is heard of too late: it has not counted for a while.
    permits.finish(second);
    assert_eq!(permits.in_use(111 * SECOND), 0);
}

/// Uses all permits for a moment, so that the next report gives none of them back, and reports.
fn used_and_reported(permits: &mut Permits, sequence: u64, now: u64) -> Held {
    let started: Vec<_> = std::iter::from_fn(|| permits.start(1, SECOND, now)).collect();
    started.into_iter().for_each(|started| permits.finish(started));
    permits.report(sequence, now)
}

/// A report whose question is answered at once, with nothing.
fn reported(permits: &mut Permits, sequence: u64) -> Held {
    let held = permits.report(sequence, 100 * SECOND);
    permits.close(sequence);
    held
}

#[test]
fn a_report_gives_back_what_was_not_in_use_lately() {
    let mut permits = granted(9);
    let started: Vec<_> = (0..5).filter_map(|_| permits.start(1, TIMEOUT, 100 * SECOND)).collect();
    started.into_iter().for_each(|started| permits.finish(started));
    let capacities = [2, 3, 4].map(|sequence| reported(&mut permits, sequence).capacity);
    assert_eq!(capacities, [5, 5, 0]);
    let mut permits = granted(9);
    let _started = permits.start(2, TIMEOUT, 100 * SECOND).unwrap();
    permits.return_idle();
    assert_eq!(permits.report(2, 100 * SECOND).capacity, 2);
}

#[test]
fn answers_in_any_order_bring_what_they_bring_once() {
    let mut permits = granted(1);
    for sequence in [2, 3, 4] {
        used_and_reported(&mut permits, sequence, 100 * SECOND);
    }
    permits.receive(&brings(4, 1), TIMEOUT, 100 * SECOND);
    permits.receive(&brings(2, 1), TIMEOUT, 100 * SECOND);
    permits.receive(&brings(2, 1), TIMEOUT, 100 * SECOND);
    assert_eq!(permits.free(TIMEOUT, 100 * SECOND), 3);
    let _running = permits.start(3, TIMEOUT, 100 * SECOND).unwrap();
    // The answer to 3 is still waited for: what came after it is not told of.
    let told = [5, 6].map(|sequence| used_and_reported(&mut permits, sequence, 100 * SECOND));
    assert_eq!(told.map(|held| (held.id, held.capacity)), [(2, 2); 2]);
    // It comes too late.
    permits.receive(&brings(3, 1), TIMEOUT, 113 * SECOND);
    assert_eq!(permits.free(TIMEOUT, 113 * SECOND), 0);
}

#[test]
fn whose_answer_is_not_waited_for_brings_nothing() {
    let mut permits = granted(1);
    used_and_reported(&mut permits, 2, 100 * SECOND);
    permits.close_all();
    permits.receive(&brings(2, 1), TIMEOUT, 100 * SECOND);
    assert_eq!((permits.free(TIMEOUT, 100 * SECOND), used_and_reported(&mut permits, 3, 100 * SECOND).id), (1, 2));
    // One that is not answered holds up nobody for ever.
    assert_eq!(permits.report(4, 100 * SECOND).id, 2);
    assert_eq!(permits.report(5, 100 * SECOND + PATIENCE).id, 4);
}

#[test]
fn not_more_answers_are_waited_for_than_there_is_room() {
    let mut permits = Permits::default();
    let many = MAX_OPEN as u64;
    let reports: Vec<_> = (1..=many + 1).map(|sequence| permits.report(sequence, 100 * SECOND)).collect();
    assert!(reports.iter().all(|held| held.id == 0));
    permits.receive(&brings(many, 1), TIMEOUT, 100 * SECOND);
    permits.receive(&brings(many + 1, 1), TIMEOUT, 100 * SECOND);
    assert_eq!(permits.free(TIMEOUT, 100 * SECOND), 1);
}

#[test]
fn an_answer_of_the_instance_that_was_told_extends_what_its_question_has_told() {
    for (era, free) in [(ERA, 2), (ERA + 1, 1)] {
        let mut permits = granted(1);
        used_and_reported(&mut permits, 2, 102 * SECOND);
        let brought = Brought { sent: 102 * SECOND, era, ..brings(2, 1) };
        permits.receive(&brought, TIMEOUT, 102 * SECOND);
        // Here the first one alone is too old for a new request.
        assert_eq!(permits.free(TIMEOUT, 103 * SECOND), free);
    }
}

#[test]
fn a_request_that_goes_on_needs_a_permit_that_lives_as_long() {
    let mut permits = granted(2);
    used_and_reported(&mut permits, 2, 104 * SECOND);
    let brought = Brought { sent: 104 * SECOND, era: ERA + 1, ..brings(2, 1) };
    permits.receive(&brought, TIMEOUT, 104 * SECOND);
    // Two that expire at second 112, and one that expires at second 116.
    assert_eq!(permits.free(TIMEOUT, 102 * SECOND), 3);
    let first = permits.start(1, TIMEOUT, 101 * SECOND).unwrap();
    assert_eq!((permits.free(TIMEOUT, 101 * SECOND), permits.free(TIMEOUT, 105 * SECOND)), (2, 1));
    let second = permits.start(1, TIMEOUT, 105 * SECOND).unwrap();
    assert_eq!((permits.free(TIMEOUT, 105 * SECOND), permits.free(2 * SECOND, 105 * SECOND)), (0, 1));
    permits.finish(first);
    assert_eq!(permits.free(TIMEOUT, 105 * SECOND), 0);
    permits.finish(second);
    assert_eq!(permits.free(TIMEOUT, 105 * SECOND), 1);
}

#[test]
fn what_is_in_progress_counts_though_what_was_lent_is_forgotten() {
    let mut permits = granted(5);
    let running = permits.start(2, TIMEOUT, 100 * SECOND).unwrap();
    permits.drop_lent();
    assert_eq!((permits.free(TIMEOUT, 100 * SECOND), permits.in_use(100 * SECOND)), (0, 2));
    permits.return_idle();
    assert_eq!(permits.report(2, 100 * SECOND).capacity, 2);
    permits.finish(running);
    assert_eq!(permits.in_use(100 * SECOND), 0);
}

#[test]
fn idle_permits_are_returned_when_nothing_starts_any_more() {
    let mut permits = granted(2);
    let running = permits.start(1, TIMEOUT, 100 * SECOND).unwrap();
    assert!(!permits.is_to_return(TIMEOUT, 100 * SECOND + SECOND / 2));
    assert!(permits.is_to_return(TIMEOUT, 101 * SECOND));
    permits.return_idle();
    permits.report(2, 101 * SECOND);
    permits.finish(running);
    assert!(permits.is_to_return(TIMEOUT, 101 * SECOND));
    permits.return_idle();
    permits.report(2, 101 * SECOND);
    assert!(!permits.is_to_return(TIMEOUT, 101 * SECOND));
}

#[test]
fn permits_are_renewed_before_nothing_can_be_started_with_them() {
    let mut permits = granted(2);
    let _running = permits.start(1, TIMEOUT, 100 * SECOND + SECOND / 2).unwrap();
    assert!(!permits.is_to_renew(TIMEOUT, 101 * SECOND));
    assert!(permits.is_to_renew(TIMEOUT, 101 * SECOND + SECOND / 20));
    permits.report(2, 101 * SECOND + SECOND / 20);
    assert!(!permits.is_to_renew(TIMEOUT, 101 * SECOND + SECOND / 10));
}

#[test]
fn what_waits_for_an_answer_is_in_use_until_it_comes() {
    let mut permits = granted(1);
    assert!(permits.try_start(1, TIMEOUT, 100 * SECOND) && !permits.try_start(1, TIMEOUT, 100 * SECOND));
    permits.ask(7);
    assert_eq!((permits.confirm(), permits.in_use(100 * SECOND)), (None, 1));
    permits.answered(6);
    assert_eq!(permits.in_use(100 * SECOND), 1);
    permits.answered(7);
    assert_eq!(permits.in_use(100 * SECOND), 0);
    assert!(permits.try_start(1, TIMEOUT, 101 * SECOND));
    permits.undo();
    assert_eq!(permits.in_use(101 * SECOND), 0);
}
