use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::target::Target;

/// A point in the life of one purge log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Which log: drawn at random when it was begun. Numbers of two logs say nothing about each other.
    pub log: u64,
    /// How many purges the log had.
    pub sequence: u64,
}

impl Generation {
    /// Was this taken before `other`, as far as can be known?
    pub fn is_before(self, other: Self) -> bool {
        self.log == other.log && self.sequence < other.sequence
    }
}

/// What is kept with a stored response so that purges find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// What was known when the fetch *began*; `None` when nothing was.
    pub generation: Option<Generation>,
    /// The response's tags, as targets.
    pub(crate) tags: Vec<Target>,
    /// It has more tags than are kept: any purge by tag may mean it.
    pub(crate) more_tags: bool,
}

/// The first byte of an encoded stamp.
const VERSION: u8 = 1;

/// Stands between the stamp and the envelope: in neither one's alphabet.
const SEPARATOR: char = '.';

impl Stamp {
    /// So many tags are kept by name: 3 KiB of the metadata.
    pub const MAX_TAGS: usize = 256;

    /// A stamp for a response whose fetch began at `generation`.
    pub fn new(generation: Option<Generation>, tags: impl IntoIterator<Item = Target>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        let mut more_tags = false;
        for target in tags {
            if targets.contains(&target) {
                continue;
            }
            if targets.len() == Self::MAX_TAGS {
                more_tags = true;
                break;
            }
            targets.push(target);
        }
        Self { generation, tags: targets, more_tags }
    }

    /// The stamp of the same response after a fetch that began at `generation` has confirmed it.
    #[must_use]
    pub fn confirmed(self, generation: Option<Generation>) -> Self {
        Self { generation, ..self }
    }

    /// The metadata of a stored response: the stamp, and the envelope beside it.
    pub fn seal(&self, envelope: &str) -> String {
        // Writing this structure into memory cannot fail; if it did, an empty stamp reads as a miss.
        let bytes = postcard::to_extend(self, vec![VERSION]).unwrap_or_default();
        format!("{}{SEPARATOR}{envelope}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes metadata apart again; `None` when it is not what [`seal`](Self::seal) made: then nothing is stored here.
    pub fn open(metadata: &str) -> Option<(Self, &str)> {
        let (stamp, envelope) = metadata.split_once(SEPARATOR)?;
        let bytes = URL_SAFE_NO_PAD.decode(stamp).ok()?;
        match bytes.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes::<Self>(body) {
                Ok((stamp, [])) => Some((stamp, envelope)),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: Generation = Generation { log: u64::MAX, sequence: 7 };

    #[test]
    fn what_is_sealed_can_be_opened() {
        for generation in [None, Some(GENERATION)] {
            let stamp = Stamp::new(generation, ["a", "b", "a"].map(Target::tag));
            assert_eq!(stamp.tags.len(), 2);
            assert_eq!(Stamp::open(&stamp.seal("envelope")), Some((stamp, "envelope")));
        }
    }

    #[test]
    fn metadata_is_safe_in_a_field_and_bounded() {
        let tags: Vec<String> = (0..300).map(|tag| tag.to_string()).collect();
        let stamp = Stamp::new(Some(GENERATION), tags.iter().map(|tag| Target::tag(tag)));
        assert_eq!((stamp.tags.len(), stamp.more_tags), (Stamp::MAX_TAGS, true));
        let sealed = stamp.seal("");
        assert!(sealed.len() < 4 * 1024, "{}", sealed.len());
        assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn anything_else_is_a_miss() {
        let sealed = Stamp::new(Some(GENERATION), [Target::tag("a")]).seal("envelope");
        let (cut, long) = (sealed.replacen('A', "", 1), sealed.replace('.', "A."));
        for damaged in ["", ".", "envelope", "AA.envelope", &cut, &long] {
            assert_eq!(Stamp::open(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn generations_of_two_logs_have_no_order() {
        let at = |log, sequence| Generation { log, sequence };
        assert!(at(1, 1).is_before(at(1, 2)));
        assert!(!at(1, 2).is_before(at(1, 2)));
        assert!(!at(1, 1).is_before(at(2, 2)));
    }
}
