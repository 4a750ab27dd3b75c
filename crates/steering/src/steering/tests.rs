use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The pools of the examples, by position.
const NAMES: [&str; 6] = ["us", "eu", "ap", "lab", "far", "spare"];

fn pools(names: &str) -> Vec<PoolIndex> {
    let index = |name: &str| PoolIndex(NAMES.iter().position(|listed| *listed == name).unwrap());
    names.split_whitespace().map(index).collect()
}

fn list(names: &str) -> PoolList {
    PoolList::new(pools(names)).unwrap()
}

fn steering(policy: Policy) -> Steering {
    Steering {
        policy,
        default_pools: list("us eu"),
        fallback_pool: Some(pools("spare")[0]),
        region_pools: [(Region::Weu, list("eu far")), (Region::Neas, list("ap"))].into_iter().collect(),
        country_pools: [("DE".parse().unwrap(), list("eu")), ("T1".parse().unwrap(), list("lab"))]
            .into_iter()
            .collect(),
        colo_pools: [("FRA".parse().unwrap(), list("ap eu"))].into_iter().collect(),
    }
}

/// A location from words such as `FRA DE`: a data centre has three letters, a country two.
fn location(words: &str) -> Location {
    let word = |length: usize| words.split(' ').find(|word| word.len() == length).map(str::to_owned);
    Location { colo: word(3), country: word(2), ..Location::default() }
}

#[track_caller]
fn check(policy: Policy, place: &str, route: Option<&str>, expected: &str, because: &str) {
    let route = route.map(pools);
    let order = steering(policy).order(&location(place), route.as_deref(), 0);
    let names: Vec<&str> = order.pools().iter().map(|pool| NAMES[pool.0]).collect();
    assert_eq!((names.join(" ").as_str(), order.because().to_string().as_str()), (expected, because));
}

#[test]
fn the_most_specific_list_comes_first_then_the_default_then_the_fallback_pools() {
    check(Policy::Geo, "FRA DE", None, "ap eu us spare", "colo_pools.FRA");
    check(Policy::Geo, "TXL DE", None, "eu us spare", "country_pools.DE");
    check(Policy::Geo, "CDG FR", None, "eu far us spare", "region_pools.WEU");
    check(Policy::Geo, "NRT JP", None, "ap us eu spare", "region_pools.NEAS");
    check(Policy::Geo, "GRU BR", None, "us eu spare", "default_pools");
}

#[test]
fn letter_case_does_not_matter() {
    check(Policy::Geo, "fra de", None, "ap eu us spare", "colo_pools.FRA");
    check(Policy::Geo, "txl de", None, "eu us spare", "country_pools.DE");
}

#[test]
fn an_unknown_place_gets_the_default_pools() {
    check(Policy::Geo, "", None, "us eu spare", "default_pools");
    check(Policy::Geo, "XX", None, "us eu spare", "default_pools");
}

#[test]
fn the_tor_network_can_have_a_list_of_its_own() {
    check(Policy::Geo, "CDG T1", None, "lab us eu spare", "country_pools.T1");
}

#[test]
fn a_state_decides_the_region() {
    let mut steering = steering(Policy::Geo);
    steering.region_pools.insert(Region::Wnam, list("lab"));
    let client = |state: &str| Location {
        country: Some("US".to_owned()),
        region_code: Some(state.to_owned()),
        ..Location::default()
    };
    assert_eq!(steering.order(&client("CA"), None, 0).because(), Because::Region(Region::Wnam));
    assert_eq!(steering.order(&client("NY"), None, 0).because(), Because::Default);
}

#[test]
fn a_routes_list_limits_and_completes_the_order() {
    check(Policy::Geo, "NRT JP", Some("us"), "us", "default_pools");
    check(Policy::Geo, "TXL DE", Some("us eu"), "eu us", "country_pools.DE");
    check(Policy::Geo, "TXL DE", Some("lab ap eu"), "eu lab ap", "country_pools.DE");
    check(Policy::Geo, "TXL DE", Some("lab ap"), "lab ap", "route");
    check(Policy::Geo, "TXL DE", Some("lab lab"), "lab", "route");
}

#[test]
fn the_fallback_pool_is_the_last_resort_also_of_a_route() {
    check(Policy::Geo, "TXL DE", Some("spare lab"), "lab spare", "route");
    check(Policy::Geo, "TXL DE", Some("spare"), "spare", "fallback_pool");
    check(Policy::Off, "TXL DE", Some("lab spare"), "lab spare", "route");
}

#[test]
fn a_list_without_an_allowed_pool_gives_way_to_a_less_specific_one() {
    check(Policy::Geo, "FRA DE", Some("us eu"), "eu us", "colo_pools.FRA");
    check(Policy::Geo, "FRA DE", Some("us far"), "far us", "region_pools.WEU");
    check(Policy::Geo, "FRA DE", Some("us"), "us", "default_pools");
    check(Policy::Geo, "NRT DE", Some("lab us eu"), "eu us lab", "country_pools.DE");
    check(Policy::Geo, "FRA JP", Some("us"), "us", "default_pools");
    let mut steering = steering(Policy::Geo);
    steering.colo_pools.insert("TXL".parse().unwrap(), list("lab"));
    let order = steering.order(&location("TXL DE"), Some(&pools("us eu")), 0);
    assert_eq!((order.pools(), order.because().to_string().as_str()), (&pools("eu us")[..], "country_pools.DE"));
}

#[test]
fn steering_that_is_off_keeps_the_listed_order() {
    check(Policy::Off, "FRA DE", None, "us eu spare", "listed order");
    check(Policy::Off, "FRA DE", Some("eu ap us"), "eu ap us", "route");
}

#[test]
fn chance_gives_every_order_and_keeps_the_fallback_pool_last() {
    let steering = steering(Policy::Random);
    let mut firsts = [0_u32; 2];
    for random in 0..10_000 {
        let order = steering.order(&location("FRA DE"), None, random);
        assert_eq!(order.because(), Because::Random);
        assert_eq!(order.pools()[2], pools("spare")[0]);
        firsts[order.pools()[0].0] += 1;
    }
    assert!(firsts[0].abs_diff(firsts[1]) < 500, "{firsts:?}");
    let route = pools("lab ap");
    let order = steering.order(&location("FRA DE"), Some(&route), 1);
    assert_eq!(order.pools().iter().collect::<BTreeSet<_>>(), route.iter().collect());
}

#[test]
fn a_route_without_pools_has_no_order() {
    for policy in [Policy::Off, Policy::Geo, Policy::Random] {
        check(policy, "FRA DE", Some(""), "", "route");
    }
}

#[test]
fn a_list_needs_pools_and_each_once() {
    assert_eq!(PoolList::new(vec![]), Err(InvalidPoolList::Empty));
    assert_eq!(PoolList::new(pools("us eu us")), Err(InvalidPoolList::Twice(pools("us")[0])));
    assert_eq!(PoolList::new(pools("eu us")).unwrap().pools(), pools("eu us"));
}

fn any_list() -> impl Strategy<Value = PoolList> {
    let pools = prop::sample::subsequence((0..8).map(PoolIndex).collect::<Vec<_>>(), 1..8).prop_shuffle();
    pools.prop_map(|pools| PoolList::new(pools).unwrap())
}

fn any_steering() -> impl Strategy<Value = Steering> {
    let policy = prop::sample::select(vec![Policy::Off, Policy::Geo, Policy::Random]);
    let fallback = prop::option::of((0_usize..8).prop_map(PoolIndex));
    let lists = [(); 3].map(|()| prop::option::of(any_list()));
    (policy, any_list(), fallback, lists).prop_map(|(policy, default_pools, fallback_pool, [region, country, colo])| {
        Steering {
            policy,
            default_pools,
            fallback_pool,
            region_pools: region.map(|list| (Region::Weu, list)).into_iter().collect(),
            country_pools: country.map(|list| ("DE".parse().unwrap(), list)).into_iter().collect(),
            colo_pools: colo.map(|list| ("FRA".parse().unwrap(), list)).into_iter().collect(),
        }
    })
}

proptest! {
    #[test]
    fn no_pool_is_there_twice(
        steering in any_steering(), place in "(FRA|CDG) (DE|FR|JP)", route in prop::option::of(any_list()), random: u64,
    ) {
        let order = steering.order(&location(&place), route.as_ref().map(PoolList::pools), random);
        let distinct: BTreeSet<PoolIndex> = order.pools().iter().copied().collect();
        prop_assert_eq!(distinct.len(), order.pools().len());
        prop_assert!(!order.pools().is_empty());
    }

    #[test]
    fn a_route_is_served_by_its_own_pools_and_by_all_of_them(
        steering in any_steering(), place in "(FRA|CDG) (DE|FR|JP)", route in any_list(), random: u64,
    ) {
        let order = steering.order(&location(&place), Some(route.pools()), random);
        let served: BTreeSet<PoolIndex> = order.pools().iter().copied().collect();
        prop_assert_eq!(served, route.pools().iter().copied().collect::<BTreeSet<_>>());
    }

    #[test]
    fn without_a_routes_list_no_pool_is_chosen_that_no_list_names(
        steering in any_steering(), place in "(FRA|CDG) (DE|FR|JP)", random: u64,
    ) {
        let order = steering.order(&location(&place), None, random);
        let named: BTreeSet<PoolIndex> = [&steering.default_pools]
            .into_iter()
            .chain(steering.region_pools.0.iter().map(|(_, list)| list))
            .chain(steering.country_pools.0.iter().map(|(_, list)| list))
            .chain(steering.colo_pools.0.iter().map(|(_, list)| list))
            .flat_map(PoolList::pools)
            .chain(&steering.fallback_pool)
            .copied()
            .collect();
        prop_assert!(order.pools().iter().all(|pool| named.contains(pool)));
        prop_assert!(steering.default_pools.pools().iter().all(|pool| order.pools().contains(pool)));
        prop_assert!(steering.fallback_pool.iter().all(|pool| order.pools().contains(pool)));
    }

    #[test]
    fn the_reason_names_the_list_that_the_first_pool_is_in(
        steering in any_steering(), place in "(FRA|CDG) (DE|FR|JP)", route in prop::option::of(any_list()), random: u64,
    ) {
        let allowed = route.as_ref().map(PoolList::pools);
        let order = steering.order(&location(&place), allowed, random);
        let list: Vec<PoolIndex> = match order.because() {
            Because::Colo(colo) => steering.colo_pools.get(&colo).unwrap().pools().to_vec(),
            Because::Country(country) => steering.country_pools.get(&country).unwrap().pools().to_vec(),
            Because::Region(region) => steering.region_pools.get(&region).unwrap().pools().to_vec(),
            Because::Default | Because::Listed => steering.default_pools.pools().to_vec(),
            Because::Fallback => steering.fallback_pool.into_iter().collect(),
            Because::Route => allowed.unwrap().to_vec(),
            Because::Random => allowed.unwrap_or(steering.default_pools.pools()).to_vec(),
        };
        prop_assert!(list.contains(&order.pools()[0]));
    }
}
