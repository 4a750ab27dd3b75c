#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: Duration = Duration::from_secs(1_000);
const OBJECT_MAX: usize = 64 * 1024;
const LATER: Duration = Duration::from_secs(1_060);

fn tier<V>(bytes_max: usize) -> MemoryTier<V> {
    MemoryTier::new(bytes_max, OBJECT_MAX)
}

fn key(number: usize) -> String {
    format!("key {number}")
}

#[test]
fn what_is_useless_is_not_there() {
    let mut tier = tier(1_000_000);
    tier.insert("a", 1, 10, LATER);
    assert_eq!(tier.get("a", LATER - Duration::from_millis(1)).copied(), Some(1));
    assert_eq!(tier.get("a", LATER), None);
    assert_eq!((tier.len(), tier.bytes()), (0, 0));
}

#[test]
fn large_objects_are_left_to_the_other_tiers() {
    let most = OBJECT_MAX;
    let mut tier = tier(1_000_000);
    tier.insert("a", 1, most, LATER);
    assert_eq!(tier.get("a", NOW).copied(), Some(1));
    tier.insert("a", 2, most + 1, LATER);
    assert_eq!(tier.get("a", NOW), None, "neither the large one nor the one before");
}

#[test]
fn a_popular_key_survives_a_scan() {
    let mut tier = tier(100_000);
    for popular in 0..20 {
        tier.insert(&key(popular), popular, 1_000, LATER);
        tier.get(&key(popular), NOW);
    }
    for scanned in 100..10_000 {
        tier.insert(&key(scanned), scanned, 1_000, LATER);
        if scanned % 50 == 0 {
            (0..20).for_each(|popular| assert!(tier.get(&key(popular), NOW).is_some(), "{popular} after {scanned}"));
        }
    }
}

#[test]
fn a_key_that_comes_back_soon_stays_longer() {
    let mut tier = tier(20_000);
    let mut next = 1;
    let mut scan = |tier: &mut MemoryTier<usize>, count| {
        for _ in 0..count {
            tier.insert(&key(next), next, 1_000, LATER);
            next += 1;
        }
    };
    tier.insert(&key(0), 0, 1_000, LATER);
    scan(&mut tier, 17);
    assert_eq!(tier.get(&key(0), NOW), None, "dropped unasked");
    tier.insert(&key(0), 0, 1_000, LATER);
    scan(&mut tier, 17);
    assert!(tier.get(&key(0), NOW).is_some(), "its ghost let it into the main queue");
}

#[test]
fn places_of_removed_entries_do_not_pile_up() {
    let mut tier = tier(1_000_000);
    for _ in 0..10_000 {
        tier.insert("a", 1, 10, LATER);
        tier.remove("a");
    }
    assert!(tier.small.len() <= 20, "{}", tier.small.len());
}

#[derive(Debug, Clone)]
enum Step {
    Get(usize),
    Insert(usize, usize, u64),
    Remove(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..40).prop_map(Step::Get),
        4 => (0usize..40, 0usize..5_000, 1u64..50).prop_map(|(key, bytes, until)| Step::Insert(key, bytes, until)),
        1 => (0usize..40).prop_map(Step::Remove),
        1 => (0u64..10).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_never_holds_more_than_it_has_and_never_lies(steps in steps(), bytes_max in 1_000usize..40_000) {
        let mut tier = tier(bytes_max);
        let mut inserted = BTreeMap::new();
        let mut now = 0;
        for (value, step) in steps.into_iter().enumerate() {
            let time = Duration::from_secs(now);
            match step {
                Step::Get(number) => {
                    if let Some(found) = tier.get(&key(number), time) {
                        let (value, until) = inserted[&number];
                        prop_assert_eq!(*found, value, "the latest value");
                        prop_assert!(until > now, "not useless yet");
                    }
                }
                Step::Insert(number, bytes, until) => {
                    tier.insert(&key(number), value, bytes, Duration::from_secs(now + until));
                    if bytes + 300 < bytes_max {
                        inserted.insert(number, (value, now + until));
                    } else {
                        tier.remove(&key(number));
                    }
                }
                Step::Remove(number) => {
                    tier.remove(&key(number));
                    prop_assert!(tier.get(&key(number), time).is_none());
                }
                Step::Wait(seconds) => now += seconds,
            }
            prop_assert!(tier.bytes() <= bytes_max);
            prop_assert_eq!(tier.bytes(), tier.entries.values().map(|entry| entry.bytes).sum::<usize>());
            let small = tier.entries.values().filter(|entry| entry.in_small);
            prop_assert_eq!(tier.small_bytes, small.map(|entry| entry.bytes).sum::<usize>());
        }
    }
}
