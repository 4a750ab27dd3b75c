#![allow(clippy::arithmetic_side_effects)]

use super::*;

/// A moment in 2026, so that the arithmetic is that of a real clock.
const START: u128 = 1_795_000_000_000_000_000;

pub(super) fn at(nanos: u128) -> Duration {
    duration(START + nanos)
}

fn secs(secs: u128) -> u128 {
    secs * 1_000_000_000
}

fn rate(requests: u32, per_secs: u64, burst: u32) -> Rate {
    Rate::new(requests, Duration::from_secs(per_secs), burst).unwrap()
}

pub(super) fn request(limits: &[(&str, Rate, u32)]) -> SpendRequest {
    let spends = limits.iter().map(|&(key, rate, cost)| Spend::new(key, rate, cost).unwrap());
    SpendRequest::new(spends.collect()).unwrap()
}

/// A Durable Object: memory that can be lost, and rows that can't.
#[derive(Clone, Default)]
pub(super) struct Object {
    pub(super) ledger: Ledger,
    pub(super) rows: BTreeMap<String, StoredTat>,
    writes: usize,
}

impl Object {
    pub(super) fn load(&mut self, request: &SpendRequest) {
        for key in self.ledger.unknown(request) {
            self.ledger.load(key, self.rows.get(key).copied());
        }
    }

    pub(super) fn ask(&mut self, request: &SpendRequest, nanos: u128) -> SpendReply {
        self.load(request);
        let (reply, writes) = self.ledger.spend(request, at(nanos)).unwrap();
        self.writes += writes.len();
        self.rows.extend(writes.into_iter().map(|write| (write.key, write.tat)));
        reply
    }

    pub(super) fn restart(&mut self) {
        self.ledger = Ledger::new();
    }

    pub(super) fn tats(&self) -> Vec<(String, Tat)> {
        self.ledger.buckets.iter().map(|(key, bucket)| (key.clone(), bucket.tat)).collect()
    }

    pub(super) fn tat(&self, key: &str) -> Tat {
        self.ledger.buckets[key].tat
    }
}

fn text(reply: &SpendReply) -> String {
    let verdicts = reply.verdicts().iter().map(|verdict| match verdict {
        SpendVerdict::Allowed { remaining, effective_window } => format!("allow {remaining} for {effective_window:?}"),
        SpendVerdict::Denied { remaining, retry_after } => format!("deny {remaining} for {retry_after:?}"),
    });
    verdicts.collect::<Vec<_>>().join(", ")
}

/// Asks one object, one request after the other: nanoseconds, limits, expected verdicts.
#[track_caller]
fn check(limits: &[(&str, Rate, u32)], asked: &[(u128, &str)]) {
    let mut object = Object::default();
    for &(nanos, expected) in asked {
        assert_eq!(text(&object.ask(&request(limits), nanos)), expected, "at {nanos} ns");
    }
}

#[test]
fn a_full_bucket_admits_the_burst_and_then_the_rate() {
    let limit = [("k", rate(1, 10, 3), 1)];
    check(
        &limit,
        &[
            (0, "allow 2 for 20s"),
            (0, "allow 1 for 10s"),
            (0, "allow 0 for 10s"),
            (0, "deny 0 for 10s"),
            (secs(10) - 1, "deny 0 for 1ns"),
            (secs(10), "allow 0 for 10s"),
            (secs(10), "deny 0 for 10s"),
            (secs(100), "allow 2 for 20s"),
        ],
    );
}

#[test]
fn a_cost_above_one_takes_as_many() {
    let limit = [("k", rate(1, 10, 5), 3)];
    check(&limit, &[(0, "allow 2 for 20s"), (0, "deny 2 for 10s"), (secs(10), "allow 0 for 10s")]);
}

#[test]
fn the_effective_window_of_an_empty_bucket_ends_when_the_next_request_fits() {
    check(&[("k", rate(1, 10, 1), 1)], &[(0, "allow 0 for 10s")]);
    check(&[("k", rate(1, 10, 2), 1)], &[(0, "allow 1 for 10s"), (secs(4), "allow 0 for 6s")]);
}

#[test]
fn when_one_limit_denies_no_limit_is_charged_and_each_says_what_it_would() {
    let limits = [("wide", rate(1, 1, 5), 1), ("narrow", rate(1, 60, 1), 1)];
    check(
        &limits,
        &[
            (0, "allow 4 for 4s, allow 0 for 60s"),
            (0, "allow 4 for 4s, deny 0 for 60s"),
            (secs(1), "allow 5 for 5s, deny 0 for 59s"),
            (secs(60), "allow 4 for 4s, allow 0 for 60s"),
        ],
    );
}

#[test]
fn limits_of_one_key_share_one_bucket() {
    let same = rate(1, 10, 3);
    check(
        &[("k", same, 1), ("k", same, 1)],
        &[
            (0, "allow 1 for 10s, allow 1 for 10s"),
            (0, "allow 1 for 10s, deny 1 for 10s"),
            (secs(10) - 1, "allow 1 for 10s, deny 1 for 1ns"),
            (secs(10), "allow 0 for 10s, allow 0 for 10s"),
            (secs(10), "deny 0 for 10s, deny 0 for 20s"),
        ],
    );
}

#[test]
fn limits_of_one_key_with_two_rates_are_charged_on_top_of_each_other() {
    // One bucket counts time: 10 s for the first limit, then 1 s for the second, of the 20 s that both hold.
    check(
        &[("k", rate(1, 10, 2), 1), ("k", rate(1, 1, 20), 1)],
        &[
            (0, "allow 0 for 1s, allow 9 for 9s"),
            (0, "deny 0 for 1s, deny 9 for 2s"),
            (secs(2), "allow 0 for 10s, allow 0 for 1s"),
        ],
    );
}

#[test]
fn a_key_that_was_not_loaded_is_not_free() {
    let mut ledger = Ledger::new();
    let both = request(&[("a", rate(1, 1, 1), 1), ("b", rate(1, 1, 1), 1), ("a", rate(1, 1, 2), 1)]);
    assert_eq!(ledger.unknown(&both), ["a", "b"]);
    ledger.load("a", None);
    assert_eq!(ledger.unknown(&both), ["b"]);
    assert_eq!(ledger.spend(&both, at(0)), Err(UnknownKey));
    assert_eq!(ledger.buckets["a"].tat, Tat::FULL);
    ledger.load("b", None);
    assert!(ledger.spend(&both, at(0)).unwrap().0.allowed());
}

#[test]
fn a_row_read_before_a_charge_does_not_undo_it() {
    let mut object = Object::default();
    let once = request(&[("k", rate(1, 10, 1), 1)]);
    assert!(object.ask(&once, 0).allowed());
    object.ledger.load("k", None);
    assert!(!object.ask(&once, 0).allowed());
}

#[test]
fn time_never_runs_backwards_and_the_wait_is_by_the_callers_clock() {
    check(
        &[("k", rate(1, 10, 2), 1)],
        &[
            (secs(100), "allow 1 for 10s"),
            // Nothing is given back and nothing taken away while the clock is behind.
            (secs(40), "allow 0 for 70s"),
            (secs(40), "deny 0 for 70s"),
            (secs(110) - 1, "deny 0 for 1ns"),
            (secs(110), "allow 0 for 10s"),
        ],
    );
}

#[test]
fn a_restart_starts_from_the_row() {
    let mut object = Object::default();
    let once = request(&[("k", rate(1, 10, 2), 1)]);
    assert!(object.ask(&once, 0).allowed());
    object.restart();
    assert!(object.ask(&once, 0).allowed());
    object.restart();
    assert_eq!(text(&object.ask(&once, 0)), "deny 0 for 10s");
}

#[test]
fn a_key_that_sleeps_between_its_requests_loses_nothing_to_restarts() {
    let mut object = Object::default();
    let daily = request(&[("k", rate(10_000, 86_400, 10_000), 1)]);
    for sent in 1..=10_000_u32 {
        object.restart();
        assert!(object.ask(&daily, 0).allowed(), "request {sent}");
    }
    object.restart();
    assert!(!object.ask(&daily, 0).allowed());
}

#[test]
fn a_hot_key_writes_far_less_than_once_per_request() {
    let mut object = Object::default();
    let hot = request(&[("k", rate(1_000, 1, 1_000), 1)]);
    for sent in 0..10_000_u128 {
        assert!(object.ask(&hot, sent * 1_000_000).allowed());
    }
    // The first 10 one by one, some 50 while the block grows to 100 requests, then one per block.
    assert!((100..=170).contains(&object.writes), "{} rows", object.writes);
}

#[test]
fn pruning_forgets_a_key_when_its_bucket_and_its_row_are_full_again() {
    let mut object = Object::default();
    object.ask(&request(&[("k", rate(1, 10, 1), 1)]), 0);
    object.ledger.prune(at(secs(10) - 1));
    assert_eq!(object.tats().len(), 1);
    object.ledger.prune(at(secs(10)));
    assert_eq!(object.tats().len(), 0);
}

#[test]
fn memory_stays_bounded_whatever_keys_come() {
    for burst in [1, 40] {
        let mut object = Object::default();
        object.ledger.max_keys = 10;
        let shared = ("shared", rate(1, 10, 40), 1);
        for sent in 0..200 {
            let key = format!("key {sent}");
            let limits = [shared, (key.as_str(), rate(1, 10, burst), 1)];
            // Some are allowed, most are denied by the shared limit: both leave keys behind.
            object.ask(&request(&limits), 0);
            assert!(object.tats().len() <= 10, "{} keys", object.tats().len());
        }
        let admitted = object.rows.len() - 1;
        assert!((36..=40).contains(&admitted), "{admitted} admitted");
    }
}

#[test]
fn keys_with_an_unspent_block_are_the_last_to_be_forgotten() {
    let mut object = Object::default();
    object.ledger.max_keys = 10;
    let hot = request(&[("hot", rate(1, 10, 100), 1)]);
    for _ in 0..50 {
        object.ask(&hot, 0);
    }
    for sent in 0..200 {
        object.ask(&request(&[(&format!("key {sent}"), rate(1, 10, 1), 1)]), 0);
    }
    assert_eq!(text(&object.ask(&hot, 0)), "allow 49 for 490s");
}

#[test]
fn a_row_from_a_wrong_clock_locks_nobody_out() {
    let limit = rate(1, 10, 2);
    let asked = request(&[("k", limit, 1)]);
    // The furthest that a charge can leave a row: fill time, block, rounding, a minute between clocks.
    let furthest = secs(20) + secs(10) + 1_000_000 + secs(60);
    let row = |nanos: u128| StoredTat::covering(Tat(START + nanos));
    for (stored, corrected) in
        [(furthest, None), (furthest + 1_000_000, Some(furthest)), (secs(1 << 31), Some(furthest))]
    {
        let mut object = Object::default();
        object.rows.insert("k".to_owned(), row(stored));
        let wait = furthest.min(stored) + secs(10) - secs(20);
        assert_eq!(text(&object.ask(&asked, 0)), format!("deny 0 for {:?}", duration(wait)));
        // The corrected row is stored at once, or the next restart would start from the wrong one again.
        assert_eq!(
            (object.rows["k"], object.writes),
            (row(corrected.unwrap_or(stored)), usize::from(corrected.is_some()))
        );
        object.restart();
        assert!(!object.ask(&asked, wait - 1).allowed());
        assert!(object.ask(&asked, wait).allowed());
    }
}

#[test]
fn a_changed_rate_keeps_what_is_owed_up_to_the_new_bucket() {
    let mut object = Object::default();
    for _ in 0..10 {
        assert!(object.ask(&request(&[("k", rate(10, 86_400, 10), 1)]), 0).allowed());
    }
    object.restart();
    let raised = request(&[("k", rate(10, 1, 10), 1)]);
    assert!(!object.ask(&raised, 0).allowed());
    assert!(object.ask(&raised, secs(62)).allowed());
}

#[test]
fn limits_of_one_key_are_corrected_by_the_slower_one() {
    let mut object = Object::default();
    let slow = ("k", rate(1, 3_600, 10), 1);
    for _ in 0..5 {
        assert!(object.ask(&request(&[slow]), 0).allowed());
    }
    object.restart();
    let before = object.rows.clone();
    let both = request(&[("k", rate(1, 1, 1), 1), slow]);
    assert!(!object.ask(&both, 0).allowed());
    assert_eq!(object.rows, before);
    assert_eq!(object.tat("k"), before["k"].tat());
}
