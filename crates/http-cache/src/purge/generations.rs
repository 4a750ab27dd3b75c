use std::collections::HashMap;
use std::time::Duration;

use super::delta::{Delta, Purges};
use super::log::Manner;
use super::question::Question;
use super::stamp::{Generation, Stamp};
use super::target::{Place, Target};

/// What purges leave of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Believed {
    /// No purge concerns it.
    Current,
    /// A soft purge does: it is stale, whatever its age.
    Stale,
    /// It cannot be known whether one does: only a validation makes it good again. Unknown is never fresh.
    Unknown,
    /// A hard purge does: it is gone. The number is the purge's: only what was fetched at or after it counts.
    Gone {
        /// What replaces it must have been fetched at or after this.
        by: Generation,
    },
}

/// May a hit be served with what the isolate knows of purges?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Known,
    /// The log has to be asked for news first.
    Ask,
    /// The log did not answer a moment ago: the hit is served with what is known, and waits for nothing.
    Unreachable,
    /// The log has not answered for so long that nothing stored counts as fresh.
    Lost,
}

/// A question on its way to the log.
#[derive(Debug)]
pub struct Asked {
    /// The message.
    pub question: Question,
    up_to: u64,
}

/// An isolate's copy of the purge log.
#[derive(Debug, Default)]
pub struct Generations {
    known: Option<Generation>,
    /// When the refresh that brought the latest news was *sent*: what happened since is not known.
    as_of: Duration,
    floor: u64,
    targets: HashMap<Target, Purges>,
    /// When the latest question after a reply was sent, while it is open.
    asked: Option<Duration>,
    /// When the latest question that failed was sent; `None` since the log has answered one.
    failed: Option<Duration>,
    /// There is no log, and so there are no purges.
    absent: bool,
    /// What was purged here and is not known to be in the log; the latest last. The number tells one purge of a target from
    /// the next.
    unsent: Vec<(u64, Target, Manner)>,
    purged: u64,
}

impl Generations {
    /// A hit is served without a question while the table is at most this old.
    pub const FRESH: Duration = Duration::from_secs(1);

    /// The promise: nobody is served what was purged this long ago.
    pub const PROMISE: Duration = Duration::from_secs(2);

    /// With a log that does not answer, hits are served for as long as this.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// A question that has no answer after this long has failed. An object on another continent answers in 300 ms, one that
    /// has to start in 100 ms more.
    pub const TIMEOUT: Duration = Duration::from_millis(750);

    /// A question that failed is followed by the next one after this long.
    const PAUSE: Duration = Duration::from_secs(1);

    /// For this long nobody waits for the log after a question that failed: time for the next one, which nobody waits for, to
    /// fail as well. No longer than the promise, counted from when it was sent: the log gives no receipt while it cannot be
    /// reached, so nobody is served what was purged with a receipt and two seconds ago.
    const WARY: Duration = Self::PROMISE;

    /// An open question that is older than this is lost: its request was cancelled.
    const LOST: Duration = Self::PAUSE;

    /// What is known; kept with a response whose fetch begins now.
    pub fn generation(&self) -> Option<Generation> {
        self.known
    }

    /// How old what is known is; `None` when nothing is.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.known.map(|_| now.saturating_sub(self.as_of))
    }

    /// Whether hits may be served.
    pub fn readiness(&self, now: Duration) -> Readiness {
        if self.absent {
            return Readiness::Known;
        }
        let age = self.age(now);
        let wary = self.failed.is_some_and(|failed| now.saturating_sub(failed) < Self::WARY);
        match age {
            Some(age) if age <= Self::PROMISE => Readiness::Known,
            _ if !wary => Readiness::Ask,
            Some(age) if age <= Self::PATIENCE => Readiness::Unreachable,
            _ => Readiness::Lost,
        }
    }

    /// Whether to ask the log for news after the reply. One request at a time is told so.
    pub fn begin_question(&mut self, now: Duration) -> bool {
        let within = |since: Option<Duration>, span| since.is_some_and(|since| now.saturating_sub(since) < span);
        let is_fresh = self.age(now).is_some_and(|age| age <= Self::FRESH);
        let is_news = !is_fresh || self.has_unsent();
        if self.absent || !is_news || within(self.asked, Self::LOST) || within(self.failed, Self::PAUSE) {
            return false;
        }
        self.asked = Some(now);
        true
    }

    /// Takes in what the log said to a question that was sent at `sent`.
    pub fn apply(&mut self, delta: Delta, sent: Duration) {
        self.asked = None;
        self.failed = None;
        let Delta { from, to, floor, purges } = delta;
        match self.known {
            Some(known) if known.log == to.log => {
                // Replies may overtake each other. One that knows less still says that there was nothing else when its
                // question was sent.
                self.known = Some(Generation { sequence: known.sequence.max(to.sequence), ..known });
                self.as_of = self.as_of.max(sent);
            }
            // Half of another log is no log.
            _ if from > 0 => return,
            _ => {
                let (unsent, purged) = (std::mem::take(&mut self.unsent), self.purged);
                *self = Self { known: Some(to), as_of: sent, unsent, purged, ..Self::default() };
            }
        }
        for (target, purges) in purges {
            let known = self.targets.entry(target).or_default();
            *known = Purges { hard: known.hard.max(purges.hard), soft: known.soft.max(purges.soft) };
        }
        if floor > self.floor {
            // The log has forgotten these too.
            self.targets.retain(|_, purges| purges.latest() >= floor);
            self.floor = floor;
        }
    }

    /// A question that was sent at `sent` was not answered.
    pub fn failed(&mut self, sent: Duration) {
        self.asked = self.asked.filter(|asked| *asked > sent);
        self.failed = self.failed.max(Some(sent));
    }

    /// Purges here at once; the log has it when a [`question`](Self::question) from now on is answered.
    pub fn purge(&mut self, targets: impl IntoIterator<Item = Target>, manner: Manner) {
        if self.absent {
            return;
        }
        for target in targets {
            self.purged = self.purged.saturating_add(1);
            self.unsent.retain(|(_, other, how)| (*other, *how) != (target, manner));
            self.unsent.push((self.purged, target, manner));
        }
        if self.unsent.len() > Question::MAX_TARGETS {
            // The log has not answered for long. Everything is more than was asked for, and nothing is forgotten.
            let is_soft = self.unsent.iter().all(|(_, _, manner)| *manner == Manner::Soft);
            self.unsent = vec![(self.purged, Target::ALL, if is_soft { Manner::Soft } else { Manner::Hard })];
        }
    }

    /// What to ask the log now, with what it does not know yet.
    pub fn question(&self) -> Asked {
        let manner = self.unsent.first().map_or(Manner::Hard, |(_, _, manner)| *manner);
        let unsent = self.unsent.iter().filter(|(_, _, how)| *how == manner);
        let targets = unsent.map(|(_, target, _)| *target).collect();
        Asked { question: Question { known: self.known, targets, manner }, up_to: self.purged }
    }

    /// Takes in what the log said to a question that was sent at `sent`.
    pub fn answered(&mut self, asked: &Asked, delta: Delta, sent: Duration) {
        let Asked { question, up_to } = asked;
        self.unsent.retain(|(number, target, manner)| {
            number > up_to || *manner != question.manner || !question.targets.contains(target)
        });
        self.apply(delta, sent);
    }

    /// Is there something that the log does not know yet?
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// There is no log: nothing can be purged, and everything stored is believed.
    pub fn without_log(&mut self) {
        *self = Self { absent: true, ..Self::default() };
    }

    /// Is there no log?
    pub fn is_absent(&self) -> bool {
        self.absent
    }

    /// How many targets are known.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// True when no purge is known.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Does any purge concern a response that was stored with this stamp at this place?
    ///
    /// Without a purge since it was fetched this is one comparison; otherwise it costs as much as the path is long.
    pub fn judge(&self, stamp: &Stamp, place: &Place<'_>) -> Believed {
        if self.absent {
            return Believed::Current;
        }
        let (Some(known), Some(stored)) = (self.known, stamp.generation) else { return Believed::Unknown };
        if stored.log != known.log {
            return Believed::Unknown;
        }
        if stored.sequence >= known.sequence && self.unsent.is_empty() {
            return Believed::Current;
        }
        let mut hard = 0;
        let mut soft = false;
        let mut concerned = |target: Target| {
            if let Some(purges) = self.targets.get(&target) {
                hard = hard.max(purges.hard);
                soft |= purges.soft > stored.sequence;
            }
            for (_, _, manner) in self.unsent.iter().filter(|(_, unsent, _)| *unsent == target) {
                match manner {
                    // At the least, it gets the next number.
                    Manner::Hard => hard = hard.max(stored.sequence.max(known.sequence).saturating_add(1)),
                    Manner::Soft => soft = true,
                }
            }
            false
        };
        concerned(Target::ALL);
        for tag in &stamp.tags {
            concerned(*tag);
        }
        place.any_target(concerned);
        if hard > stored.sequence {
            return Believed::Gone { by: Generation { sequence: hard, ..known } };
        }
        if stored.sequence < self.floor || stamp.more_tags {
            return Believed::Unknown;
        }
        if soft { Believed::Stale } else { Believed::Current }
    }
}

#[cfg(test)]
mod tests;
