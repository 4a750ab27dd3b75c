use serde::{Deserialize, Serialize};

/// What a purge concerns, as 64 bits.
///
/// Two targets with the same bits are purged together: then a response is fetched once too often, and never served once
/// too often. So the hash need not resist anybody, and a cheap one (FNV-1a, with a finish that spreads it) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target(u64);

/// Where a response belongs: what purges by URL and by prefix look at. The path is the normalised one, the query the
/// one that the origin got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The host, in lower case.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
}

impl Target {
    /// Everything.
    pub const ALL: Self = Self(0);

    /// All responses with this tag.
    pub fn tag(tag: &str) -> Self {
        Hash::of("tag:").then(tag).target()
    }

    /// All responses of this origin (scheme and authority) that are in this group: a group is the origin's own (RFC 9875,
    /// section 2.1).
    pub fn group(scheme: &str, host: &str, group: &str) -> Self {
        Hash::of("group:").then(scheme).then("://").then(host).then(" ").then(group).target()
    }

    /// One URL: with a query this one, without a query all of its queries. No host stands for every host.
    pub fn url(host: Option<&str>, path: &str, query: Option<&str>) -> Self {
        let hash = Hash::of("url:").then(host.unwrap_or("*")).then(path);
        query.map_or(hash, |query| hash.then("?").then(query)).target()
    }

    /// Everything at and below a path; `/a` and `/a/` are the same, and neither concerns `/ab`. No host stands for every
    /// host.
    pub fn prefix(host: Option<&str>, path: &str) -> Self {
        Hash::of("prefix:").then(host.unwrap_or("*")).then(path.trim_end_matches('/')).target()
    }

    /// The row of this target in a table of numbers, which a store without unsigned integers can sort.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// A target from [`bits`](Self::bits).
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl Place<'_> {
    /// Every target, beside its tags, that concerns a response of this place. Costs as much as the path is long.
    pub(crate) fn any_target(&self, mut concerned: impl FnMut(Target) -> bool) -> bool {
        let mut visit = |host: Option<&str>| {
            if concerned(Target::url(host, self.path, None))
                || self.query.is_some_and(|query| concerned(Target::url(host, self.path, Some(query))))
            {
                return true;
            }
            let mut hash = Hash::of("prefix:").then(host.unwrap_or("*"));
            // A slash ends a prefix, and counts only when something other than a slash follows.
            let mut slashes = 0_usize;
            for byte in self.path.bytes() {
                if byte == b'/' {
                    if slashes == 0 && concerned(hash.target()) {
                        return true;
                    }
                    slashes = slashes.saturating_add(1);
                } else {
                    for _ in 0..std::mem::take(&mut slashes) {
                        hash = hash.byte(b'/');
                    }
                    hash = hash.byte(byte);
                }
            }
            concerned(hash.target())
        };
        visit(Some(self.host)) || visit(None)
    }
}

/// FNV-1a.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn of(kind: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).then(kind)
    }

    fn then(self, text: &str) -> Self {
        text.bytes().fold(self, Self::byte)
    }

    fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Spreads the bits (the finish of SplitMix64), and keeps clear of [`Target::ALL`].
    fn target(self) -> Target {
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Target((mixed ^ (mixed >> 31)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: (&str, &str, Option<&str>), target: Target, concerned: bool) {
        let (host, path, query) = place;
        let place = Place { host, path, query };
        assert_eq!(place.any_target(|candidate| candidate == target), concerned, "{place:?}");
    }

    #[test]
    fn a_url_concerns_its_path_on_its_host() {
        let target = Target::url(Some("a.example"), "/x", None);
        check(("a.example", "/x", None), target, true);
        check(("a.example", "/x", Some("page=2")), target, true);
        check(("b.example", "/x", None), target, false);
        check(("a.example", "/x/", None), target, false);
        check(("a.example", "/xy", None), target, false);
    }

    #[test]
    fn a_url_with_a_query_concerns_that_query() {
        let target = Target::url(Some("a.example"), "/x", Some("page=2"));
        check(("a.example", "/x", Some("page=2")), target, true);
        check(("a.example", "/x", Some("page=3")), target, false);
        check(("a.example", "/x", None), target, false);
    }

    #[test]
    fn a_target_without_a_host_concerns_every_host() {
        for host in ["a.example", "b.example"] {
            check((host, "/x", Some("q")), Target::url(None, "/x", None), true);
            check((host, "/x/y", None), Target::prefix(None, "/x"), true);
            check((host, "/y", None), Target::prefix(None, "/x"), false);
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        for prefix in ["/a", "/a/", "/a//"] {
            let target = Target::prefix(Some("a.example"), prefix);
            for (path, concerned) in [
                ("/a", true),
                ("/a/", true),
                ("/a/b", true),
                ("/a/b/c", true),
                ("/ab", false),
                ("/", false),
                ("/b/a", false),
            ] {
                check(("a.example", path, None), target, concerned);
            }
        }
        for path in ["/", "/a", "/a/b/"] {
            check(("a.example", path, None), Target::prefix(Some("a.example"), "/"), true);
            check(("a.example", path, None), Target::prefix(Some("a.example"), ""), true);
        }
        check(("a.example", "/a//b/c", None), Target::prefix(None, "/a//b"), true);
        check(("a.example", "/a//b/c", None), Target::prefix(None, "/a/b"), false);
    }

    #[test]
    fn kinds_do_not_meet() {
        assert_ne!(Target::tag("/x"), Target::prefix(None, "/x"));
        assert_ne!(Target::url(None, "/x", None), Target::prefix(None, "/x"));
        assert_ne!(Target::tag(""), Target::ALL);
        assert_ne!(Target::group("https", "a.example", "x"), Target::group("https", "b.example", "x"));
        assert_ne!(Target::group("https", "a.example", "x"), Target::tag("x"));
    }
}
