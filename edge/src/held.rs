//! What requests hold of their limits until the client has the whole response, or went away.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tidegate_gateway::limiting::Held;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::Response;

use crate::platform::Workers;
use crate::state;

thread_local! {
    static OPEN: RefCell<Open> = RefCell::default();
}

/// The responses that are on their way, by the number under which JavaScript reports their end.
///
/// A request that the runtime cancels never reports back. What it holds comes back by itself after the limit's `timeout`,
/// so the oldest are forgotten when there are too many.
struct Open {
    last: u32,
    held: BTreeMap<u32, (Held, Workers)>,
}

/// More requests than an isolate has memory for.
const OPEN_MAX: usize = 16_384;

impl Default for Open {
    /// The first number is drawn: a response of an instance that trapped must not meet one of its successor's.
    fn default() -> Self {
        Self { last: state::random() as u32, held: BTreeMap::new() }
    }
}

impl Open {
    fn insert(&mut self, held: Held, platform: Workers) -> u32 {
        self.last = self.last.wrapping_add(1);
        if self.held.len() >= OPEN_MAX {
            self.held.pop_first();
        }
        self.held.insert(self.last, (held, platform));
        self.last
    }
}

/// The response for the client, who holds something of its limits until it has all of it.
pub(crate) fn until_the_end(held: Option<Held>, platform: Workers, response: Response) -> Result<Response, JsValue> {
    let Some(held) = held else { return Ok(response) };
    if response.body().is_none() {
        platform.release(held);
        return Ok(response);
    }
    let number = OPEN.with_borrow_mut(|open| open.insert(held, platform.clone()));
    platform.watch(number, &response)
}

/// The client has all of a response, or went away.
#[wasm_bindgen]
pub fn ended(number: u32) {
    if let Some((held, platform)) = OPEN.with_borrow_mut(|open| open.held.remove(&number)) {
        platform.release(held);
    }
}
