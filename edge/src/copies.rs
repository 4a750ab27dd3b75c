//! The entrypoint `Copies`, in front of which the platform has its cache: see `tidegate_gateway::offer`.

use js_sys::Object;
use tidegate_gateway::{Offer, offer};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::kept::Stored;
use crate::platform::Workers;
use crate::{js, work};

/// Answers what the platform has no copy of. Called by the class `Copies` in `entry.mjs`.
///
/// # Errors
/// As of [`begin`](crate::begin).
#[wasm_bindgen(js_name = offerCopy)]
pub fn offer_copy(url: String, env: Object, ctx: JsValue) -> Result<JsValue, JsValue> {
    work::for_client(async move {
        let response = match offer(&url, &Workers::new(env, ctx)).await {
            Offer::Copy(Stored::Whole(kept), cache_control) => js::copy(&kept, &url, &cache_control)?,
            Offer::Nothing(cache_control) => js::no_copy(404, cache_control)?,
            // Objects keep no response that streams.
            Offer::Copy(Stored::Streaming(_), _) => js::no_copy(503, "no-store")?,
            Offer::Failed(cache_control) => js::no_copy(503, cache_control)?,
        };
        Ok(response.into())
    })
}
