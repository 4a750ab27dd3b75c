use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::reference::{self, Outcome, Request};
use super::*;
use crate::path::tests::model;

fn pattern() -> impl Strategy<Value = String> {
    let literal = model::segment().prop_map(|segment| model::spell_plainly(&[segment]));
    let parameter = Just("/{}".to_owned());
    let segments = prop::collection::vec(prop_oneof![3 => literal, 1 => parameter], 0..4);
    (segments, prop::bool::weighted(0.3)).prop_map(|(mut segments, rest)| {
        if rest {
            segments.push("/{*rest}".to_owned());
        }
        let numbered =
            segments.iter().enumerate().map(|(number, segment)| segment.replace("{}", &format!("{{p{number}}}")));
        let text: String = numbered.collect();
        // Brings the literals into normal form.
        match Pattern::parse(if text.is_empty() { "/" } else { &text }) {
            Err(InvalidPattern::NotNormal { normal }) => normal,
            _ if text.is_empty() => "/".to_owned(),
            _ => text,
        }
    })
}

fn conditions() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map(select(vec!["x", "y", "z"]), select(vec!["1", "2"]), 0..3).prop_map(|conditions| {
        conditions.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    })
}

fn a_route() -> impl Strategy<Value = RouteMatch> {
    let host = select(vec!["", "", "a.test", "*.test", "*.b.test", "a.b.test"]);
    let methods = subsequence(vec!["GET", "HEAD", "POST", "OPTIONS", "TRACE"], 0..3);
    (host, pattern(), methods, conditions()).prop_map(|(host, path, methods, headers)| {
        let host = HostPattern::parse(host).ok();
        let path = Pattern::parse(&path).expect("a generated pattern");
        RouteMatch::new(host, path, methods.into_iter().map(str::to_owned), headers).expect("a generated route")
    })
}

/// Routes without the ones that conflict with an earlier one.
fn compatible_routes() -> impl Strategy<Value = Vec<RouteMatch>> {
    prop::collection::vec(a_route(), 0..24).prop_map(|routes| {
        let mut kept: Vec<RouteMatch> = Vec::new();
        for route in routes {
            if !kept.iter().any(|other| reference::tie(other, &route)) {
                kept.push(route);
            }
        }
        kept
    })
}

fn a_request() -> impl Strategy<Value = Request> {
    let host = select(vec!["a.test", "b.test", "a.b.test", "c.a.b.test", "other", "test", "xtest"]);
    let method = select(vec!["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "CONNECT"]);
    (host, prop::collection::vec(model::segment(), 0..5), method, conditions()).prop_map(
        |(host, segments, method, headers)| Request {
            method: method.to_owned(),
            host: host.to_owned(),
            segments,
            headers,
        },
    )
}

/// A request for a path that some route has, most often.
fn aimed(request: Request, routes: &[RouteMatch], aim: usize) -> Request {
    let Some(route) = routes.get(aim % (routes.len() + 1)) else {
        return request;
    };
    let mut own = request.segments.iter();
    let mut segments = Vec::new();
    for part in route.path().to_string().split('/').filter(|part| !part.is_empty()) {
        match part.strip_prefix('{') {
            None => segments.push(model::decode_once(part)),
            Some(name) if name.starts_with('*') => segments.extend(own.by_ref().cloned()),
            Some(_) => segments.push(own.next().map_or("a", |segment| segment).to_owned()),
        }
    }
    Request { segments, ..request }
}

fn find(matcher: &Matcher, request: &Request, path: &NormalPath) -> Outcome {
    let header =
        |name: &str| request.headers.iter().find(|(its_name, _)| its_name == name).map(|(_, value)| value.clone());
    match matcher.find(&request.host, path, &request.method, &header) {
        Found::Route { index, .. } => Outcome::Route(index),
        Found::NotFound => Outcome::NotFound,
        Found::MethodNotAllowed { allow } => Outcome::MethodNotAllowed(allow),
        Found::Options { allow } => Outcome::Options(allow),
    }
}

fn plain_path(request: &Request) -> NormalPath {
    normalise(&model::spell_plainly(&request.segments)).expect("a plain spelling")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_matcher_finds_what_the_rules_say(routes in compatible_routes(), request in a_request(), aim in 0_usize..32) {
        let matcher = Matcher::new(&routes).expect("no conflict");
        let request = aimed(request, &routes, aim);
        let found = find(&matcher, &request, &plain_path(&request));
        prop_assert_eq!(found, reference::find(&routes, &request));
    }

    #[test]
    fn the_order_of_the_routes_means_nothing(
        (routes, shuffled) in compatible_routes().prop_flat_map(|routes| {
            let indices: Vec<usize> = (0..routes.len()).collect();
            (Just(routes), Just(indices).prop_shuffle())
        }),
        request in a_request(),
        aim in 0_usize..32,
    ) {
        let request = aimed(request, &routes, aim);
        let path = plain_path(&request);
        let in_order = find(&Matcher::new(&routes).expect("no conflict"), &request, &path);
        let other_order: Vec<_> = shuffled.iter().map(|index| routes[*index].clone()).collect();
        let out_of_order = match find(&Matcher::new(&other_order).expect("no conflict"), &request, &path) {
            Outcome::Route(position) => Outcome::Route(shuffled[position]),
            outcome => outcome,
        };
        prop_assert_eq!(in_order, out_of_order);
    }

    #[test]
    fn exactly_the_routes_that_can_tie_are_in_conflicts(routes in prop::collection::vec(a_route(), 0..6)) {
        // One place, so that they meet.
        let path = Pattern::parse("/a").expect("a pattern");
        let routes: Vec<_> = routes.into_iter().map(|route| {
            let headers = route.headers().clone();
            RouteMatch::new(None, path.clone(), route.methods().to_vec(), headers).expect("a route")
        }).collect();
        let conflicts = Matcher::new(&routes).err().unwrap_or_default();
        for conflict in &conflicts {
            prop_assert!(conflict.first < conflict.second);
            prop_assert!(reference::tie(&routes[conflict.first], &routes[conflict.second]), "{:?}", conflict);
        }
        for (index, route) in routes.iter().enumerate() {
            let ties = routes.iter().enumerate().any(|(other, rival)| other != index && reference::tie(route, rival));
            let named = conflicts.iter().any(|conflict| conflict.first == index || conflict.second == index);
            prop_assert_eq!(ties, named, "route {}", index);
        }
    }

    /// Whatever way a path is spelled: it is refused, or every origin reads the forwarded path as one of the route that the
    /// gateway chose; with a URL parser in front or without.
    #[test]
    fn no_spelling_reaches_an_origin_under_another_routes_policy(
        routes in compatible_routes(),
        request in a_request(),
        aim in 0_usize..32,
        tape in prop::collection::vec(any::<u8>(), 64),
        noise in model::raw_path(),
        spelled in prop::bool::weighted(0.9),
    ) {
        let matcher = Matcher::new(&routes).expect("no conflict");
        let request = aimed(request, &routes, aim);
        let raw = if spelled { model::Speller::hostile(&tape).spell(&request.segments) } else { noise };
        for front in [raw.clone(), model::url_parser(&raw)] {
            let Ok(path) = normalise(&front) else { continue };
            let chosen = find(&matcher, &request, &path);
            for origin in model::Origin::all() {
                let segments = origin.read(path.as_str());
                let policy = reference::find(&routes, &Request { segments, ..request.clone() });
                prop_assert_eq!(&policy, &chosen, "{} as {} by {:?}", raw, path, origin);
            }
        }
    }

    /// The same from the other side: harmless spellings are served, by the route of the plain path.
    #[test]
    fn harmless_spellings_have_the_plain_paths_route(
        routes in compatible_routes(),
        request in a_request(),
        aim in 0_usize..32,
        tape in prop::collection::vec(any::<u8>(), 64),
    ) {
        let matcher = Matcher::new(&routes).expect("no conflict");
        let request = aimed(request, &routes, aim);
        let raw = model::Speller::harmless(&tape).spell(&request.segments);
        for front in [raw.clone(), model::url_parser(&raw)] {
            let path = normalise(&front).map_err(|rejection| TestCaseError::fail(format!("{front}: {rejection}")))?;
            prop_assert_eq!(find(&matcher, &request, &path), reference::find(&routes, &request));
        }
    }

    #[test]
    fn parameters_are_the_segments_at_their_places(text in pattern(), request in a_request()) {
        let route = RouteMatch::new(None, Pattern::parse(&text).expect("a pattern"), [], []).expect("a route");
        let request = aimed(request, std::slice::from_ref(&route), 0);
        let matcher = Matcher::new(std::slice::from_ref(&route)).expect("one route");
        let path = plain_path(&request);
        let Found::Route { parameters, .. } = matcher.find(&request.host, &path, "GET", &|_| None) else {
            return Err(TestCaseError::fail("its own path is not found"));
        };
        prop_assert!(parameters.iter().map(|(name, _)| name).eq(route.path().names()));
        // Putting the values into the pattern gives the path.
        let filled = parameters.iter().fold(text, |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value).replace(&format!("{{*{name}}}"), value)
        });
        prop_assert_eq!(normalise(&filled).map(|filled| filled.relative().map(str::to_owned)), Ok(path.relative().map(str::to_owned)));
    }
}
