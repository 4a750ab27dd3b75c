#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::question::Held;

const MS: u128 = 1_000_000;
const START: u128 = 1_795_046_400_000 * MS;

#[test]
fn a_promise_that_is_lost_at_once_is_not_paid_from_the_next_one() {
    let rate = Rate::new(1, Duration::from_secs(1), 1).unwrap();
    let price = rate.increment(1);
    let mut bucket = Bucket::open(rate, None, 0, 1);
    // More is promised than there is room for: the bucket is full again at once.
    bucket.expect_back(price);
    let lost = bucket.era();
    assert!(bucket.take(1, price));
    bucket.expect_back(price);
    bucket.give_back(lost, price);
    assert!(!bucket.fits(price));
    bucket.give_back(bucket.era(), price);
    assert!(bucket.fits(price));
}

/// Ten a second, ten at once, and a request every two seconds.
#[test]
fn a_row_covers_the_requests_of_a_while_to_a_bucket_that_is_full_but_for_them() {
    let rate = Rate::new(10, Duration::from_secs(1), 10).unwrap();
    let (mut bucket, mut now, mut rows, mut row) = (Bucket::open(rate, None, START, 1), START, 0, None);
    for _ in 0..30 {
        assert!(bucket.take(1, rate.increment(1)));
        if let Some(new) = bucket.row() {
            (row, rows) = (Some(new.bytes), rows + 1);
        }
        for later in [0, 100, 5_000] {
            let at = now + later * MS;
            let mut restarted = Bucket::open(rate, row.as_deref(), at, 2);
            let mut bucket = bucket.clone();
            bucket.advance(at);
            assert!(restarted.level.units <= bucket.level.units);
            // A block is missing, and is back soon.
            assert!(restarted.level.units >= bucket.level.units - i128::from(rate.increment(6)));
            restarted.advance(at + 1_000 * MS);
            assert!(restarted.fits(rate.increment(10)));
        }
        now += 2_000 * MS;
        bucket.advance(now);
    }
    assert!(rows <= 3, "{rows} rows");
}

#[test]
fn a_daily_limit_is_not_used_up_by_restarts() {
    let rate = Rate::new(100, Duration::from_secs(86_400), 100).unwrap();
    let mut row = None;
    for request in 0..60_u128 {
        let mut bucket = Bucket::open(rate, row.as_deref(), START + request * 20_000 * MS, 2);
        assert!(bucket.take(1, rate.increment(1)), "request {request}");
        row = bucket.row().map(|row| row.bytes).or(row);
    }
}

#[test]
fn a_row_of_the_version_before_is_read() {
    let rate = Rate::new(10, Duration::from_secs(1), 10).unwrap();
    let mut bucket = Bucket::open(rate, None, START, 1);
    assert!(bucket.take(1, rate.increment(10)));
    let mut bytes = bucket.row().unwrap().bytes;
    let taken = postcard::to_allocvec(&bucket.stored.taken).unwrap();
    bytes.truncate(bytes.len() - taken.len());
    bytes[1] = 1;
    assert!(!Bucket::open(rate, Some(&bytes), START, 2).fits(1));
}

/// One thing that happens to a bucket. `holder` is one of four.
#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(u64),
    Take { holder: u64, cost: u32, comes_back: bool },
    GiveBack { era_ago: u64, cost: u32 },
    Owe(u32),
    Lend { holder: u64, demand: u64, held_percent: u64, overtaken: bool },
    LendReserve { holder: u64 },
    Remains { holder: u64, ago: u64, percent: u64 },
    Claim { holder: u64, percent: u64 },
    Change { requests: u32, burst: u32 },
    Reset,
    Restart,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let holder = 1..5_u64;
    let event = prop_oneof![
        4 => (0..3_000_u64).prop_map(Event::Pass),
        1 => (0..30_000_u64).prop_map(Event::Pass),
        4 => (holder.clone(), 1..4_u32, any::<bool>())
            .prop_map(|(holder, cost, comes_back)| Event::Take { holder, cost, comes_back }),
        1 => (0..2_u64, 1..4_u32).prop_map(|(era_ago, cost)| Event::GiveBack { era_ago, cost }),
        1 => (1..20_u32).prop_map(Event::Owe),
        8 => (holder.clone(), 0..200_000_u64, 0..=100_u64, prop::bool::weighted(0.1)).prop_map(
            |(holder, demand, held_percent, overtaken)| Event::Lend { holder, demand, held_percent, overtaken }
        ),
        1 => holder.clone().prop_map(|holder| Event::LendReserve { holder }),
        3 => (holder.clone(), 0..3_u64, 0..=100_u64)
            .prop_map(|(holder, ago, percent)| Event::Remains { holder, ago, percent }),
        2 => (holder, 0..=100_u64).prop_map(|(holder, percent)| Event::Claim { holder, percent }),
        1 => (1..200_u32, 1..300_u32).prop_map(|(requests, burst)| Event::Change { requests, burst }),
        1 => Just(Event::Reset),
        1 => Just(Event::Restart),
    ];
    prop::collection::vec(event, 1..200)
}

/// A bucket, its row, and what its holders were lent last.
struct Lab {
    bucket: Bucket,
    row: Option<Vec<u8>>,
    now: u128,
    sequence: u64,
    loans: [Option<(u64, Loan)>; 5],
}

impl Lab {
    fn new(rate: Rate) -> Lab {
        Lab { bucket: Bucket::open(rate, None, START, 1), row: None, now: START, sequence: 10, loans: [None; 5] }
    }

    fn happen(&mut self, event: Event) {
        let rate = self.bucket.rate;
        let loan = |holder: u64| self.loans[holder as usize];
        match event {
            Event::Pass(ms) => self.now += u128::from(ms) * MS,
            Event::Take { holder, cost, comes_back } => {
                if self.bucket.take(holder, rate.increment(cost)) && comes_back {
                    self.bucket.expect_back(rate.increment(cost));
                }
            }
            Event::GiveBack { era_ago, cost } => {
                self.bucket.give_back(self.bucket.era.saturating_sub(era_ago), rate.increment(cost));
            }
            Event::Owe(cost) => self.bucket.owe(rate.increment(cost), 0),
            Event::Lend { holder, demand, held_percent, overtaken } => {
                self.sequence += 1;
                let sequence = if overtaken { self.sequence - 5 } else { self.sequence };
                let (lease, capacity) = loan(holder).map_or((0, 0), |(id, loan)| (id, loan.capacity));
                let held = capacity / 100 * held_percent;
                let lent = self.bucket.lend(&Borrower { holder, sequence, demand, cost: 1, lease, held });
                if let Some(lent) = lent {
                    self.loans[holder as usize] = Some((sequence, lent));
                }
            }
            Event::LendReserve { holder } => {
                let borrower = Borrower { holder, sequence: self.sequence, demand: 1_000, cost: 1, lease: 0, held: 0 };
                let _slice = self.bucket.lend_reserve(&borrower);
            }
            Event::Remains { holder, ago, percent } => {
                if let Some((id, loan)) = loan(holder) {
                    let remains = Remains { id: id.saturating_sub(ago), left: loan.capacity / 100 * percent };
                    self.bucket.take_back(holder, remains);
                }
            }
            Event::Claim { holder, percent } => {
                if let Some((id, loan)) = loan(holder) {
                    let Loan { share, capacity, .. } = loan;
                    let held = Held { id, share, capacity, stored: capacity / 100 * percent };
                    self.bucket.claim(&Report { holder, sequence: self.sequence, era: 0, held: Some(&held) });
                }
            }
            Event::Change { requests, burst } => {
                let rate = Rate::new(requests, Duration::from_secs(1), burst).unwrap();
                assert!(self.bucket.adapt(&Terms::Rate(rate)));
            }
            Event::Reset => self.bucket.reset(),
            Event::Restart => {
                let era = self.bucket.era + 1_000;
                self.bucket = Bucket::open(rate, self.row.as_deref(), self.now, era);
            }
        }
        self.bucket.advance(self.now);
        if let Some(row) = self.bucket.row() {
            self.row = Some(row.bytes);
        }
    }

    /// The parts are at most the whole: of the rate, and of the capacity with all that is here or may come back.
    fn check_conservation(&self) {
        let Bucket { loans, level, expected, rate, .. } = &self.bucket;
        let live = loans.expiries();
        let share: u64 = live.iter().map(|promise| promise.share).sum();
        let capacity: u64 = live.iter().map(|promise| promise.capacity).sum();
        assert_eq!(
            (loans.lent().share + loans.reserve().share, loans.own_share()),
            (share, WHOLE.saturating_sub(share))
        );
        assert_eq!(loans.lent().capacity + loans.reserve().capacity, capacity);
        // When the numbers of a limit are lowered, what is out stays out, and nothing is here.
        if self.bucket.changed_at.is_none() && share <= WHOLE && capacity <= rate.fill_nanos() {
            // A level below zero is a debt that what comes back pays first.
            let back = i128::from(loans.returnable() + expected);
            let [capacity, whole] = [capacity, rate.fill_nanos()].map(i128::from);
            assert!(level.units + back + capacity <= whole, "{level:?}, {back} back, {capacity} lent of {whole}");
        } else {
            assert!(share <= WHOLE || loans.own_share() == 0);
            assert!(level.units() <= self.bucket.own_capacity());
        }
    }
}

proptest! {
    #[test]
    fn i2_rate_and_capacity_are_conserved_at_every_event(
        requests in 1..200_u32, burst in 1..300_u32, events in events(),
    ) {
        let mut lab = Lab::new(Rate::new(requests, Duration::from_secs(1), burst).unwrap());
        let mut changed = false;
        for event in events {
            changed |= matches!(event, Event::Change { .. });
            lab.happen(event);
            lab.check_conservation();
            // Nothing is ever lent beyond the whole, unless the whole was made smaller.
            let (lent, reserve) = (lab.bucket.loans.lent(), lab.bucket.loans.reserve());
            prop_assert!(changed || lent.share + reserve.share <= WHOLE);
            prop_assert!(changed || lent.capacity + reserve.capacity <= lab.bucket.rate.fill_nanos());
        }
    }
}
