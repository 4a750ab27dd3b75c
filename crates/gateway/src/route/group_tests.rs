use std::time::Duration;

use tidegate_rate_limit::{Accuracy, Allowance, Mode, Rate, WhenUnreachable};

use super::*;
use crate::route::{Cost, Percent};

fn limit(name: &str, key: &[Source]) -> Rc<Limit> {
    limit_by_network(name, key, 64)
}

fn limit_by_network(name: &str, key: &[Source], bits: u8) -> Rc<Limit> {
    Rc::new(Limit {
        name: name.to_owned(),
        key: key.to_vec(),
        ipv6_prefix: Ipv6Prefix::new(bits).unwrap(),
        allowance: Allowance::Rate(Rate::new(1, Duration::from_secs(1), 1).unwrap()),
        overrides: Vec::new(),
        cost: Cost::ONE,
        accuracy: Accuracy::Exact,
        when_unreachable: WhenUnreachable::Closed,
        mode: Mode::Enforce,
        enforce_percent: Percent::ALL,
    })
}

/// Checks the group and the shard of each route's limits.
#[track_caller]
fn check(routes: &[&[&Rc<Limit>]], expected: &[(&str, &[Source])]) {
    let routes: Vec<Vec<Rc<Limit>>> = routes.iter().map(|limits| limits.iter().copied().cloned().collect()).collect();
    let groups = Groups::of(routes.iter().map(Vec::as_slice));
    for (limits, (group, shard)) in routes.iter().zip(expected) {
        let found = groups.resolve(limits.clone()).unwrap();
        assert_eq!((found.group.as_str(), found.shard.as_slice()), (*group, *shard));
    }
}

fn sub() -> Source {
    Source::Claim("sub".to_owned())
}

#[test]
fn a_route_without_limits_has_no_object() {
    assert!(Groups::of([].into_iter()).resolve(Vec::new()).is_none());
}

#[test]
fn a_limit_of_its_own_is_spread_by_its_whole_key() {
    let ip = limit("ip", &[Source::Ip, Source::Route]);
    check(&[&[&ip], &[&ip]], &[("ip", &[Source::Ip, Source::Route][..]); 2]);
}

#[test]
fn limits_of_one_route_meet_in_what_they_all_count_by() {
    let (user, burst) = (limit("user", &[sub()]), limit("burst", &[sub(), Source::Route]));
    check(&[&[&user, &burst]], &[("burst", &[sub()])]);
}

#[test]
fn limits_with_nothing_in_common_meet_in_one_object() {
    let (user, ip) = (limit("user", &[sub()]), limit("ip", &[Source::Ip]));
    check(&[&[&user, &ip]], &[("ip", &[])]);
}

#[test]
fn a_chain_of_routes_joins_all_their_limits_in_any_order() {
    let (a, b, c) = (limit("a", &[Source::Ip, sub()]), limit("b", &[Source::Ip]), limit("c", &[sub(), Source::Ip]));
    check(&[&[&a, &b], &[&b, &c], &[&c]], &[("a", &[Source::Ip][..]); 3]);
    check(&[&[&c], &[&b, &c], &[&a, &b]], &[("a", &[Source::Ip][..]); 3]);
}

#[test]
fn the_object_of_a_network_holds_every_smaller_network_in_it() {
    let (site, host) = (limit_by_network("site", &[Source::Ip], 48), limit_by_network("host", &[Source::Ip], 128));
    for limits in [vec![Rc::clone(&site), Rc::clone(&host)], vec![host, site]] {
        let found = Groups::of([limits.as_slice()].into_iter()).resolve(limits.clone()).unwrap();
        assert_eq!((found.ipv6_prefix.bits(), found.shard), (48, vec![Source::Ip]));
    }
}
