//! A holder or two and an authority on one desk: every message passes through the test's hands.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_rate_limit::{
    Admission, Ask, Authority, Decided, Decision, Failure, Holder, Question, Receipt, Usage, Verdict, Want, Write,
};
use tidegate_simulation::random::Random;

/// 2 November 2026, 12:00 UTC.
const START: Duration = Duration::from_secs(1_793_620_800);

/// The rows, and what is used of some keys.
type Balance = (BTreeMap<String, Vec<u8>>, Vec<Usage>);

/// The authority with its rows, and the time.
pub(crate) struct Desk {
    pub(crate) authority: Authority,
    rows: BTreeMap<String, Vec<u8>>,
    pub(crate) now: Duration,
    pub(crate) asked: usize,
    /// How often a question that came again was answered otherwise.
    pub(crate) disagreements: usize,
    /// Everything that the object has heard.
    heard: Vec<Vec<u8>>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        let (authority, rows) = (Authority::new(1), BTreeMap::new());
        Desk { authority, rows, now: START, asked: 0, disagreements: 0, heard: Vec::new() }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// The object loses its memory.
    pub(crate) fn restart(&mut self) {
        self.authority = Authority::new(self.authority.incarnation() + 1);
    }

    /// The object gets a message, and its answer is encoded.
    pub(crate) fn deliver(&mut self, message: &[u8]) -> Vec<u8> {
        self.asked += 1;
        self.heard.push(message.to_vec());
        self.answer(message)
    }

    fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let question = Question::decode(message).unwrap();
        let unknown: Vec<String> = self.authority.unknown(&question).into_iter().map(str::to_owned).collect();
        for key in unknown {
            self.authority.load(&key, self.rows.get(&key).map(Vec::as_slice), self.now);
        }
        let (answer, writes) = self.authority.answer(&question, self.now).unwrap();
        self.rows.extend(writes.into_iter().map(|Write { key, row, .. }| (key, row)));
        answer.encode()
    }

    /// All that the object has heard comes again, in an order of `random`. Returns the rows and what is used of the keys
    /// before and after.
    pub(crate) fn hear_again(&mut self, random: &mut Random, keys: &[&str]) -> [Balance; 2] {
        let look = |desk: &Desk| {
            let usage = keys.iter().map(|key| desk.authority.usage(key, desk.now).unwrap());
            (desk.rows.clone(), usage.collect())
        };
        let before = look(self);
        let mut again = self.heard.clone();
        for place in (1..again.len()).rev() {
            again.swap(place, random.below(place + 1));
        }
        again.iter().for_each(|message| drop(self.answer(message)));
        [before, look(self)]
    }

    /// A request from beginning to end, whose messages arrive `copies` times.
    pub(crate) fn request(&mut self, holder: &mut Holder, wants: &[Want], copies: usize) -> Decision {
        self.request_at(holder, wants, copies, self.now)
    }

    /// The same, of a holder whose clock shows something else.
    pub(crate) fn request_at(&mut self, holder: &mut Holder, wants: &[Want], copies: usize, now: Duration) -> Decision {
        let mut decision = match holder.admit("object", wants, now, 7) {
            Admission::Decided(decision) => decision,
            Admission::Ask(ask) => {
                let answer = self.post(&ask, copies);
                holder.answered(&ask, wants, &answer, now, 7)
            }
        };
        if let Some(refresh) = decision.refresh.take() {
            let answer = self.post(&refresh, copies);
            holder.refreshed(&refresh, Ok(&answer), now, 7);
        }
        decision
    }

    /// A request whose answers take `lag` milliseconds.
    pub(crate) fn request_late(&mut self, holder: &mut Holder, wants: &[Want], lag: u64) {
        match holder.admit("object", wants, self.now, 7) {
            Admission::Decided(Decision { refresh: Some(refresh), .. }) => {
                let answer = self.post(&refresh, 1);
                holder.refreshed(&refresh, Ok(&answer), self.now + Duration::from_millis(lag), 7);
            }
            Admission::Decided(_) => {}
            Admission::Ask(ask) => {
                let answer = self.post(&ask, 1);
                let _ = holder.answered(&ask, wants, &answer, self.now + Duration::from_millis(lag), 7);
            }
        }
    }

    /// Somebody looks, and changes nothing.
    pub(crate) fn look(&mut self, ask: &Ask) {
        let _answer = self.answer(&ask.encode());
    }

    fn post(&mut self, ask: &Ask, copies: usize) -> Vec<u8> {
        let message = ask.encode();
        let answers: Vec<Vec<u8>> = (0..copies).map(|_| self.deliver(&message)).collect();
        self.disagreements += answers.iter().filter(|answer| **answer != answers[0]).count();
        answers[0].clone()
    }

    /// Asks until nobody passes for a while, and returns how many did.
    pub(crate) fn drain(&mut self, holders: &mut [Holder], wants: &[Want], copies: usize) -> u64 {
        let (mut passed, mut refused) = (0, 0);
        while refused < 200 {
            for holder in &mut *holders {
                let decision = self.request(holder, wants, copies);
                (passed, refused) = if decision.allowed { (passed + 1, 0) } else { (passed, refused + 1) };
            }
            self.pass(500);
        }
        passed
    }
}

/// The receipt of a request that passed.
pub(crate) fn receipt(decision: Decision) -> Receipt {
    assert!(decision.allowed, "{:?}", decision.verdicts);
    decision.receipt.unwrap()
}

/// How long a refused request shall wait.
pub(crate) fn retry_after(decision: &Decision) -> Duration {
    let waits = decision.verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Denied { retry_after, .. } | Verdict::Closed { retry_after } => Some(*retry_after),
        Verdict::Allowed { .. } | Verdict::Open => None,
    });
    waits.max().unwrap()
}

/// A request that nobody answers.
pub(crate) fn unanswered(desk: &Desk, holder: &mut Holder, wants: &[Want]) -> (Decision, Option<Vec<u8>>) {
    match holder.admit("object", wants, desk.now, 7) {
        Admission::Decided(decision) => (decision, None),
        Admission::Ask(ask) => {
            let message = ask.encode();
            let decision = holder.failed(&ask, wants, Failure::Unreachable, desk.now, 7);
            assert_ne!(decision.decided, Decided::Authority);
            (decision, Some(message))
        }
    }
}
