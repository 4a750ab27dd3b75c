//! What operators do to one key, whether it is in memory or only in storage.

use std::time::Duration;

use super::{Authority, Write};
use crate::question::Question;
use crate::usage::Usage;

impl Authority {
    /// Returns what operators see of the first key of `question`, which is a peek. `row` is what is stored of it.
    ///
    /// Nothing changes here: a key that is only in storage stays there.
    pub fn look(&self, question: &Question, row: Option<&[u8]>, now: Duration) -> Option<Usage> {
        let key = question.keys().next()?;
        self.usage(key, now).or_else(|| self.with_row(question, row, now)?.usage(key, now))
    }

    /// Forgets what was used of the first key of `question`, which is a peek. The row that comes back must be stored.
    pub fn clear(&mut self, question: &Question, row: Option<&[u8]>, now: Duration) -> Option<Write> {
        let key = question.keys().next()?;
        if self.usage(key, now).is_some() {
            return self.reset(key, now);
        }
        self.with_row(question, row, now)?.reset(key, now)
    }

    /// An authority that knows this key and no other one: the terms of a peek are not always those that the key's caller
    /// has, and must not replace them.
    fn with_row(&self, question: &Question, row: Option<&[u8]>, now: Duration) -> Option<Authority> {
        let mut other = Authority::new(self.incarnation());
        other.load(question.keys().next()?, row, now);
        other.answer(question, now).ok()?;
        Some(other)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::{Admission, Allowance, Calendar, Holder, Period, Quota, Rate, Want, Zone};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn want(burst: u32) -> Want {
        let rate = Rate::new(burst, Duration::from_secs(3_600), burst).unwrap();
        Want::new("key", Allowance::Rate(rate), 1).unwrap()
    }

    fn peek(burst: u32) -> Question {
        Question::decode(&Holder::new(2).peek("object", &[want(burst)], NOW).encode()).unwrap()
    }

    /// An authority at which a request was granted, and the row that it stored.
    fn used() -> (Authority, Vec<u8>) {
        let Admission::Ask(ask) = Holder::new(1).admit("object", &[want(100)], NOW, 0) else { panic!("not asked") };
        let question = Question::decode(&ask.encode()).unwrap();
        let mut authority = Authority::new(1);
        authority.load("key", None, NOW);
        let (_, writes) = authority.answer(&question, NOW).unwrap();
        (authority, writes[0].row.clone())
    }

    #[test]
    fn a_key_is_seen_in_memory_and_in_storage_and_by_other_terms_without_taking_them() {
        let (authority, row) = used();
        assert_eq!(authority.look(&peek(100), None, NOW).unwrap().used, 1);
        assert_eq!(authority.look(&peek(10), None, NOW).unwrap().used, 1);
        assert_eq!(authority.look(&peek(100), None, NOW).unwrap().remaining, 99);
        // A row covers what comes next as well.
        assert!(Authority::new(2).look(&peek(100), Some(&row), NOW).unwrap().used >= 1);
        assert_eq!(Authority::new(2).look(&peek(100), None, NOW).unwrap().used, 0);
    }

    #[test]
    fn a_cleared_key_is_whole_in_memory_and_in_storage() {
        let (mut authority, row) = used();
        let write = authority.clear(&peek(100), None, NOW).unwrap();
        assert_eq!(authority.look(&peek(100), None, NOW).unwrap().used, 0);
        // A row covers the next request as well.
        assert!(Authority::new(2).look(&peek(100), Some(&write.row), NOW).unwrap().used <= 1);
        let write = Authority::new(2).clear(&peek(100), Some(&row), NOW).unwrap();
        assert!(Authority::new(3).look(&peek(100), Some(&write.row), NOW).unwrap().used <= 1);
    }

    #[test]
    fn a_quota_that_was_only_in_storage_is_whole_after_another_reset_when_its_loans_have_ended() {
        let want = || {
            let calendar = Calendar::new(Period::Day, Zone::new(0, Vec::new()).unwrap());
            Want::new("key", Allowance::Quota(Quota::new(100, Rc::new(calendar)).unwrap()), 1).unwrap()
        };
        let ask = |holder: u64, now| {
            let Admission::Ask(ask) = Holder::new(holder).admit("object", &[want()], now, 0) else {
                panic!("not asked")
            };
            Question::decode(&ask.encode()).unwrap()
        };
        let peek = |now| Question::decode(&Holder::new(9).peek("object", &[want()], now).encode()).unwrap();
        // What a row says that was written when everything was lent.
        let mut first = Authority::new(1);
        first.load("key", None, NOW);
        let mut question = ask(1, NOW);
        question.items[0].demand = 100_000;
        let (_, writes) = first.answer(&question, NOW).unwrap();
        let row = &writes[0].row;
        let write = Authority::new(2).clear(&peek(NOW), Some(row), NOW).unwrap();
        let mut third = Authority::new(3);
        assert!(third.look(&peek(NOW), Some(&write.row), NOW).unwrap().used >= 17);
        third.load("key", Some(&write.row), NOW);
        third.answer(&ask(2, NOW), NOW).unwrap();
        let later = NOW + Duration::from_secs(12);
        third.clear(&peek(later), None, later).unwrap();
        assert_eq!(third.look(&peek(later), None, later).unwrap().used, 0);
    }
}
