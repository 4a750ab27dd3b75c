//! What a successful write purges everywhere: the tags of its route, and what the origin names in a response header.

use tidegate_http_cache::purge::{Manner, Question, Target, group_members, tag_members};
use tidegate_http_cache::{self as http_cache, Fields as FieldSource};

use crate::exchange::Opening;
use crate::platform::Head;
use crate::route::Invalidation;

/// The field of RFC 9875, section 3.
const CACHE_GROUP_INVALIDATION: &str = "cache-group-invalidation";

/// What an unsafe request on its way purges if it succeeds.
pub(crate) struct Invalidates {
    tags: Vec<String>,
    header: Option<String>,
    /// The tags that the header may name: each with whether it is the start of others. `None`: any.
    within: Option<Vec<(String, bool)>>,
    groups: bool,
    manner: Manner,
    scheme: String,
    host: String,
}

/// What a write has purged.
pub(crate) struct Purged {
    pub(crate) targets: Vec<Target>,
    pub(crate) manner: Manner,
    /// Whether the origin named tags that it may not purge, or more than can be purged at once.
    pub(crate) is_partial: bool,
}

impl Invalidates {
    /// `None` for a method that changes nothing, and for a route whose writes purge nothing.
    pub(crate) fn of<H: Head>(opening: &Opening<'_, H>) -> Option<Self> {
        let Opening { route, facts, url, parameters, .. } = *opening;
        let invalidation = route.invalidation.as_ref().filter(|_| !http_cache::is_safe(facts.head.method()))?;
        let Invalidation { tags, header, within, groups, manner } = invalidation;
        let expand = |tag: &crate::route::TagTemplate| tag.expand(|name| facts.claim(name), parameters);
        Some(Self {
            tags: tags.iter().filter_map(expand).collect(),
            header: header.clone(),
            within: within.as_ref().map(|within| {
                within.iter().filter_map(|within| Some((expand(&within.tag)?, within.is_start))).collect()
            }),
            groups: *groups,
            manner: *manner,
            scheme: url.scheme.to_owned(),
            host: url.authority.to_ascii_lowercase(),
        })
    }

    /// The header that is for the gateway alone: it may name tenants and tables.
    pub(crate) fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// What to purge once the response is known; nothing after an error (RFC 9111, section 4.4).
    pub(crate) fn conclude(&self, method: &str, status: u16, response: &dyn FieldSource) -> Option<Purged> {
        if !http_cache::invalidates(method, status) {
            return None;
        }
        let mut targets: Vec<Target> = self.tags.iter().map(|tag| Target::tag(tag)).collect();
        let mut is_partial = false;
        let named = self.header.as_ref().and_then(|header| response.get(header)).unwrap_or_default();
        for tag in tag_members(&named) {
            if self.may_purge(tag) {
                targets.push(Target::tag(tag));
            } else {
                is_partial = true;
            }
        }
        if self.groups
            && let Some(field) = response.get(CACHE_GROUP_INVALIDATION)
        {
            // A group is the origin's own: no host can empty another one's cache.
            targets.extend(group_members(&field).iter().map(|group| Target::group(&self.scheme, &self.host, group)));
        }
        is_partial |= targets.len() > Question::MAX_TARGETS;
        targets.truncate(Question::MAX_TARGETS);
        (is_partial || !targets.is_empty()).then_some(Purged { targets, manner: self.manner, is_partial })
    }

    fn may_purge(&self, tag: &str) -> bool {
        let may = |(within, is_start): &(String, bool)| if *is_start { tag.starts_with(within) } else { tag == within };
        self.within.as_ref().is_none_or(|within| within.iter().any(may))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named<'a>(&'a str, &'a str);

    impl FieldSource for Named<'_> {
        fn get(&self, name: &str) -> Option<String> {
            (name == self.0).then(|| self.1.to_owned())
        }
    }

    #[track_caller]
    fn check(within: Option<&[(&str, bool)]>, field: (&str, &str), targets: Option<&[Target]>, is_partial: bool) {
        let invalidates = Invalidates {
            tags: Vec::new(),
            header: Some("x-purge".to_owned()),
            within: within.map(|within| within.iter().map(|(tag, start)| ((*tag).to_owned(), *start)).collect()),
            groups: true,
            manner: Manner::Hard,
            scheme: "https".to_owned(),
            host: "a.example".to_owned(),
        };
        let response = Named(field.0, field.1);
        let purged = invalidates.conclude("POST", 200, &response);
        assert_eq!(purged.as_ref().map(|purged| purged.targets.as_slice()), targets, "{field:?}");
        assert_eq!(purged.is_some_and(|purged| purged.is_partial), is_partial, "{field:?}");
        assert!(invalidates.conclude("POST", 500, &response).is_none(), "an error");
        assert!(invalidates.conclude("GET", 200, &response).is_none(), "a safe method");
    }

    #[test]
    fn an_origin_purges_the_tags_that_it_names() {
        let two = ["a", "b"].map(Target::tag);
        check(None, ("x-purge", "a, b"), Some(&two), false);
        check(None, ("x-purge", ""), None, false);
        check(None, ("x-other", "a"), None, false);
    }

    #[test]
    fn an_origin_purges_no_more_than_it_may() {
        let within = Some(&[("org:acme:", true), ("shared", false)][..]);
        let own = [Target::tag("org:acme:users"), Target::tag("shared")];
        check(within, ("x-purge", "org:acme:users shared"), Some(&own), false);
        check(within, ("x-purge", "org:acme:users org:other:users shared"), Some(&own), true);
        check(within, ("x-purge", "org:acme shared2 all"), Some(&[]), true);
        check(Some(&[]), ("x-purge", "a"), Some(&[]), true);
    }

    #[test]
    fn a_group_is_its_hosts_own_by_rfc_9875() {
        let own = [Target::group("https", "a.example", "scripts")];
        check(None, ("cache-group-invalidation", "\"scripts\""), Some(&own), false);
        check(Some(&[]), ("cache-group-invalidation", "\"scripts\""), Some(&own), false);
        check(None, ("cache-group-invalidation", "scripts"), None, false);
    }
}
