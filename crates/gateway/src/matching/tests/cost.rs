use super::*;

/// How many nodes a request visits.
fn visited(matcher: &Matcher, path: &str) -> usize {
    let path = normalise(path).expect("a path");
    let mut visited = 0;
    matcher.resource("a.test", &path, &mut visited);
    visited
}

fn matcher(count: usize, texts: &[&str]) -> Matcher {
    let numbered = (0..count).flat_map(|number| texts.iter().map(move |text| text.replace('#', &number.to_string())));
    let routes: Vec<_> = numbered.map(|text| route(&text)).collect();
    Matcher::new(&routes).expect("no conflict")
}

#[test]
fn ten_thousand_routes_are_searched_like_ten() {
    for (texts, path) in [
        (&["GET /api/r#/{id}"][..], "/api/r7/5"),
        (&["GET /api/r#/{id}"], "/api/none/5"),
        (&["GET /r#", "GET /r#/{id}"], "/r7/5"),
        (&["GET /{tenant}/r#/b", "GET /t#/{x}/{*rest}"], "/t7/r7/b"),
        (&["GET /{tenant}/r#/b", "GET /t#/{x}/c"], "/t7/r7/b"),
        (&["GET /a/{x}/r#", "GET /a/b#/{y}"], "/a/b7/none/"),
        (&["GET h#.a.test/a/b", "GET /a/b/c#"], "/a/b/c7"),
    ] {
        let few = visited(&matcher(10, texts), path);
        let many = visited(&matcher(10_000 / texts.len(), texts), path);
        assert_eq!(few, many, "{texts:?}");
        assert!(few <= 8, "{few} nodes for {path}");
    }
}

#[test]
fn a_path_without_rivals_visits_a_node_for_each_segment() {
    let matcher = matcher(1, &["GET /a/{b}/c/{*rest}"]);
    assert_eq!(visited(&matcher, "/"), 1);
    assert_eq!(visited(&matcher, "/a/1"), 3);
    assert_eq!(visited(&matcher, "/a/1/c"), 4);
    // Neither the rest nor what no pattern begins with is read on.
    assert_eq!(visited(&matcher, &format!("/a/1/c{}", "/x".repeat(1_000))), 5 - 1);
    assert_eq!(visited(&matcher, &format!("/b{}", "/x".repeat(1_000))), 1);
}

#[test]
fn backtracking_visits_a_node_at_most_once() {
    // Literal and parameter at each of eight levels: the worst that a table of this size can hold.
    let texts: Vec<String> = (0_u16..256)
        .map(|bits| {
            (0..8).map(move |level| if bits >> level & 1 == 1 { "/a".to_owned() } else { format!("/{{p{level}}}") })
        })
        .map(|segments| format!("GET {}", segments.collect::<String>()))
        .collect();
    let routes: Vec<_> = texts.iter().map(|text| route(text)).collect();
    let matcher = Matcher::new(&routes).expect("no conflict");
    // 1 + 2 + 4 + … + 256 nodes; the path is one segment too long for all of them.
    assert_eq!(visited(&matcher, &"/a".repeat(9)), 511);
    assert_eq!(visited(&matcher, &"/a".repeat(8)), 9);
}

#[test]
fn the_longest_path_and_the_deepest_pattern_fit_the_stack() {
    let deepest = format!("GET {}", "/a".repeat(64));
    let matcher = matcher(1, &[&deepest, "GET /{*rest}"]);
    assert_eq!(answer(&matcher, &format!("GET {}", "/a".repeat(64))), "0");
    let longest = format!("GET {}", "/a".repeat(4_096));
    assert!(answer(&matcher, &longest).starts_with("1 rest=a/a/"));
}
