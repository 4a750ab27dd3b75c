//! Many random numbers from one.

/// A stream of numbers that one random number unfolds into: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// The caller draws once per request; what is decided from that draw must not be correlated, so each decision has a
/// stream of its own.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    /// Begins a stream; equal arguments give equal numbers.
    pub(crate) fn new(random: u64, stream: u64) -> Self {
        Self(mix(random ^ mix(stream)))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when there is none.
    ///
    /// The upper half of a 128-bit product: one number can be more likely than another by `bound` parts in 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.bits()).wrapping_mul(u128::from(bound));
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// A position in a list of this length; 0 when the list is empty.
    pub(crate) fn position(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or_default()
    }

    /// A position in a list of weights, each as likely as its weight is large; 0 when there is no weight at all.
    pub(crate) fn weighted_position(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let total = weights.clone().fold(0_u64, |total, weight| total.saturating_add(u64::from(weight)));
        let mut point = self.below(total);
        for (position, weight) in weights.enumerate() {
            match point.checked_sub(u64::from(weight)) {
                Some(rest) => point = rest,
                None => return position,
            }
        }
        0
    }

    /// Puts a list into an order of which all are equally likely: Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for unplaced in (2..=list.len()).rev() {
            let last = unplaced.saturating_sub(1);
            // Both positions are below `unplaced`, which is at most the length.
            list.swap(last, self.position(unplaced));
        }
    }
}

/// Spreads the bits of a number over all of it, one to one: the finaliser of SplitMix64.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;

    /// Counts what `draw` gives, one stream per random number.
    fn count<const N: usize>(draw: impl Fn(&mut Draws) -> usize) -> [u32; N] {
        let mut counts = [0; N];
        for random in 0..60_000 {
            counts[draw(&mut Draws::new(random, 7))] += 1;
        }
        counts
    }

    #[track_caller]
    fn check_shares<const N: usize>(counts: [u32; N], shares: [f64; N]) {
        for (count, share) in counts.into_iter().zip(shares) {
            // Five standard deviations of a binomial share of 60,000 draws.
            let bound = 5.0 * (share * (1.0 - share) / 60_000.0).sqrt();
            assert!((f64::from(count) / 60_000.0 - share).abs() <= bound, "{counts:?}");
        }
    }

    #[test]
    fn the_stream_is_splitmix64() {
        // The first numbers of the reference implementation for the seed 1234567.
        let mut draws = Draws(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| draws.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_position_is_equally_likely() {
        check_shares(count::<3>(|draws| draws.position(3)), [1.0 / 3.0; 3]);
        check_shares(count::<1>(|draws| draws.position(1)), [1.0]);
    }

    #[test]
    fn a_weighted_position_is_as_likely_as_its_weight() {
        check_shares(count(|draws| draws.weighted_position([1, 2, 5].into_iter())), [0.125, 0.25, 0.625]);
        check_shares(count(|draws| draws.weighted_position([0, 1].into_iter())), [0.0, 1.0]);
    }

    #[test]
    fn every_order_is_equally_likely() {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let counts = count::<6>(|draws| {
            let mut list = [0, 1, 2];
            draws.shuffle(&mut list);
            orders.iter().position(|order| *order == list).unwrap()
        });
        check_shares(counts, [1.0 / 6.0; 6]);
    }

    #[test]
    fn nothing_to_choose_from_is_no_panic() {
        let mut draws = Draws::new(1, 1);
        assert_eq!(draws.position(0), 0);
        assert_eq!(draws.weighted_position(std::iter::empty()), 0);
        draws.shuffle::<u8>(&mut []);
    }

    #[test]
    fn two_streams_of_one_random_number_are_not_correlated() {
        let mut same = 0;
        for random in 0..60_000 {
            same += u32::from(Draws::new(random, 1).position(4) == Draws::new(random, 2).position(4));
        }
        check_shares([same], [0.25]);
    }
}
