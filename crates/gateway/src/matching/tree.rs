//! The patterns of one host as a tree of segments.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::Pattern;
use super::pattern::Segment;
use super::resource::Resource;
use crate::path;

/// A map that is only ever asked for one key, so its order decides nothing. Its hash has no random seed, and needs none: the
/// keys are the operator's, and what clients send is only looked up.
pub(super) type Map<T> = HashMap<Box<str>, T, BuildHasherDefault<DefaultHasher>>;

/// What may follow the segments that led here.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: Map<Node>,
    parameter: Option<Box<Node>>,
    /// The routes whose path ends here.
    end: Option<Box<Resource>>,
    /// The routes whose path goes on with `{*rest}`.
    rest: Option<Box<Resource>>,
}

impl Node {
    /// Where the routes of a path shape stand.
    pub(super) fn place(&mut self, pattern: &Pattern) -> &mut Resource {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.as_str().into()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Rest(_) => return node.rest.get_or_insert_default(),
            };
        }
        node.end.get_or_insert_default()
    }

    /// The routes of the most specific path that matches the segments that remain, trying the more specific branch first.
    ///
    /// A path visits a node at most once, and at most two nodes for each one that it visits a level above. Only patterns
    /// that agree on every segment so far are visited together, so routes beside each other cost nothing. The recursion is
    /// as deep as the longest pattern, not the path.
    pub(super) fn find(&self, remaining: Option<&str>, visited: &mut usize) -> Option<&Resource> {
        *visited = visited.saturating_add(1);
        let mut after = remaining;
        let Some(segment) = path::next_segment(&mut after) else {
            return self.end.as_deref().or(self.rest.as_deref());
        };
        let literal = self.literals.get(segment).and_then(|child| child.find(after, visited));
        literal
            .or_else(|| self.parameter.as_ref().and_then(|child| child.find(after, visited)))
            .or(self.rest.as_deref())
    }
}
