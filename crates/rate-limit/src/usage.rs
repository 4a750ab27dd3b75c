//! What an operator sees of one key.

use std::time::Duration;

/// The numbers of one key at one moment, in requests of cost one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What was used and has not come back yet; what is lent counts as used.
    pub used: u64,
    /// What the object could grant at once.
    pub remaining: u64,
    /// What is out on loan, at most.
    pub lent: u64,
    /// How many isolates have a loan.
    pub holders: usize,
    /// How long until nothing counts as used, if nobody comes.
    pub resets_in: Duration,
}
