//! What holds for every rate and every sequence of requests.

#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::tests::{Object, at, request};
use super::*;

fn rates() -> impl Strategy<Value = Rate> {
    let small = (1..=10_u32, 1..=20_000_u64, 1..=8_u32);
    let usual = (1..=1_000_u32, prop_oneof![Just(1_000_u64), Just(60_000), Just(86_400_000)], 1..=100_u32);
    let extreme = (any::<u32>(), 1..=31_622_400_000_u64, prop_oneof![Just(1_u32), Just(u32::MAX), any::<u32>()]);
    prop_oneof![3 => small, 2 => usual, 1 => extreme].prop_filter_map("not a rate", |(requests, per, burst)| {
        Rate::new(requests, Duration::from_millis(per), burst).ok()
    })
}

/// A request after a pause that is chosen around the rate's own times, and a cost that the burst allows.
#[derive(Clone, Copy, Debug)]
struct Step {
    pause: (u8, u32),
    cost: u32,
}

impl Step {
    fn pause(self, rate: &Rate) -> u128 {
        let (interval, fill) = (u128::from(rate.interval_nanos().get()), u128::from(rate.fill_nanos()));
        match self.pause.0 {
            0..=3 => 0,
            4 => interval - 1,
            5 => interval,
            6 => interval * u128::from(self.pause.1 % 1_000) / 1_000,
            7 => fill * u128::from(self.pause.1 % 1_000) / 1_000,
            _ => fill + 1,
        }
    }

    fn cost(self, rate: &Rate) -> u32 {
        let most = if self.cost > 1 << 31 { rate.burst() } else { rate.burst().min(3) };
        1 + self.cost % most
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..=8_u8, any::<u32>(), any::<u32>()), 1..80)
        .prop_map(|steps| steps.into_iter().map(|(kind, share, cost)| Step { pause: (kind, share), cost }).collect())
}

/// The definition: in every interval that starts and ends with an admission, no more than `burst + rate * length`.
fn within_definition(rate: &Rate, admitted: &[(u128, u32)]) -> bool {
    let per = u128::from(rate.per_nanos());
    admitted.iter().enumerate().all(|(first, &(start, _))| {
        let mut sum = 0;
        admitted[first..].iter().all(|&(end, cost)| {
            sum += u128::from(cost);
            sum * per <= u128::from(rate.burst()) * per + u128::from(rate.requests()) * (end - start)
        })
    })
}

proptest! {
    #[test]
    fn in_every_interval_at_most_the_burst_and_the_rate_are_admitted(rate in rates(), steps in steps()) {
        let (mut object, mut now, mut admitted) = (Object::default(), 0, Vec::new());
        for step in steps {
            now += step.pause(&rate);
            if object.ask(&request(&[("k", rate, step.cost(&rate))]), now).allowed() {
                admitted.push((now, step.cost(&rate)));
            }
        }
        prop_assert!(within_definition(&rate, &admitted), "{admitted:?}");
    }

    #[test]
    fn restarts_at_any_point_never_admit_more(
        rate in rates(), steps in steps(), restarts in prop::collection::vec(prop::bool::weighted(0.3), 80),
    ) {
        let (mut object, mut now, mut admitted) = (Object::default(), 0, Vec::new());
        for (step, restart) in steps.into_iter().zip(restarts) {
            now += step.pause(&rate);
            if restart {
                object.restart();
                object.rows.retain(|_, row| *row > StoredTat::forgettable(at(now)));
            }
            if object.ask(&request(&[("k", rate, step.cost(&rate))]), now).allowed() {
                admitted.push((now, step.cost(&rate)));
            }
        }
        prop_assert!(within_definition(&rate, &admitted), "{admitted:?}");
    }

    #[test]
    fn a_restart_costs_at_most_a_tenth_of_what_was_charged_and_of_the_burst(rate in rates(), steps in steps()) {
        let (mut object, mut now, mut charged) = (Object::default(), 0, 0);
        for step in steps {
            now += step.pause(&rate);
            if object.ask(&request(&[("k", rate, step.cost(&rate))]), now).allowed() {
                charged += u128::from(step.cost(&rate));
            }
            let lost = object.rows["k"].tat().0 - object.tat("k").0;
            let block = (charged / 10).min(u128::from(rate.burst() / 10).max(1));
            prop_assert!(lost <= block * u128::from(rate.interval_nanos().get()) + 1_000_000, "{lost} ns");
        }
    }

    #[test]
    fn the_ledger_and_a_token_bucket_agree_on_every_request(rate in rates(), steps in steps()) {
        let (interval, full) = (u128::from(rate.interval_nanos().get()), u128::from(rate.fill_nanos()));
        let (mut object, mut now, mut level) = (Object::default(), 0, full);
        for step in steps {
            now += step.pause(&rate);
            level = full.min(level + step.pause(&rate));
            let price = u128::from(step.cost(&rate)) * interval;
            let fits = level >= price;
            if fits {
                level -= price;
            }
            let reply = object.ask(&request(&[("k", rate, step.cost(&rate))]), now);
            let (SpendVerdict::Allowed { remaining, .. } | SpendVerdict::Denied { remaining, .. }) = reply.verdicts()[0];
            prop_assert_eq!((reply.allowed(), u128::from(remaining)), (fits, level / interval));
        }
    }

    #[test]
    fn a_denied_request_costs_nothing_and_passes_exactly_when_its_wait_is_over(
        rates in prop::collection::vec(rates(), 1..4), steps in steps(), shared in any::<bool>(),
    ) {
        let (mut object, mut now) = (Object::default(), 0);
        for step in steps {
            now += step.pause(&rates[0]);
            let key = |index: usize| if shared { "k" } else { ["a", "b", "c"][index] };
            let spend = |(index, rate): (usize, &Rate)| Spend::new(key(index), *rate, step.cost(rate)).unwrap();
            let spends = rates.iter().enumerate().map(spend);
            // Limits that share a bucket may cost more together than it holds: such a request can't be made.
            let Ok(request) = SpendRequest::new(spends.collect()) else { continue };
            object.load(&request);
            let (tats, rows) = (object.tats(), object.rows.clone());
            let reply = object.ask(&request, now);
            let Some(wait) = reply.retry_after() else { continue };
            prop_assert!(!reply.allowed());
            prop_assert_eq!((object.tats(), &object.rows), (tats, &rows));
            prop_assert!(!object.clone().ask(&request, now + wait.as_nanos() - 1).allowed());
            prop_assert!(object.clone().ask(&request, now + wait.as_nanos()).allowed());
        }
    }

    #[test]
    fn a_request_passes_when_and_only_when_each_limit_alone_would_let_it_pass(
        rates in prop::collection::vec(rates(), 2..5), steps in steps(),
    ) {
        let keys = ["a", "b", "c", "d"];
        let (mut object, mut now) = (Object::default(), 0);
        for step in steps {
            now += step.pause(&rates[0]);
            let limits: Vec<_> = keys.iter().zip(&rates).map(|(key, rate)| (*key, *rate, step.cost(rate))).collect();
            let alone = limits.iter().map(|limit| object.clone().ask(&request(&[*limit]), now).allowed());
            let alone: Vec<bool> = alone.collect();
            let reply = object.ask(&request(&limits), now);
            let each: Vec<bool> = reply.verdicts().iter().map(SpendVerdict::is_allowed).collect();
            prop_assert_eq!(&each, &alone);
            prop_assert_eq!(reply.allowed(), alone.iter().all(|allowed| *allowed));
        }
    }

    #[test]
    fn pruning_never_changes_a_decision(rate in rates(), steps in steps()) {
        let (mut pruned, mut now) = (Object::default(), 0);
        let mut whole = pruned.clone();
        for step in steps {
            now += step.pause(&rate);
            let asked = request(&[("k", rate, step.cost(&rate))]);
            pruned.ledger.prune(at(now));
            prop_assert_eq!(pruned.ask(&asked, now), whole.ask(&asked, now));
        }
    }

    #[test]
    fn a_clock_that_jumps_back_and_forth_never_admits_more_than_its_latest_time_allows(
        rate in rates(), steps in steps(),
        back in prop::collection::vec(prop::option::weighted(0.4, 0..1_000_u128), 80),
    ) {
        let (mut object, mut latest, mut admitted) = (Object::default(), 0, Vec::new());
        for (step, back) in steps.into_iter().zip(back) {
            latest += step.pause(&rate);
            // The latest time is seen by a prune, then the request comes with one that is behind it.
            object.ledger.prune(at(latest));
            let clock = latest - back.map_or(0, |share| latest * share / 1_000);
            if object.ask(&request(&[("k", rate, step.cost(&rate))]), clock).allowed() {
                admitted.push((latest, step.cost(&rate)));
            }
        }
        prop_assert!(within_definition(&rate, &admitted), "{admitted:?}");
    }

    #[test]
    fn any_time_and_any_row_get_an_answer(
        rates in prop::collection::vec(rates(), 1..4), times in prop::collection::vec(any::<(u64, u32)>(), 1..8),
        row in prop::option::of(any::<u64>()),
    ) {
        let keys = ["a", "b", "c"];
        let limits: Vec<_> = keys.iter().zip(&rates).map(|(key, rate)| (*key, *rate, rate.burst())).collect();
        let mut ledger = Ledger::new();
        for key in keys {
            ledger.load(key, row.map(StoredTat::from_millis));
        }
        for (secs, nanos) in times {
            let now = Duration::new(secs, nanos % 1_000_000_000);
            let (reply, _) = ledger.spend(&request(&limits), now).unwrap();
            prop_assert_eq!(reply.allowed(), reply.retry_after().is_none());
            ledger.prune(now);
            let unknown: Vec<String> = ledger.unknown(&request(&limits)).into_iter().map(str::to_owned).collect();
            unknown.iter().for_each(|key| ledger.load(key, None));
        }
    }
}
