use super::*;
use crate::matching::InvalidHost as Invalid;

#[track_caller]
fn check(text: &str, expected: Result<&str, &Invalid>) {
    let parsed = HostPattern::parse(text);
    assert_eq!(parsed.as_ref().map(HostPattern::name), expected, "{text}");
}

#[test]
fn the_hosts_of_the_page_match_what_it_says() {
    let page = crate::path::tests::documented_rows("Hosts");
    assert!(page.len() >= 4);
    for row in page {
        let texts = [format!("GET {}/", row[0].trim_matches('`'))];
        let matcher = Matcher::new(&[route(&texts[0])]).expect("one route");
        for (hosts, expected) in [(row[1], "0"), (row[2], "404")] {
            for host in hosts.split(' ').map(|host| host.trim_matches('`')) {
                assert_eq!(answer(&matcher, &format!("GET {host}/")), expected, "{host} for {}", texts[0]);
            }
        }
    }
}

#[test]
fn a_pattern_is_a_name_an_address_or_a_star_and_a_name() {
    check("a", Ok("a"));
    check("API.Example.com", Ok("api.example.com"));
    check("*.Example.com", Ok("*.example.com"));
    check("*.com", Ok("*.com"));
    check("a_b.internal-1", Ok("a_b.internal-1"));
    check("xn--caf-dma.example", Ok("xn--caf-dma.example"));
    check("127.0.0.1", Ok("127.0.0.1"));
    check("[::1]", Ok("[::1]"));
    check("[2001:DB8:0:0::0:1]", Ok("[2001:db8::1]"));
    check("1.example", Ok("1.example"));
    check("0xyz", Ok("0xyz"));
}

#[test]
fn what_is_not_matched_is_refused() {
    check("", Err(&Invalid::Empty));
    check("https://a.test", Err(&Invalid::NotAHost));
    check("a.test/b", Err(&Invalid::NotAHost));
    check("me@a.test", Err(&Invalid::NotAHost));
    check("a.test:8443", Err(&Invalid::Port));
    check("a.test:", Err(&Invalid::Port));
    check("[::1]:8443", Err(&Invalid::Port));
    check("::1", Err(&Invalid::Brackets));
    check("[::g]", Err(&Invalid::InvalidIpv6));
    check("[::1", Err(&Invalid::InvalidIpv6));
    check("[fe80::1%25eth0]", Err(&Invalid::InvalidIpv6));
    check("a.test.", Err(&Invalid::TrailingDot));
    for text in ["*", "a.*.test", "a*.test", "*a.test", "*.*.test", "**.test"] {
        check(text, Err(&Invalid::Star));
    }
    for text in ["127.1", "1", "0x7f.1", "a.0x1", "256.0.0.1", "127.0.0.01", "*.0.0.1", "a.1", "0x"] {
        check(text, Err(&Invalid::InvalidIpv4));
    }
    check("café.test", Err(&Invalid::NotAscii { label: "café".to_owned() }));
}

#[test]
fn a_label_is_one_to_63_letters_digits_and_inner_hyphens() {
    let label = |length: usize| "a".repeat(length);
    let invalid = |label: &str| Invalid::Label { label: label.to_owned() };
    check(&label(63), Ok(&label(63)));
    check(&label(64), Err(&invalid(&label(64))));
    check("a..b", Err(&invalid("")));
    check(".a", Err(&invalid("")));
    check("*.", Err(&invalid("")));
    for text in ["-a", "a-", "a b", "a!", "a%41"] {
        check(text, Err(&invalid(text)));
    }
}

#[test]
fn a_name_has_at_most_253_characters() {
    let name = |length: usize| "a.".repeat(length / 2) + &"a".repeat(length % 2);
    check(&name(253), Ok(&name(253)));
    check(&name(255), Err(&Invalid::TooLong));
    let matcher = Matcher::new(&[route("GET /")]).expect("one route");
    for (length, expected) in [(253, "0"), (255, "404")] {
        assert_eq!(answer(&matcher, &format!("GET {}/", name(length))), expected);
    }
}

#[test]
fn each_message_says_what_to_write() {
    for (text, hint) in [
        ("", "leave it out"),
        ("https://a.test", "`api.example.com`"),
        ("a.test:1", "leave it out"),
        ("::1", "`[2001:db8::1]`"),
        ("[x]", "not an IPv6 address"),
        ("127.1", "`192.0.2.1`"),
        ("a.test.", "leave it out"),
        ("*", "`*.example.com`"),
        ("café.test", "`xn--…`"),
        ("a b", "63"),
    ] {
        let message = HostPattern::parse(text).expect_err(text).to_string();
        assert!(message.contains(hint), "{text}: {message}");
    }
}
