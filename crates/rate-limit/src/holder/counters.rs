//! What an isolate counts about its decisions.

/// Counters since the isolate started, and two gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HolderCounters {
    /// Decisions from what was lent.
    pub by_lease: u64,
    /// Decisions by the object.
    pub by_authority: u64,
    /// Decisions by the direction for when nobody can be asked.
    pub unreachable: u64,
    /// Questions for which a request waited.
    pub asks: u64,
    /// Questions for which nobody waited.
    pub refreshes: u64,
    /// Requests that were refused.
    pub denials: u64,
    /// Requests that passed only because a limit is not enforced.
    pub would_deny: u64,
    /// Cost that was admitted on debt.
    pub overshoot: u64,
    /// Gauge: debt that no object was told of yet, in requests of cost one.
    pub debt: u64,
    /// Gauge: limits that are in memory.
    pub entries: usize,
}
