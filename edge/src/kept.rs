//! A stored response, as a reply is made from it: see `kept.mjs`.

use js_sys::{Array, ArrayBuffer, Object};
use tidegate_gateway::platform::StoredBody;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::{Headers, Response};

#[wasm_bindgen(raw_module = "../edge/kept.mjs")]
extern "C" {
    /// A response whole in memory: its metadata, its fields as lines (a name, its value, the next name), and its body. It
    /// is never changed, so that requests can share it.
    #[wasm_bindgen(extends = Object, typescript_type = "object")]
    #[derive(Clone, Debug)]
    pub type KeptResponse;

    #[wasm_bindgen(js_name = kept)]
    fn make(metadata: &JsValue, fields: &JsValue, body: &JsValue) -> KeptResponse;

    #[wasm_bindgen(method, getter)]
    fn metadata(this: &KeptResponse) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn fields(this: &KeptResponse) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn body(this: &KeptResponse) -> JsValue;

    /// What is kept of a response that came with these fields.
    #[wasm_bindgen(js_name = keptOf)]
    pub(crate) fn kept_of(headers: &Headers, removed: &str, metadata: &str, body: &ArrayBuffer) -> KeptResponse;

    #[wasm_bindgen(catch, js_name = respondKept)]
    pub(crate) fn respond_kept(
        kept: &KeptResponse,
        status: u16,
        with_body: bool,
        first: f64,
        length: f64,
        removed: &str,
        lines: &str,
    ) -> Result<Response, JsValue>;

    #[wasm_bindgen(js_name = updatedKept)]
    pub(crate) fn updated_kept(kept: &KeptResponse, answer: &Response, excepted: &str, metadata: &str) -> KeptResponse;
}

impl KeptResponse {
    /// A response from its parts; `None` when they are not what [`parts`](Self::parts) gave.
    pub(crate) fn new(metadata: &JsValue, fields: &JsValue, body: &JsValue) -> Option<Self> {
        let is_one = metadata.is_string() && fields.is_string() && body.is_instance_of::<ArrayBuffer>();
        is_one.then(|| make(metadata, fields, body))
    }

    /// A response that came from elsewhere, and its metadata.
    pub(crate) fn read(value: JsValue) -> Option<(String, Self)> {
        if !value.is_object() || Array::is_array(&value) {
            return None;
        }
        let kept: Self = value.unchecked_into();
        let metadata = kept.metadata().as_string()?;
        (kept.fields().is_string() && kept.body().is_instance_of::<ArrayBuffer>()).then_some((metadata, kept))
    }

    /// Its metadata, fields and body.
    pub(crate) fn parts(&self) -> (JsValue, JsValue, JsValue) {
        (self.metadata(), self.fields(), self.body())
    }

    /// How many bytes its body has.
    pub(crate) fn bytes(&self) -> usize {
        let length = self.body().dyn_ref::<ArrayBuffer>().map_or(0, ArrayBuffer::byte_length);
        usize::try_from(length).unwrap_or(usize::MAX)
    }
}

/// The fields and the body of a stored response.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// Whole in memory.
    Whole(KeptResponse),
    /// As the Cache API gave it: its body streams, once.
    Streaming(Response),
}

impl StoredBody for Stored {
    fn whole_bytes(&self) -> Option<usize> {
        match self {
            Self::Whole(kept) => Some(kept.bytes()),
            Self::Streaming(_) => None,
        }
    }
}
