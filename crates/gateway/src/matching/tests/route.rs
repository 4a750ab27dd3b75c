use super::*;
use crate::matching::InvalidRouteMatch as Invalid;

#[track_caller]
fn check(methods: &[&str], headers: &[(&str, &str)], expected: Result<&str, &Invalid>) {
    let path = Pattern::parse("/").expect("the root");
    let methods = methods.iter().map(|method| (*method).to_owned());
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let route = RouteMatch::new(None, path, methods, headers);
    let text = route.as_ref().map(|route| format!("{:?} {:?}", route.methods(), route.headers()));
    assert_eq!(text.as_deref(), expected.as_ref().copied());
}

#[test]
fn methods_are_upper_case_tokens_each_once() {
    check(&[], &[], Ok("[] {}"));
    check(&["PUT", "GET", "M-SEARCH"], &[], Ok(r#"["GET", "M-SEARCH", "PUT"] {}"#));
    for method in ["", "get", "Get", "GET ", "GET,PUT", "*É", "A/B"] {
        check(&["PUT", method], &[], Err(&Invalid::Method { method: method.to_owned() }));
    }
    check(&["GET", "PUT", "GET"], &[], Err(&Invalid::RepeatedMethod { method: "GET".to_owned() }));
}

#[test]
fn header_names_are_tokens_without_case_each_once() {
    check(&[], &[("X-B", "1"), ("a", "2")], Ok(r#"[] {"a": "2", "x-b": "1"}"#));
    for name in ["", "a b", "a:", "é"] {
        check(&[], &[(name, "1")], Err(&Invalid::HeaderName { name: name.to_owned() }));
    }
    check(&[], &[("a", "1"), ("A", "1")], Err(&Invalid::RepeatedHeader { name: "a".to_owned() }));
}

#[test]
fn header_values_are_visible_ascii_without_outer_spaces() {
    check(&[], &[("a", "")], Ok(r#"[] {"a": ""}"#));
    check(&[], &[("a", "B c~")], Ok(r#"[] {"a": "B c~"}"#));
    for value in [" a", "a ", "\t", "a\tb", "a\r\nb", "é", "\u{7f}"] {
        check(&[], &[("A", value)], Err(&Invalid::HeaderValue { name: "a".to_owned() }));
    }
}

#[test]
fn each_message_says_what_to_write() {
    for (text, hint) in [
        ("get /", "`GET`"),
        ("G(T /", "leave the list out"),
        ("GET,GET /", "twice"),
        ("GET / a:=1", "not the name"),
        ("GET / a=1 A=2", "without case"),
        ("GET / a=é", "visible ASCII"),
    ] {
        let message = try_route(text).expect_err(text);
        assert!(message.contains(hint), "{text}: {message}");
    }
}
