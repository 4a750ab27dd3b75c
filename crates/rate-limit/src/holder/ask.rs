//! A question on its way.

use super::entry::Sent;
use crate::question::Question;

/// A question that is to be sent to an object. Its answer, or that there was none, comes back to the holder exactly once.
#[derive(Debug)]
#[must_use]
pub struct Ask {
    object: String,
    pub(super) question: Question,
    sent: u64,
    pub(super) epoch: u64,
}

impl Ask {
    pub(super) fn new(object: &str, question: Question, sent: u64, epoch: u64) -> Ask {
        Ask { object: object.to_owned(), question, sent, epoch }
    }

    /// Returns the name of the object to ask.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns the question's number: one counter per isolate for all objects.
    pub fn sequence(&self) -> u64 {
        self.question.sequence
    }

    /// Writes the message. To send it again is safe: the object answers a number once.
    pub fn encode(&self) -> Vec<u8> {
        self.question.encode()
    }

    /// Returns how much of the price of the want at `index` was taken from a lease when the question was made: so many
    /// parts of so many. The rest is taken by the object.
    pub fn taken(&self, index: usize) -> (u64, u64) {
        self.question.items.get(index).map_or((0, 1), |item| (item.paid, item.terms.price(item.cost)))
    }

    pub(super) fn as_sent(&self) -> Sent {
        Sent { sequence: self.question.sequence, sent: self.sent }
    }
}
