//! How much of a rate each isolate gets.

use super::level::WHOLE;
use super::loans::Loans;
use crate::rate::Rate;

/// Nine tenths may be lent: the rest serves isolates that come anew, and those that have too little to lend to.
pub(super) const LENDABLE: u64 = WHOLE / 10 * 9;

/// In a shortage at most one request of so many costs a question because of those who want little.
const ASKING: u64 = 30;

/// What all isolates want together, and what each of them gets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fair {
    /// In thousandths of a request of cost one, per second.
    pub(super) demand: u64,
    /// In 2^-32 of the full rate: above `WHOLE`, somebody goes short.
    pub(super) wanted: u64,
    pub(super) members: u64,
    /// Whoever wants no more than this may ask for each request, even in a shortage.
    pub(super) little: u64,
    /// An isolate gets so many tenths of its demand.
    tenths: u64,
    /// But nobody more than this.
    most: u64,
}

impl Fair {
    pub(super) fn of(loans: &Loans, rate: &Rate, now: u128) -> Fair {
        let present = loans.members.all().filter(|member| member.is_present(now));
        let mut demands: Vec<u64> = present.map(|member| member.demand).collect();
        let demand = demands.iter().fold(0_u64, |sum, demand| sum.saturating_add(*demand));
        let wanted = share(demand, rate);
        // Room for demand to grow: up to four times what it is, where there is that much.
        let tenths = (LENDABLE / 10 * 8).saturating_mul(10).checked_div(wanted).unwrap_or(40).clamp(11, 40);
        let most = if wanted.saturating_mul(tenths) / 10 <= LENDABLE {
            LENDABLE
        } else {
            demands.sort_unstable();
            water_level(LENDABLE, demands.iter().map(|demand| share(*demand, rate).saturating_mul(tenths) / 10))
        };
        let members = u64::try_from(demands.len()).unwrap_or(u64::MAX);
        let few = demand / ASKING;
        let together = demands.iter().filter(|demand| **demand <= few).fold(0_u64, |sum, one| sum.saturating_add(*one));
        let little = if together <= few { few } else { 0 };
        Fair { demand, wanted, members, little, tenths, most }
    }

    /// Returns whether all together want more than there is.
    pub(super) fn is_scarce(&self) -> bool {
        self.wanted > WHOLE
    }

    /// Returns the share for one demand.
    pub(super) fn share_for(&self, demand: u64, rate: &Rate) -> u64 {
        (share(demand, rate).saturating_mul(self.tenths) / 10).min(self.most)
    }
}

/// Returns a demand as a share of the rate.
fn share(demand: u64, rate: &Rate) -> u64 {
    let units = u128::from(demand).saturating_mul(u128::from(rate.interval_nanos().get()));
    u64::try_from(units.saturating_mul(u128::from(WHOLE)) / 1_000_000_000_000).unwrap_or(u64::MAX)
}

/// Returns the level up to which all are filled so that nothing is left: max-min fairness. `wants` are in order.
fn water_level(mut supply: u64, wants: impl ExactSizeIterator<Item = u64>) -> u64 {
    let mut left = u64::try_from(wants.len()).unwrap_or(u64::MAX);
    for want in wants {
        let each = supply.checked_div(left).unwrap_or(supply);
        if want > each {
            return each;
        }
        supply = supply.saturating_sub(want);
        left = left.saturating_sub(1);
    }
    LENDABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(supply: u64, wants: &[u64], level: u64) {
        assert_eq!(water_level(supply, wants.iter().copied()), level);
    }

    #[test]
    fn who_wants_little_gets_it_and_the_others_share_the_rest() {
        check(100, &[50, 60], 50);
        check(100, &[10, 60, 90], 45);
        check(100, &[10, 20, 30, 90], 40);
        check(100, &[90, 90, 90], 33);
        check(100, &[10, 20], LENDABLE);
        check(100, &[], LENDABLE);
    }
}
