//! The configuration file, in two halves.
//!
//! *Authoring* (the feature `authoring`, native only) reads `tidegate.toml`, reports every mistake with its line and its
//! cure, and compiles what is right. The *compiled form* is what the Worker loads: no TOML, no diagnostics, small. Both end
//! in the same lowering into the gateway's types, so what is checked is what runs.
//!
//! - [`check`] → [`Checked`] or every [`Problem`], which [`render`] draws
//! - [`compile`] → bytes → [`load`] → a [`Gateway`](tidegate_gateway::Gateway)
//! - [`schema`]: the JSON Schema of the file, from the same definitions as the check

mod compiled;
mod lower;

#[cfg(feature = "authoring")]
mod authoring;

#[cfg(feature = "authoring")]
pub use authoring::{Checked, Place, Problem, Secret, Severity, check, compile, later, render, schema};
pub use compiled::InvalidCompiled;
pub use lower::load;
