#![allow(clippy::arithmetic_side_effects, clippy::string_slice)]

use super::*;
use crate::path::normalise;
use crate::path::tests::documented;

mod conflict;
mod cost;
mod host;
mod pattern;
mod properties;
mod reference;
mod route;

/// Reads `GET,POST api.example.com/a/{id} x=1 y=2`; `*` is any method, and a host is optional.
fn route(text: &str) -> RouteMatch {
    try_route(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn try_route(text: &str) -> Result<RouteMatch, String> {
    let Request { method, host, path, headers } = request(text);
    let host =
        if host.is_empty() { None } else { Some(HostPattern::parse(host).map_err(|problem| problem.to_string())?) };
    let path = Pattern::parse(path).map_err(|problem| problem.to_string())?;
    let methods = method.split(',').filter(|method| *method != "*").map(str::to_owned);
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    RouteMatch::new(host, path, methods, headers).map_err(|problem| problem.to_string())
}

fn routes(texts: &[&str]) -> Vec<RouteMatch> {
    texts.iter().map(|text| route(text)).collect()
}

/// Reads `GET api.example.com/a/7 x=1`.
struct Request<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

fn request(text: &str) -> Request<'_> {
    let (method, rest) = text.split_once(' ').expect("a method, a space, a path");
    let mut words = rest.split(' ');
    let (host, path) = words.next().map(|place| place.split_at(place.find('/').unwrap_or(0))).expect("a path");
    Request { method, host, path, headers: words.map(|word| word.split_once('=').expect("name=value")).collect() }
}

/// The route's index and parameters, or the status and what `Allow` says.
fn answer(matcher: &Matcher, text: &str) -> String {
    let Request { method, host, path, headers } = request(text);
    let path = normalise(path).unwrap_or_else(|rejection| panic!("{text}: {rejection}"));
    let header =
        |name: &str| headers.iter().find(|(its_name, _)| *its_name == name).map(|(_, value)| (*value).to_owned());
    let host = if host.is_empty() { "any.test" } else { host };
    match matcher.find(host, &path, method, &header) {
        Found::Route { index, parameters } => {
            let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{index}{}", parameters.collect::<String>())
        }
        Found::NotFound => "404".to_owned(),
        Found::MethodNotAllowed { allow } => format!("405 {allow}"),
        Found::Options { allow } => format!("204 {allow}"),
    }
}

#[track_caller]
fn check(texts: &[&str], request: &str, expected: &str) {
    for reversed in [false, true] {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        if reversed {
            order.reverse();
        }
        let routes: Vec<_> = order.iter().map(|index| route(texts[*index])).collect();
        let matcher = Matcher::new(&routes).unwrap_or_else(|conflicts| panic!("{conflicts:?}"));
        let answer = answer(&matcher, request);
        // The index in the order of `texts`.
        let answer = match answer.split_once(' ').unwrap_or((&answer, "")) {
            (status @ ("404" | "405" | "204"), rest) => format!("{status} {rest}"),
            (index, rest) => format!("{} {rest}", order[index.parse::<usize>().expect("an index")]),
        };
        assert_eq!(answer.trim_end(), expected, "{request} among {texts:?}, reversed: {reversed}");
    }
}

#[test]
fn without_routes_nothing_is_found() {
    check(&[], "GET /", "404");
    check(&[], "OPTIONS /", "404");
}

#[test]
fn the_patterns_of_the_page_match_what_it_says() {
    let page = crate::path::tests::documented_rows("Path patterns");
    assert!(page.len() >= 13);
    for row in page {
        let pattern = row[0].trim_matches('`');
        // The second table is of spellings, see `pattern.rs`.
        let Some(unmatched) = row.get(2) else { continue };
        for (paths, expected) in [(row[1], true), (unmatched, false)] {
            for path in paths.split(' ').map(|path| path.trim_matches('`')).filter(|path| !path.is_empty()) {
                let matcher = Matcher::new(&[route(&format!("GET {pattern}"))]).expect("one route");
                let found = answer(&matcher, &format!("GET {path}"));
                assert_eq!(found.starts_with('0'), expected, "{path} for {pattern}: {found}");
            }
        }
    }
}

#[test]
fn a_parameter_holds_one_segment_and_the_rest_all_others() {
    let texts = ["GET /a/{id}", "GET /b/{x}/c/{y_2}", "GET /d/{x}/{*rest}", "GET /{*rest}"];
    check(&texts, "GET /a/7", "0 id=7");
    check(&texts, "GET /a/7/", "0 id=7");
    check(&texts, "GET /a/%C3%A9%20/", "0 id=%C3%A9%20");
    check(&texts, "GET /b/1/c/2", "1 x=1 y_2=2");
    check(&texts, "GET /d/1", "2 x=1 rest=");
    check(&texts, "GET /d/1/", "2 x=1 rest=");
    check(&texts, "GET /d/1/2/3/", "2 x=1 rest=2/3");
    check(&texts, "GET /", "3 rest=");
    check(&texts, "GET /e/f/", "3 rest=e/f");
}

#[test]
fn a_parameter_is_found_by_its_name() {
    let matcher = Matcher::new(&[route("GET /{a}/{b}")]).expect("one route");
    let path = normalise("/1/2").expect("a path");
    let Found::Route { parameters, .. } = matcher.find("a.test", &path, "GET", &|_| None) else {
        panic!("no route");
    };
    assert_eq!((parameters.get("a"), parameters.get("b"), parameters.get("c")), (Some("1"), Some("2"), None));
    assert_eq!(parameters.pattern().to_string(), "/{a}/{b}");
}

#[test]
fn a_literal_beats_a_parameter_and_a_parameter_the_rest() {
    let texts = ["GET /a/b", "GET /a/{x}", "GET /a/{*rest}", "GET /{x}/b", "GET /{*rest}"];
    check(&texts, "GET /a/b", "0");
    check(&texts, "GET /a/c", "1 x=c");
    check(&texts, "GET /a", "2 rest=");
    check(&texts, "GET /a/b/c", "2 rest=b/c");
    check(&texts, "GET /c/b", "3 x=c");
    check(&texts, "GET /c", "4 rest=c");
    check(&["GET /a", "GET /a/{*rest}"], "GET /a/", "0");
}

#[test]
fn the_first_segment_that_differs_decides() {
    // More literals further on don't weigh against the first one.
    let texts = ["GET /a/{x}/{y}/{z}", "GET /{w}/b/c/d", "GET /a/{*rest}"];
    check(&texts, "GET /a/b/c/d", "0 x=b y=c z=d");
    check(&texts, "GET /a/b/c", "2 rest=b/c");
    check(&["GET /a/{*rest}", "GET /{w}/b/c/d"], "GET /a/b/c/d", "0 rest=b/c/d");
}

#[test]
fn a_branch_that_leads_nowhere_is_left_again() {
    let texts = ["GET /a/b/c", "GET /{x}/b/{y}", "GET /{x}/{y}/d/{*rest}"];
    check(&texts, "GET /a/b/c", "0");
    check(&texts, "GET /a/b/d", "1 x=a y=d");
    check(&texts, "GET /a/b/d/e", "2 x=a y=b rest=e");
    check(&texts, "GET /a/b/c/e", "404");
}

#[test]
fn a_literal_with_a_braces_escape_is_no_parameter() {
    check(&["GET /%7Bx%7D", "GET /{x}"], "GET /{x}", "0");
    check(&["GET /%7Bx%7D", "GET /{x}"], "GET /y", "1 x=y");
}

#[test]
fn the_most_specific_host_with_a_path_decides() {
    let texts = ["GET a.b.test/x", "GET *.b.test/y", "GET *.test/y", "GET *.test/z/{*r}", "GET /{*rest}"];
    check(&texts, "GET a.b.test/x", "0");
    check(&texts, "GET a.b.test/y", "1");
    check(&texts, "GET a.b.test/z", "3 r=");
    check(&texts, "GET a.b.test/w", "4 rest=w");
    check(&texts, "GET b.test/y", "2");
    check(&texts, "GET test/y", "4 rest=y");
    check(&texts, "GET other/x", "4 rest=x");
    // A less specific path of a more specific host wins.
    check(&["GET a.test/{*rest}", "GET /x"], "GET a.test/x", "0 rest=x");
}

#[test]
fn a_host_is_compared_without_case_port_and_trailing_dot() {
    for host in ["api.example.com", "API.Example.com", "api.example.com:8443", "api.example.com.", "api.example.com.:1"]
    {
        check(&["GET Api.example.COM/"], &format!("GET {host}/"), "0");
        check(&["GET *.Example.com/"], &format!("GET {host}/"), "0");
    }
    check(&["GET [2001:db8::1]/"], "GET [2001:DB8:0::1]:8443/", "0");
}

#[test]
fn a_malformed_host_matches_not_even_a_route_without_a_host() {
    let matcher = Matcher::new(&routes(&["GET /", "GET *.a.test/"])).expect("no conflict");
    let root = normalise("/").expect("the root");
    for host in
        ["", ".", "a..test", ".a.test", "a.test..", "a b.a.test", "é.a.test", "a:x", "a:1:2", "[::1", "[::1]x", "[a]"]
    {
        let found = matcher.find(host, &root, "GET", &|_| None);
        assert!(matches!(found, Found::NotFound), "{host}");
    }
    let long = |length: usize| format!("{}.a.test", "x".repeat(length));
    for (host, valid) in [("a", true), ("a_b.c", true), (&long(63), true), (&long(64), false)] {
        let found = matcher.find(host, &root, "GET", &|_| None);
        assert_eq!(matches!(found, Found::Route { .. }), valid, "{host}");
    }
}

#[test]
fn a_method_does_not_fall_through_to_a_less_specific_path_or_host() {
    let texts = ["GET a.test/admin", "* a.test/{*rest}", "* /{*rest}"];
    check(&texts, "POST a.test/admin", "405 GET, HEAD, OPTIONS");
    check(&texts, "POST a.test/other", "1 rest=other");
    let texts = ["GET a.test/admin x=1", "* a.test/{*rest}"];
    check(&texts, "GET a.test/admin", "404");
    check(&texts, "GET a.test/admin x=1", "0");
}

#[test]
fn head_follows_get_unless_it_is_listed() {
    check(&["GET /"], "HEAD /", "0");
    check(&["GET /", "HEAD /"], "HEAD /", "1");
    check(&["GET /", "HEAD /"], "GET /", "0");
    check(&["GET /", "* /"], "HEAD /", "0");
    check(&["HEAD /"], "GET /", "405 HEAD, OPTIONS");
    check(&["POST /"], "HEAD /", "405 OPTIONS, POST");
    check(&["GET / x=1", "* /"], "HEAD / x=1", "0");
    check(&["GET / x=1", "* /"], "HEAD /", "1");
}

#[test]
fn a_listed_method_beats_any_method() {
    check(&["GET /", "* /"], "GET /", "0");
    check(&["GET /", "* /"], "POST /", "1");
    check(&["GET /", "* / x=1"], "GET / x=1", "0");
    check(&["GET /", "* / x=1"], "PURGE / x=1", "1");
    check(&["GET /", "* / x=1"], "POST /", "404");
}

#[test]
fn methods_are_case_sensitive() {
    check(&["GET /"], "get /", "405 GET, HEAD, OPTIONS");
    check(&["GET /"], "Head /", "405 GET, HEAD, OPTIONS");
}

#[test]
fn any_method_is_neither_trace_nor_connect() {
    let allow = "405 DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
    check(&["* /"], "TRACE /", allow);
    check(&["* /"], "CONNECT /", allow);
    check(&["* /"], "PROPFIND /", "0");
    check(&["* /", "TRACE /"], "TRACE /", "1");
}

#[test]
fn options_that_no_route_takes_is_answered_with_allow() {
    check(&["GET,POST /", "PURGE /"], "OPTIONS /", "204 GET, HEAD, OPTIONS, POST, PURGE");
    check(&["GET /", "OPTIONS /"], "OPTIONS /", "1");
    check(&["GET /", "* /"], "OPTIONS /", "1");
    check(&["GET /"], "OPTIONS /a", "404");
}

#[test]
fn allow_is_sorted_and_lists_head_after_get() {
    check(&["PUT,GET /", "DELETE / x=1"], "POST /", "405 DELETE, GET, HEAD, OPTIONS, PUT");
    check(&["GET,HEAD /"], "POST /", "405 GET, HEAD, OPTIONS");
    check(&["GUARD,GET /"], "POST /", "405 GET, HEAD, GUARD, OPTIONS");
}

#[test]
fn the_route_with_more_header_conditions_wins() {
    let texts = ["GET / X-Version=2 Accept=a", "GET / x-version=2", "GET / x-version=3", "GET /"];
    check(&texts, "GET / x-version=2 accept=a", "0");
    check(&texts, "GET / x-version=2 accept=b", "1");
    check(&texts, "GET / x-version=3 accept=a", "2");
    check(&texts, "GET / x-version=4", "3");
    check(&texts, "GET /", "3");
    check(&["GET / x=1"], "GET / x=11", "404");
    check(&["GET / x=a"], "GET / x=A", "404");
    check(&["GET / x="], "GET / x=", "0");
    check(&["GET / x="], "GET /", "404");
}

#[test]
fn headers_are_read_only_for_routes_with_conditions_on_this_path() {
    let matcher = Matcher::new(&routes(&["GET /", "GET /a x=1"])).expect("no conflict");
    let asked = std::cell::RefCell::new(Vec::new());
    for path in ["/", "/b", "/a"] {
        let path = normalise(path).expect("a path");
        matcher.find("a.test", &path, "GET", &|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
    }
    assert_eq!(asked.into_inner(), ["x"]);
}
