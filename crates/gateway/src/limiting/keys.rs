//! The keys of limits, as the objects that count them know them.

use std::cell::Cell;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::ordered;
use crate::recent::Recent;

/// One key of one limit: `{limit}/{digest}`. Also an object's name: `{group}/{digest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: Rc<str>,
    /// The values of the key as 128 bits of a SHA-256: of one length whatever a client sends, and no address or subject
    /// leaves the isolate in the clear.
    pub(crate) digest: [u8; 16],
    /// What clients see of it: the same for the same key, and not to be computed without knowing the deployment.
    pub(crate) partition: [u8; 8],
}

impl Key {
    fn new(prefix: &str, values: &str, deployment: &str) -> Self {
        let digest: [u8; 16] = first(&Sha256::digest(values.as_bytes()));
        let mut name = String::with_capacity(prefix.len().saturating_add(33));
        name.push_str(prefix);
        name.push('/');
        for byte in digest {
            let _ = write!(name, "{byte:02x}");
        }
        // Both parts in front have one length or an end of their own, so no two inputs give one text.
        let keyed = Sha256::new().chain_update(deployment).chain_update([0]).chain_update(prefix).chain_update([0]);
        let partition = first(&keyed.chain_update(digest).finalize());
        Self { name: name.into(), digest, partition }
    }
}

fn first<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = *hashed);
    bytes
}

/// A key, and how often it was looked for since it was seen first.
#[derive(Clone)]
struct Counted {
    key: Key,
    count: Rc<Cell<u64>>,
}

/// The keys of recent requests, so that the hot path does not hash. Two full generations of the longest texts are 5 MiB.
#[derive(Default)]
pub(crate) struct Keys {
    recent: Recent<Counted, 4096, 512>,
    /// What the latest look-up looked for, so that the next one needs no memory of its own.
    text: String,
    /// What [`Key::partition`] is keyed by.
    deployment: String,
}

impl Keys {
    /// Keys what clients see of the keys: the version of the configuration, which no client is told.
    pub(crate) fn keyed_by(&mut self, deployment: &str) -> &mut Self {
        if self.deployment != deployment {
            *self = Self { deployment: deployment.to_owned(), ..Self::default() };
        }
        self
    }

    /// `values` is what [`source::join`](crate::source::join) makes of a request.
    pub(crate) fn of(&mut self, prefix: &str, values: &str) -> Key {
        // No limit's name has a space, so no two pairs give the same text.
        self.text.clear();
        self.text.push_str(prefix);
        self.text.push(' ');
        self.text.push_str(values);
        if let Some(Counted { key, count }) = self.recent.get(&self.text) {
            count.set(count.get().saturating_add(1));
            return key;
        }
        let key = Key::new(prefix, values, &self.deployment);
        self.recent.remember(&self.text, Counted { key: key.clone(), count: Rc::new(Cell::new(1)) });
        key
    }

    /// The keys that were looked for most, and how often.
    pub(crate) fn hot(&self, most: usize) -> Vec<(String, u64)> {
        let mut keys = Vec::new();
        for Counted { key, count } in self.recent.values() {
            // An object's name may be that of a key: both are one entry here, and counted twice.
            ordered::insert(&mut keys, (Reverse(count.get()), &key.name));
            keys.truncate(most);
        }
        keys.into_iter().map(|(Reverse(count), name)| (name.to_string(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_whether_it_is_remembered_or_not() {
        let mut keys = Keys::default();
        for values in ["ip=192.0.2.1", &format!("header:a={}", "x".repeat(1000))] {
            let first = keys.of("per-address", values);
            assert_eq!(first, keys.of("per-address", values));
            assert_eq!(first.name.len(), "per-address/".len() + 32);
        }
        assert_ne!(keys.of("a", "ip=192.0.2.1").name, keys.of("b", "ip=192.0.2.1").name);
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // FIPS 180-4, the first half of SHA-256("abc").
        assert_eq!(&*Key::new("limit", "abc", "").name, "limit/ba7816bf8f01cfea414140de5dae2223");
    }

    #[test]
    fn what_clients_see_of_a_key_differs_by_limit_key_and_deployment() {
        let partition = |deployment: &str, limit: &str, values: &str| {
            Keys::default().keyed_by(deployment).of(limit, values).partition
        };
        let seen = partition("v1", "limit", "ip=192.0.2.1");
        assert_eq!(seen, partition("v1", "limit", "ip=192.0.2.1"));
        for other in [
            partition("v2", "limit", "ip=192.0.2.1"),
            partition("v1", "other", "ip=192.0.2.1"),
            partition("v1", "limit", "ip=192.0.2.2"),
        ] {
            assert_ne!(seen, other);
        }
    }
}
