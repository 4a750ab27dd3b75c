use super::*;
use tidegate_rate_limit::Period;

const RIGHT: Clocks = Clocks::Right;

fn admitted(at: Moment, request: usize, cost: u64) -> (Moment, Mark) {
    (at, Mark::Admitted { request, cost, before: (0, 1), shown: at })
}

/// One request after the other, each of cost one; the index of the one that is too many.
#[track_caller]
fn check(kind: &Kind, at: &[Moment], clocks: Clocks, excess: Option<usize>) {
    let mut marks: Vec<_> = at.iter().enumerate().map(|(request, at)| admitted(*at, request, 1)).collect();
    assert_eq!(judge(kind, clocks, 0, &mut marks).map(|excess| excess.request), excess);
}

#[test]
fn a_bucket_holds_its_burst_and_what_the_rate_gives() {
    let kind = Kind::Rate { requests: 2, per: 1_000, burst: 2 };
    check(&kind, &[0, 0, 500, 1_000], RIGHT, None);
    check(&kind, &[0, 0, 499], RIGHT, Some(2));
    check(&kind, &[0, 0, 500, 999], RIGHT, Some(3));
    check(&kind, &[0, 0, 10_000, 10_000, 10_000], RIGHT, Some(4));
    check(&kind, &[0, 0, 495], Clocks::Off, None);
    check(&kind, &[0, 0, 490], Clocks::Off, Some(2));
}

#[test]
fn a_window_is_any_interval_of_its_length() {
    let kind = Kind::Window { requests: 2, per: 1_000 };
    check(&kind, &[900, 950, 1_900, 1_950], RIGHT, None);
    check(&kind, &[900, 950, 1_899], RIGHT, Some(2));
    check(&kind, &[900, 950, 1_900, 1_949], RIGHT, Some(3));
}

#[test]
fn running_requests_count_until_they_end_or_are_too_old() {
    let kind = Kind::Concurrency { requests: 1, timeout: 1_000 };
    check(&kind, &[0, 999], RIGHT, Some(1));
    check(&kind, &[0, 1_000], RIGHT, None);
    let mut marks = vec![admitted(0, 0, 1), (5, Mark::Ended { request: 0 }), admitted(5, 1, 1)];
    assert_eq!(judge(&kind, RIGHT, 0, &mut marks), None);
}

/// A request that waits for an answer until it passes after 500 ms, while what is held for it counts or doesn't, and another
/// one that comes at some time.
#[test]
fn a_request_in_progress_counts_while_it_waits_and_anew_from_when_it_passes() {
    let kind = Kind::Concurrency { requests: 1, timeout: 1_000 };
    let held = [
        vec![(0, Mark::Taken { request: 0, cost: 1, part: (1, 1), shown: 0 })],
        vec![(0, Mark::Admitted { request: 0, cost: 1, before: (0, 1), shown: 0 })],
        vec![],
    ];
    let passes = (500, Mark::Passed { request: 0, cost: 1 });
    for (at, while_held, otherwise) in [
        (9, Some(1), Some(0)),
        (499, Some(1), Some(0)),
        (501, Some(1), Some(1)),
        (1_499, Some(1), Some(1)),
        (1_500, None, None),
    ] {
        for marks in &held {
            let excess = if marks.is_empty() { otherwise } else { while_held };
            let mut marks: Vec<_> = marks.iter().cloned().chain([passes.clone(), admitted(at, 1, 1)]).collect();
            assert_eq!(judge(&kind, RIGHT, 0, &mut marks).map(|excess| excess.request), excess, "{at} {marks:?}");
        }
    }
}

#[test]
fn what_is_settled_is_judged_by_its_true_cost_from_then_on() {
    let kind = Kind::Window { requests: 10, per: 1_000 };
    let settled = (5, Mark::Settled { request: 0, cost: 1 });
    let mut marks = vec![admitted(0, 0, 10), settled, admitted(5, 1, 9)];
    assert_eq!(judge(&kind, RIGHT, 0, &mut marks), None);
    marks.push(admitted(6, 2, 1));
    assert_eq!(judge(&kind, RIGHT, 0, &mut marks).map(|excess| (excess.request, excess.by)), Some((2, 1)));
}

fn quota_of(requests: u64, period: Period, first_offset: i32, transitions: &[(i64, i32)]) -> Kind {
    Kind::Quota { requests, period, first_offset, transitions: transitions.to_vec() }
}

fn quota(period: Period, first_offset: i32, transitions: &[(i64, i32)]) -> Kind {
    quota_of(1, period, first_offset, transitions)
}

/// Both sides of a moment at which a window begins, in seconds since the epoch.
#[track_caller]
fn check_boundary(kind: &Kind, at: u64) {
    check(kind, &[at * 1_000 - 1, at * 1_000], RIGHT, None);
    check(kind, &[at * 1_000, at * 1_000 + 999], RIGHT, Some(1));
    check(kind, &[at * 1_000 - 1_000, at * 1_000 - 1], RIGHT, Some(1));
}

#[test]
fn a_quota_begins_anew_when_clocks_on_the_wall_say_so() {
    let utc = |period| quota(period, 0, &[]);
    // 1 March 2026, a Sunday.
    check_boundary(&utc(Period::Month), 1_772_323_200);
    check_boundary(&utc(Period::Week), 1_772_323_200 + 86_400);
    check_boundary(&utc(Period::Day), 1_772_323_200 + 2 * 86_400);
    check_boundary(&utc(Period::Hour), 1_772_323_200 + 3_600);
    check_boundary(&utc(Period::Minute), 1_772_323_200 + 60);
    check_boundary(&quota(Period::Day, 7_200, &[]), 1_772_323_200 - 7_200);
    // Clocks go from 23:30 to 00:30: the day begins at once.
    check_boundary(&quota(Period::Day, 0, &[(1_772_323_200 - 1_800, 3_600)]), 1_772_323_200 - 1_800);
    // From 00:30 back to 23:30: the day that has begun goes on over the second midnight.
    let back = quota(Period::Day, 0, &[(1_772_325_000, -3_600)]);
    check(&back, &[1_772_323_200_000, 1_772_326_900_000], RIGHT, Some(1));
}

#[test]
fn what_an_accuracy_adds_is_there_after_a_change_of_numbers() {
    let limit = |requests| quota_of(requests, Period::Month, 0, &[]);
    let changes = |requests| [(5, Mark::Changing(limit(requests))), (6, Mark::Changed)];
    for (debt, excess) in [(2, None), (1, Some(4))] {
        let mut marks: Vec<_> = (0..5).map(|request| admitted(7, request, 1)).chain(changes(3)).collect();
        assert_eq!(judge(&limit(1), RIGHT, debt, &mut marks).map(|excess| excess.request), excess);
    }
    // Eight were used of ten when the number was lowered to three.
    for (debt, excess) in [(2, Some(10)), (1, Some(9)), (0, Some(8))] {
        let before = (0..8).map(|request| admitted(0, request, 1));
        let mut marks: Vec<_> = before.chain(changes(3)).collect();
        marks.extend((8..11).map(|request| admitted(7, request, 1)));
        assert_eq!(judge(&limit(10), RIGHT, debt, &mut marks).map(|excess| excess.request), excess);
    }
}
