#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::answer::{Grant, Loan, Outcome};
use crate::question::{Flags, Held, Intent, Item, Remains, Terms};
use crate::{Answer, Concurrency, Question, Rate, Verdict, Want, Window, Windows};

fn item(key: &str, terms: Terms, cost: u32) -> Item {
    Item {
        key: key.to_owned(),
        terms,
        cost,
        flags: Flags::default(),
        demand: 0,
        remains: None,
        held: None,
        paid: 0,
        debt: 0,
        debt_age_ms: 0,
        credit: 0,
        era: 0,
    }
}

fn rate(burst: u32) -> Terms {
    Terms::Rate(Rate::new(100, Duration::from_secs(60), burst).unwrap())
}

fn question(items: Vec<Item>) -> Question {
    Question { holder: 7, sequence: 3, intent: Intent::Request, items }
}

fn terms() -> impl Strategy<Value = Terms> {
    let rate = (any::<u32>(), 1_000_000..=31_622_400_000_000_000_u64, any::<u32>());
    let rate = rate.prop_filter_map("not a rate", |(requests, per, burst)| {
        Some(Terms::Rate(Rate::new(requests, Duration::from_nanos(per), burst).ok()?))
    });
    let window = (1..=u32::MAX, 1_000..=31_622_400_000_u64)
        .prop_map(|(requests, per)| Terms::Window(Window::new(requests, Duration::from_millis(per)).unwrap()));
    let quota = (1..=1_000_000_u64, 1..=100_000_u64, 1..=100_000_u64).prop_map(|(requests, start, length)| {
        let at = |count: u64| Duration::from_secs(start + count * length);
        let windows = Windows { previous_start: at(0), start: at(1), end: at(2), next_end: at(3) };
        Terms::Quota { requests, windows }
    });
    let concurrency = (1..=u32::MAX, 1_000..=3_600_000_u64).prop_map(|(requests, timeout)| {
        Terms::Concurrency(Concurrency::new(requests, Duration::from_millis(timeout)).unwrap())
    });
    prop_oneof![rate, window, quota, concurrency]
}

fn items() -> impl Strategy<Value = Item> {
    let lent = (any::<[u64; 4]>(), any::<u32>(), any::<[bool; 4]>(), any::<[bool; 2]>(), any::<[u64; 4]>());
    ("\\PC{1,40}", terms(), lent).prop_map(|(key, terms, (ids, share, flags, some, amounts))| Item {
        remains: some[0].then_some(Remains { id: ids[0], left: ids[1] }),
        held: some[1].then_some(Held { id: ids[2], share, capacity: ids[3], stored: ids[1] }),
        flags: Flags { shadow: flags[0], reserved: flags[1], reserve: flags[2] },
        paid: amounts[0],
        debt: amounts[1],
        debt_age_ms: share,
        credit: amounts[2],
        era: amounts[3],
        demand: amounts[0],
        ..item(&key, terms, 1)
    })
}

fn grants() -> impl Strategy<Value = Grant> {
    let time = || (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos));
    let loan = || {
        let loan = (any::<u32>(), any::<u64>(), any::<u64>(), any::<u32>());
        prop::option::of(loan.prop_map(|(share, capacity, deposit, lifetime_ms)| Loan {
            share,
            capacity,
            deposit,
            lifetime_ms,
        }))
    };
    (any::<[bool; 2]>(), any::<[u64; 2]>(), time(), time(), loan(), loan()).prop_map(
        |([allow, scarce], [remaining, era], wait, hold, loan, reserve)| {
            let verdict = match allow {
                true => Verdict::Allowed { remaining, effective_window: wait },
                false => Verdict::Denied { remaining, retry_after: wait },
            };
            Grant { verdict, hold, scarce, era, loan, reserve }
        },
    )
}

#[track_caller]
fn check(items: Vec<Item>, refused: Option<InvalidMessage>) {
    assert_eq!(Question::decode(&question(items).encode()).err(), refused);
}

#[test]
fn version_2_is_these_bytes() {
    // The other side may run the code of last week: a change here needs a new version.
    let mut bytes = vec![2, 1, 7, 3, 0, 2, b'a', b'b', 0, 100];
    bytes.extend([0x80, 0xb0, 0x9d, 0xc2, 0xdf, 0x01]); // 60,000,000,000
    bytes.extend([20, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(question(vec![item("ab", rate(20), 5)]).encode(), bytes);
    let denied = Grant {
        verdict: Verdict::Denied { remaining: 7, retry_after: Duration::new(4, 5) },
        hold: Duration::new(6, 8),
        loan: Some(Loan { share: 1, capacity: 2, deposit: 3, lifetime_ms: 4 }),
        ..Grant::nothing()
    };
    let answer = Answer { sequence: 3, outcome: Outcome::Granted { grants: vec![denied], charged: false } };
    assert_eq!(answer.encode(), [2, 1, 3, 1, 1, 7, 4, 5, 6, 8, 0, 0, 1, 1, 2, 3, 4, 0]);
    assert_eq!(Answer::stale(3).encode(), [2, 0, 3, 2]);
}

#[test]
fn an_unknown_version_is_named() {
    for version in [0, 1, 3] {
        assert_eq!(Question::decode(&[version, 1, 2]), Err(InvalidMessage::Version(version)));
        assert_eq!(Answer::decode(&[version, 1, 2]), Err(InvalidMessage::Version(version)));
    }
}

#[test]
fn a_message_is_exactly_its_bytes() {
    let whole = question(vec![item("ab", rate(20), 3)]).encode();
    for end in 0..whole.len() {
        assert!(Question::decode(&whole[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(Question::decode(&[&whole[..], &[0]].concat()), Err(InvalidMessage::Malformed));
    let answer =
        Answer { sequence: 3, outcome: Outcome::Granted { grants: vec![Grant::nothing()], charged: true } }.encode();
    for end in 0..answer.len() {
        assert!(Answer::decode(&answer[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(Answer::decode(&[&answer[..], &[0]].concat()), Err(InvalidMessage::Malformed));
}

#[test]
fn a_decoded_question_is_as_valid_as_a_constructed_one() {
    check(vec![item("k", rate(3), 3)], None);
    check(vec![item("k", rate(3), 4)], Some(InvalidMessage::Cost));
    check(vec![item("k", rate(3), 0)], Some(InvalidMessage::Cost));
    check(vec![item("", rate(3), 1)], Some(InvalidMessage::KeyLength));
    check(vec![item(&"k".repeat(1_024), rate(3), 1)], None);
    check(vec![item(&"k".repeat(1_025), rate(3), 1)], Some(InvalidMessage::KeyLength));
}

#[test]
fn a_question_has_from_1_to_128_limits() {
    check(vec![], Some(InvalidMessage::LimitCount));
    check(vec![item("k", rate(3), 1); Want::MAX_LIMITS], None);
    check(vec![item("k", rate(3), 1); Want::MAX_LIMITS + 1], Some(InvalidMessage::LimitCount));
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        items in prop::collection::vec(items(), 1..6), grants in prop::collection::vec(grants(), 0..6),
        (holder, sequence, charged) in any::<(u64, u64, bool)>(),
    ) {
        let question = Question { holder, sequence, intent: Intent::Refresh, items };
        prop_assert_eq!(Question::decode(&question.encode()), Ok(question));
        let answer = Answer { sequence, outcome: Outcome::Granted { grants, charged } };
        prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200), count in 0..4_u8) {
        for bytes in [tail.clone(), [&[VERSION, count], &tail[..]].concat()] {
            if let Ok(decoded) = Question::decode(&bytes) {
                prop_assert_eq!(Question::decode(&decoded.encode()), Ok(decoded));
            }
            if let Ok(decoded) = Answer::decode(&bytes) {
                prop_assert_eq!(Answer::decode(&decoded.encode()), Ok(decoded));
            }
        }
    }

    #[test]
    fn a_damaged_question_is_answered_or_refused(
        items in prop::collection::vec(items(), 1..4), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
        now in any::<u32>(),
    ) {
        let mut bytes = question(items).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(question) = Question::decode(&bytes) {
            let (mut authority, now) = (crate::Authority::new(1), Duration::from_secs(u64::from(now)));
            for key in authority.unknown(&question) {
                authority.load(key, Some(&bytes), now);
            }
            let _ = authority.answer(&question, now);
        }
    }
}
