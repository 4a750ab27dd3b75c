//! Maps whose order decides nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A map that is never walked through in an order that matters. Its hash has no random seed, so that a simulation repeats
/// itself, and needs none: its keys are numbers and names that no client chooses, or digests of what clients send.
///
/// A B-tree of one more type that is removed from would be 7 KB of the Worker; this is 2.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
