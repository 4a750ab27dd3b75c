//! Did you mean?

/// The candidate that `word` is most likely a slip of, if one is close.
pub(super) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    // One slip in a short word, one more for every four letters.
    let allowed = word.chars().count().div_ceil(4).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ", did you mean `ttl`?" or nothing.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    closest(word, candidates).map(|found| format!(", did you mean `{found}`?")).unwrap_or_default()
}

/// "`a`, `b` and `c`".
pub(super) fn listed<'c>(words: impl IntoIterator<Item = &'c str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, candidates: &[&str], meant: Option<&str>) {
        assert_eq!(closest(word, candidates.iter().copied()), meant);
    }

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        check("tll", &["name", "ttl", "key"], Some("ttl"));
        check("uss", &["eu", "us", "asia"], Some("us"));
        check("timout", &["timeout", "retries"], Some("timeout"));
        check("Client-IP", &["client_ip", "admin"], Some("client_ip"));
        check("round-robin", &["round_robin", "random"], Some("round_robin"));
    }

    #[test]
    fn another_word_is_no_slip() {
        check("banana", &["name", "ttl"], None);
        check("x", &["y"], None);
        check("", &["a"], None);
        check("ttl", &[], None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(listed([]), "");
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b"]), "`a` and `b`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
