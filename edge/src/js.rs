//! The functions of `platform.mjs`, `head.mjs` and `keys.mjs`: the runtime, as this crate sees it.

use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};

use crate::kept::{KeptResponse, Stored};

#[wasm_bindgen(raw_module = "../edge/head.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = readAlways)]
    pub(crate) fn read_always(names: &str);

    #[wasm_bindgen(catch)]
    pub(crate) fn head(request: &Request, into: &mut [u8]) -> Result<usize, JsValue>;

    pub(crate) fn place(request: &Request) -> String;

    pub(crate) fn field(request: &Request, name: &str) -> Option<String>;

    pub(crate) fn text(request: &Request, bytes_max: usize) -> Promise;
}

#[wasm_bindgen(raw_module = "../edge/keys.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = keySet)]
    pub(crate) fn key_set(url: &str, timeout_ms: f64, bytes_max: f64) -> Promise;

    #[wasm_bindgen(js_name = importKey)]
    pub(crate) fn import_key(algorithm: &str, fingerprint: &str, jwk: &str) -> Promise;

    #[wasm_bindgen(catch)]
    pub(crate) fn verify(
        algorithm: &str,
        fingerprint: &str,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<Option<Promise>, JsValue>;
}

#[wasm_bindgen(raw_module = "../edge/platform.mjs")]
extern "C" {
    pub(crate) fn forward(
        number: u32,
        request: &Request,
        attempt: &str,
        timeout_ms: f64,
        raw: bool,
        has_body: bool,
    ) -> Promise;

    #[wasm_bindgen(js_name = onceEnded)]
    pub(crate) fn once_ended(promise: &Promise, response: &JsValue) -> Promise;

    #[wasm_bindgen(catch)]
    pub(crate) fn respond(status: u16, lines: &str, body: &JsValue) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) fn amend(response: &Response, removed: &str, lines: &str) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = notModified)]
    pub(crate) fn not_modified(response: &Response, removed: &str, lines: &str) -> Result<Response, JsValue>;

    // An array of its own: a slice would be a view, and the call would send the whole memory behind it.
    pub(crate) fn ask(namespace: &JsValue, object: &str, method: &str, message: Uint8Array, timeout_ms: f64)
    -> Promise;

    #[wasm_bindgen(catch)]
    pub(crate) fn watch(ctx: &JsValue, number: u32, response: &Response) -> Result<Response, JsValue>;

    pub(crate) fn discard(response: &Response);

    pub(crate) fn after(ctx: &JsValue, promise: &Promise, what: &str);

    pub(crate) fn log(line: &str);

    pub(crate) fn seed() -> u64;
}

#[wasm_bindgen(raw_module = "../edge/work.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = onceSettled)]
    pub(crate) fn once_settled(promise: &Promise, number: u32, is_for_client: bool) -> Promise;
}

#[wasm_bindgen(raw_module = "../edge/bodies.mjs")]
extern "C" {
    /// A pair: for the client, for the store.
    #[wasm_bindgen(catch)]
    pub(crate) fn split(ctx: &JsValue, response: &Response, most: f64) -> Result<Array, JsValue>;

    pub(crate) fn gather(response: &Response, most: f64) -> Promise;
}

#[wasm_bindgen(raw_module = "../edge/cache.mjs")]
extern "C" {
    pub(crate) fn stored(cache: &str, key: &str, most: f64) -> Promise;

    #[wasm_bindgen(catch, js_name = respondStored)]
    pub(crate) fn respond_stored(
        stored: &Response,
        status: u16,
        with_body: bool,
        removed: &str,
        lines: &str,
    ) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = respondPart)]
    pub(crate) fn respond_part(
        stored: &Response,
        status: u16,
        first: f64,
        length: f64,
        removed: &str,
        lines: &str,
    ) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) fn updated(stored: &Response, answer: &Response, excepted: &str) -> Result<Response, JsValue>;

    pub(crate) fn put(cache: &str, key: &str, kept: &KeptResponse, keep_seconds: f64) -> Promise;

    #[wasm_bindgen(js_name = putStream)]
    pub(crate) fn put_stream(
        cache: &str,
        key: &str,
        response: &Response,
        metadata: &str,
        removed: &str,
        keep_seconds: f64,
    ) -> Promise;

    pub(crate) fn freshen(
        cache: &str,
        key: &str,
        replaced: &str,
        answer: &Response,
        excepted: &str,
        metadata: &str,
        keep_seconds: f64,
    ) -> Promise;

    pub(crate) fn forget(cache: &str, keys: &str) -> Promise;
}

#[wasm_bindgen(raw_module = "../edge/copies.mjs")]
extern "C" {
    #[wasm_bindgen(catch)]
    pub(crate) fn copy(kept: &KeptResponse, url: &str, cache_control: &str) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = noCopy)]
    pub(crate) fn no_copy(status: u16, cache_control: &str) -> Result<Response, JsValue>;

    #[wasm_bindgen(js_name = askForCopy)]
    pub(crate) fn ask_for_copy(ctx: &JsValue, url: &str, timeout_ms: f64) -> Promise;
}

// Messages are arrays of their own: a slice would be a view, and the call would send the whole memory behind it.
#[wasm_bindgen(raw_module = "../edge/behind.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = askBehind)]
    pub(crate) fn ask_behind(
        namespace: &JsValue,
        object: &str,
        key: &str,
        message: Uint8Array,
        waits: bool,
        timeout_ms: f64,
    ) -> Promise;

    #[wasm_bindgen(js_name = bringBehind)]
    pub(crate) fn bring_behind(
        namespace: &JsValue,
        object: &str,
        key: &str,
        message: Uint8Array,
        kept: &KeptResponse,
        timeout_ms: f64,
    ) -> Promise;

    #[wasm_bindgen(js_name = endBehind)]
    pub(crate) fn end_behind(
        namespace: &JsValue,
        object: &str,
        key: &str,
        message: Uint8Array,
        timeout_ms: f64,
    ) -> Promise;

    #[wasm_bindgen(js_name = forgetBehind)]
    pub(crate) fn forget_behind(namespace: &JsValue, object: &str, key: &str, timeout_ms: f64) -> Promise;

    pub(crate) fn sleep(milliseconds: f64) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// The storage of a Durable Object.
    #[wasm_bindgen(extends = Object)]
    #[derive(Clone)]
    pub type Storage;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn sql(this: &Storage) -> Sql;

    #[wasm_bindgen(method, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &Storage, time_ms: f64) -> Promise;

    #[wasm_bindgen(method, js_name = deleteAll)]
    pub(crate) fn delete_all(this: &Storage) -> Promise;

    /// The SQLite database of a Durable Object; every call is synchronous.
    pub(crate) type Sql;

    /// The rows of one statement.
    pub(crate) type Cursor;

    /// The rows as arrays, in the order of the columns.
    #[wasm_bindgen(method)]
    pub(crate) fn raw(this: &Cursor) -> js_sys::Iterator;
}

/// A count as the only number that JavaScript has; exact below 2^53.
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

/// A stored response as `stored` gives it: its metadata beside it, or whole in memory with its metadata inside.
pub(crate) fn metadata_and_response(value: JsValue) -> Option<(String, Stored)> {
    match value.dyn_into::<Array>() {
        Ok(pair) => Some((pair.get(0).as_string()?, Stored::Streaming(pair.get(1).dyn_into().ok()?))),
        Err(value) => KeptResponse::read(value).map(|(metadata, kept)| (metadata, Stored::Whole(kept))),
    }
}
