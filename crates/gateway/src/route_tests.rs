use super::*;
use crate::matching::Pattern;

fn limit(name: &str, key: &[Source]) -> Rc<Limit> {
    let rate = Rate::new(1, Duration::from_secs(1), 1).unwrap();
    Rc::new(Limit { name: name.to_owned(), key: key.to_vec(), rate, when_unreachable: WhenUnreachable::Closed })
}

fn route(path: &str, limits: &[&Rc<Limit>]) -> RouteParts {
    RouteParts {
        name: path.to_owned(),
        matches: RouteMatch::new(None, Pattern::parse(path).unwrap(), [], []).unwrap(),
        auth: Auth::Anyone,
        limits: limits.iter().map(|limit| Rc::clone(limit)).collect(),
        cache: None,
        origin: OriginPolicy { pools: None, timeout: Duration::from_secs(1), retries: 0 },
    }
}

/// Checks the group and the shard of each route's limits.
#[track_caller]
fn check(routes: &[RouteParts], expected: &[(&str, &[Source])]) {
    let groups = Groups::of(routes);
    for (route, (group, shard)) in routes.iter().zip(expected) {
        let name = &route.limits[0].name;
        assert_eq!(groups.group_of[name], *group, "{}", route.name);
        assert_eq!(groups.shards[*group], *shard, "{}", route.name);
    }
}

fn sub() -> Source {
    Source::Claim("sub".to_owned())
}

#[test]
fn a_limit_of_its_own_is_spread_by_its_whole_key() {
    let ip = limit("ip", &[Source::Ip, Source::Route]);
    check(&[route("/a", &[&ip]), route("/b", &[&ip])], &[("ip", &[Source::Ip, Source::Route][..]); 2]);
}

#[test]
fn limits_of_one_route_meet_in_what_they_all_count_by() {
    let (user, burst) = (limit("user", &[sub()]), limit("burst", &[sub(), Source::Route]));
    check(&[route("/a", &[&user, &burst])], &[("burst", &[sub()])]);
}

#[test]
fn limits_with_nothing_in_common_meet_in_one_object() {
    let (user, ip) = (limit("user", &[sub()]), limit("ip", &[Source::Ip]));
    check(&[route("/a", &[&user, &ip])], &[("ip", &[])]);
}

#[test]
fn a_chain_of_routes_joins_all_their_limits_in_any_order() {
    let (a, b, c) = (limit("a", &[Source::Ip, sub()]), limit("b", &[Source::Ip]), limit("c", &[sub(), Source::Ip]));
    let chain = || [route("/ab", &[&a, &b]), route("/bc", &[&b, &c]), route("/c", &[&c])];
    check(&chain(), &[("a", &[Source::Ip][..]); 3]);
    let mut reversed = chain();
    reversed.reverse();
    check(&reversed, &[("a", &[Source::Ip][..]); 3]);
}
