//! Isolates, the object that owns their limits, clients and a bad network, all from one seed.
//!
//! [`Plan::draw`] draws what will happen, [`World::run`] lets it happen, [`oracle`] judges it from the outside. A seed
//! that breaks a rule is found again with `TIDEGATE_SIMULATION_SEED=… cargo test -p tidegate-simulation`, and told
//! event by event with `cargo run -p tidegate-simulation -- --family … --seed …`.
//!
//! The assumptions under which limits are exact are those of [`plan`], [`clock`] and [`oracle`]; they are written for
//! users in `docs/limits.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a simulation that goes wrong stops"
)]

pub mod clock;
pub mod mutation;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod report;
pub mod world;

pub use mutation::Mutation;
pub use plan::{Family, Plan, Weather};
pub use report::{Counts, Outcome, Violation};
pub use world::World;
