#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};

use super::*;
use crate::allowance::{Concurrency, Window};

fn allowed(remaining: u64, millis: u64) -> Verdict {
    Verdict::Allowed { remaining, effective_window: Duration::from_millis(millis) }
}

fn denied(remaining: u64, nanos: u64) -> Verdict {
    Verdict::Denied { remaining, retry_after: Duration::from_nanos(nanos) }
}

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn one() -> Allowance {
    Allowance::Rate(Rate::new(1, Duration::from_secs(1), 1).unwrap())
}

fn policies(limits: &[(&str, &Allowance)]) -> String {
    let shown = |&(name, allowance)| Shown { name, allowance, verdict: &Verdict::Open, partition: &[] };
    policy_field(&limits.iter().map(shown).collect::<Vec<_>>(), NOW)
}

fn limits(limits: &[(&str, &Verdict)]) -> String {
    let one = one();
    let shown = |&(name, verdict)| Shown { name, allowance: &one, verdict, partition: &[] };
    limit_field(&limits.iter().map(shown).collect::<Vec<_>>())
}

#[track_caller]
fn check_policy(requests: u32, per_millis: u64, burst: u32, expected: &str) {
    let rate = Allowance::Rate(Rate::new(requests, Duration::from_millis(per_millis), burst).unwrap());
    assert_eq!(policies(&[("burst", &rate)]), expected);
}

#[track_caller]
fn check_limit(verdicts: &[Verdict], expected: &str, retry_after: Option<u64>) {
    let named: Vec<_> = ["a", "b", "c"].into_iter().zip(verdicts).collect();
    assert_eq!(limits(&named), expected);
    assert_eq!(retry_after_seconds(&verdicts.iter().collect::<Vec<_>>()), retry_after);
}

#[test]
fn the_drafts_own_examples_are_written_as_they_stand_there() {
    // Sections 3, 4 and B.1.4.
    let burst = Allowance::Rate(Rate::new(100, Duration::from_secs(60), 100).unwrap());
    let daily = Allowance::Rate(Rate::new(1000, Duration::from_secs(86_400), 1000).unwrap());
    assert_eq!(policies(&[("burst", &burst), ("daily", &daily)]), r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
    assert_eq!(limits(&[("default", &allowed(50, 30_000))]), r#""default";r=50;t=30"#);
    assert_eq!(limits(&[("default", &denied(0, 5_000_000_000))]), r#""default";r=0;t=5"#);
}

#[test]
fn a_burst_that_differs_from_the_quota_is_shown_beside_it() {
    check_policy(100, 60_000, 100, r#""burst";q=100;w=60"#);
    check_policy(100, 60_000, 20, r#""burst";q=100;w=60;tidegate-burst=20"#);
    check_policy(100, 60_000, 200, r#""burst";q=100;w=60;tidegate-burst=200"#);
}

#[test]
fn a_window_is_whole_seconds_and_never_promises_more_than_the_rate() {
    check_policy(10, 100, 100, r#""burst";q=100;w=1"#);
    check_policy(1, 999, 1, r#""burst";q=1;w=1"#);
    check_policy(1, 1_000, 1, r#""burst";q=1;w=1"#);
    check_policy(1, 1_001, 1, r#""burst";q=1;w=2"#);
    check_policy(3, 1_500, 4, r#""burst";q=4;w=2"#);
    check_policy(1_000_000, 1, 1, r#""burst";q=1000000000;w=1;tidegate-burst=1"#);
    check_policy(u32::MAX, 4_294_968, 1, r#""burst";q=4294999294;w=4295;tidegate-burst=1"#);
}

#[test]
fn seconds_are_rounded_up_and_retry_after_agrees_with_t() {
    check_limit(&[denied(0, 1)], r#""a";r=0;t=1"#, Some(1));
    check_limit(&[denied(0, 1_000_000_000)], r#""a";r=0;t=1"#, Some(1));
    check_limit(&[denied(0, 1_000_000_001)], r#""a";r=0;t=2"#, Some(2));
    check_limit(&[denied(2, 59_999_999_999)], r#""a";r=2;t=60"#, Some(60));
    check_limit(&[allowed(0, 600)], r#""a";r=0;t=1"#, None);
    check_limit(&[allowed(9, 5_400)], r#""a";r=9;t=6"#, None);
}

#[test]
fn retry_after_is_the_longest_wait_and_no_window_ends_after_it() {
    check_limit(&[allowed(9, 9_000), allowed(1, 60_000)], r#""a";r=9;t=9, "b";r=1;t=60"#, None);
    check_limit(
        &[allowed(900, 72_000_000), denied(0, 3_000_000_000), denied(1, 7_500_000_000)],
        r#""a";r=900, "b";r=0;t=3, "c";r=1;t=8"#,
        Some(8),
    );
}

#[test]
fn a_window_is_its_requests_in_whole_seconds() {
    let window = Allowance::Window(Window::new(3, Duration::from_millis(1_500)).unwrap());
    assert_eq!(policies(&[("a", &window)]), r#""a";q=3;w=2"#);
}

#[test]
fn requests_in_progress_are_a_unit_of_their_own_and_have_no_window() {
    let allowance = Allowance::Concurrency(Concurrency::new(50, Duration::from_secs(30)).unwrap());
    assert_eq!(policies(&[("a", &allowance)]), r#""a";q=50;qu="concurrent-requests""#);
    for (verdict, expected) in [(allowed(49, 30_000), r#""a";r=49"#), (denied(0, 1), r#""a";r=0;t=1"#)] {
        let shown = Shown { name: "a", allowance: &allowance, verdict: &verdict, partition: &[] };
        assert_eq!(limit_field(&[shown]), expected);
    }
}

#[test]
fn a_partition_key_is_a_byte_sequence() {
    let shown = Shown { name: "a", allowance: &one(), verdict: &allowed(1, 1_000), partition: &[0, 1, 254, 255] };
    assert_eq!(limit_field(&[shown]), r#""a";r=1;t=1;pk=:AAH+/w==:"#);
}

#[test]
fn without_limits_there_is_no_field() {
    assert_eq!((policies(&[]), limits(&[])), (String::new(), String::new()));
    assert_eq!(retry_after_seconds(&[]), None);
}

#[test]
fn a_name_is_a_string_whatever_it_is() {
    for (name, expected) in [
        ("per-user", r#""per-user";r=1;t=1"#),
        ("a \"b\" \\c", r#""a \"b\" \\c";r=1;t=1"#),
        ("ü\r\n\u{7f}%", r#""%c3%bc%0d%0a%7f%25";r=1;t=1"#),
        ("", r#""";r=1;t=1"#),
    ] {
        assert_eq!(limits(&[(name, &allowed(1, 1_000))]), expected);
    }
}

#[test]
fn the_largest_numbers_are_integers_of_15_digits() {
    let longest = Verdict::Denied { remaining: u64::from(u32::MAX), retry_after: Duration::MAX };
    check_limit(&[longest], r#""a";r=4294967295;t=999999999999999"#, Some(u64::MAX));
}

/// Reads a field back: each item's name and integer parameters.
fn parse(field: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let list: List = Parser::new(field).parse().unwrap();
    let items = list.into_iter().map(|entry| {
        let ListEntry::Item(item) = entry else { panic!("an inner list in {field}") };
        let BareItem::String(name) = item.bare_item else { panic!("not a string in {field}") };
        let parameters = item.params.into_iter().map(|(key, value)| {
            let BareItem::Integer(value) = value else { panic!("not an integer in {field}") };
            (key.as_str().to_owned(), i64::from(value))
        });
        (name.as_str().to_owned(), parameters.collect())
    });
    items.collect()
}

proptest! {
    #[test]
    fn every_policy_is_a_list_of_strings_with_a_quota_within_the_rate(
        name in any::<String>(), requests in any::<u32>(), per in 1..=31_622_400_000_u64, burst in any::<u32>(),
    ) {
        let Ok(rate) = Rate::new(requests, Duration::from_millis(per), burst) else { return Ok(()) };
        let rate = Allowance::Rate(rate);
        let items = parse(&policies(&[(&name, &rate), ("b", &rate)]));
        prop_assert_eq!(items.len(), 2);
        let parameters = &items[0].1;
        prop_assert_eq!((&*parameters[0].0, &*parameters[1].0), ("q", "w"));
        let (quota, window) = (i128::from(parameters[0].1), i128::from(parameters[1].1));
        // q / w is at most requests / per, and the next larger quota would not be.
        let given = i128::from(requests) * window * 1_000;
        prop_assert!(quota * i128::from(per) <= given && given < (quota + 1) * i128::from(per));
        prop_assert!(window >= 1 && (window - 1) * 1_000 < i128::from(per));
        prop_assert_eq!(parameters.get(2).map_or(quota, |(_, burst)| i128::from(*burst)), i128::from(burst));
    }

    #[test]
    fn no_effective_window_ends_after_retry_after(verdicts in prop::collection::vec(
        (any::<bool>(), 0..1_u64 << 32, 0..1_u64 << 40), 1..6,
    )) {
        let verdicts: Vec<Verdict> = verdicts.into_iter().map(|(allow, remaining, nanos)| {
            if allow { allowed(remaining, nanos / 1_000_000) } else { denied(remaining, nanos) }
        }).collect();
        let items = parse(&limits(&verdicts.iter().map(|verdict| ("a", verdict)).collect::<Vec<_>>()));
        let retry_after = retry_after_seconds(&verdicts.iter().collect::<Vec<_>>());
        prop_assert_eq!(retry_after.is_some(), verdicts.iter().any(|verdict| !verdict.is_allowed()));
        let windows: Vec<i64> = items.iter().filter_map(|(_, parameters)| Some(parameters.get(1)?.1)).collect();
        match retry_after {
            Some(seconds) => prop_assert_eq!(windows.into_iter().max(), i64::try_from(seconds).ok()),
            None => prop_assert!(windows.len() == verdicts.len() && windows.iter().all(|window| *window >= 1)),
        }
    }
}
