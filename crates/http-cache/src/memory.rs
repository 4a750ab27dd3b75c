use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A tier in memory, an isolate's or a Durable Object's: S3-FIFO (Yang et al., SOSP 2023), bounded in bytes.
///
/// What is new waits in a small queue and is dropped at its end unless somebody asked for it again; what was asked for
/// moves to the main queue, and stays there as long as it is asked for once a round. So a scan of keys that nobody asks
/// for twice cannot push out the popular ones. A key that comes back soon after it was dropped (its hash is in the ghost
/// queue) starts in the main queue. Every operation costs the same on average, however much is held.
#[derive(Debug)]
pub struct MemoryTier<V> {
    bytes_max: usize,
    object_max: usize,
    bytes: usize,
    small_bytes: usize,
    entries: HashMap<Rc<str>, Entry<V>>,
    small: VecDeque<Ticket>,
    main: VecDeque<Ticket>,
    ghosts: VecDeque<u64>,
    ghost_set: HashSet<u64>,
    /// Numbers the places in the queues: an entry that was removed leaves its place behind.
    tickets: u64,
}

/// A place in a queue; the number is the entry's while it is valid.
#[derive(Debug)]
struct Ticket {
    key: Rc<str>,
    number: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    until: Duration,
    /// How often it was asked for since its last turn; at most 3.
    asked: u8,
    ticket: u64,
    in_small: bool,
}

impl<V> MemoryTier<V> {
    /// What an entry costs beside its key and its value.
    const OVERHEAD: usize = 256;

    /// A tenth of the bytes are for what is new.
    const SMALL_SHARE: usize = 10;

    /// A tier of so many bytes, with values of at most `object_max` bytes: a larger one would push out hundreds of small ones.
    pub fn new(bytes_max: usize, object_max: usize) -> Self {
        Self {
            bytes_max,
            object_max,
            bytes: 0,
            small_bytes: 0,
            entries: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost_set: HashSet::new(),
            tickets: 0,
        }
    }

    /// What is held under a key and not useless yet.
    pub fn get(&mut self, key: &str, now: Duration) -> Option<&mut V> {
        if self.entries.get(key)?.until <= now {
            self.remove(key);
            return None;
        }
        let entry = self.entries.get_mut(key)?;
        entry.asked = entry.asked.saturating_add(1).min(3);
        Some(&mut entry.value)
    }

    /// Holds a value of so many bytes until it is useless, in place of what the key had. What is too large is not held.
    pub fn insert(&mut self, key: &str, value: V, bytes: usize, until: Duration) {
        if bytes > self.object_max {
            self.remove(key);
            return;
        }
        let bytes = bytes.saturating_add(key.len()).saturating_add(Self::OVERHEAD);
        if bytes > self.bytes_max {
            return;
        }
        if let Some(entry) = self.entries.get_mut(key) {
            let before = std::mem::replace(&mut entry.bytes, bytes);
            entry.value = value;
            entry.until = until;
            // What was worth a refresh is worth a turn.
            entry.asked = entry.asked.max(1);
            let in_small = entry.in_small;
            self.recount(in_small, before, bytes);
            self.make_room(0);
            return;
        }
        let in_small = !self.ghost_set.contains(&hash(key));
        self.make_room(bytes);
        let key: Rc<str> = key.into();
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = Ticket { key: Rc::clone(&key), number: self.tickets };
        let queue = if in_small { &mut self.small } else { &mut self.main };
        queue.push_back(ticket);
        self.entries.insert(key, Entry { value, bytes, until, asked: 0, ticket: self.tickets, in_small });
        self.recount(in_small, 0, bytes);
        self.compact();
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.recount(entry.in_small, entry.bytes, 0);
        Some(entry.value)
    }

    /// How many bytes are held; never more than the tier has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn recount(&mut self, in_small: bool, before: usize, after: usize) {
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        if in_small {
            self.small_bytes = self.small_bytes.saturating_sub(before).saturating_add(after);
        }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes.saturating_add(bytes) > self.bytes_max {
            let small_share = self.bytes_max.checked_div(Self::SMALL_SHARE).unwrap_or_default();
            let from_small = self.small_bytes > small_share || self.main.is_empty();
            let progressed = if from_small { self.end_of_small() } else { self.end_of_main() };
            if !progressed {
                return;
            }
        }
    }

    /// The oldest of the small queue moves on to the main queue or is dropped. False when the queue is empty.
    fn end_of_small(&mut self) -> bool {
        let Some(ticket) = self.small.pop_front() else { return false };
        let Some(entry) = self.entries.get_mut(&ticket.key).filter(|entry| entry.ticket == ticket.number) else {
            return true;
        };
        if entry.asked > 0 {
            entry.asked = 0;
            entry.in_small = false;
            self.small_bytes = self.small_bytes.saturating_sub(entry.bytes);
            self.main.push_back(ticket);
        } else {
            self.remove(&ticket.key);
            self.haunt(hash(&ticket.key));
        }
        true
    }

    /// The oldest of the main queue goes round once more or is dropped. False when the queue is empty.
    fn end_of_main(&mut self) -> bool {
        let Some(ticket) = self.main.pop_front() else { return false };
        let Some(entry) = self.entries.get_mut(&ticket.key).filter(|entry| entry.ticket == ticket.number) else {
            return true;
        };
        if entry.asked > 0 {
            entry.asked = entry.asked.saturating_sub(1);
            self.main.push_back(ticket);
        } else {
            self.remove(&ticket.key);
        }
        true
    }

    /// Remembers that a key was dropped; as many as there are entries.
    fn haunt(&mut self, hash: u64) {
        if self.ghost_set.insert(hash) {
            self.ghosts.push_back(hash);
        }
        while self.ghosts.len() > self.entries.len().max(64) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.ghost_set.remove(&oldest);
            }
        }
    }

    /// Drops the places of removed entries, once they are more than the others.
    fn compact(&mut self) {
        let places = self.small.len().saturating_add(self.main.len());
        if places > self.entries.len().saturating_mul(2).saturating_add(16) {
            let entries = &self.entries;
            let valid = |ticket: &Ticket| entries.get(&ticket.key).is_some_and(|entry| entry.ticket == ticket.number);
            self.small.retain(valid);
            self.main.retain(valid);
        }
    }
}

/// FNV-1a. Who finds two keys with one hash gets the second one into the main queue at once, which is nothing.
pub(crate) fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
