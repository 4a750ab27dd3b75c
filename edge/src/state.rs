//! What the isolate keeps between requests: the configuration, and the core's memory.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tidegate_gateway::record::Record;
use tidegate_gateway::{Gateway, Memory, Shelf};
use wasm_bindgen::JsError;

use crate::js;
use crate::kept::Stored;

thread_local! {
    static GATEWAY: OnceCell<Rc<Gateway>> = const { OnceCell::new() };
    static MEMORY: &'static RefCell<Memory> = Box::leak(Box::default());
    static SHELF: &'static RefCell<Shelf<Stored>> = Box::leak(Box::default());
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// Loads the configuration; it stays for the life of the isolate.
pub(crate) fn load(config: &[u8]) -> Result<(), JsError> {
    let gateway = tidegate_config::load(config).map_err(|error| JsError::new(&error.to_string()))?;
    GATEWAY.with(|cell| cell.set(Rc::new(gateway))).map_err(|_| JsError::new("the configuration is already loaded"))
}

/// The configuration; `None` before [`load`].
pub(crate) fn gateway() -> Option<Rc<Gateway>> {
    GATEWAY.with(|cell| cell.get().cloned())
}

/// The core's memory. Isolates have one thread and never end in order, so it is never freed.
pub(crate) fn memory() -> &'static RefCell<Memory> {
    MEMORY.with(|memory| *memory)
}

/// The stored responses in the isolate's memory.
pub(crate) fn shelf() -> &'static RefCell<Shelf<Stored>> {
    SHELF.with(|shelf| *shelf)
}

/// Ends a request's record: counted, and one line on the log.
pub(crate) fn finish(record: &Record) {
    memory().borrow_mut().count(record);
    js::log(&record.line());
}

/// 64 random bits from an isolate's own generator (SplitMix64), seeded by the runtime in its first request: the
/// runtime draws no randomness before. Good for spreading load and naming requests, for nothing secret.
pub(crate) fn random() -> u64 {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    RANDOM.with(|cell| {
        let state = match cell.get() {
            0 => js::seed() | 1,
            state => state,
        };
        let state = state.wrapping_add(GAMMA);
        cell.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}

/// The time since the Unix epoch. The runtime's clock stands still while a request computes.
pub(crate) fn now() -> Duration {
    // Whole milliseconds; a clock before 1970 is as good as one at it, which is what the cast makes of it.
    Duration::from_millis(js_sys::Date::now() as u64)
}
