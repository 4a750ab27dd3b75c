//! What one request takes from a limit.

/// What one request takes from a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The same for every request; at least 1.
    Fixed(u32),
    /// What a request header says.
    Header {
        /// The lower-case name of the header.
        name: String,
        /// The cost of a request whose header is missing, or is no whole number of at least 1.
        otherwise: u32,
        /// What a larger number in the header counts as.
        at_most: u32,
    },
    /// A guess, which the origin's response puts right.
    Settled {
        /// What is taken before the origin is asked.
        reserve: u32,
        /// The lower-case name of the response header that says what the request did cost.
        header: String,
    },
}

impl Cost {
    /// One request is one.
    pub const ONE: Self = Self::Fixed(1);

    /// What is taken before the origin is asked; at least 1. `field` is a request header by its lower-case name.
    pub fn before(&self, field: impl FnOnce(&str) -> Option<String>) -> u32 {
        let cost = match self {
            Self::Fixed(cost) | Self::Settled { reserve: cost, .. } => *cost,
            Self::Header { name, otherwise, at_most } => {
                let said = field(name).and_then(|value| whole_number(&value)).filter(|cost| *cost > 0);
                said.map_or(*otherwise, |cost| cost.min(*at_most))
            }
        };
        cost.max(1)
    }

    /// What the request did cost, by the headers of the origin's response; `None` when the guess stands, because there
    /// was none or the response does not say.
    pub fn after(&self, field: impl FnOnce(&str) -> Option<String>) -> Option<u32> {
        match self {
            Self::Fixed(_) | Self::Header { .. } => None,
            Self::Settled { header, .. } => whole_number(&field(header)?),
        }
    }

    /// The most that is taken before the origin is asked.
    #[must_use]
    pub fn most(&self) -> u32 {
        match self {
            Self::Fixed(cost) | Self::Settled { reserve: cost, .. } => *cost,
            Self::Header { otherwise, at_most, .. } => *otherwise.max(at_most),
        }
    }
}

/// Decimal digits; a number that is too large counts as the largest.
fn whole_number(text: &str) -> Option<u32> {
    let text = text.trim_matches([' ', '\t']);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn before(cost: &Cost, header: Option<&str>, expected: u32) {
        assert_eq!(cost.before(|_| header.map(str::to_owned)), expected, "{cost:?} {header:?}");
    }

    #[test]
    fn a_header_says_the_cost_within_bounds() {
        let cost = Cost::Header { name: "x-cost".to_owned(), otherwise: 3, at_most: 10 };
        for (header, expected) in [
            (None, 3),
            (Some(""), 3),
            (Some("0"), 3),
            (Some("-1"), 3),
            (Some("1.5"), 3),
            (Some("4, 5"), 3),
            (Some("1"), 1),
            (Some(" 10 "), 10),
            (Some("11"), 10),
            (Some("99999999999999999999"), 10),
        ] {
            before(&cost, header, expected);
        }
        assert_eq!(cost.after(|_| Some("7".to_owned())), None);
    }

    #[test]
    fn no_request_costs_nothing() {
        before(&Cost::ONE, None, 1);
        before(&Cost::Fixed(0), None, 1);
        before(&Cost::Settled { reserve: 0, header: "x".to_owned() }, None, 1);
    }

    #[test]
    fn a_response_says_what_the_request_did_cost() {
        let cost = Cost::Settled { reserve: 100, header: "x-tokens-used".to_owned() };
        before(&cost, Some("7"), 100);
        for (header, expected) in [(None, None), (Some("many"), None), (Some("0"), Some(0)), (Some("250"), Some(250))] {
            assert_eq!(cost.after(|_| header.map(str::to_owned)), expected, "{header:?}");
        }
    }
}
