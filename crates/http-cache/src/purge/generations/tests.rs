#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::super::{Manner, PurgeLog};
use super::*;
use proptest::prelude::*;

const PLACE: Place<'static> = Place { host: "a.example", path: "/items/1", query: Some("page=2") };

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A table that knows the log at time zero.
fn table(log: &PurgeLog) -> Generations {
    let mut table = Generations::default();
    table.apply(log.since(None), Duration::ZERO);
    table
}

#[track_caller]
fn check(target: Target, manner: Manner, tags: &[&str], believed: Believed) {
    let mut log = PurgeLog::begin(7);
    let mut table = table(&log);
    let stamp = Stamp::new(table.generation(), tags.iter().map(|tag| Target::tag(tag)));
    assert_eq!(table.judge(&stamp, &PLACE), Believed::Current);
    log.append(&[Target::tag("another"), target], manner);
    assert_eq!(table.judge(&stamp, &PLACE), Believed::Current, "not known yet");
    table.apply(log.since(table.generation()), ms(1));
    assert_eq!(table.judge(&stamp, &PLACE), believed);
    let later = Stamp::new(table.generation(), tags.iter().map(|tag| Target::tag(tag)));
    assert_eq!(table.judge(&later, &PLACE), Believed::Current, "fetched after the purge");
}

#[test]
fn a_purge_concerns_what_was_fetched_before_it() {
    let by = Generation { log: 7, sequence: 1 };
    check(Target::tag("t"), Manner::Hard, &["s", "t"], Believed::Gone { by });
    check(Target::tag("t"), Manner::Soft, &["s", "t"], Believed::Stale);
    check(Target::tag("t"), Manner::Hard, &["s"], Believed::Current);
    check(Target::ALL, Manner::Hard, &[], Believed::Gone { by });
    check(Target::ALL, Manner::Soft, &[], Believed::Stale);
    check(Target::url(Some("a.example"), "/items/1", None), Manner::Hard, &[], Believed::Gone { by });
    check(Target::url(None, "/items/1", Some("page=2")), Manner::Soft, &[], Believed::Stale);
    check(Target::url(None, "/items/1", Some("page=3")), Manner::Soft, &[], Believed::Current);
    check(Target::prefix(None, "/items"), Manner::Hard, &[], Believed::Gone { by });
    check(Target::prefix(Some("b.example"), "/items"), Manner::Hard, &[], Believed::Current);
}

#[test]
fn what_nobody_can_know_is_never_fresh() {
    let mut log = PurgeLog::begin(7);
    let mut table = table(&log);
    assert_eq!(table.judge(&Stamp::new(None, []), &PLACE), Believed::Unknown, "stored without a number");
    let foreign = Generation { log: 8, sequence: 9 };
    assert_eq!(table.judge(&Stamp::new(Some(foreign), []), &PLACE), Believed::Unknown, "stored under another log");
    assert_eq!(
        Generations::default().judge(&Stamp::new(Some(foreign), []), &PLACE),
        Believed::Unknown,
        "nothing known"
    );

    let tags: Vec<String> = (0..=Stamp::MAX_TAGS).map(|tag| tag.to_string()).collect();
    let crowded = Stamp::new(table.generation(), tags.iter().map(|tag| Target::tag(tag)));
    assert_eq!(table.judge(&crowded, &PLACE), Believed::Current);
    log.append(&[Target::tag("another")], Manner::Hard);
    table.apply(log.since(table.generation()), ms(1));
    assert_eq!(table.judge(&crowded, &PLACE), Believed::Unknown, "it may have been one of its other tags");
}

#[test]
fn what_the_log_has_forgotten_is_unknown_and_stays_bounded() {
    let mut log = PurgeLog::begin(7);
    let mut table = table(&log);
    let old = Stamp::new(table.generation(), []);
    log.append(&[Target::tag("first")], Manner::Hard);
    let targets: Vec<Target> = (0..PurgeLog::MAX_TARGETS).map(|tag| Target::tag(&format!("tag {tag}"))).collect();
    for targets in targets.chunks(100) {
        let (_, forgotten) = log.append(targets, Manner::Hard);
        table.apply(log.since(table.generation()), ms(1));
        forgotten.iter().for_each(|target| assert_eq!(*target, Target::tag("first")));
    }
    assert_eq!(log.floor(), 1);
    assert!(table.len() <= PurgeLog::MAX_TARGETS + 1, "those at the floor are kept");
    assert_eq!(table.judge(&old, &PLACE), Believed::Unknown);
    let at_the_floor = Stamp::new(Some(Generation { log: 7, sequence: 1 }), []);
    assert_eq!(table.judge(&at_the_floor, &PLACE), Believed::Current);
}

#[test]
fn a_log_that_was_resumed_goes_on() {
    let mut log = PurgeLog::begin(7);
    log.append(&[Target::tag("a")], Manner::Hard);
    log.append(&[Target::tag("b")], Manner::Soft);
    let rows = [Target::tag("a"), Target::tag("b")].map(|target| log.row(target).unwrap());
    let mut resumed = PurgeLog::resume(log.generation(), log.floor(), rows);
    assert_eq!(resumed.since(None), log.since(None));
    assert_eq!(resumed.append(&[Target::ALL], Manner::Hard).0.generation, Generation { log: 7, sequence: 3 });
}

#[test]
fn the_age_of_the_table_decides_what_is_asked() {
    let log = PurgeLog::begin(7);
    let mut table = table(&log);
    assert_eq!(Generations::default().readiness(ms(0)), Readiness::Ask);
    assert_eq!((table.readiness(ms(1000)), table.begin_question(ms(1000))), (Readiness::Known, false));
    assert_eq!((table.readiness(ms(1001)), table.begin_question(ms(1001))), (Readiness::Known, true));
    assert_eq!((table.readiness(ms(1001)), table.begin_question(ms(1001))), (Readiness::Known, false), "one asks");
    assert_eq!(table.readiness(ms(2000)), Readiness::Known);
    assert_eq!(table.readiness(ms(2001)), Readiness::Ask);
    assert_eq!(table.readiness(ms(2001)), Readiness::Ask, "nobody waits for another request");
    table.apply(log.since(table.generation()), ms(1500));
    assert!(!table.begin_question(ms(2500)), "as old as the question");
    assert!(table.begin_question(ms(2501)));
}

#[test]
fn without_a_log_everything_is_believed() {
    let mut table = table(&PurgeLog::begin(7));
    table.without_log();
    assert!(table.is_absent());
    for now in [0, 100_000] {
        assert_eq!((table.readiness(ms(now)), table.begin_question(ms(now))), (Readiness::Known, false));
    }
    for generation in [None, Some(Generation { log: 7, sequence: 0 })] {
        assert_eq!(table.judge(&Stamp::new(generation, [Target::tag("t")]), &PLACE), Believed::Current);
    }
}

#[test]
fn a_question_whose_request_was_cancelled_is_asked_again() {
    let mut table = table(&PurgeLog::begin(7));
    assert!(table.begin_question(ms(1001)));
    assert!(!table.begin_question(ms(2000)));
    assert!(table.begin_question(ms(2001)));
}

#[test]
fn a_log_that_does_not_answer_is_left_alone_and_borne_with_for_thirty_seconds() {
    let mut table = table(&PurgeLog::begin(7));
    assert_eq!(table.readiness(ms(3000)), Readiness::Ask);
    table.failed(ms(3500));
    for (now, readiness, asks) in [
        (3500, Readiness::Unreachable, false),
        (4499, Readiness::Unreachable, false),
        (4500, Readiness::Unreachable, true),
        (4501, Readiness::Unreachable, false),
        (5499, Readiness::Unreachable, false),
        (5500, Readiness::Ask, true),
    ] {
        assert_eq!((table.readiness(ms(now)), table.begin_question(ms(now))), (readiness, asks), "{now}");
    }
    table.failed(ms(29_000));
    assert_eq!(table.readiness(ms(30_000)), Readiness::Unreachable);
    assert_eq!(table.readiness(ms(30_001)), Readiness::Lost);
    assert!(table.begin_question(ms(30_001)));
    table.apply(PurgeLog::begin(7).since(None), ms(31_000));
    assert_eq!(table.readiness(ms(31_500)), Readiness::Known);
}

#[test]
fn half_of_another_log_teaches_nothing() {
    let mut new = PurgeLog::begin(8);
    new.append(&[Target::ALL], Manner::Hard);
    let mut table = table(&PurgeLog::begin(7));
    table.apply(new.since(Some(Generation { log: 8, sequence: 1 })), ms(5));
    assert_eq!(table.generation(), Some(Generation { log: 7, sequence: 0 }));
    table.apply(new.since(table.generation()), ms(5));
    assert_eq!(table.generation(), Some(new.generation()));
}

#[derive(Debug, Clone)]
enum Event {
    Purge(Vec<u8>, bool),
    Ask,
    /// One of the open replies arrives, in any order.
    Arrive(usize),
    Fetch(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (prop::collection::vec(0u8..6, 1..3), any::<bool>()).prop_map(|(tags, soft)| Event::Purge(tags, soft)),
        3 => Just(Event::Ask),
        3 => any::<usize>().prop_map(Event::Arrive),
        2 => (0u8..6).prop_map(Event::Fetch),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Against the definition: a list of all purges, of which the table knows those up to its number.
    #[test]
    fn the_table_says_what_the_list_of_purges_says(events in events()) {
        let mut log = PurgeLog::begin(7);
        let mut history: Vec<(u64, Vec<u8>, bool)> = Vec::new();
        let mut table = table(&log);
        let mut replies = Vec::new();
        let mut stored: Vec<(Stamp, u64, u8)> = Vec::new();
        for (time, event) in events.into_iter().enumerate() {
            let now = ms(time as u64);
            match event {
                Event::Purge(tags, soft) => {
                    let targets: Vec<Target> = tags.iter().map(|tag| Target::tag(&tag.to_string())).collect();
                    let (receipt, _) = log.append(&targets, if soft { Manner::Soft } else { Manner::Hard });
                    history.push((receipt.generation.sequence, tags, soft));
                }
                Event::Ask => replies.push((now, log.since(table.generation()))),
                Event::Arrive(any) if !replies.is_empty() => {
                    let (sent, delta) = replies.remove(any % replies.len());
                    table.apply(Delta::decode(&delta.encode()).unwrap(), sent);
                }
                Event::Arrive(_) => {}
                Event::Fetch(tag) => {
                    let generation = table.generation().unwrap();
                    let tags = [tag.to_string()];
                    stored.push((Stamp::new(Some(generation), tags.iter().map(|tag| Target::tag(tag))), generation.sequence, tag));
                }
            }
            let known = table.generation().unwrap().sequence;
            for (stamp, sequence, tag) in &stored {
                let since = history.iter().filter(|(number, tags, _)| {
                    *number > *sequence && *number <= known && tags.contains(tag)
                });
                let (soft, hard): (Vec<_>, Vec<_>) = since.partition(|(_, _, soft)| *soft);
                let expected = match (hard.last(), soft.is_empty()) {
                    (Some((number, ..)), _) => Believed::Gone { by: Generation { log: 7, sequence: *number } },
                    (None, false) => Believed::Stale,
                    (None, true) => Believed::Current,
                };
                prop_assert_eq!(table.judge(stamp, &PLACE), expected);
            }
        }
    }
}

#[test]
fn what_is_purged_here_is_believed_here_before_the_log_knows() {
    let by = Generation { log: 7, sequence: 1 };
    for (manner, believed) in [(Manner::Hard, Believed::Gone { by }), (Manner::Soft, Believed::Stale)] {
        let mut log = PurgeLog::begin(7);
        let mut table = table(&log);
        let stamp = |table: &Generations| Stamp::new(table.generation(), [Target::tag("t")]);
        let old = stamp(&table);
        table.purge([Target::tag("t")], manner);
        assert_eq!(table.judge(&old, &PLACE), believed);
        assert_eq!(table.judge(&stamp(&table), &PLACE), believed, "whoever fetches now may race with the log");
        assert_eq!(table.judge(&Stamp::new(table.generation(), []), &PLACE), Believed::Current);
        assert!(table.begin_question(ms(0)), "the log has to be told");
        let asked = table.question();
        let (delta, _, _) = log.answer(&asked.question);
        table.answered(&asked, delta, ms(0));
        assert!(!table.has_unsent());
        assert_eq!(table.judge(&old, &PLACE), believed);
        assert_eq!(table.judge(&stamp(&table), &PLACE), Believed::Current);
    }
}

#[test]
fn a_purge_is_sent_until_the_log_has_it() {
    let mut log = PurgeLog::begin(7);
    let mut table = table(&log);
    table.purge([Target::tag("t"), Target::tag("u")], Manner::Hard);
    table.purge([Target::tag("s")], Manner::Soft);
    table.failed(ms(10));
    let first = table.question();
    assert_eq!(first.question.targets, [Target::tag("t"), Target::tag("u")]);
    // Purged once more while the question is under way: that one has to be sent as well.
    table.purge([Target::tag("t")], Manner::Hard);
    let (delta, _, _) = log.answer(&first.question);
    table.answered(&first, delta, ms(20));
    for (targets, manner) in [([Target::tag("s")], Manner::Soft), ([Target::tag("t")], Manner::Hard)] {
        let asked = table.question();
        assert_eq!((asked.question.targets.as_slice(), asked.question.manner), (&targets[..], manner));
        let (delta, _, _) = log.answer(&asked.question);
        table.answered(&asked, delta, ms(30));
    }
    assert!(!table.has_unsent());
    assert_eq!(table.question().question.targets, []);
}

#[test]
fn more_purges_than_a_question_holds_are_one_of_everything() {
    let mut table = table(&PurgeLog::begin(7));
    let tags = |tag: &str| {
        (0..=Question::MAX_TARGETS).map(|number| Target::tag(&format!("{tag}{number}"))).collect::<Vec<_>>()
    };
    for (tag, manner) in [("a", Manner::Soft), ("b", Manner::Hard)] {
        table.purge(tags(tag), manner);
        let Asked { question, .. } = table.question();
        assert_eq!((question.targets.as_slice(), question.manner), (&[Target::ALL][..], manner));
    }
}
