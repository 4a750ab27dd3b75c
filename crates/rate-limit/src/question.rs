//! What an isolate asks the object that owns its keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::allowance::{Concurrency, Window, Windows};
use crate::message::{self, InvalidMessage};
use crate::rate::Rate;
use crate::want::Want;

/// A question about all limits of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    // Invariant: from 1 to `Want::MAX_LIMITS` items, each as valid as a `Want`.
    pub(crate) holder: u64,
    pub(crate) sequence: u64,
    pub(crate) intent: Intent,
    pub(crate) items: Vec<Item>,
}

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Intent {
    /// A request waits to be granted.
    Request,
    /// Nobody waits: a lease is to be renewed.
    Refresh,
    /// Somebody wants to see the numbers. Nothing is charged, and nothing lent.
    Peek,
}

/// One limit of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) terms: Terms,
    /// What the request costs. Ignored unless somebody waits.
    pub(crate) cost: u32,
    pub(crate) flags: Flags,
    /// What the holder was asked for lately: thousandths of a request of cost one, per second.
    pub(crate) demand: u64,
    /// What is left of a lease that has expired at the holder, who can no longer spend it.
    pub(crate) remains: Option<Remains>,
    /// The lease that is live at the holder.
    pub(crate) held: Option<Held>,
    /// What of the price the holder has taken from its own lease, in the kind's unit.
    pub(crate) paid: u64,
    /// The cost that the holder admitted without having it: to be taken from the account.
    pub(crate) debt: u64,
    /// How long ago the last of it was admitted.
    pub(crate) debt_age_ms: u32,
    /// The cost that was taken too much when it was a guess: to be given back.
    pub(crate) credit: u64,
    /// The era in which it was taken; of requests in progress, the one that the holder has heard of last.
    pub(crate) era: u64,
}

/// What an item says about its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flags {
    /// The limit does not refuse.
    pub(crate) shadow: bool,
    /// The cost will be settled later.
    pub(crate) reserved: bool,
    /// The holder wants a slice of the reserve.
    pub(crate) reserve: bool,
}

/// What is left of an expired lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remains {
    /// The sequence number of the question whose answer gave the lease.
    pub(crate) id: u64,
    pub(crate) left: u64,
}

/// A live lease as its holder knows it; or the permits for requests in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The sequence number of the question whose answer gave the lease. Of permits, the number up to which no answer is
    /// taken any more: `capacity` are those that the answers up to there have brought.
    pub(crate) id: u64,
    pub(crate) share: u32,
    pub(crate) capacity: u64,
    /// What the holder has now, with what it sent along with this question and with others.
    pub(crate) stored: u64,
}

/// The numbers of a limit, as far as the authority needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    Rate(Rate),
    Window(Window),
    Quota { requests: u64, windows: Windows },
    Concurrency(Concurrency),
}

impl Terms {
    /// Returns what a cost is in the unit that this kind counts in.
    pub(crate) fn price(&self, cost: u32) -> u64 {
        match self {
            Terms::Rate(rate) => rate.increment(cost),
            Terms::Window(_) | Terms::Quota { .. } | Terms::Concurrency(_) => u64::from(cost),
        }
    }

    /// Returns what a long cost is in the unit that this kind counts in.
    pub(crate) fn long_price(&self, cost: u64) -> u64 {
        match self {
            Terms::Rate(rate) => rate.interval_nanos().get().saturating_mul(cost),
            Terms::Window(_) | Terms::Quota { .. } | Terms::Concurrency(_) => cost,
        }
    }

    fn capacity(&self) -> u64 {
        match self {
            Terms::Rate(rate) => u64::from(rate.burst()),
            Terms::Window(window) => u64::from(window.requests()),
            Terms::Quota { requests, .. } => *requests,
            Terms::Concurrency(concurrency) => u64::from(concurrency.requests()),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    holder: u64,
    sequence: u64,
    intent: Intent,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    key: &'a str,
    terms: TermsEntry,
    cost: u32,
    flags: Flags,
    demand: u64,
    remains: Option<Remains>,
    held: Option<Held>,
    paid: u64,
    debt: u64,
    debt_age_ms: u32,
    credit: u64,
    era: u64,
}

#[derive(Serialize, Deserialize)]
enum TermsEntry {
    Rate { requests: u32, per_nanos: u64, burst: u32 },
    Window { requests: u32, per_ms: u64 },
    Quota { requests: u64, previous_start_s: u64, start_s: u64, end_s: u64, next_end_s: u64 },
    Concurrency { requests: u32, timeout_ms: u64 },
}

impl Question {
    /// Returns the keys of the limits, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.key.as_str())
    }

    /// Writes the message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Question { holder, sequence, intent, ref items } = *self;
        message::encode(&Head { holder, sequence, intent }, items.iter().map(Entry::from))
    }

    /// Reads the message that an isolate sent.
    ///
    /// # Errors
    /// Whatever the constructors refuse, an unknown version, and bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Question, InvalidMessage> {
        let (head, count, mut rest) = message::open::<Head>(bytes)?;
        if count == 0 || count > Want::MAX_LIMITS {
            return Err(InvalidMessage::LimitCount);
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(message::next::<Entry<'_>>(&mut rest)?.item()?);
        }
        message::close(rest)?;
        let Head { holder, sequence, intent } = head;
        Ok(Question { holder, sequence, intent, items })
    }
}

impl<'a> From<&'a Item> for Entry<'a> {
    fn from(item: &'a Item) -> Entry<'a> {
        let Item { ref key, ref terms, cost, flags, demand, remains, held, paid, debt, debt_age_ms, credit, era } =
            *item;
        Entry {
            key,
            terms: TermsEntry::from(terms),
            cost,
            flags,
            demand,
            remains,
            held,
            paid,
            debt,
            debt_age_ms,
            credit,
            era,
        }
    }
}

impl Entry<'_> {
    fn item(self) -> Result<Item, InvalidMessage> {
        let Entry { key, terms, cost, flags, demand, remains, held, paid, debt, debt_age_ms, credit, era } = self;
        if key.is_empty() || key.len() > Want::MAX_KEY_BYTES {
            return Err(InvalidMessage::KeyLength);
        }
        let terms = terms.terms()?;
        if cost == 0 || u64::from(cost) > terms.capacity() {
            return Err(InvalidMessage::Cost);
        }
        Ok(Item {
            key: key.to_owned(),
            terms,
            cost,
            flags,
            demand,
            remains,
            held,
            paid,
            debt,
            debt_age_ms,
            credit,
            era,
        })
    }
}

impl From<&Terms> for TermsEntry {
    fn from(terms: &Terms) -> TermsEntry {
        match terms {
            Terms::Rate(rate) => {
                TermsEntry::Rate { requests: rate.requests(), per_nanos: rate.per_nanos(), burst: rate.burst() }
            }
            Terms::Window(window) => {
                TermsEntry::Window { requests: window.requests(), per_ms: milliseconds(window.per()) }
            }
            Terms::Quota { requests, windows } => TermsEntry::Quota {
                requests: *requests,
                previous_start_s: windows.previous_start.as_secs(),
                start_s: windows.start.as_secs(),
                end_s: windows.end.as_secs(),
                next_end_s: windows.next_end.as_secs(),
            },
            Terms::Concurrency(concurrency) => TermsEntry::Concurrency {
                requests: concurrency.requests(),
                timeout_ms: milliseconds(concurrency.timeout()),
            },
        }
    }
}

impl TermsEntry {
    fn terms(self) -> Result<Terms, InvalidMessage> {
        match self {
            TermsEntry::Rate { requests, per_nanos, burst } => {
                Ok(Terms::Rate(Rate::new(requests, Duration::from_nanos(per_nanos), burst)?))
            }
            TermsEntry::Window { requests, per_ms } => {
                Ok(Terms::Window(Window::new(requests, Duration::from_millis(per_ms))?))
            }
            TermsEntry::Quota { requests, previous_start_s, start_s, end_s, next_end_s } => {
                if requests == 0 || !(previous_start_s <= start_s && start_s < end_s && end_s < next_end_s) {
                    return Err(InvalidMessage::Windows);
                }
                let windows = Windows {
                    previous_start: Duration::from_secs(previous_start_s),
                    start: Duration::from_secs(start_s),
                    end: Duration::from_secs(end_s),
                    next_end: Duration::from_secs(next_end_s),
                };
                Ok(Terms::Quota { requests, windows })
            }
            TermsEntry::Concurrency { requests, timeout_ms } => {
                Ok(Terms::Concurrency(Concurrency::new(requests, Duration::from_millis(timeout_ms))?))
            }
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
