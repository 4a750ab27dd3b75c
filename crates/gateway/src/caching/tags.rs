//! What a response is tagged with when it is stored: by it, purges find it.

use tidegate_http_cache::Fields as FieldSource;
use tidegate_http_cache::purge::{Generation, Stamp, Target, group_members, tag_members};

use crate::exchange::Opening;
use crate::platform::Head;
use crate::route::Cache;

/// The tags of a response are a matter between the origin and the gateway: they may name tenants and tables, and what a
/// client's cache makes of them cannot be purged from here.
pub(super) const CACHE_TAG: &str = "cache-tag";

/// The field of RFC 9875, section 2, which is for every cache on the way.
const CACHE_GROUPS: &str = "cache-groups";

/// What a response is tagged with when it is stored.
#[derive(Default)]
pub(super) struct Tags {
    /// What the configuration says.
    configured: Vec<String>,
    /// Whose groups its groups are: scheme and authority of the request.
    scheme: String,
    host: String,
}

impl Tags {
    pub(super) fn of(cache: &Cache, opening: &Opening<'_, impl Head>) -> Self {
        let Opening { facts, parameters, url, .. } = *opening;
        Self {
            configured: cache.tags.iter().filter_map(|tag| tag.expand(|name| facts.claim(name), parameters)).collect(),
            scheme: url.scheme.to_owned(),
            host: url.authority.to_ascii_lowercase(),
        }
    }

    /// The stamp of a response that is stored: by it, purges find it.
    pub(super) fn stamp(&self, generation: Option<Generation>, response: &dyn FieldSource) -> Stamp {
        let tags = response.get(CACHE_TAG).unwrap_or_default();
        let groups = response.get(CACHE_GROUPS).map(|field| group_members(&field)).unwrap_or_default();
        let configured = self.configured.iter().map(String::as_str);
        // An operator purges a group of whatever host, as a tag.
        let tags = configured.chain(tag_members(&tags)).chain(groups.iter().map(String::as_str)).map(Target::tag);
        let groups = groups.iter().map(|group| Target::group(&self.scheme, &self.host, group));
        Stamp::new(generation, tags.chain(groups))
    }

    /// The stamp of a stored response that a 304 has confirmed. Many an origin leaves out of it what it said before.
    pub(super) fn confirmed(&self, stamp: Stamp, generation: Option<Generation>, response: &dyn FieldSource) -> Stamp {
        let says_tags = [CACHE_TAG, CACHE_GROUPS].iter().any(|name| response.get(name).is_some());
        if says_tags { self.stamp(generation, response) } else { stamp.confirmed(generation) }
    }
}
