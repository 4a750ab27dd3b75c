//! What all limits of a request say together.

use crate::holder::Ask;
use crate::holder::Receipt;
use crate::verdict::Verdict;

/// The decision about one request.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    /// One verdict per want, in their order.
    pub verdicts: Vec<Verdict>,
    /// Whether every limit that is enforced lets the request pass. If not, none was charged.
    pub allowed: bool,
    /// What is still to be settled or released when the request ends.
    pub receipt: Option<Receipt>,
    /// A question to be sent after the reply; nobody waits for its answer, which goes to
    /// [`Holder::refreshed`](crate::Holder::refreshed).
    pub refresh: Option<Ask>,
    /// Who decided.
    pub decided: Decided,
}

/// Who decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The isolate, from what it was lent.
    Lease,
    /// The object.
    Authority,
    /// Nobody: the direction that each limit names for this case.
    Unreachable,
}

/// What is to be done about one request.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Nothing: it is decided.
    Decided(Decision),
    /// The object has to be asked, and the request waits.
    Ask(Ask),
}
