use super::*;

/// Each conflict as `first second why place methods`.
#[track_caller]
fn check(texts: &[&str], expected: &[&str]) {
    let conflicts = Matcher::new(&routes(texts)).err().unwrap_or_default();
    let written = conflicts.iter().map(|Conflict { first, second, why, place, methods }| {
        format!("{first} {second} {why:?} {place} {}", methods.join(",")).trim_end().to_owned()
    });
    assert_eq!(written.collect::<Vec<_>>(), expected, "{texts:?}");
}

#[test]
fn routes_that_match_the_same_are_duplicates() {
    check(&["GET /a", "GET /a"], &["0 1 Duplicate */a GET"]);
    check(&["* h.test/a", "* h.test/a"], &["0 1 Duplicate h.test/a"]);
    check(&["* H.test/a", "* h.TEST/a"], &["0 1 Duplicate h.test/a"]);
    check(&["GET /a x=1 y=2", "GET /a Y=2 X=1"], &["0 1 Duplicate */a GET"]);
    check(&["GET /café", "GET /caf%C3%A9"], &["0 1 Duplicate */caf%C3%A9 GET"]);
    check(&["GET /", "POST /", "GET /"], &["0 2 Duplicate */ GET"]);
    check(&["GET /", "GET /", "GET /"], &["0 1 Duplicate */ GET", "0 2 Duplicate */ GET"]);
}

#[test]
fn names_of_parameters_do_not_tell_routes_apart() {
    check(&["GET /a/{x}/{*y}", "GET /a/{b}/{*c}"], &["0 1 Duplicate */a/{}/{*} GET"]);
}

#[test]
fn one_method_in_common_is_enough() {
    check(&["PUT,GET /", "GET,POST,PUT /"], &["0 1 Duplicate */ GET,PUT"]);
    check(&["GET,PUT /", "POST,DELETE /"], &[]);
}

#[test]
fn hosts_paths_and_methods_have_a_precedence() {
    check(&["GET a.test/", "GET *.test/", "GET *.a.test/", "GET /"], &[]);
    check(&["GET /a", "GET /{x}", "GET /{*x}", "GET /"], &[]);
    check(&["GET /", "HEAD /", "* /", "TRACE /"], &[]);
}

#[test]
fn header_conditions_exclude_each_other_or_contain_each_other_or_conflict() {
    check(&["GET / x=1", "GET / x=2"], &[]);
    check(&["GET / x=1", "GET / x=1 y=1", "GET /"], &[]);
    check(&["GET / x=1", "GET / x=2 y=1"], &[]);
    check(&["GET / x=1 z=1", "GET / y=1 z=2"], &[]);
    check(&["GET / x=1", "GET / y=1"], &["0 1 Ambiguous */ GET"]);
    check(&["GET / x=1 z=1", "GET / y=1 z=1"], &["0 1 Ambiguous */ GET"]);
    check(&["GET / y=1 z=1", "GET / x=1"], &["0 1 Ambiguous */ GET"]);
    check(&["GET / x=1", "POST / y=1"], &[]);
    check(&["GET / x=1", "* / y=1"], &[]);
}

#[test]
fn every_route_in_a_conflict_is_named() {
    check(
        &["GET / x=1", "GET / x=2", "GET / y=1", "GET / y=2"],
        &["0 2 Ambiguous */ GET", "0 3 Ambiguous */ GET", "1 2 Ambiguous */ GET"],
    );
}

#[test]
fn the_message_names_methods_and_place() {
    let message = |texts: &[&str]| Matcher::new(&routes(texts)).expect_err("a conflict")[0].to_string();
    let duplicate = message(&["GET,PUT a.test/{x}", "GET,PUT a.test/{y}"]);
    assert!(duplicate.starts_with("both match GET, PUT on a.test/{}"), "{duplicate}");
    let ambiguous = message(&["* / x=1", "* / y=1"]);
    assert!(ambiguous.starts_with("both match any method on */ when"), "{ambiguous}");
}
