#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;

const KEY: &str = "key";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(1_000_000 + milliseconds)
}

/// Someone who missed at this time: leases of 5 s, patience of 10 s.
fn ask(now: u64) -> Ask {
    let (lease, until) = (Duration::from_secs(5), ms(now + 10_000));
    Ask { refuse: None, generation: Some(at(1)), refresh: false, lease, until, random: u64::MAX }
}

fn refusing(now: u64, version: u64, purged: Option<Generation>) -> Ask {
    Ask { refuse: Some(Refusal { version, purged }), ..ask(now) }
}

/// A fill that was sent at this time, took half a second, and is fresh for a minute.
fn fill(lease: u64, sent: u64) -> Filled {
    Filled {
        lease,
        generation: Some(at(1)),
        sent: ms(sent),
        arrived: ms(sent + 500),
        fresh_until: ms(sent + 60_000),
        keep_until: ms(sent + 120_000),
        durable: true,
    }
}

fn at(sequence: u64) -> Generation {
    Generation { log: 7, sequence }
}

#[track_caller]
fn leased(said: Said) -> u64 {
    match said {
        Said::Fill(lease) => lease.number,
        other => panic!("no lease: {other:?}"),
    }
}

#[track_caller]
fn hit(said: Said) -> (u64, Option<Lease>) {
    match said {
        Said::Hit { version, refresh } => (version, refresh),
        other => panic!("no hit: {other:?}"),
    }
}

#[test]
fn one_fills_and_the_others_wait() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    for _ in 0..999 {
        assert_eq!(fills.ask(KEY, &ask(1), ms(1)), Said::Wait { until: ms(5_000) });
    }
    leased(fills.ask("another", &ask(1), ms(1)));
    let kept = fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap();
    assert_eq!(fills.ask(KEY, &ask(1), ms(500)), Said::Hit { version: kept.version, refresh: None });
}

#[test]
fn a_filler_that_dies_is_followed_by_the_next_who_asks() {
    let mut fills = Fills::new(0);
    let dead = leased(fills.ask(KEY, &ask(0), ms(0)));
    assert_eq!(fills.ask(KEY, &ask(1), ms(4_999)), Said::Wait { until: ms(5_000) });
    let next = leased(fills.ask(KEY, &ask(1), ms(5_000)));
    assert_ne!(dead, next);
    // The one in its grave comes back: nobody was quicker, so what it brings is good.
    assert!(fills.filled(KEY, &fill(dead, 0), ms(5_100)).is_some());
    // The next one's is newer.
    assert!(fills.filled(KEY, &fill(next, 5_000), ms(5_500)).is_some());
    assert!(fills.filled(KEY, &fill(dead, 0), ms(5_600)).is_none(), "older than what is there");
}

#[test]
fn a_fill_that_began_before_a_purge_is_refused() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    let old = fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap();
    let slow = leased(fills.ask(KEY, &refusing(1_000, old.version, None), ms(1_000)));
    // Meanwhile a purge; an edge that knows of it refuses what it saw.
    let knowing = Ask { generation: Some(at(2)), ..refusing(1_100, old.version, Some(at(2))) };
    let lease = leased(fills.ask(KEY, &knowing, ms(1_100)));
    assert!(matches!(fills.ask(KEY, &knowing, ms(1_101)), Said::Wait { .. }), "the new one is worth waiting for");
    assert!(fills.filled(KEY, &fill(slow, 1_000), ms(1_500)).is_none());
    let anew = Filled { generation: Some(at(2)), ..fill(lease, 1_100) };
    assert!(fills.filled(KEY, &anew, ms(2_000)).is_some());
    let blind = Filled { generation: None, ..fill(0, 3_000) };
    assert!(fills.filled(KEY, &blind, ms(3_500)).is_none(), "who knows nothing of purges may be before it");
    let other_log = Filled { generation: Some(Generation { log: 8, sequence: 0 }), ..fill(0, 3_000) };
    assert!(fills.filled(KEY, &other_log, ms(3_500)).is_some(), "the log was begun anew: edges judge by it");
}

#[test]
fn a_fill_that_began_before_a_write_is_refused() {
    let mut fills = Fills::new(0);
    let slow = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.forget(KEY, ms(100));
    let lease = leased(fills.ask(KEY, &ask(101), ms(101)));
    assert!(fills.filled(KEY, &fill(slow, 0), ms(500)).is_none());
    assert!(fills.filled(KEY, &fill(lease, 101), ms(601)).is_some());
}

#[test]
fn who_wants_no_lease_gets_what_is_kept_or_nothing() {
    let mut fills = Fills::new(0);
    let peek = |now| Ask { lease: Duration::ZERO, ..ask(now) };
    assert_eq!(fills.ask(KEY, &peek(0), ms(0)), Said::Pass);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    assert_eq!(fills.ask(KEY, &peek(1), ms(1)), Said::Pass, "and waits for nobody");
    let kept = fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap();
    assert_eq!(hit(fills.ask(KEY, &peek(60_000), ms(60_000))), (kept.version, None), "also when it is due");
}

#[test]
fn who_cannot_use_what_is_there_gets_the_lease() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    let old = fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap().version;
    let lease = leased(fills.ask(KEY, &refusing(600, old, None), ms(600)));
    assert_eq!(fills.ask(KEY, &refusing(600, old, None), ms(601)), Said::Wait { until: ms(5_600) });
    let new = fills.filled(KEY, &fill(lease, 600), ms(1_100)).unwrap().version;
    assert_eq!(hit(fills.ask(KEY, &refusing(601, old, None), ms(1_100))), (new, None), "another one is not refused");
}

#[test]
fn what_is_for_nobody_else_is_not_waited_for() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.uncacheable(KEY, lease, ms(100));
    assert_eq!(fills.ask(KEY, &ask(100), ms(5_099)), Said::Pass);
    leased(fills.ask(KEY, &ask(5_100), ms(5_100)));
}

#[test]
fn failures_pass_the_lease_on_and_then_open_the_gate() {
    let mut fills = Fills::new(0);
    let first = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.failed(KEY, first, ms(100));
    let second = leased(fills.ask(KEY, &ask(0), ms(100)));
    fills.failed(KEY, first, ms(150));
    assert_eq!(fills.ask(KEY, &ask(0), ms(150)), Said::Wait { until: ms(5_100) }, "a lease fails once");
    fills.failed(KEY, second, ms(200));
    assert_eq!(fills.ask(KEY, &ask(0), ms(2_199)), Said::Pass);
    leased(fills.ask(KEY, &ask(2_200), ms(2_200)));
}

#[test]
fn patience_ends() {
    let mut fills = Fills::new(0);
    leased(fills.ask(KEY, &ask(0), ms(0)));
    let hurried = Ask { until: ms(300), ..ask(0) };
    assert_eq!(fills.ask(KEY, &hurried, ms(0)), Said::Wait { until: ms(300) });
    assert_eq!(fills.ask(KEY, &hurried, ms(300)), Said::Pass);
}

#[test]
fn what_is_too_large_is_left_to_the_edges() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.too_large(KEY, lease, ms(100));
    assert_eq!(fills.ask(KEY, &ask(100), ms(100)), Said::TooLarge);
    leased(fills.ask(KEY, &ask(300_100), ms(300_100)));
}

#[test]
fn stale_responses_are_given_with_one_lease_to_refresh() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap();
    assert_eq!(hit(fills.ask(KEY, &ask(59_999), ms(53_999))).1, None);
    let (version, refresh) = hit(fills.ask(KEY, &ask(60_000), ms(60_000)));
    assert!(refresh.is_some());
    assert_eq!(hit(fills.ask(KEY, &ask(60_001), ms(60_001))), (version, None), "one is enough");
    let new = fills.filled(KEY, &fill(refresh.unwrap().number, 60_000), ms(60_500)).unwrap();
    assert_eq!(hit(fills.ask(KEY, &ask(60_500), ms(60_500))), (new.version, None));
    // Nobody came: it is of no use to anyone.
    leased(fills.ask(KEY, &ask(180_000), ms(180_000)));
}

#[test]
fn a_refresh_is_for_one_and_takes_nothing_from_the_others() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    let old = fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap().version;
    let refresh = |now| Ask { refresh: true, ..refusing(now, old, None) };
    let lease = leased(fills.ask(KEY, &refresh(55_000), ms(55_000)));
    assert_eq!(fills.ask(KEY, &refresh(55_001), ms(55_001)), Said::Busy);
    assert_eq!(hit(fills.ask(KEY, &ask(55_001), ms(53_001))), (old, None), "still there for who missed");
    let new = fills.filled(KEY, &fill(lease, 55_000), ms(55_500)).unwrap().version;
    assert_eq!(hit(fills.ask(KEY, &refresh(55_600), ms(55_600))).0, new, "somebody has done it");
}

#[test]
fn a_hot_key_is_refreshed_ahead_once() {
    let mut fills = Fills::new(0);
    let lease = leased(fills.ask(KEY, &ask(0), ms(0)));
    fills.filled(KEY, &fill(lease, 0), ms(500)).unwrap();
    let leases = (0..6_000_u64).filter(|millisecond| {
        let now = 54_000 + millisecond;
        let random = millisecond.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hit(fills.ask(KEY, &Ask { random, ..ask(now) }, ms(now))).1.is_some()
    });
    // The lease lasts for 5 s, and the last tenth for 6.
    assert!((1..=2).contains(&leases.count()));
}

#[test]
fn a_restart_knows_what_the_storage_has_and_no_lease() {
    let mut before = Fills::new(1 << 40);
    let lease = leased(before.ask(KEY, &ask(0), ms(0)));
    let mut after = Fills::new(2 << 40);
    assert!(!after.knows(KEY));
    after.load(KEY, None);
    let anew = leased(after.ask(KEY, &ask(100), ms(100)));
    after.failed(KEY, lease, ms(150));
    assert_eq!(after.ask(KEY, &ask(200), ms(200)), Said::Wait { until: ms(5_100) }, "not its lease");
    assert!(after.filled(KEY, &fill(lease, 0), ms(500)).is_some(), "but its response is good");
    assert!(after.filled(KEY, &fill(anew, 100), ms(600)).is_some());
}

#[test]
fn keys_that_do_not_matter_are_forgotten() {
    let mut fills = Fills::new(0);
    for key in 0..1_000 {
        fills.ask(&key.to_string(), &ask(0), ms(0));
    }
    fills.ask(KEY, &ask(60_000), ms(60_000));
    assert_eq!(fills.keys.len(), 1);
}
