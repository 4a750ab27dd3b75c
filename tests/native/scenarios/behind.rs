//! The Durable Objects behind the locations' stores, as `edge/src/cache_do.rs` makes them on workerd.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_gateway::BEHIND_MAX;
use tidegate_gateway::platform::{Behind, Told};
use tidegate_http_cache::fill::{Ask, Back, Filled, Fills, Message, Said};

use super::message::Response;

/// All of them, by name. None loses its memory.
#[derive(Default)]
pub(super) struct Objects(RefCell<BTreeMap<String, Object>>);

struct Object {
    fills: Fills,
    responses: BTreeMap<String, (String, Response)>,
}

impl Objects {
    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Object) -> T) -> T {
        let mut objects = self.0.borrow_mut();
        let new = || Object { fills: Fills::new(0), responses: BTreeMap::new() };
        work(objects.entry(name.to_owned()).or_insert_with(new))
    }

    /// `ask` in the class `Cache`. Nobody brings anything while somebody waits here: the wait ends when its time is up.
    pub(super) fn ask(&self, place: &Behind, message: &[u8], wait: Option<Duration>, now: Duration) -> Told<Response> {
        let ask = Ask::decode(message).unwrap();
        self.with(&place.object, |object| {
            let mut said = object.fills.ask(&place.key, &ask, now);
            if let (Said::Wait { .. }, Some(wait)) = (said, wait) {
                said = object.fills.ask(&place.key, &ask, now + wait);
            }
            let response = object.responses.get(&place.key).cloned().filter(|_| matches!(said, Said::Hit { .. }));
            Told { said: said.encode(), response }
        })
    }

    /// `keep` in the class `Cache`, or the word that the response is too large for it. False when it is refused.
    pub(super) fn keep(
        &self,
        place: &Behind,
        filled: &[u8],
        too_large: &[u8],
        kept: (String, Response),
        now: Duration,
    ) -> bool {
        if kept.1.body.len() > BEHIND_MAX {
            self.end(place, too_large, now);
            return true;
        }
        self.with(&place.object, |object| {
            let is_kept = object.fills.filled(&place.key, &Filled::decode(filled).unwrap(), now).is_some();
            if is_kept {
                object.responses.insert(place.key.clone(), kept);
            }
            is_kept
        })
    }

    /// `end` in the class `Cache`.
    pub(super) fn end(&self, place: &Behind, message: &[u8], now: Duration) {
        let Back { lease, how } = Back::decode(message).unwrap();
        self.with(&place.object, |object| object.fills.ended(&place.key, lease, how, now));
    }

    /// `forget` in the class `Cache`.
    pub(super) fn forget(&self, object: &str, key: &str, now: Duration) {
        self.with(object, |object| {
            object.fills.forget(key, now);
            object.responses.remove(key);
        });
    }
}
