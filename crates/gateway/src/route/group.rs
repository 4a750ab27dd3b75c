//! Which limits live in which Durable Object.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Limit;
use crate::ordered;
use crate::source::{Ipv6Prefix, Source};

/// The limits of one route, and the Durable Object that holds them.
#[derive(Clone, Debug)]
pub struct RouteLimits {
    /// In the order of the file; never empty.
    pub limits: Vec<Rc<Limit>>,
    /// The first part of the object's name: shared by all limits that some route decides together.
    pub group: String,
    /// The sources that every limit of the group counts by: their values are the rest of the object's name.
    pub shard: Vec<Source>,
    /// How many bits of an IPv6 address choose the object: the fewest that one of the limits counts by. With more, the
    /// addresses of one client would be spread over several objects, and each would count a part.
    pub ipv6_prefix: Ipv6Prefix,
}

/// Limits that some route decides together live in one object, because only one object can take all or nothing.
pub(super) struct Groups {
    /// From the name of a limit to the name of its group: the smallest name among the limits it is decided with.
    group_of: BTreeMap<String, String>,
    /// From a group to what all of its limits count by.
    shards: BTreeMap<String, Shard>,
}

/// What chooses an object of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shard {
    /// The sources that all limits of the group count by, in order.
    sources: Vec<Source>,
    /// The fewest bits of an IPv6 address that one of the limits counts by.
    ipv6_prefix: Ipv6Prefix,
}

impl Shard {
    fn of(limit: &Limit) -> Self {
        let mut sources = Vec::new();
        limit.key.iter().for_each(|source| ordered::insert(&mut sources, source.clone()));
        Self { sources, ipv6_prefix: limit.ipv6_prefix }
    }
}

impl Groups {
    /// Joins the limits of each route, and then the groups that have a limit in common.
    pub(super) fn of<'r>(routes: impl Iterator<Item = &'r [Rc<Limit>]> + Clone) -> Self {
        let mut group_of: BTreeMap<String, String> = BTreeMap::new();
        for limits in routes.clone() {
            let names = limits.iter().map(|limit| limit.name.clone());
            let members: Vec<String> = names.map(|name| group_of.entry(name.clone()).or_insert(name).clone()).collect();
            if let Some(smallest) = members.iter().min().cloned() {
                for group in group_of.values_mut().filter(|group| members.contains(group)) {
                    group.clone_from(&smallest);
                }
            }
        }
        let mut shards: BTreeMap<String, Shard> = BTreeMap::new();
        for limit in routes.flatten() {
            if let Some(group) = group_of.get(&limit.name) {
                let shard = shards.entry(group.clone()).or_insert_with(|| Shard::of(limit));
                shard.sources.retain(|source| limit.key.contains(source));
                shard.ipv6_prefix = shard.ipv6_prefix.min(limit.ipv6_prefix);
            }
        }
        Self { group_of, shards }
    }

    /// The limits of one route with the object that holds them; `None` when there are none.
    pub(super) fn resolve(&self, limits: Vec<Rc<Limit>>) -> Option<RouteLimits> {
        let group = self.group_of.get(&limits.first()?.name)?.clone();
        let Shard { sources, ipv6_prefix } = self.shards.get(&group).cloned().unwrap_or_default();
        Some(RouteLimits { limits, group, shard: sources, ipv6_prefix })
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
