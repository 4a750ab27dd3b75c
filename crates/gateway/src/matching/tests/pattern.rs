use super::*;
use crate::matching::InvalidPattern as Invalid;
use crate::path::{MAX_LENGTH, PathRejection};

#[track_caller]
fn check(text: &str, expected: &str) {
    let pattern = Pattern::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    assert_eq!(pattern.to_string(), expected);
    assert_eq!(Pattern::parse(expected), Ok(pattern), "what is displayed is the pattern");
}

#[track_caller]
fn refuse(text: &str, expected: &Invalid) {
    assert_eq!(Pattern::parse(text).as_ref(), Err(expected), "{text}");
}

#[track_caller]
fn write_instead(text: &str, normal: &str) {
    refuse(text, &Invalid::NotNormal { normal: normal.to_owned() });
    check(normal, normal);
}

#[test]
fn a_pattern_is_displayed_as_it_is_written() {
    for text in
        ["/", "/a", "/a/b", "/a/{id}", "/{a}/b/{c_1}/{*rest}", "/{*rest}", "/caf%C3%A9", "/@a:b,c=d", "/%7Ba%7D"]
    {
        check(text, text);
    }
    check("/café", "/caf%C3%A9");
    check("/{id}/€", "/{id}/%E2%82%AC");
}

#[test]
fn the_spellings_of_the_page_are_refused_with_the_right_one() {
    let rows: Vec<_> = documented("Path patterns").into_iter().filter(|(_, write)| !write.contains(' ')).collect();
    let spellings: Vec<_> = rows.iter().filter(|(text, _)| Pattern::parse(text.trim_matches('`')).is_err()).collect();
    assert_eq!(spellings.len(), 6);
    for (text, normal) in spellings {
        write_instead(text.trim_matches('`'), normal.trim_matches('`'));
    }
}

#[test]
fn a_literal_is_in_normal_form() {
    write_instead("/a/", "/a");
    write_instead("//", "/");
    write_instead("/a//b", "/a/b");
    write_instead("/./a", "/a");
    write_instead("/a/..", "/");
    write_instead("/a/../b", "/b");
    write_instead("/a/{id}/..", "/a");
    write_instead("/a\\b", "/a/b");
    write_instead("/%2E%2e/a", "/a");
    write_instead("/%61/{x}/", "/a/{x}");
    write_instead("/caf%c3%a9", "/caf%C3%A9");
    write_instead("/café/%40", "/caf%C3%A9/@");
    write_instead("/a b|c", "/a%20b%7Cc");
}

#[test]
fn a_literal_that_no_request_may_have_is_refused() {
    refuse("/a%2Fb", &Invalid::Refused(PathRejection::EncodedSlash));
    refuse("/a%252Fb", &Invalid::Refused(PathRejection::DoubleEncoding));
    refuse("/a;b", &Invalid::Refused(PathRejection::MatrixParameter));
    refuse("/a%", &Invalid::Refused(PathRejection::MalformedEscape));
    refuse("/%C0%AF", &Invalid::Refused(PathRejection::InvalidUtf8));
    refuse("/a\tb", &Invalid::Refused(PathRejection::ControlCharacter));
    refuse(&format!("/{}", "a".repeat(MAX_LENGTH)), &Invalid::Refused(PathRejection::TooLong));
}

#[test]
fn a_pattern_begins_with_a_slash_and_has_no_query() {
    for text in ["", "a", "*", "{id}", "\\a", "https://a.test/"] {
        refuse(text, &Invalid::NotAbsolute);
    }
    refuse("/a?b=c", &Invalid::Query);
    refuse("/a#b", &Invalid::Query);
}

#[test]
fn a_parameter_is_a_whole_segment() {
    for segment in ["a{id}", "{id}.json", "{a}{b}", "{", "}", "{a", "a}", "{{a}}", "{a}-{b}", "{a/b}"] {
        let first = segment.split('/').next().unwrap_or(segment);
        refuse(&format!("/{segment}"), &Invalid::PartialParameter { segment: first.to_owned() });
    }
}

#[test]
fn a_name_is_letters_digits_and_underscores() {
    for name in ["a", "A", "_", "a1", "_1"] {
        check(&format!("/{{{name}}}"), &format!("/{{{name}}}"));
        check(&format!("/{{*{name}}}"), &format!("/{{*{name}}}"));
    }
    for name in ["", "1", "1a", "a-b", "a b", "é", "a:b", "*a", "a*"] {
        let segment = format!("{{*{name}}}");
        refuse(&format!("/{segment}"), &Invalid::InvalidName { segment });
    }
}

#[test]
fn a_name_is_used_once() {
    refuse("/{a}/b/{a}", &Invalid::RepeatedName { name: "a".to_owned() });
    refuse("/{a}/{*a}", &Invalid::RepeatedName { name: "a".to_owned() });
    check("/{a}/{A}", "/{a}/{A}");
}

#[test]
fn the_rest_is_last() {
    refuse("/{*rest}/a", &Invalid::RestNotLast { segment: "{*rest}".to_owned() });
    refuse("/{*a}/{*b}", &Invalid::RestNotLast { segment: "{*a}".to_owned() });
}

#[test]
fn parameters_of_other_routers_are_no_literals() {
    for segment in ["*", "**", ":id", ":", "*rest", "a*", "*.js"] {
        refuse(&format!("/a/{segment}"), &Invalid::ForeignSyntax { segment: segment.to_owned() });
    }
    refuse("/a/%2A", &Invalid::ForeignSyntax { segment: "*".to_owned() });
    refuse("/a//:id", &Invalid::ForeignSyntax { segment: ":id".to_owned() });
    check("/v1/a:batch", "/v1/a:batch");
}

#[test]
fn a_pattern_has_at_most_64_segments() {
    check(&"/{*a}".replace("/", &"/b".repeat(63)).replace("b{", "b/{"), &("/b".repeat(63) + "/{*a}"));
    refuse(&"/b".repeat(65), &Invalid::TooManySegments);
}

#[test]
fn the_shape_leaves_out_the_names() {
    let shape = |text: &str| Pattern::parse(text).expect(text).shape();
    assert_eq!(shape("/"), "/");
    assert_eq!(shape("/a/{id}/b/{*rest}"), "/a/{}/b/{*}");
    assert_eq!(shape("/café/{id}"), "/caf%C3%A9/{}");
}

#[test]
fn names_are_in_the_order_of_the_path() {
    let pattern = Pattern::parse("/{b}/x/{a}/{*c}").expect("a pattern");
    assert_eq!(pattern.names().collect::<Vec<_>>(), ["b", "a", "c"]);
}

#[test]
fn each_message_says_what_to_write() {
    for (text, hint) in [
        ("a", "begins with a slash"),
        ("/a?b", "no query"),
        ("/a//b", "`/a/b`"),
        ("/a;b", "semicolon"),
        ("/{id}.json", "whole segment"),
        ("/{1}", "letters, digits"),
        ("/{a}/{a}", "`a`"),
        ("/{*a}/b", "nothing may follow"),
        ("/:id", "`{id}`"),
        ("/*", "`{*rest}`"),
    ] {
        let message = Pattern::parse(text).expect_err(text).to_string();
        assert!(message.contains(hint), "{text}: {message}");
    }
}
