#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::location::Location;
use crate::origin::Origin;
use crate::pool::Balance;
use crate::steering::{PlaceTable, Policy, PoolList, Steering};

/// Pools of these many origins.
fn fleet(sizes: &[usize]) -> Vec<Pool> {
    let origins = |size: usize| {
        (0..size).map(|index| Origin::new(format!("o{index}"), "https://origin.example", 1).unwrap()).collect()
    };
    let pool =
        |(index, size): (usize, &usize)| Pool::new(format!("p{index}"), Balance::RoundRobin, origins(*size)).unwrap();
    sizes.iter().enumerate().map(pool).collect()
}

fn order(pools: &[usize]) -> PoolOrder {
    let steering = Steering {
        policy: Policy::Off,
        default_pools: PoolList::new(pools.iter().copied().map(PoolIndex).collect()).unwrap(),
        fallback_pool: None,
        region_pools: PlaceTable::default(),
        country_pools: PlaceTable::default(),
        colo_pools: PlaceTable::default(),
    };
    steering.order(&Location::default(), None, 0)
}

/// All the choices of a request to which every origin gives the same outcome.
fn choices(pools: &[Pool], order: &[usize], retries: Retries, outcome: Outcome, random: u64) -> Vec<Choice> {
    let mut rotations = Rotations::new(pools, random);
    let mut fleet = Fleet { pools, rotations: &mut rotations };
    let Some(mut attempts) = Attempts::begin(self::order(order), retries, None, random, &mut fleet) else {
        return Vec::new();
    };
    let mut choices = vec![attempts.choice()];
    while let Next::Retry(choice) = attempts.after(outcome, &mut fleet) {
        assert_eq!(attempts.choice(), choice);
        choices.push(choice);
        assert_eq!(usize::from(attempts.made()), choices.len());
    }
    choices
}

/// The pools that a failing request visits, in order.
#[track_caller]
fn check(sizes: &[usize], order: &[usize], retries: u8, expected: &[usize]) {
    let choices = choices(&fleet(sizes), order, Retries(retries), Outcome::Failed, 1);
    let pools: Vec<usize> = choices.iter().map(|choice| choice.pool.0).collect();
    assert_eq!(pools, expected);
}

#[track_caller]
fn check_method(method: &str, body: Body, granted: u8) {
    assert_eq!(Retries::granted(3, method, body), Retries(granted), "{method}");
}

#[test]
fn idempotent_methods_without_a_body_may_be_sent_again() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        check_method(method, Body::Absent, 3);
        check_method(method, Body::Present, 0);
    }
}

#[test]
fn any_other_method_is_sent_once() {
    for method in ["POST", "PATCH", "CONNECT", "get", "Get", "GETS", "PURGE", ""] {
        check_method(method, Body::Absent, 0);
        check_method(method, Body::Present, 0);
    }
}

#[test]
fn no_retries_means_one_attempt() {
    assert_eq!(Retries::granted(0, "GET", Body::Absent), Retries(0));
    check(&[2, 2], &[0, 1], 0, &[0]);
}

#[test]
fn an_origin_that_cannot_answer_is_worth_a_retry_and_an_answer_is_not() {
    assert!(Outcome::TimedOut.is_retryable());
    assert!(Outcome::Failed.is_retryable());
    let retryable: Vec<u16> = (100..=599).filter(|status| Outcome::Status(*status).is_retryable()).collect();
    assert_eq!(retryable, [502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530]);
}

#[test]
fn an_answer_ends_the_attempts() {
    for status in [101, 200, 304, 404, 429, 500, 501, 505] {
        let choices = choices(&fleet(&[2]), &[0], Retries(3), Outcome::Status(status), 1);
        assert_eq!(choices.len(), 1, "{status}");
    }
    assert_eq!(choices(&fleet(&[2]), &[0], Retries(3), Outcome::Status(503), 1).len(), 2);
    assert_eq!(choices(&fleet(&[2]), &[0], Retries(3), Outcome::TimedOut, 1).len(), 2);
}

#[test]
fn a_success_after_a_failure_ends_the_attempts() {
    let pools = fleet(&[3]);
    let mut rotations = Rotations::new(&pools, 0);
    let mut fleet = Fleet { pools: &pools, rotations: &mut rotations };
    let mut attempts = Attempts::begin(order(&[0]), Retries(2), None, 0, &mut fleet).unwrap();
    assert!(matches!(attempts.after(Outcome::Failed, &mut fleet), Next::Retry(_)));
    assert_eq!(attempts.after(Outcome::Status(200), &mut fleet), Next::Done);
    assert_eq!(attempts.made(), 2);
}

#[test]
fn the_same_pool_is_used_up_before_the_next() {
    check(&[2, 2], &[0, 1], 9, &[0, 0, 1, 1]);
    check(&[2, 2], &[1, 0], 9, &[1, 1, 0, 0]);
    check(&[1, 3, 1], &[2, 1, 0], 9, &[2, 1, 1, 1, 0]);
}

#[test]
fn a_client_of_ip_hash_moves_to_its_next_best_origin() {
    let origins = (0..5).map(|index| Origin::new(format!("o{index}"), "https://a", 1).unwrap()).collect();
    let pools = [Pool::new("p".to_owned(), Balance::IpHash, origins).unwrap()];
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"] {
        let client = Some(ClientKey::of_address(address));
        let mut rotations = Rotations::new(&pools, 0);
        let expected = pools[0].order(rotations.of(PoolIndex(0)).unwrap(), client, 0);
        let mut fleet = Fleet { pools: &pools, rotations: &mut rotations };
        let mut attempts = Attempts::begin(order(&[0]), Retries(9), client, 1, &mut fleet).unwrap();
        let mut tried = vec![attempts.choice().origin];
        while let Next::Retry(choice) = attempts.after(Outcome::TimedOut, &mut fleet) {
            tried.push(choice.origin);
        }
        assert_eq!(tried, expected, "{address}");
    }
}

#[test]
fn a_pool_outside_of_the_order_is_never_tried() {
    check(&[2, 2, 2], &[1], 9, &[1, 1]);
}

#[test]
fn the_only_origin_is_not_tried_again() {
    check(&[1], &[0], 9, &[0]);
}

#[test]
fn a_pool_that_does_not_exist_is_skipped() {
    check(&[2], &[7, 0, 8], 9, &[0, 0]);
    check(&[2], &[7], 9, &[]);
}

#[test]
fn the_first_pool_takes_a_turn_and_the_next_only_when_it_is_reached() {
    let pools = fleet(&[2, 2]);
    let mut rotations = Rotations::new(&pools, 5);
    let mut firsts = Vec::new();
    for outcome in [Outcome::Status(200), Outcome::Failed, Outcome::Failed] {
        let mut fleet = Fleet { pools: &pools, rotations: &mut rotations };
        let mut attempts = Attempts::begin(order(&[0, 1]), Retries(2), None, 5, &mut fleet).unwrap();
        let first = attempts.choice();
        while attempts.after(outcome, &mut fleet) != Next::Done {}
        firsts.push((first.origin, attempts.choice()));
    }
    assert_ne!(firsts[0].0, firsts[1].0);
    assert_eq!(firsts[0].1.pool, PoolIndex(0));
    // Two failures, two turns of the second pool.
    assert_eq!((firsts[1].1.pool, firsts[2].1.pool), (PoolIndex(1), PoolIndex(1)));
    assert_ne!(firsts[1].1.origin, firsts[2].1.origin);
}

#[test]
fn the_choices_of_two_pools_are_not_correlated() {
    let by_chance = |name: &str| {
        let origins = (0..4).map(|index| Origin::new(format!("o{index}"), "https://a", 1).unwrap()).collect();
        Pool::new(name.to_owned(), Balance::Random, origins).unwrap()
    };
    let pools = [by_chance("a"), by_chance("b")];
    let same = (0..20_000)
        .filter(|random| {
            let choices = choices(&pools, &[0, 1], Retries(9), Outcome::Failed, *random);
            choices[0].origin == choices[4].origin
        })
        .count();
    assert!(same.abs_diff(5_000) < 310, "{same}");
}

proptest! {
    #[test]
    fn each_origin_is_tried_at_most_once_in_the_order_of_the_pools(
        sizes in prop::collection::vec(1_usize..5, 1..5), retries in 0_u8..20, random: u64,
        visited in prop::sample::subsequence(vec![0, 1, 2, 3], 1..=4).prop_shuffle(),
    ) {
        let visited: Vec<usize> = visited.into_iter().filter(|pool| *pool < sizes.len()).collect();
        prop_assume!(!visited.is_empty());
        let pools = fleet(&sizes);
        let tried = choices(&pools, &visited, Retries(retries), Outcome::Failed, random);

        let distinct: BTreeSet<Choice> = tried.iter().copied().collect();
        prop_assert_eq!(distinct.len(), tried.len());
        prop_assert!(tried.iter().all(|choice| pools[choice.pool.0].origin(choice.origin).is_some()));
        let origins: usize = visited.iter().map(|pool| sizes[*pool]).sum();
        prop_assert_eq!(tried.len(), origins.min(usize::from(retries) + 1));
        let expected: Vec<usize> =
            visited.iter().flat_map(|pool| std::iter::repeat_n(*pool, sizes[*pool])).take(tried.len()).collect();
        prop_assert_eq!(tried.iter().map(|choice| choice.pool.0).collect::<Vec<_>>(), expected);
        prop_assert_eq!(tried, choices(&pools, &visited, Retries(retries), Outcome::Failed, random));
    }
}
