//! One limit that a request has to fit.

use std::rc::Rc;

use crate::allowance::Allowance;

/// One limit of one request: which key, what it allows, what the request costs, and what happens when nobody can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    // Invariant: what `Want::new` checks.
    key: Rc<str>,
    allowance: Allowance,
    cost: u32,
    accuracy: Accuracy,
    when_unreachable: WhenUnreachable,
    mode: Mode,
    charge: Charge,
}

/// How exactly a limit holds over all isolates together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accuracy {
    /// Never a request too many.
    #[default]
    Exact,
    /// At most this share of the capacity too many, and no request waits for a cold key.
    Bounded {
        /// The share, in millionths.
        parts_per_million: u32,
    },
    /// Each isolate counts for itself.
    Local,
}

/// What happens to a request when its limit cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// It passes, and is charged later.
    Open,
    /// It is refused.
    #[default]
    Closed,
    /// It passes while a share that was set aside before lasts.
    Reserve,
}

/// Whether a limit refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A request that doesn't fit is refused.
    #[default]
    Enforce,
    /// A request that doesn't fit passes, and is counted.
    Shadow,
}

/// Whether the cost is known before the request is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charge {
    /// The cost is what it is.
    #[default]
    Final,
    /// The cost is a guess that will be settled: see [`Holder::settle`](crate::Holder::settle).
    Reserved,
}

/// Why this is not a limit that can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWant {
    /// The key is empty or longer than [`Want::MAX_KEY_BYTES`].
    #[error("a limit's key must have from 1 to 1024 bytes")]
    KeyLength,
    /// A request that costs nothing.
    #[error("a request must cost at least 1")]
    NoCost,
    /// The request would not pass even if nobody else had come: to wait doesn't help.
    #[error("the cost is above the limit's capacity, so the request can never pass")]
    CostAboveCapacity,
}

impl Want {
    /// The longest key. Keys come from claims and header fields, and a client must not fill the object's memory.
    pub const MAX_KEY_BYTES: usize = 1024;
    /// The most limits of one request, which bounds a message and a decision.
    pub const MAX_LIMITS: usize = 128;

    /// Creates the wish to take `cost` from the limit that `key` names: exact, closed when unreachable, enforced, and
    /// not to be settled.
    ///
    /// # Errors
    /// `KeyLength`, `NoCost`, or `CostAboveCapacity` for a request that no wait will ever let pass.
    pub fn new(key: impl Into<Rc<str>>, allowance: Allowance, cost: u32) -> Result<Want, InvalidWant> {
        let key = key.into();
        if key.is_empty() || key.len() > Want::MAX_KEY_BYTES {
            return Err(InvalidWant::KeyLength);
        }
        if cost == 0 {
            return Err(InvalidWant::NoCost);
        }
        if u64::from(cost) > allowance.capacity() {
            return Err(InvalidWant::CostAboveCapacity);
        }
        let (accuracy, when_unreachable) = (Accuracy::default(), WhenUnreachable::default());
        Ok(Want { key, allowance, cost, accuracy, when_unreachable, mode: Mode::default(), charge: Charge::default() })
    }

    /// Returns the same want with this accuracy.
    #[must_use]
    pub fn with_accuracy(self, accuracy: Accuracy) -> Want {
        Want { accuracy, ..self }
    }

    /// Returns the same want with this direction for when the limit cannot be asked.
    #[must_use]
    pub fn with_unreachable(self, when_unreachable: WhenUnreachable) -> Want {
        Want { when_unreachable, ..self }
    }

    /// Returns the same want, enforced or not.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Want {
        Want { mode, ..self }
    }

    /// Returns the same want, to be settled or not.
    #[must_use]
    pub fn with_charge(self, charge: Charge) -> Want {
        Want { charge, ..self }
    }

    /// Returns the name of what is counted.
    pub fn key(&self) -> &Rc<str> {
        &self.key
    }

    /// Returns what the limit allows.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// Returns how many requests' worth this one takes.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Returns how exactly the limit holds.
    pub fn accuracy(&self) -> Accuracy {
        self.accuracy
    }

    /// Returns what happens when the limit cannot be asked.
    pub fn when_unreachable(&self) -> WhenUnreachable {
        self.when_unreachable
    }

    /// Returns whether the limit refuses.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns whether the cost will be settled.
    pub fn charge(&self) -> Charge {
        self.charge
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rate::Rate;

    #[track_caller]
    fn check(key: &str, burst: u32, cost: u32, refused: Option<InvalidWant>) {
        let rate = Allowance::Rate(Rate::new(1, Duration::from_secs(1), burst).unwrap());
        assert_eq!(Want::new(key, rate, cost).err(), refused);
    }

    #[test]
    fn a_cost_that_can_never_pass_is_refused_before_it_is_asked() {
        check("k", 3, 0, Some(InvalidWant::NoCost));
        check("k", 3, 1, None);
        check("k", 3, 3, None);
        check("k", 3, 4, Some(InvalidWant::CostAboveCapacity));
        check("k", u32::MAX, u32::MAX, None);
    }

    #[test]
    fn a_key_has_from_1_to_1024_bytes() {
        check("", 1, 1, Some(InvalidWant::KeyLength));
        check("k", 1, 1, None);
        check(&"k".repeat(1024), 1, 1, None);
        check(&"k".repeat(1025), 1, 1, Some(InvalidWant::KeyLength));
        check(&"ü".repeat(513), 1, 1, Some(InvalidWant::KeyLength));
    }
}
