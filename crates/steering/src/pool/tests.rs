#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

const BALANCES: [Balance; 4] = [Balance::RoundRobin, Balance::Weighted, Balance::Random, Balance::IpHash];

fn origin(name: &str, weight: u32) -> Origin {
    Origin::new(name.to_owned(), "https://origin.example", weight).unwrap()
}

/// A pool of origins `o0`, `o1`, … with these weights.
fn pool(balance: Balance, weights: &[u32]) -> Pool {
    let origins = weights.iter().enumerate().map(|(index, weight)| origin(&format!("o{index}"), *weight)).collect();
    Pool::new("pool".to_owned(), balance, origins).unwrap()
}

fn client(number: u32) -> Option<ClientKey> {
    Some(ClientKey::of_address(&std::net::Ipv4Addr::from(number).to_string()))
}

/// How often each origin is the first choice of these many requests to one isolate.
fn turns(pool: &Pool, rotation: &mut Rotation, requests: u64) -> Vec<u64> {
    let mut counts = vec![0; pool.origins().len()];
    for random in 0..requests {
        counts[pool.first(rotation, None, random).0] += 1;
    }
    counts
}

/// Fails if a count is more than five standard deviations from its share of independent draws.
#[track_caller]
fn check_shares(counts: &[u64], weights: &[u32]) {
    let total: u64 = counts.iter().sum();
    let weight: u32 = weights.iter().sum();
    for (count, of) in counts.iter().zip(weights) {
        let share = f64::from(*of) / f64::from(weight);
        let bound = 5.0 * (total as f64 * share * (1.0 - share)).sqrt();
        assert!((*count as f64 - total as f64 * share).abs() <= bound, "{counts:?} for {weights:?}");
    }
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(1_u32..20, 1..8)
}

fn balance() -> impl Strategy<Value = Balance> {
    prop::sample::select(BALANCES.to_vec())
}

proptest! {
    #[test]
    fn every_order_has_each_origin_once(
        balance in balance(), weights in weights(), random: u64, phase: u64, number in prop::option::of(any::<u32>()),
    ) {
        let pool = pool(balance, &weights);
        let mut order = pool.order(&mut Rotation::new(&pool, phase), number.and_then(client), random);
        order.sort();
        prop_assert_eq!(order, (0..weights.len()).map(OriginIndex).collect::<Vec<_>>());
    }

    #[test]
    fn an_order_depends_on_nothing_but_its_arguments(
        balance in balance(), weights in weights(), random: u64, phase: u64, number in prop::option::of(any::<u32>()),
    ) {
        let pool = pool(balance, &weights);
        let order = || pool.order(&mut Rotation::new(&pool, phase), number.and_then(client), random);
        prop_assert_eq!(order(), order());
    }

    #[test]
    fn round_robin_gives_equal_turns_from_every_phase(weights in weights(), phase: u64, rounds in 1_u64..20) {
        let pool = pool(Balance::RoundRobin, &weights);
        let origins = u64::try_from(weights.len()).unwrap();
        let counts = turns(&pool, &mut Rotation::new(&pool, phase), origins * rounds);
        prop_assert_eq!(counts, vec![rounds; weights.len()]);
    }

    #[test]
    fn weighted_turns_are_exact_over_a_period_from_every_phase(weights in weights(), phase: u64, rounds in 1_u64..4) {
        let pool = pool(Balance::Weighted, &weights);
        let divisor = weights.iter().copied().map(u64::from).fold(0, greatest_common_divisor);
        let counts = turns(&pool, &mut Rotation::new(&pool, phase), period(pool.origins()) * rounds);
        let expected: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) / divisor * rounds).collect();
        prop_assert_eq!(counts, expected);
    }

    #[test]
    fn no_origin_is_ever_a_whole_request_ahead_of_its_share(weights in weights(), phase: u64) {
        let pool = pool(Balance::Weighted, &weights);
        let mut rotation = Rotation::new(&pool, phase);
        let total: i64 = weights.iter().copied().map(i64::from).sum();
        for _ in 0..200 {
            pool.first(&mut rotation, None, 0);
            prop_assert_eq!(rotation.credits.iter().sum::<i64>(), 0);
            prop_assert!(rotation.credits.iter().all(|credit| *credit > -total));
        }
    }

    #[test]
    fn a_client_keeps_its_origin_whatever_the_isolate(
        weights in weights(), number: u32, phases: [u64; 2], randoms: [u64; 2],
    ) {
        let pool = pool(Balance::IpHash, &weights);
        let order = |isolate: usize| {
            pool.order(&mut Rotation::new(&pool, phases[isolate]), client(number), randoms[isolate])
        };
        prop_assert_eq!(order(0), order(1));
    }

    #[test]
    fn removing_an_origin_moves_only_its_own_clients(weights in weights(), number: u32, removed: prop::sample::Index) {
        let before = pool(Balance::IpHash, &weights);
        let removed = removed.index(weights.len());
        let mut origins = before.origins().to_vec();
        origins.remove(removed);
        prop_assume!(!origins.is_empty());
        let after = Pool::new("pool".to_owned(), Balance::IpHash, origins).unwrap();
        let order = |pool: &Pool| -> Vec<String> {
            let order = pool.order(&mut Rotation::new(pool, 0), client(number), 0);
            order.into_iter().map(|index| pool.origin(index).unwrap().name().to_owned()).collect()
        };
        // The whole order stays, without the removed origin: its clients go where they would after a failure.
        let mut expected = order(&before);
        expected.retain(|name| *name != before.origins()[removed].name());
        prop_assert_eq!(order(&after), expected);
    }
}

#[test]
fn isolates_that_live_for_one_request_share_it_equally() {
    for balance in [Balance::RoundRobin, Balance::Random] {
        let pool = pool(balance, &[1; 5]);
        let mut counts = [0; 5];
        for isolate in 0..20_000_u64 {
            let mut rotation = Rotation::new(&pool, isolate);
            counts[pool.first(&mut rotation, None, isolate).0] += 1;
        }
        check_shares(&counts, &[1; 5]);
    }
}

#[test]
fn isolates_that_live_for_one_request_share_it_by_weight() {
    let weights = [7, 1, 2];
    let pool = pool(Balance::Weighted, &weights);
    let mut counts = [0; 3];
    for isolate in 0..20_000 {
        counts[pool.first(&mut Rotation::new(&pool, isolate), None, 0).0] += 1;
    }
    check_shares(&counts, &weights);
}

#[test]
fn pools_of_one_isolate_begin_at_turns_of_their_own() {
    let pools = [pool(Balance::RoundRobin, &[1; 4]), pool(Balance::RoundRobin, &[1; 4])];
    let mut together = [0; 2];
    for isolate in 0..20_000 {
        let mut rotations = Rotations::new(&pools, isolate);
        let first: Vec<OriginIndex> =
            (0..2).map(|index| pools[index].first(rotations.of(PoolIndex(index)).unwrap(), None, 0)).collect();
        together[usize::from(first[0] == first[1])] += 1;
    }
    check_shares(&together, &[3, 1]);
}

#[test]
fn weighted_turns_are_spread_evenly() {
    let pool = pool(Balance::Weighted, &[5, 1, 1]);
    let mut rotation = Rotation { next: 0, credits: Vec::new() };
    let turns: Vec<usize> = (0..7).map(|_| pool.first(&mut rotation, None, 0).0).collect();
    // The example that came with the algorithm in nginx 1.3.1: a a b a c a a.
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn the_phase_of_the_largest_weights_is_drawn_in_bounded_time() {
    let pool = pool(Balance::Weighted, &[u32::MAX, u32::MAX - 1, 1]);
    for random in 0..20 {
        let mut rotation = Rotation::new(&pool, random);
        let counts = turns(&pool, &mut rotation, 1000);
        assert!(counts[0].abs_diff(counts[1]) <= 2, "{counts:?}");
    }
}

#[test]
fn a_period_is_the_sum_of_the_reduced_weights() {
    for (weights, expected) in [(&[1, 1][..], 2), (&[2, 4], 3), (&[5, 1, 1], 7), (&[6, 9, 15], 10), (&[4], 1)] {
        assert_eq!(period(pool(Balance::Weighted, weights).origins()), expected, "{weights:?}");
    }
}

#[test]
fn chance_follows_the_weights() {
    let weights = [1, 2, 5];
    let pool = pool(Balance::Random, &weights);
    check_shares(&turns(&pool, &mut Rotation::new(&pool, 0), 40_000), &weights);
}

#[test]
fn clients_are_divided_by_weight() {
    let weights = [1, 2, 5];
    let pool = pool(Balance::IpHash, &weights);
    let mut counts = [0; 3];
    for number in 0..40_000 {
        counts[pool.first(&mut Rotation::new(&pool, 0), client(number), 0).0] += 1;
    }
    check_shares(&counts, &weights);
}

#[test]
fn removing_one_of_n_origins_moves_its_share_of_the_clients() {
    for origins in [2, 3, 5, 10] {
        let before = pool(Balance::IpHash, &vec![1; origins]);
        let after = pool(Balance::IpHash, &vec![1; origins - 1]);
        let first = |pool: &Pool, number| pool.first(&mut Rotation::new(pool, 0), client(number), 0);
        let moved = (0..20_000).filter(|number| first(&before, *number) != first(&after, *number)).count();
        let share = moved as f64 / 20_000.0;
        assert!((share - 1.0 / origins as f64).abs() < 0.02, "{share} of {origins}");
    }
}

#[test]
fn the_order_of_the_list_does_not_matter_to_clients() {
    let names = ["a", "b", "c"];
    let listed = Pool::new("p".to_owned(), Balance::IpHash, names.map(|name| origin(name, 1)).to_vec()).unwrap();
    let reversed: Vec<Origin> = names.into_iter().rev().map(|name| origin(name, 1)).collect();
    let reversed = Pool::new("p".to_owned(), Balance::IpHash, reversed).unwrap();
    for number in 0..500 {
        let one = listed.first(&mut Rotation::new(&listed, 0), client(number), 0);
        let other = reversed.first(&mut Rotation::new(&reversed, 0), client(number), 0);
        assert_eq!(one.0 + other.0, 2, "{number}");
    }
}

#[test]
fn unknown_clients_are_divided_by_chance_and_weight() {
    let weights = [1, 3];
    let pool = pool(Balance::IpHash, &weights);
    check_shares(&turns(&pool, &mut Rotation::new(&pool, 0), 40_000), &weights);
}

#[test]
fn the_requests_of_a_failed_origin_are_spread_over_all_others() {
    for (balance, weights) in [
        (Balance::RoundRobin, [1, 9, 9, 9]),
        (Balance::Weighted, [1, 1, 2, 5]),
        (Balance::Random, [1, 1, 2, 5]),
        (Balance::IpHash, [1, 1, 2, 5]),
    ] {
        let pool = pool(balance, &weights);
        let mut counts = [0; 4];
        let mut requests = 0;
        for number in 0..60_000_u32 {
            let known = if balance == Balance::IpHash { client(number) } else { None };
            // Of clients, those whom the failed origin serves: the others would go to their own first choice.
            if known.is_some() && pool.first(&mut Rotation::new(&pool, 0), known, 0) != OriginIndex(0) {
                continue;
            }
            requests += 1;
            counts[pool.others(OriginIndex(0), known, u64::from(number))[0].0] += 1;
        }
        assert!(requests > 5_000);
        check_shares(&counts[1..], &weights[1..]);
    }
}

#[test]
fn the_second_choice_is_not_correlated_with_the_first() {
    let pool = pool(Balance::Random, &[1; 3]);
    let mut counts = [0; 6];
    for random in 0..60_000 {
        let order = pool.order(&mut Rotation::new(&pool, 0), None, random);
        counts[order[0].0 * 2 + usize::from(order[1].0 > order[2].0)] += 1;
    }
    check_shares(&counts, &[1; 6]);
}

#[test]
fn the_rotation_of_another_pool_does_no_harm() {
    for balance in BALANCES {
        let (small, large) = (pool(balance, &[1, 2]), pool(balance, &[1, 2, 3, 4, 5]));
        let mut rotation = Rotation::new(&large, 4);
        for random in 0..10 {
            assert!(small.first(&mut rotation, None, random).0 < 2);
            assert!(large.first(&mut rotation, None, random).0 < 5);
        }
    }
    assert!(Rotations::new(&[], 0).of(PoolIndex(0)).is_none());
}

#[test]
fn a_pool_needs_a_name_and_origins_of_different_names() {
    let new = |name: &str, origins| Pool::new(name.to_owned(), Balance::Random, origins).map(|_| ());
    assert_eq!(new("p", vec![origin("a", 1), origin("b", 1)]), Ok(()));
    assert_eq!(new("", vec![origin("a", 1)]), Err(InvalidPool::Name));
    assert_eq!(new("p", vec![]), Err(InvalidPool::Empty));
    let twice = InvalidPool::Twice { origin: "a".to_owned() };
    assert_eq!(new("p", vec![origin("a", 1), origin("b", 1), origin("a", 2)]), Err(twice));
}
