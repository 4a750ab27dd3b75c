#![allow(clippy::arithmetic_side_effects)]

use super::*;

const SECOND: u64 = 1_000_000_000;
const TIMEOUT: u64 = 10 * SECOND;

/// Permits that the first question brought, sent at second 100.
fn granted(count: u64) -> Permits {
    let mut permits = Permits::default();
    permits.receive(1, count, None, TIMEOUT, 100 * SECOND, 100 * SECOND);
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

#[test]
fn a_report_gives_back_what_was_not_in_use_lately() {
    let mut permits = granted(9);
    let started: Vec<_> = (0..5).filter_map(|_| permits.start(1, TIMEOUT, 100 * SECOND)).collect();
    started.into_iter().for_each(|started| permits.finish(started));
    let capacities = [(); 3].map(|()| permits.report(100 * SECOND).capacity);
    assert_eq!(capacities, [5, 5, 0]);
    let mut permits = granted(9);
    let _started = permits.start(2, TIMEOUT, 100 * SECOND).unwrap();
    permits.return_idle();
    assert_eq!(permits.report(100 * SECOND).capacity, 2);
}

#[test]
fn an_answer_that_the_object_takes_for_lost_brings_nothing() {
    let mut permits = granted(1);
    permits.receive(3, 1, None, TIMEOUT, 100 * SECOND, 100 * SECOND);
    permits.receive(2, 1, None, TIMEOUT, 100 * SECOND, 100 * SECOND);
    assert_eq!(permits.free(TIMEOUT, 100 * SECOND), 3);
    let _running = permits.start(3, TIMEOUT, 100 * SECOND).unwrap();
    assert_eq!(permits.report(100 * SECOND).id, 3);
    permits.receive(2, 1, None, TIMEOUT, 100 * SECOND, 100 * SECOND);
    permits.receive(4, 1, None, TIMEOUT, 100 * SECOND, 113 * SECOND);
    assert_eq!(permits.free(TIMEOUT, 100 * SECOND), 0);
}

#[test]
fn what_is_in_progress_counts_though_what_was_lent_is_forgotten() {
    let mut permits = granted(5);
    let running = permits.start(2, TIMEOUT, 100 * SECOND).unwrap();
    permits.drop_lent();
    assert_eq!((permits.free(TIMEOUT, 100 * SECOND), permits.in_use(100 * SECOND)), (0, 2));
    permits.return_idle();
    assert_eq!(permits.report(100 * SECOND).capacity, 2);
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
    permits.report(101 * SECOND);
    permits.finish(running);
    assert!(permits.is_to_return(TIMEOUT, 101 * SECOND));
    permits.return_idle();
    permits.report(101 * SECOND);
    assert!(!permits.is_to_return(TIMEOUT, 101 * SECOND));
}

#[test]
fn permits_are_renewed_before_nothing_can_be_started_with_them() {
    let mut permits = granted(2);
    let _running = permits.start(1, TIMEOUT, 100 * SECOND + SECOND / 2).unwrap();
    assert!(!permits.is_to_renew(TIMEOUT, 101 * SECOND));
    assert!(permits.is_to_renew(TIMEOUT, 101 * SECOND + SECOND / 20));
    permits.report(101 * SECOND + SECOND / 20);
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
