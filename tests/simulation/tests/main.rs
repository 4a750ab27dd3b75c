//! Limits under every failure, judged from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    reason = "a test that goes wrong stops"
)]

mod desk; // a holder and an authority on one desk: what is said, in which order, without a network
mod mutants; // the simulator sees every mistake that is made on purpose
mod rules; // one rule a test, on a desk
mod schedules; // thousands of schedules of each kind, drawn from seeds
mod service; // what a client gets: no waiting, a fair share, all that a limit allows
