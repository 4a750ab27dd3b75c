//! Which questions were answered, so that none is answered twice.

use crate::answer::{Answer, Outcome};
use crate::map::Map;
use crate::mutation::{Mutation, makes};

/// At most so many isolates are remembered.
const MAX_HOLDERS: usize = 4_000;
/// At most so many grants are kept to be repeated: some 20 MB.
const MAX_GRANTS: usize = 100_000;
/// Questions that an isolate asks at once may come in another order. Of the last so many, each is answered once.
const REMEMBERED: usize = 64;

/// What every isolate has asked lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    holders: Map<u64, Asked>,
    grants: usize,
}

#[derive(Clone, Debug)]
struct Asked {
    /// In order, the latest last.
    sequences: Vec<u64>,
    /// The answer to the latest question that was answered.
    answer: Option<Answer>,
    heard: u128,
}

/// Whether a question was seen before.
pub(super) enum Look {
    New,
    Again(Answer),
    Stale,
}

impl Seen {
    pub(super) fn look(&self, holder: u64, sequence: u64) -> Look {
        let Some(asked) = self.holders.get(&holder) else { return Look::New };
        if makes(Mutation::SequenceIgnored) {
            return Look::New;
        }
        if asked.sequences.binary_search(&sequence).is_ok() {
            let answer = asked.answer.as_ref().filter(|answer| answer.sequence == sequence);
            return answer.map_or(Look::Stale, |answer| Look::Again(answer.clone()));
        }
        let forgotten = asked.sequences.len() >= REMEMBERED;
        match asked.sequences.first() {
            Some(first) if forgotten && sequence < *first => Look::Stale,
            _ => Look::New,
        }
    }

    pub(super) fn note(&mut self, holder: u64, answer: &Answer, now: u128) {
        self.make_room(holder);
        let empty = || Asked { sequences: Vec::new(), answer: None, heard: now };
        let asked = self.holders.entry(holder).or_insert_with(empty);
        self.grants = self.grants.saturating_sub(asked.answer.as_ref().map_or(0, size)).saturating_add(size(answer));
        asked.answer = Some(answer.clone());
        asked.heard = now;
        if let Err(place) = asked.sequences.binary_search(&answer.sequence) {
            asked.sequences.insert(place, answer.sequence);
        }
        if asked.sequences.len() > REMEMBERED {
            asked.sequences.remove(0);
        }
    }

    fn make_room(&mut self, holder: u64) {
        if self.grants > MAX_GRANTS {
            self.holders.values_mut().for_each(|asked| asked.answer = None);
            self.grants = 0;
        }
        if self.holders.len() >= MAX_HOLDERS && !self.holders.contains_key(&holder) {
            // The half that was silent for longer.
            let mut heard: Vec<u128> = self.holders.values().map(|asked| asked.heard).collect();
            heard.sort_unstable();
            let middle = heard.get(heard.len() / 2).copied().unwrap_or(0);
            self.holders.retain(|_, asked| asked.heard > middle);
            self.grants = self.holders.values().filter_map(|asked| asked.answer.as_ref()).map(size).sum();
        }
    }
}

fn size(answer: &Answer) -> usize {
    match &answer.outcome {
        Outcome::Granted { grants, .. } => grants.len(),
        Outcome::Stale => 0,
    }
}
