//! What requests hold of their limits until the client has the whole response, or went away.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_gateway::limiting::Held;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::Response;

use crate::numbered::Numbered;
use crate::platform::Workers;
use crate::state;

thread_local! {
    /// What is held while responses are on their way. What a request holds that the runtime cancelled comes back by
    /// itself after the limit's `timeout`.
    static OPEN: RefCell<Numbered<(Held, Workers)>> = RefCell::default();
}

/// A response may stream for as long as its client likes.
const NEVER: Duration = Duration::MAX;

/// The response for the client, who holds something of its limits until it has all of it.
pub(crate) fn until_the_end(held: Option<Held>, platform: Workers, response: Response) -> Result<Response, JsValue> {
    let Some(held) = held else { return Ok(response) };
    if response.body().is_none() {
        platform.release(held);
        return Ok(response);
    }
    let number = OPEN.with_borrow_mut(|open| open.insert((held, platform.clone()), NEVER, state::now()));
    platform.watch(number, &response)
}

/// The client has all of a response, or went away.
#[wasm_bindgen]
pub fn ended(number: u32) {
    if let Some((held, platform)) = OPEN.with_borrow_mut(|open| open.take(number)) {
        platform.release(held);
    }
}
