//! The object behind a location's store: it has one request fetch for all that want a key, and keeps what that brings.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_http_cache::fill::{Ask, Message, Refusal, Said};
use tidegate_http_cache::purge::Generation;
use tidegate_http_cache::{self as http_cache, Answer};

use super::copies::LASTS;
use super::fill::{Fill, Selected, Tier, started_seconds};
use super::purges::{self, Judged};
use super::search::{Found, Search};
use super::shelf::{read, shelve};
use crate::memory::Memory;
use crate::platform::{Behind, Platform, StoredBody, Told};
use crate::reply::After;

/// Responses with more bytes are not kept in objects: a row of theirs has at most 2 MB.
pub const BEHIND_MAX: usize = 1024 * 1024;

/// An object that takes longer for an answer that it need not wait for is not asked for a while.
pub const BEHIND_TIMEOUT: Duration = Duration::from_secs(2);

/// How often an answer may be refused; after that the request fetches for itself.
const QUESTIONS_MAX: usize = 4;

/// A stored response: metadata and body.
type Response<B> = Option<(String, B)>;

impl<P: Platform> Search<'_, P> {
    /// Asks the object behind for what the tiers of this location do not have, unless the platform has a copy of that. It
    /// answers with a response, with the right to fetch one, or, when somebody else has that, with what they bring. An object
    /// that fails is left out.
    pub(super) async fn ask_behind(&self, found: Found<P::Body>, generation: Option<Generation>) -> Found<P::Body> {
        let mut found = found;
        let mut asking = self.asking(generation);
        asking.refuse = found.purged.map(|purged| Refusal { version: 0, purged: Some(purged) });
        let mut source = Tier::Copy;
        for _ in 0..QUESTIONS_MAX {
            let Some(place) = self.behind(&found.place.key) else { return found };
            let heard = self.heard(&place, &asking, source).await;
            let (version, response) = match heard {
                Some((Said::Hit { version, refresh }, Some(response), from)) => {
                    source = from;
                    found.lease = refresh;
                    (version, response)
                }
                Some((Said::Fill(lease), ..)) => return Found { lease: Some(lease), ..found },
                Some((Said::TooLarge, ..)) => return self.again(found).await,
                _ => return found,
            };
            let purged = match self.judge_told(&place.key, response, source).await {
                Judged::Believed(told) if http_cache::selects(&told.stored, self.request) => {
                    let is_tried = self.take(&mut found, *told);
                    if is_tried || found.lease.is_some() || (source == Tier::Behind && !self.fills()) {
                        return found;
                    }
                    None
                }
                Judged::Believed(other) if found.place.beside.is_none() => {
                    found = self.other(place, found, *other).await;
                    if found.is_usable() || found.is_declined() || found.is_unplaced() {
                        return found;
                    }
                    asking.refuse = None;
                    source = Tier::Copy;
                    continue;
                }
                Judged::Gone { by } => Some(by),
                Judged::Believed(_) | Judged::Nothing => None,
            };
            if found.lease.is_some() {
                return found;
            }
            // A copy that is of no use says nothing about what the object has.
            let purged = purged.or(asking.refuse.and_then(|refused| refused.purged));
            asking.refuse = Some(Refusal { version, purged });
            source = Tier::Behind;
        }
        found
    }

    /// What is said about a key, in the words of an object, and by whom: by the platform's copy, if that is asked and there is
    /// one.
    async fn heard(&self, place: &Behind, ask: &Ask, first: Tier) -> Option<(Said, Response<P::Body>, Tier)> {
        let copy = if first == Tier::Copy { self.copy(place).await } else { None };
        if copy.is_some() {
            // No object has a version of this number.
            return Some((Said::Hit { version: 0, refresh: None }, copy, Tier::Copy));
        }
        let (said, response) = self.told(place, ask).await?;
        Some((said, response, Tier::Behind))
    }

    fn asking(&self, generation: Option<Generation>) -> Ask {
        let now = self.platform.now();
        // Half of the time that an origin may take: if the filler dies, the next one still brings it in time for all.
        let lease = if self.fills() { self.timeout.checked_div(2).unwrap_or_default() } else { Duration::ZERO };
        let until = now.saturating_add(self.timeout);
        Ask { refuse: None, generation, refresh: false, lease, until, random: self.platform.random() }
    }

    /// What the object says, once it need not be waited for any more.
    async fn told(&self, place: &Behind, ask: &Ask) -> Option<(Said, Response<P::Body>)> {
        let told = told(place, ask, self.memory, self.platform).await?;
        let (Said::Wait { .. }, _) = told else { return Some(told) };
        let wait = ask.until.saturating_sub(self.platform.now());
        let message = ask.encode();
        understood(self.platform.ask_behind(place, message, Some(wait)).await.ok()?)
    }

    async fn judge_told(&self, key: &str, response: (String, P::Body), source: Tier) -> Judged<P::Body> {
        purges::judge(key, response, source, &self.resource, self.memory, self.platform).await
    }

    /// Takes what the object has for this request. True when nothing better is to be had for it.
    fn take(&self, found: &mut Found<P::Body>, told: Selected<P::Body>) -> bool {
        let answer = http_cache::answer(&told.stored, self.method, self.request, self.platform.now());
        let is_tried = !matches!(answer, Answer::Stale { .. });
        if is_tried || told.tier == Tier::Behind {
            found.after.extend(promote(&found.place.key, &told));
        }
        found.selected = Some(told);
        found.answer = Some(answer);
        is_tried
    }

    /// The object has another variant under the key: now this location knows of the family, and where to look.
    async fn other(&self, place: Behind, found: Found<P::Body>, other: Selected<P::Body>) -> Found<P::Body> {
        let mut after = found.after;
        after.extend(promote(&place.key, &other));
        if let Some(lease) = found.lease {
            after.push(After::End(place, super::fill::failed(lease.number)));
        }
        let mut next = match self.beside(found.place.key, other) {
            Ok(variant) => self.at(variant).await,
            Err(found) => *found,
        };
        after.append(&mut next.after);
        Found { after, ..next }
    }

    /// What is too large for the object may be in this location's store by now.
    async fn again(&self, found: Found<P::Body>) -> Found<P::Body> {
        let Found { place, after, .. } = found;
        Found { after, ..self.at(place).await }
    }
}

/// What a revalidation that no client waits for does next.
pub(crate) enum Refresh<B> {
    /// It fetches.
    Go,
    /// Somebody else does, or has done.
    Done(Vec<After<B>>),
}

impl<B: StoredBody> Fill<B> {
    /// Asks the object behind for the right to fetch for everybody, unless it was given already.
    pub(crate) async fn refresh<P: Platform<Body = B>>(
        &mut self,
        memory: &RefCell<Memory>,
        platform: &P,
    ) -> Refresh<B> {
        let (Some(place), None) = (self.behind.clone(), self.lease) else { return Refresh::Go };
        let now = platform.now();
        let lease = self.patience.checked_div(2).unwrap_or_default();
        let random = platform.random();
        let mut ask = Ask { refuse: None, generation: self.generation, refresh: true, lease, until: now, random };
        for _ in 0..2 {
            match told(&place, &ask, memory, platform).await {
                Some((Said::Fill(lease) | Said::Hit { refresh: Some(lease), .. }, _)) => {
                    self.lease = Some(lease);
                    return Refresh::Go;
                }
                Some((Said::Hit { version, refresh: None }, Some((metadata, body)))) => {
                    if self.selected.as_ref().is_none_or(|selected| selected.metadata != metadata) {
                        return Refresh::Done(self.newer(&place.key, metadata, body, platform));
                    }
                    ask.refuse = Some(Refusal { version, purged: None });
                }
                Some((Said::Busy, _)) => return Refresh::Done(Vec::new()),
                _ => return Refresh::Go,
            }
        }
        Refresh::Go
    }

    /// Somebody has fetched the successor already.
    fn newer<P: Platform<Body = B>>(&self, key: &str, metadata: String, body: B, platform: &P) -> Vec<After<B>> {
        let keep_seconds = read(&metadata).map(|(_, stored)| started_seconds(stored.keep()));
        shelve(platform.shelf(), key, metadata, body.clone(), true, platform.now());
        keep_seconds
            .map(|keep_seconds| After::Promote { key: key.to_owned(), body, keep_seconds })
            .into_iter()
            .collect()
    }
}

/// A response that the object has told of, for this location's store; a copy of one, for as long as a copy may answer.
fn promote<B: StoredBody>(key: &str, told: &Selected<B>) -> Option<After<B>> {
    let body = told.body.clone()?;
    let keep = if told.tier == Tier::Copy { LASTS } else { told.stored.keep() };
    Some(After::Promote { key: key.to_owned(), body, keep_seconds: started_seconds(keep) })
}

async fn told<P: Platform>(
    place: &Behind,
    ask: &Ask,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Option<(Said, Response<P::Body>)> {
    if memory.borrow().behind_is_paused(platform.now()) {
        return None;
    }
    match platform.ask_behind(place, ask.encode(), None).await {
        Ok(told) => understood(told),
        Err(_unreachable) => {
            // The request goes on without it.
            memory.borrow_mut().behind_failed(platform.now());
            None
        }
    }
}

fn understood<B>(told: Told<B>) -> Option<(Said, Response<B>)> {
    let Told { said, response } = told;
    Some((Said::decode(&said).ok()?, response))
}
