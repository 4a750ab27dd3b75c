//! What one isolate remembers between requests. All of it can be lost at any moment and is bounded.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tidegate_http_cache::purge::{Generations, Manner, Target};
use tidegate_jwt::{Claims, KeyRing, KeySet};
use tidegate_rate_limit::{Holder, HolderCounters};
use tidegate_steering::{Fleet, Pool, Rotations};

use crate::caching::{Copies, News};
use crate::flights::Flights;
use crate::limiting::{Keys, Renewal};
use crate::recent::Recent;
use crate::record::Record;

/// How long requests go on without the objects behind the locations' stores after one did not answer.
const BEHIND_PAUSE: Duration = Duration::from_secs(5);

/// The memory of one isolate. Borrow it for one synchronous step, never across an await: a cancelled request would keep
/// the borrow for ever.
#[derive(Default)]
pub struct Memory {
    pub(crate) tokens: Tokens,
    /// One ring for each issuer with a JWKS URL, by the issuer's name.
    pub(crate) rings: BTreeMap<String, KeyRing>,
    /// Key sets made from Worker secrets, by the secret's name.
    pub(crate) secrets: BTreeMap<String, Rc<KeySet>>,
    /// The keys of limits, as their objects know them.
    pub(crate) keys: Keys,
    /// The purges that this isolate knows of.
    pub(crate) generations: Generations,
    pub(crate) purge_counters: PurgeCounters,
    /// Whether the purge log should be asked for more of them.
    news: Option<News>,
    holder: Option<Holder>,
    renewals: Vec<Renewal>,
    /// What is being fetched for caches.
    pub(crate) flights: Flights,
    /// What is known of the platform's copies of stored responses.
    pub(crate) copies: Copies,
    /// When an object behind a location's store last failed to answer.
    behind_failed: Option<Duration>,
    rotations: Option<Rotations>,
    counters: Counters,
}

impl Memory {
    /// The pools with this isolate's turns; the first use starts each at a random one.
    pub(crate) fn with_fleet<T>(&mut self, pools: &[Pool], random: u64, ask: impl FnOnce(&mut Fleet<'_>) -> T) -> T {
        let rotations = self.rotations.get_or_insert_with(|| Rotations::new(pools, random));
        ask(&mut Fleet { pools, rotations })
    }

    /// What this isolate was lent of its limits; the first use gives it its name, which `id` draws.
    pub(crate) fn holder(&mut self, id: impl FnOnce() -> u64) -> &mut Holder {
        self.holder.get_or_insert_with(|| Holder::new(id()))
    }

    /// What this isolate was lent, if any request had limits.
    pub(crate) fn known_holder(&mut self) -> Option<&mut Holder> {
        self.holder.as_mut()
    }

    pub(crate) fn renew_later(&mut self, renewal: Renewal) {
        self.renewals.push(renewal);
    }

    /// What should be asked after the reply, with [`renew`](crate::renew), by whichever request comes to it first.
    pub fn take_renewals(&mut self) -> Vec<Renewal> {
        std::mem::take(&mut self.renewals)
    }

    /// Has the purge log asked after the reply, if it is time for that.
    pub(crate) fn learn_later(&mut self, now: Duration) {
        if self.generations.begin_question(now) {
            self.news = Some(News(()));
        }
    }

    /// Purges here at once. What is returned tells the log, and is waited for; while the log does not answer, it is told after
    /// the reply.
    pub(crate) fn purge(&mut self, targets: Vec<Target>, manner: Manner, now: Duration) -> Option<News> {
        self.purge_counters.purged(targets.len());
        self.generations.purge(targets, manner);
        let is_told = self.generations.has_unsent() && self.generations.begin_question(now);
        is_told.then_some(News(()))
    }

    /// What should be asked of the purge log after the reply, with [`learn`](crate::learn), by whichever request comes to
    /// it first.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    pub(crate) fn limit_counters(&self) -> LimitCounters {
        let counters = self.holder.as_ref().map(|holder| *holder.counters()).unwrap_or_default();
        let HolderCounters { by_lease, by_authority, unreachable, asks, refreshes, .. } = counters;
        let HolderCounters { overshoot, debt, entries, .. } = counters;
        let requests = self.counters.limited;
        LimitCounters { requests, by_lease, by_authority, unreachable, asks, refreshes, overshoot, debt, entries }
    }

    /// The objects behind the locations' stores are left alone for a while after one of them did not answer.
    pub(crate) fn behind_is_paused(&self, now: Duration) -> bool {
        self.behind_failed.is_some_and(|failed| now < failed.saturating_add(BEHIND_PAUSE))
    }

    pub(crate) fn behind_failed(&mut self, now: Duration) {
        self.behind_failed = Some(now);
    }

    /// Counts a finished request.
    pub fn count(&mut self, record: &Record) {
        self.counters.count(record);
    }

    /// What this isolate has seen since it started.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// How many requests ended how, in this isolate, since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// All requests.
    pub requests: u64,
    /// Requests by the class of their status: `2xx`, `4xx`, …
    pub by_status: BTreeMap<&'static str, u64>,
    /// Refusals by their code.
    pub rejections: BTreeMap<&'static str, u64>,
    /// Lookups by what the cache did.
    pub cache: BTreeMap<&'static str, u64>,
    /// Requests to origins, retries included.
    pub attempts: u64,
    /// Denials by limit.
    pub denied: BTreeMap<String, u64>,
    /// Requests that a limit would have denied, were it enforced, by limit.
    pub would_deny: BTreeMap<String, u64>,
    /// Requests that had limits.
    #[serde(skip)]
    limited: u64,
}

/// How limits were decided in this isolate since it started, and what it has of them now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct LimitCounters {
    /// Requests that had limits.
    pub(crate) requests: u64,
    /// Decided here, from what was lent.
    pub(crate) by_lease: u64,
    /// Decided by a Durable Object.
    pub(crate) by_authority: u64,
    /// Decided by the written direction.
    pub(crate) unreachable: u64,
    /// Calls for which a request waited.
    pub(crate) asks: u64,
    /// Calls for which none did.
    pub(crate) refreshes: u64,
    /// Cost that was admitted before it was there.
    pub(crate) overshoot: u64,
    /// Cost of which no Durable Object knows yet.
    pub(crate) debt: u64,
    /// Keys that are remembered.
    pub(crate) entries: usize,
}

/// What this isolate has had to do with the purge log since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct PurgeCounters {
    /// Questions to the log, with what was purged or for news alone.
    pub(crate) questions: u64,
    /// Those that had no answer in time.
    pub(crate) failures: u64,
    /// Tags, URLs, prefixes and groups that were purged here.
    pub(crate) purged: u64,
}

impl PurgeCounters {
    pub(crate) fn asked(&mut self, is_answered: bool) {
        bump(&mut self.questions);
        if !is_answered {
            bump(&mut self.failures);
        }
    }

    pub(crate) fn purged(&mut self, targets: usize) {
        self.purged = self.purged.saturating_add(u64::try_from(targets).unwrap_or(u64::MAX));
    }
}

impl Counters {
    fn count(&mut self, record: &Record) {
        let class = match record.status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        bump(&mut self.requests);
        bump(self.by_status.entry(class).or_default());
        if let Some(code) = record.rejection {
            bump(self.rejections.entry(code).or_default());
        }
        if let Some(cache) = &record.cache {
            bump(self.cache.entry(cache.outcome).or_default());
        }
        self.attempts = self.attempts.saturating_add(u64::from(record.attempts));
        if record.limited_by.is_some() {
            bump(&mut self.limited);
        }
        for limit in &record.limits {
            let counts = match limit.verdict {
                "denied" => &mut self.denied,
                "would_deny" => &mut self.would_deny,
                _ => continue,
            };
            match counts.get_mut(&limit.name) {
                Some(count) => bump(count),
                None => {
                    counts.insert(limit.name.clone(), 1);
                }
            }
        }
    }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// Tokens that were verified here, so that the next request with one of them needs no cryptography. Longer ones are
/// verified each time; the two generations together stay under 9 MiB.
#[derive(Default)]
pub(crate) struct Tokens(Recent<Verified, 2048, 2048>);

/// What a verified token said.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) issuer: Rc<str>,
    pub(crate) claims: Rc<Claims>,
    /// From here on the token is checked anew: its own expiry or [`Tokens::TRUST`], whichever is sooner.
    pub(crate) until: Duration,
}

impl Tokens {
    /// A key that its issuer withdrew opens nothing after this, plus the time the key set stays fresh.
    pub(crate) const TRUST: Duration = Duration::from_secs(300);

    pub(crate) fn get(&mut self, token: &str, now: Duration) -> Option<Verified> {
        self.0.get(token).filter(|verified| now < verified.until)
    }

    pub(crate) fn remember(&mut self, token: &str, verified: Verified) {
        self.0.remember(token, verified);
    }
}
