//! A key set that is fetched from a URL, kept, and fetched again in time.

use std::rc::Rc;
use std::time::Duration;

use crate::key_set::KeySet;

/// A key set that is fetched from a URL, kept, and fetched again in time.
///
/// Makes no request itself: [`KeyRing::plan`] says what is due, and the caller reports back with [`KeyRing::attempt`] before
/// a request and with [`KeyRing::fetched`] or [`KeyRing::failed`] after it. A report that never comes (a request that was
/// cancelled) leaves nothing locked: every wait is counted from a point in time. All times are since the Unix epoch.
///
/// A failure never replaces the keys at hand. Otherwise one answer of the issuer's proxy, or one token with a made-up key
/// name at the wrong moment, would turn every client away.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    last_good: Option<Fetched>,
    last_attempt: Option<Duration>,
    /// The last attempt that set out with keys at hand. The first fetch is none: an issuer that rotates right after it must
    /// not be shut out for a cooldown.
    last_search: Option<Duration>,
    /// How many requests set out since the last outcome.
    under_way: u32,
    failures: Option<Failures>,
}

/// What to do before a token is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlan {
    /// Check it with the keys at hand.
    Use,
    /// Check it with the keys at hand, and fetch the set afterwards, while nobody waits.
    UseThenRefresh,
    /// Fetch the set, then check it with whatever keys are at hand.
    Fetch,
    /// There are no keys, and the issuer was asked a moment ago. Turn the request away as the gateway's fault.
    Unavailable {
        /// When to try again, counted from now.
        retry_after: Duration,
    },
}

#[derive(Debug, Clone)]
struct Fetched {
    keys: Rc<KeySet>,
    at: Duration,
}

/// Consecutive failures.
#[derive(Debug, Clone, Copy)]
struct Failures {
    last: Duration,
    /// How long to wait after the last one.
    pause: Duration,
}

/// How long a set is used without a look at the issuer.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// How long a set is used while the issuer does not answer.
const LAST_GOOD: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the issuer is asked for the sake of an unknown key name, after the first time. Anybody can make one up.
const COOLDOWN: Duration = Duration::from_secs(30);

/// How many requests for the set one unknown key name may cause at once.
const MOST_TOGETHER: u32 = 16;

/// The first pause after a failure; each further failure doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl KeyRing {
    /// Makes a ring that has not fetched yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do for a token that names `key_id`, or no key.
    pub fn plan(&self, key_id: Option<&str>, now: Duration) -> KeyPlan {
        let Some(fetched) = self.last_good_at(now) else { return self.plan_without_keys(now) };
        if !fetched.keys.may_hold(key_id) {
            return self.plan_for_unknown_key(now);
        }
        let pause = self.failures.map_or(COOLDOWN, |failures| failures.pause);
        if now.saturating_sub(fetched.at) < FRESH || !self.rested(now, pause) {
            return KeyPlan::Use;
        }
        KeyPlan::UseThenRefresh
    }

    /// The last set that was fetched, until it is 24 hours old.
    pub fn keys(&self, now: Duration) -> Option<Rc<KeySet>> {
        self.last_good_at(now).map(|fetched| Rc::clone(&fetched.keys))
    }

    /// Notes that a request for the set sets out.
    pub fn attempt(&mut self, now: Duration) {
        // After a cooldown without an outcome, those under way are lost.
        self.under_way = if self.rested(now, COOLDOWN) { 1 } else { self.under_way.saturating_add(1) };
        self.last_attempt = Some(now);
        if self.last_good_at(now).is_some() {
            self.last_search = Some(now);
        }
    }

    /// Takes the set that was fetched.
    pub fn fetched(&mut self, keys: KeySet, now: Duration) {
        self.settle(now);
        self.failures = None;
        self.last_good = Some(Fetched { keys: Rc::new(keys), at: now });
    }

    /// Notes that a request for the set failed: no answer, another status than 200, or no key set in it.
    pub fn failed(&mut self, now: Duration) {
        self.settle(now);
        self.failures = Some(match self.failures {
            None => Failures { last: now, pause: SHORTEST_PAUSE },
            // Requests that set out together fail together: they are one failure.
            Some(failures) if now.saturating_sub(failures.last) < failures.pause => failures,
            Some(failures) => Failures { last: now, pause: failures.pause.saturating_mul(2).min(LONGEST_PAUSE) },
        });
    }

    /// The issuer has a new key, or somebody made a name up. In an isolate no request can wait for another's, so that those
    /// which come while one is under way fetch as well: with the old keys, they would be turned away for no fault of theirs.
    fn plan_for_unknown_key(&self, now: Duration) -> KeyPlan {
        let joins = (1..MOST_TOGETHER).contains(&self.under_way);
        let rested = self.last_search.is_none_or(|search| now.saturating_sub(search) >= COOLDOWN);
        if joins || rested { KeyPlan::Fetch } else { KeyPlan::Use }
    }

    /// Before the first failure everybody fetches: they cannot wait for each other either. After it, one at a time.
    fn plan_without_keys(&self, now: Duration) -> KeyPlan {
        let Some(failures) = self.failures else { return KeyPlan::Fetch };
        let waited = self.since_attempt(now).unwrap_or(Duration::MAX);
        match failures.pause.checked_sub(waited) {
            None | Some(Duration::ZERO) => KeyPlan::Fetch,
            Some(retry_after) => KeyPlan::Unavailable { retry_after },
        }
    }

    fn settle(&mut self, now: Duration) {
        self.under_way = 0;
        if self.last_search.is_some() && self.last_search == self.last_attempt {
            self.last_search = Some(now);
        }
        self.last_attempt = Some(now);
    }

    fn last_good_at(&self, now: Duration) -> Option<&Fetched> {
        self.last_good.as_ref().filter(|fetched| now.saturating_sub(fetched.at) < LAST_GOOD)
    }

    fn rested(&self, now: Duration, pause: Duration) -> bool {
        self.since_attempt(now).is_none_or(|waited| waited >= pause)
    }

    fn since_attempt(&self, now: Duration) -> Option<Duration> {
        self.last_attempt.map(|attempt| now.saturating_sub(attempt))
    }
}

#[cfg(test)]
mod tests;
