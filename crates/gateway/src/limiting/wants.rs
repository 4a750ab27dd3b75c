//! What a request wants of its limits.

use std::rc::Rc;

use tidegate_rate_limit::{Charge, InvalidWant, Mode, Want};

use super::keys::{Key, Keys};
use crate::facts::Facts;
use crate::platform::Head;
use crate::route::{Cost, Limit, RouteLimits};
use crate::source::{self, Ipv6Prefix, Source};

/// What a request wants of all of its limits, in their order.
#[derive(Debug)]
pub(crate) struct Wants {
    wants: Vec<Want>,
    /// What clients see of the keys.
    partitions: Vec<[u8; 8]>,
}

impl Wants {
    pub(crate) fn as_slice(&self) -> &[Want] {
        &self.wants
    }

    /// Each want with what clients see of its key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Want, &[u8; 8])> + Clone {
        self.wants.iter().zip(&self.partitions)
    }
}

pub(crate) fn wants(limits: &RouteLimits, facts: &Facts<'_, impl Head>, keys: &mut Keys) -> Result<Wants, InvalidWant> {
    let mut all = Wants { wants: Vec::with_capacity(limits.limits.len()), partitions: Vec::new() };
    all.partitions.reserve_exact(limits.limits.len());
    for limit in &limits.limits {
        let key = keys.of(&limit.name, &values(&limit.key, limit.ipv6_prefix, facts));
        all.partitions.push(key.partition);
        all.wants.push(want(limit, key, facts)?);
    }
    Ok(all)
}

fn want(limit: &Limit, key: Key, facts: &Facts<'_, impl Head>) -> Result<Want, InvalidWant> {
    let (allowance, _) = limit.allowance_for(|source| facts.value(source, limit.ipv6_prefix));
    let cost = limit.cost.before(|name| facts.head.field(name));
    let charge = match limit.cost {
        Cost::Settled { .. } => Charge::Reserved,
        Cost::Fixed(_) | Cost::Header { .. } => Charge::Final,
    };
    Ok(Want::new(key.name, allowance.clone(), cost)?
        .with_accuracy(limit.accuracy)
        .with_unreachable(limit.when_unreachable)
        .with_mode(limit.mode_for(&key.digest))
        .with_charge(charge))
}

/// True when clients see the limit: one that only counts is nobody's business.
pub(crate) fn is_shown(want: &Want) -> bool {
    want.mode() == Mode::Enforce
}

/// The name of the object that holds these limits for this request.
pub(crate) fn object(limits: &RouteLimits, facts: &Facts<'_, impl Head>, keys: &mut Keys) -> Rc<str> {
    keys.of(&limits.group, &values(&limits.shard, limits.ipv6_prefix, facts)).name
}

/// What a request says for these sources.
fn values(sources: &[Source], ipv6_prefix: Ipv6Prefix, facts: &Facts<'_, impl Head>) -> String {
    source::join(sources.iter().map(|source| (source, facts.value(source, ipv6_prefix))))
}
