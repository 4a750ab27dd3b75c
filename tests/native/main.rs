//! The gateway as a whole, without its platform.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that goes wrong stops"
)]

mod layering; // which crate may depend on which, and what the source of none may name
mod scenarios; // one rule a file, in tests/scenarios: the life of a request under a virtual clock
mod signatures; // RustCrypto, where the gateway on its platform asks WebCrypto; no tests of its own
mod vectors; // the examples of the standards, in tests/vectors, and attacks on their readers
