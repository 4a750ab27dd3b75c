//! One rule a test, on a desk: the order of messages is the test's own.

use std::rc::Rc;
use std::time::Duration;

use tidegate_rate_limit::{
    Admission, Allowance, Calendar, Charge, Concurrency, Holder, Mode, Period, Quota, Rate, Verdict, Want,
    WhenUnreachable, Window, Zone,
};

use tidegate_simulation::random::Random;

use crate::desk::{Desk, receipt, retry_after, unanswered};

const HOUR: Duration = Duration::from_secs(3_600);

/// As many at once, and next to nothing afterwards.
fn rate(burst: u32) -> Allowance {
    Allowance::Rate(Rate::new(1, HOUR * 24, burst).unwrap())
}

pub(crate) fn window(requests: u32) -> Allowance {
    Allowance::Window(Window::new(requests, HOUR).unwrap())
}

pub(crate) fn quota(requests: u64) -> Allowance {
    Allowance::Quota(Quota::new(requests, Rc::new(Calendar::new(Period::Day, Zone::utc()))).unwrap())
}

fn concurrency(requests: u32) -> Allowance {
    Allowance::Concurrency(Concurrency::new(requests, Duration::from_secs(30)).unwrap())
}

fn want(key: &str, allowance: &Allowance) -> Want {
    Want::new(key, allowance.clone(), 1).unwrap()
}

fn holders(count: u64) -> Vec<Holder> {
    (1..=count).map(|id| Holder::new(id * 1_000)).collect()
}

/// The kinds of which all can be used up within the test.
fn exhaustible(requests: u32) -> [Allowance; 3] {
    [rate(requests), window(requests), quota(requests.into())]
}

#[test]
fn i4_what_arrives_more_than_once_is_charged_once() {
    for allowance in exhaustible(100) {
        let passed = [1, 2, 3].map(|copies| {
            let mut desk = Desk::new();
            let passed = desk.drain(&mut holders(3), &[want("k", &allowance)], copies);
            assert_eq!(desk.disagreements, 0, "{allowance:?}");
            passed
        });
        assert_eq!(passed, [passed[0]; 3], "{allowance:?}");
    }
}

/// Three isolates use a key of each kind for a while. Every now and then all that the object has heard comes again.
fn hear_again(seed: u64, allowance: &Allowance, mut check: impl FnMut(&mut Desk, &mut Random)) {
    let mut random = Random::new(seed);
    let mut desk = Desk::new();
    let mut holders = holders(3);
    let wants = [want("k", allowance).with_charge(Charge::Reserved).with_unreachable(WhenUnreachable::Reserve)];
    for round in 0..60_usize {
        let holder = random.below(3);
        let decision = desk.request(&mut holders[holder], &wants, 1);
        if let Some(mut receipt) = decision.receipt {
            holders[holder].settle(&mut receipt, 0, u32::from(random.permille(500)), desk.now);
            if random.permille(700) {
                let _report = holders[holder].release(receipt, desk.now);
            }
        }
        desk.pass(random.scaled(1, 4_000));
        if round % 6 == 5 {
            check(&mut desk, &mut random);
        }
    }
}

fn every_kind() -> [Allowance; 5] {
    let fast = Allowance::Rate(Rate::new(20, Duration::from_secs(1), 40).unwrap());
    [rate(100), fast, window(100), quota(100), concurrency(30)]
}

#[test]
fn i4_what_comes_again_in_any_order_changes_no_balance() {
    for allowance in every_kind() {
        for seed in 0..20 {
            hear_again(seed, &allowance, |desk, random| {
                // The same instant again and again, so that time changes nothing either.
                let [before, after] = desk.hear_again(random, &["k"]);
                assert_eq!(before, after, "{allowance:?}");
            });
        }
    }
}

#[test]
fn i4_what_comes_again_after_a_restart_gives_nothing_back() {
    for allowance in every_kind() {
        for seed in 0..20 {
            hear_again(seed, &allowance, |desk, random| {
                desk.restart();
                // The object that has started knows the key when somebody looks at it.
                let look = Holder::new(77).peek("object", &[want("k", &allowance)], desk.now);
                desk.look(&look);
                let [(_, before), (_, after)] = desk.hear_again(random, &["k"]);
                assert!(after[0].remaining <= before[0].remaining, "{before:?} {after:?} of {allowance:?}");
            });
        }
    }
}

#[test]
fn i5_what_is_left_of_a_lease_and_comes_late_is_ignored() {
    for allowance in exhaustible(100) {
        assert_eq!(excess_after_a_late_return(&allowance), 0, "{allowance:?}");
    }
}

/// An isolate says what is left of a lease, but the message is lost; it says so again, and is lent something else. Then the
/// first message arrives. By how many too many pass in the end.
pub(crate) fn excess_after_a_late_return(allowance: &Allowance) -> u64 {
    let mut desk = Desk::new();
    let mut holders = holders(2);
    let wants = [want("k", allowance)];
    let mut passed = 0;
    let mut busy = |desk: &mut Desk, holder: &mut Holder| {
        for _ in 0..20 {
            passed += u64::from(desk.request(holder, &wants, 1).allowed);
            desk.pass(50);
        }
    };
    busy(&mut desk, &mut holders[0]);
    desk.pass(13_000);
    let (_, late) = unanswered(&desk, &mut holders[0], &wants);
    busy(&mut desk, &mut holders[0]);
    let _answer = desk.deliver(&late.unwrap());
    passed += desk.drain(&mut holders, &wants, 1);
    passed.saturating_sub(100)
}

/// How often a question that came again was answered otherwise.
pub(crate) fn disagreements() -> usize {
    let mut desk = Desk::new();
    desk.drain(&mut holders(3), &[want("k", &rate(100))], 2);
    desk.disagreements
}

#[test]
fn i3_what_was_lent_and_not_used_comes_back() {
    for allowance in exhaustible(100) {
        let passed = Desk::new().drain(&mut holders(5), &[want("k", &allowance)], 1);
        // The tokens of a bucket come back by time alone, and here there is none.
        let least = if matches!(allowance, Allowance::Rate(_)) { 60 } else { 100 };
        assert!((least..=100).contains(&passed), "{passed} of {allowance:?}");
    }
}

#[test]
fn i5_a_question_that_arrives_late_changes_nothing() {
    for allowance in exhaustible(100) {
        let passed = passed_with_late_questions(&allowance);
        assert!(passed <= 100, "{passed} of {allowance:?}");
    }
}

/// Every other question is lost at first, and arrives after the next one: how many requests pass.
pub(crate) fn passed_with_late_questions(allowance: &Allowance) -> u64 {
    let mut desk = Desk::new();
    let mut holders = holders(2);
    let wants = [want("k", allowance)];
    let mut late = Vec::new();
    let mut passed = 0;
    for round in 0..80 {
        for holder in &mut holders {
            if round % 2 == 0 {
                let (decision, message) = unanswered(&desk, holder, &wants);
                passed += u64::from(decision.allowed);
                late.extend(message);
            }
            passed += u64::from(desk.request(holder, &wants, 1).allowed);
        }
        for message in late.drain(..) {
            let _ = desk.deliver(&message);
        }
        desk.pass(3_000);
    }
    passed + desk.drain(&mut holders, &wants, 1)
}

#[test]
fn i6_a_request_that_is_refused_is_charged_nowhere() {
    assert_eq!(charged_when_refused(), 0);
}

/// Two limits decide together until the small one is used up. Returns what the large one lacks afterwards.
pub(crate) fn charged_when_refused() -> u64 {
    let mut missing = 0;
    for [large, small] in [[quota(300), quota(20)], [window(300), rate(20)], [quota(300), window(20)]] {
        let mut desk = Desk::new();
        let mut holders = holders(2);
        let both = [want("large", &large), want("small", &small)];
        let passed = desk.drain(&mut holders, &both, 1);
        assert!((12..=20).contains(&passed), "{passed}");
        // Isolates that were lent nothing, each of which has to ask.
        for id in 1..=20 {
            assert!(!desk.request(&mut Holder::new(id), &both, 1).allowed);
        }
        missing += 300 - passed - desk.drain(&mut holders, &both[..1], 1);
    }
    missing
}

#[test]
fn i9_a_restart_gives_nothing_back() {
    for allowance in exhaustible(100) {
        for every in [1, 7, 40] {
            let mut desk = Desk::new();
            let mut holders = holders(3);
            let wants = [want("k", &allowance)];
            let mut passed = 0;
            for round in 0..400_usize {
                let holder = round % holders.len();
                passed += u64::from(desk.request(&mut holders[holder], &wants, 1).allowed);
                if round % every == 0 {
                    desk.restart();
                }
                desk.pass(200);
            }
            assert!(passed <= 100, "{passed} of {allowance:?}");
        }
    }
}

#[test]
fn permits_come_back_when_requests_end() {
    let mut desk = Desk::new();
    let mut holders = holders(2);
    let wants = [want("k", &concurrency(10))];
    for _ in 0..50 {
        let mut receipts = Vec::new();
        for turn in 0..40 {
            let holder = turn % holders.len();
            let decision = desk.request(&mut holders[holder], &wants, 1);
            if decision.allowed {
                receipts.push((holder, receipt(decision)));
            }
        }
        assert!((1..=10).contains(&receipts.len()), "{}", receipts.len());
        desk.pass(20);
        for (holder, receipt) in receipts {
            holders[holder].release(receipt, desk.now);
        }
        desk.pass(2_000);
    }
}

#[test]
fn permits_of_requests_that_never_end_come_back_after_the_timeout() {
    let mut desk = Desk::new();
    let mut holders = holders(2);
    let wants = [want("k", &concurrency(10))];
    let lost = desk.request(&mut holders[0], &wants, 1);
    let running = (0..30).filter(|_| desk.request(&mut holders[1], &wants, 1).allowed).count();
    assert!(running <= 9, "{running}");
    drop(lost);
    desk.pass(120_000);
    let decisions: Vec<_> = (0..10).map(|_| desk.request(&mut holders[1], &wants, 1)).collect();
    assert!(decisions.iter().all(|decision| decision.allowed));
}

#[test]
fn a_limit_that_is_not_enforced_refuses_nobody_and_counts() {
    let mut desk = Desk::new();
    let mut holders = holders(1);
    let shadow = [want("k", &quota(50)).with_mode(Mode::Shadow)];
    let mut fits = 0;
    for _ in 0..100 {
        let decision = desk.request(&mut holders[0], &shadow, 1);
        assert!(decision.allowed);
        fits += u64::from(decision.verdicts[0].is_allowed());
    }
    assert_eq!(fits, 50);
    assert_eq!(desk.drain(&mut holders, &[want("k", &quota(50))], 1), 0);
}

#[test]
fn what_a_request_did_not_cost_comes_back() {
    for allowance in [window(100), quota(100)] {
        let mut desk = Desk::new();
        let mut holders = holders(1);
        let wants = [Want::new("k", allowance.clone(), 10).unwrap().with_charge(Charge::Reserved)];
        let mut passed = 0;
        for _ in 0..300 {
            let decision = desk.request(&mut holders[0], &wants, 1);
            if decision.allowed {
                passed += 1;
                let mut receipt = receipt(decision);
                holders[0].settle(&mut receipt, 0, 2, desk.now);
                holders[0].release(receipt, desk.now);
            }
            desk.pass(1_000);
        }
        // Each costs 2, and the last of them needs 10 to begin with.
        assert!((44..=50).contains(&passed), "{passed} of {allowance:?}");
    }
}

#[test]
fn what_passes_while_nobody_answers_is_paid_afterwards() {
    let mut desk = Desk::new();
    let mut holders = holders(1);
    let allowance = quota(1_000);
    let wants = [want("k", &allowance).with_unreachable(WhenUnreachable::Open)];
    let mut passed = 0;
    for _ in 0..200 {
        let (decision, _) = unanswered(&desk, &mut holders[0], &wants);
        assert!(decision.allowed, "{:?}", decision.verdicts);
        assert!(matches!(decision.verdicts[0], Verdict::Open));
        passed += 1;
        desk.pass(50);
    }
    desk.pass(10_000);
    passed += desk.drain(&mut holders, &wants, 1);
    assert_eq!(passed, 1_000);
}

#[test]
fn i7_who_waits_as_long_as_told_is_served() {
    let allowance = Allowance::Rate(Rate::new(10, Duration::from_secs(1), 10).unwrap());
    let mut desk = Desk::new();
    let mut holders = holders(2);
    let wants = [want("k", &allowance)];
    while desk.request(&mut holders[0], &wants, 1).allowed {}
    let refused = desk.request(&mut holders[1], &wants, 1);
    assert!(!refused.allowed);
    let wait = retry_after(&refused);
    // What the first was lent comes home when its lease ends, and a wait is never longer than the longest lease.
    assert!(wait <= Duration::from_secs(13), "{wait:?}");
    desk.now += wait + Duration::from_millis(1);
    assert!(desk.request(&mut holders[1], &wants, 1).allowed);
}

/// A holder is asked for a while, and then its messages are lost. Some time later a burst comes, there and elsewhere: by
/// how many it is too large, at the worst moment. `lag` is how long answers take, `behind` how far the holder's clock is
/// behind by then.
pub(crate) fn excess_after_silence(lag: u64, behind: impl Fn(u64) -> u64) -> u64 {
    const BURST: u64 = 100;
    let allowance = Allowance::Rate(Rate::new(1_000, Duration::from_secs(1), 100).unwrap());
    let wants = [want("k", &allowance)];
    let mut worst = 0;
    for silence in (1_000..13_500).step_by(10) {
        let mut desk = Desk::new();
        let mut holders = holders(2);
        for _ in 0..40 {
            desk.request_late(&mut holders[0], &wants, lag);
            desk.pass(10);
        }
        desk.pass(silence);
        let now = desk.now - Duration::from_millis(behind(silence));
        let mut passed = 0;
        // Only what it can decide by itself: what it asks is lost.
        while let Admission::Decided(decision) = holders[0].admit("object", &wants, now, 7)
            && decision.allowed
        {
            passed += 1;
        }
        while desk.request(&mut holders[1], &wants, 1).allowed {
            passed += 1;
        }
        worst = worst.max(passed - passed.min(BURST));
    }
    worst
}

#[test]
fn a_lease_ends_at_its_holder_first() {
    assert_eq!(excess_after_silence(0, |_| 0), 0);
    assert_eq!(excess_after_silence(1_500, |_| 0), 0);
    // A clock that runs behind by 1 %, and is set back by 50 ms.
    assert_eq!(excess_after_silence(0, |silence| silence / 100 + 49), 0);
    assert_eq!(excess_after_silence(0, |_| 20_000), 0);
}
