//! Mistakes, made on purpose: a simulator that misses one of them would miss the same mistake made by accident.

pub use tidegate_rate_limit::mutation::Mutation as Inner;

/// A mistake in the world around the decisions, or in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A mistake in what an isolate or the object decides.
    Inside(Inner),
    /// A restart finds no rows: every bucket is full again.
    RowsForgotten,
    /// A reply leaves before its rows are stored.
    RepliesBeforeRows,
    /// A superseded instance goes on answering until it touches the storage.
    AwaitsBeforeAnswering,
    /// An instance loads rows that were read before the last ones were written.
    OldRowsLoaded,
}
