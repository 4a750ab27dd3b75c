use serde::{Deserialize, Serialize};

use super::delta::InvalidDelta;
use super::log::Manner;
use super::stamp::Generation;
use super::target::Target;

/// The first byte of an encoded question.
const VERSION: u8 = 1;

/// What an isolate asks of the log. The answer is always a [`Delta`](super::Delta); that of a purge ends with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What the isolate knows.
    pub known: Option<Generation>,
    /// What to purge before the answer; nothing when empty.
    pub targets: Vec<Target>,
    /// How.
    pub manner: Manner,
}

impl Question {
    /// So many targets are purged at once: each is a row written.
    pub const MAX_TARGETS: usize = 1000;

    /// A question for news alone.
    pub fn since(known: Option<Generation>) -> Self {
        Self { known, targets: Vec::new(), manner: Manner::Hard }
    }

    /// The message from an isolate to the Durable Object.
    pub fn encode(&self) -> Vec<u8> {
        // Writing this structure into memory cannot fail; if it did, the message would be refused.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Another version, too many targets, or bytes that are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidDelta> {
        match bytes.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes::<Self>(body) {
                Ok((question, [])) if question.targets.len() <= Self::MAX_TARGETS => Ok(question),
                _ => Err(InvalidDelta::Malformed),
            },
            Some(_) => Err(InvalidDelta::Version),
            None => Err(InvalidDelta::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back_and_nothing_else_is_read() {
        let known = Some(Generation { log: 7, sequence: 3 });
        for targets in [0, 1, Question::MAX_TARGETS] {
            let targets = (0..targets).map(|tag| Target::tag(&tag.to_string())).collect();
            let question = Question { known, targets, manner: Manner::Soft };
            let bytes = question.encode();
            assert_eq!(Question::decode(&bytes[..bytes.len() - 1]), Err(InvalidDelta::Malformed));
            assert_eq!(Question::decode(&bytes), Ok(question));
        }
        let many = Question { targets: vec![Target::ALL; Question::MAX_TARGETS + 1], ..Question::since(known) };
        assert_eq!(Question::decode(&many.encode()), Err(InvalidDelta::Malformed));
        assert_eq!(Question::decode(&[2, 0, 0, 0]), Err(InvalidDelta::Version));
        assert_eq!(Question::decode(&[]), Err(InvalidDelta::Malformed));
    }
}
