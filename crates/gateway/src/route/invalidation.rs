//! What the writes of a route purge.

use tidegate_http_cache::purge::Manner;

use super::TagTemplate;

/// What a successful write on a route purges, at every edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// These tags.
    pub tags: Vec<TagTemplate>,
    /// The tags that the origin names in this response header; lower-case.
    pub header: Option<String>,
    /// The only tags that the header may name; `None`: any.
    pub within: Option<Vec<Within>>,
    /// Whether the groups in `Cache-Group-Invalidation` count (RFC 9875, section 3).
    pub groups: bool,
    /// How.
    pub manner: Manner,
}

/// Tags that an origin may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    /// The tag, or the start of it.
    pub tag: TagTemplate,
    /// Whether it stands for every tag that begins with it.
    pub is_start: bool,
}

impl Within {
    /// Reads a tag, or the start of tags that `*` ends.
    ///
    /// # Errors
    /// As of [`TagTemplate::parse`].
    pub fn parse(text: &str) -> Result<Self, super::InvalidTag> {
        let (tag, is_start) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        Ok(Self { tag: TagTemplate::parse(tag)?, is_start })
    }
}
