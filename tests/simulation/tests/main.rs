//! Limits under every failure, judged from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    reason = "a test that goes wrong stops"
)]

mod schedules; // thousands of schedules of each kind, drawn from seeds
