//! Mistakes that are made on purpose: each breaks a rule within so many seeds, or the simulator would miss it.

use tidegate_rate_limit::mutation::make;
use tidegate_rate_limit::{Accuracy, Mode, WhenUnreachable};
use tidegate_simulation::mutation::Inner;
use tidegate_simulation::plan::{Fault, Kind};
use tidegate_simulation::random::Random;
use tidegate_simulation::{Family, Mutation, Plan, Weather, World};

use crate::rules;

/// A mistake shows at one of these seeds, and at that seed nothing is wrong without it.
#[track_caller]
fn check(mutation: Mutation, seeds: u64, draw: impl Fn(u64) -> Plan) {
    let shows = |seed: &u64| World::run(Plan { mutation: Some(mutation), ..draw(*seed) }).violation.is_some();
    let Some(seed) = (0..seeds).find(shows) else { panic!("{mutation:?} does not show within {seeds} seeds") };
    assert_eq!(World::run(draw(seed)).violation, None, "seed {seed}, without the mistake");
}

fn hostile(seed: u64) -> Plan {
    Plan::draw(seed, Family::Rate, Weather::Hostile)
}

/// One key, 100 requests a second at up to eight isolates, and far less than that allowed.
fn busy(seed: u64) -> Plan {
    let mut random = Random::new(seed);
    let mut plan = hostile(seed);
    plan.limits.truncate(1);
    let limit = &mut plan.limits[0];
    (limit.mode, limit.accuracy, limit.settled) = (Mode::Enforce, Accuracy::Exact, false);
    limit.when_unreachable = WhenUnreachable::Reserve;
    (limit.keys, limit.most_cost) = (vec![1], 1);
    let mut number = |low, high| u32::try_from(random.between(low, high)).unwrap();
    limit.kind = Kind::Rate { requests: number(5, 60), per: 1_000, burst: number(2, 100) };
    plan.isolates = vec![1; random.below(7) + 2];
    plan.network.one_way_ms = vec![20; plan.isolates.len()];
    plan.network.deadline_ms = 2_000;
    (plan.end, plan.load.gap_us) = (30_000, 10_000);
    plan.faults.clear();
    plan
}

#[test]
fn a_restart_that_forgets_the_rows_shows() {
    check(Mutation::RowsForgotten, 50, hostile);
}

#[test]
fn a_reply_that_leaves_before_its_rows_shows() {
    check(Mutation::RepliesBeforeRows, 2_000, hostile);
}

#[test]
fn an_instance_that_answers_after_it_was_superseded_shows() {
    check(Mutation::AwaitsBeforeAnswering, 2_000, hostile);
}

#[test]
fn rows_that_are_read_before_the_last_write_show() {
    check(Mutation::OldRowsLoaded, 200, hostile);
}

#[test]
fn capacity_that_is_lent_and_used_shows() {
    check(Mutation::Inside(Inner::CapacityNotReserved), 50, hostile);
}

#[test]
fn rate_that_is_lent_and_used_shows() {
    check(Mutation::Inside(Inner::RateNotReserved), 50, hostile);
}

#[test]
fn an_object_that_forgets_its_loans_shows() {
    check(Mutation::Inside(Inner::LoansForgotten), 500, hostile);
}

#[test]
fn a_slice_for_outages_that_is_used_twice_shows() {
    let faults = vec![(10_000, Fault::Outage { millis: 14_000 })];
    check(Mutation::Inside(Inner::ReserveUsedTwice), 200, |seed| Plan { faults: faults.clone(), ..busy(seed) });
}

#[test]
fn claims_that_are_believed_show() {
    check(Mutation::Inside(Inner::ClaimsBelieved), 500, |seed| {
        let mut plan = busy(seed);
        // Half of the isolates cannot say what they hold, while the others say it again and again.
        let silent = 0..plan.isolates.len() / 2;
        plan.faults.extend(silent.map(|isolate| (9_900, Fault::Partition { isolate, millis: 11_000 })));
        plan.faults.push((10_000, Fault::Restart));
        plan
    });
}

#[test]
fn an_era_that_outlives_a_reset_shows() {
    check(Mutation::Inside(Inner::EraKept), 200, |seed| {
        let mut plan = Plan::draw(seed, Family::Window, Weather::Hostile);
        plan.limits.iter_mut().for_each(|limit| limit.settled = true);
        let resets = (1..20).map(|part| (plan.end * part / 20, Fault::Reset { limit: 0, key: 0 }));
        plan.faults = resets.collect();
        plan
    });
}

#[test]
fn reports_of_permits_that_are_believed_show() {
    check(Mutation::Inside(Inner::ReportsBelieved), 1_000, |seed| {
        let mut plan = Plan::draw(seed, Family::Concurrency, Weather::Hostile);
        (plan.network.jitter_ms, plan.network.slow_permille) = (100, 20);
        plan.faults = (1..6).map(|part| (plan.end * part / 6, Fault::Supersede)).collect();
        plan
    });
}

/// A mistake shows on the desk, and nothing does without it.
#[track_caller]
fn check_on_the_desk(mutation: Inner, excess: impl Fn() -> u64) {
    make(Some(mutation));
    let shown = excess();
    make(None);
    assert!(shown > 0, "{mutation:?} does not show");
    assert_eq!(excess(), 0, "without {mutation:?}");
}

#[test]
fn a_lease_that_counts_from_its_receipt_shows() {
    check_on_the_desk(Inner::ExpiryFromReceipt, || rules::excess_after_silence(1_500, |_| 0));
}

#[test]
fn a_lease_without_a_guard_shows() {
    check_on_the_desk(Inner::NoGuard, || rules::excess_after_silence(0, |silence| silence / 100 + 49));
}

#[test]
fn a_clock_that_goes_back_unnoticed_shows() {
    check_on_the_desk(Inner::ClockBackIgnored, || rules::excess_after_silence(0, |_| 20_000));
}

#[test]
fn questions_that_are_answered_anew_show() {
    check_on_the_desk(Inner::SequenceIgnored, || u64::try_from(rules::disagreements()).unwrap());
}

#[test]
fn remains_that_are_believed_show() {
    check_on_the_desk(Inner::RemainsBelieved, || rules::excess_after_a_late_return(&rules::quota(100)));
    check_on_the_desk(Inner::RemainsBelieved, || rules::excess_after_a_late_return(&rules::window(100)));
}

#[test]
fn a_charge_for_a_request_that_was_refused_shows() {
    check_on_the_desk(Inner::ChargedWhenRefused, rules::charged_when_refused);
}
