//! What is still to be done when a request ends.

/// What a request holds until it ends. Give it back to [`Holder::release`](crate::Holder::release).
#[derive(Debug, Default)]
#[must_use]
pub struct Receipt {}
