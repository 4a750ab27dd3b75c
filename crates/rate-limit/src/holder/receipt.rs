//! What is still to be done when a request ends.

use std::rc::Rc;

use super::permits::Started;
use crate::want::Want;

/// What a request holds until it ends. Give it back to [`Holder::release`](crate::Holder::release).
#[derive(Debug, Default)]
#[must_use]
pub struct Receipt {
    pub(super) charges: Vec<Charged>,
    /// The object of the limits below.
    pub(super) object: String,
    /// What is in progress, and by which limit it is counted.
    pub(super) running: Vec<(Want, Started)>,
}

/// A cost that was a guess.
#[derive(Debug)]
pub(super) struct Charged {
    /// Which want of the request.
    pub(super) index: usize,
    pub(super) key: Rc<str>,
    pub(super) reserved: u32,
    /// How much of it was taken here, in the kind's unit.
    pub(super) paid: u64,
    /// The lease's era in which that was.
    pub(super) era: u64,
    /// The object's era in which the rest was charged.
    pub(super) era_there: u64,
    pub(super) settled: bool,
}
