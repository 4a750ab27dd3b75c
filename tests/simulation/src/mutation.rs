//! Mistakes, made on purpose: a simulator that misses one of them would miss the same mistake made by accident.

/// A mistake in the world around the decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A restart finds no rows: every bucket is full again.
    RowsForgotten,
    /// A reply leaves before its rows are stored.
    RepliesBeforeRows,
    /// A superseded instance goes on answering until it touches the storage.
    AwaitsBeforeAnswering,
    /// An instance loads rows that were read before the last ones were written.
    OldRowsLoaded,
    /// The object answers a question that it has answered before as if it were new: each gets a number of its own.
    NumbersForgotten,
}
