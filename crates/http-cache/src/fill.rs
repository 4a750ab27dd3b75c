//! Who fills a cache, when many miss at once: the state of the Durable Object `Cache`.
//!
//! Nothing here is a queue. Whoever misses asks; one gets a [`Lease`] and fetches, the others wait outside and ask again
//! when they are woken or their time is up. A filler that dies is noticed by its lease running out: the next one who asks
//! is the filler then. What a filler brings is kept with the [`Generation`] that it knew when it began, and a fill that
//! is older than a purge that some asker knows of is refused.

mod message;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use crate::purge::Generation;

pub use message::{Back, InvalidMessage, Message};
pub use words::{Ask, Ended, Filled, Kept, Lease, Refusal, Said};

/// In which of so many objects a key is looked for.
pub fn shard(key: &str, shards: u64) -> u64 {
    crate::memory::hash(key).checked_rem(shards).unwrap_or_default()
}

/// Who fills what. One value for one Durable Object.
#[derive(Debug)]
pub struct Fills {
    keys: HashMap<String, Key>,
    next: u64,
    /// When all keys were last looked through.
    pruned: Duration,
}

#[derive(Debug, Default)]
struct Key {
    kept: Option<Kept>,
    lease: Option<Held>,
    /// The latest purge that anybody knew to concern this key.
    purged: Option<Generation>,
    /// When a write made untrue what was fetched before (RFC 9111, section 4.4), and the number that leases had come to.
    forgotten: Option<(u64, Duration)>,
    failures: u8,
    pass_until: Duration,
    too_large_until: Duration,
}

/// A lease, and what its filler knew of purges when it was given.
#[derive(Debug, Clone, Copy)]
struct Held {
    lease: Lease,
    generation: Option<Generation>,
}

impl Fills {
    /// How long everybody fetches for himself, after a response that nobody else may have.
    pub const PASS: Duration = Duration::from_secs(5);

    /// The same after fillers have failed one after the other.
    const GIVEN_UP: Duration = Duration::from_secs(2);

    /// So many failures in a row are no accident.
    const MAX_FAILURES: u8 = 2;

    /// How long a key is known to be too large.
    const TOO_LARGE: Duration = Duration::from_secs(300);

    /// How long a fetch may have been under way that a write has made untrue.
    const FORGOTTEN: Duration = Duration::from_secs(600);

    /// How often all keys are looked through.
    const PRUNE: Duration = Duration::from_secs(30);

    /// So many keys are known at most; what happens to the others is not coordinated.
    const MAX_KEYS: usize = 50_000;

    /// A start without memory. Leases are numbered from a random number on, so that those of an instance before mean
    /// nothing to this one.
    pub fn new(random: u64) -> Self {
        Self { keys: HashMap::new(), next: random >> 12, pruned: Duration::ZERO }
    }

    /// Is anything known about this key? If not, [`load`](Self::load) what the storage has before asking.
    pub fn knows(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// What the storage has of a key.
    pub fn load(&mut self, key: &str, kept: Option<Kept>) {
        self.keys.entry(key.to_owned()).or_default().kept = kept;
    }

    /// The response that is kept under a key.
    pub fn kept(&self, key: &str) -> Option<Kept> {
        self.keys.get(key)?.kept
    }

    /// Decides about one question.
    pub fn ask(&mut self, key: &str, ask: &Ask, now: Duration) -> Said {
        self.prune(now);
        if !self.keys.contains_key(key) && self.keys.len() >= Self::MAX_KEYS {
            return Said::Pass;
        }
        let number = self.number();
        let state = self.keys.entry(key.to_owned()).or_default();
        if !ask.refresh {
            state.refuse(ask.refuse);
        }
        state.lease = state.lease.filter(|held| now < held.lease.until);
        let lease = Lease { number, until: now.saturating_add(ask.lease) };
        let held = Held { lease, generation: ask.generation };
        let newer = |kept: &Kept| ask.refuse.is_none_or(|refused| refused.version != kept.version);
        if let Some(kept) = state.kept.filter(|kept| now < kept.keep_until && newer(kept)) {
            let due = now >= kept.fresh_until || early(&kept, ask.random, now);
            let leased = !ask.lease.is_zero() && state.lease.is_none() && now >= state.pass_until;
            let refresh = (due && leased).then(|| state.lease.insert(held).lease);
            // What is stale by this object's clock may be usable by the asker's rules; who cannot use it refuses it.
            return Said::Hit { version: kept.version, refresh };
        }
        if now < state.too_large_until {
            return Said::TooLarge;
        }
        if ask.lease.is_zero() {
            return Said::Pass;
        }
        match state.lease {
            _ if now < state.pass_until => Said::Pass,
            Some(_) if ask.refresh => Said::Busy,
            Some(_) if now >= ask.until => Said::Pass,
            Some(other) => Said::Wait { until: other.lease.until.min(ask.until) },
            None => Said::Fill(state.lease.insert(held).lease),
        }
    }

    /// A filler brings a response. `None` when it is refused: what is there is newer, or a purge came in between. Else it
    /// replaces what was kept, and those who wait are to be woken. So also after `None`.
    pub fn filled(&mut self, key: &str, filled: &Filled, now: Duration) -> Option<Kept> {
        let version = self.number();
        let state = self.keys.entry(key.to_owned()).or_default();
        let held = state.give_back(filled.lease);
        let purged = before(filled.generation, state.purged)
            || state.forgotten.is_some_and(|(number, _)| filled.lease <= number);
        // A lease that ran out is not held against its filler, unless somebody else was quicker.
        let overtaken = !held && state.kept.is_some_and(|kept| kept.sent >= filled.sent);
        if purged || overtaken || filled.fresh_until <= now {
            return None;
        }
        let Filled { generation, sent, arrived, fresh_until, keep_until, lease: _, durable: _ } = *filled;
        let cost = arrived.saturating_sub(sent);
        state.failures = 0;
        state.pass_until = Duration::ZERO;
        state.kept = Some(Kept { version, generation, sent, cost, fresh_until, keep_until });
        state.kept
    }

    /// The response is for nobody else: those who wait fetch for themselves, for a while.
    fn uncacheable(&mut self, key: &str, lease: u64, now: Duration) {
        if let Some(state) = self.keys.get_mut(key)
            && state.give_back(lease)
        {
            state.pass_until = now.saturating_add(Self::PASS);
        }
    }

    /// The response is larger than the object keeps.
    fn too_large(&mut self, key: &str, lease: u64, now: Duration) {
        if let Some(state) = self.keys.get_mut(key) {
            state.give_back(lease);
            state.kept = None;
            state.too_large_until = now.saturating_add(Self::TOO_LARGE);
        }
    }

    /// The filler got no response. The next who asks tries; after several failures everybody does.
    fn failed(&mut self, key: &str, lease: u64, now: Duration) {
        if let Some(state) = self.keys.get_mut(key)
            && state.give_back(lease)
        {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= Self::MAX_FAILURES {
                state.failures = 0;
                state.pass_until = now.saturating_add(Self::GIVEN_UP);
            }
        }
    }

    /// A filler gives its lease back without a response.
    pub fn ended(&mut self, key: &str, lease: u64, how: Ended, now: Duration) {
        match how {
            Ended::Uncacheable => self.uncacheable(key, lease, now),
            Ended::TooLarge => self.too_large(key, lease, now),
            Ended::Failed => self.failed(key, lease, now),
        }
    }

    /// A write made what is kept, and what is on its way, untrue. Those who wait are to be woken.
    pub fn forget(&mut self, key: &str, now: Duration) {
        let number = self.number();
        let state = self.keys.entry(key.to_owned()).or_default();
        state.kept = None;
        state.lease = None;
        state.forgotten = Some((number, now));
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Forgets the keys of which nothing matters any more.
    fn prune(&mut self, now: Duration) {
        if now.saturating_sub(self.pruned) >= Self::PRUNE {
            self.pruned = now;
            self.keys.retain(|_, key| key.matters(now));
        }
    }
}

impl Key {
    fn refuse(&mut self, refusal: Option<Refusal>) {
        let Some(Refusal { version, purged }) = refusal else { return };
        if self.kept.is_some_and(|kept| kept.version == version) {
            self.kept = None;
        }
        self.purged = match (self.purged, purged) {
            (Some(known), Some(purge)) if purge.is_before(known) => Some(known),
            (_, Some(purge)) => Some(purge),
            (known, None) => known,
        };
        // What a filler brings that began before the purge will be refused: nobody need wait for it.
        let in_vain = |held: &Held| before(held.generation, self.purged);
        if self.lease.as_ref().is_some_and(in_vain) {
            self.lease = None;
        }
    }

    /// Ends a lease; false when it was not the current one.
    fn give_back(&mut self, number: u64) -> bool {
        let held = self.lease.is_some_and(|held| held.lease.number == number);
        if held {
            self.lease = None;
        }
        held
    }

    fn matters(&self, now: Duration) -> bool {
        self.kept.is_some_and(|kept| now < kept.keep_until)
            || self.lease.is_some_and(|held| now < held.lease.until)
            || now < self.pass_until
            || now < self.too_large_until
            || self.forgotten.is_some_and(|(_, at)| now < at.saturating_add(Fills::FORGOTTEN))
    }
}

/// Did a fetch that knew this begin before that purge? Who knew nothing may have.
fn before(generation: Option<Generation>, purged: Option<Generation>) -> bool {
    purged.is_some_and(|purged| generation.is_none_or(|generation| generation.is_before(purged)))
}

/// Is this response refreshed ahead of its expiry? By XFetch: the closer its end and the longer its fetch takes, the more
/// likely, so that of many askers one does it in time. See [`refresh_ahead`](crate::refresh_ahead).
fn early(kept: &Kept, random: u64, now: Duration) -> bool {
    let lifetime = kept.fresh_until.saturating_sub(kept.sent);
    crate::refresh_ahead(lifetime, kept.fresh_until.saturating_sub(now), kept.cost, random)
}

#[cfg(test)]
mod tests;
