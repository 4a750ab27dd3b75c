//! The gateway on Cloudflare Workers: the only crate that knows the platform.
//!
//! [`begin`] answers synchronously whenever memory suffices, and returns the runtime's own promise otherwise. What is
//! decided is decided in `tidegate-gateway`; here is what it takes to ask the runtime.

mod cache;
mod cache_do;
mod copies;
mod exchange;
mod head;
mod held;
mod js;
mod kept;
mod limiter_do;
mod numbered;
mod platform;
mod purge_do;
mod reply;
mod sql;
mod state;
mod work;

use js_sys::Object;
use tidegate_gateway::{Step, admit};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use web_sys::Request;

use crate::cache::Body;
use crate::head::RequestHead;
use crate::platform::Workers;

pub use crate::cache_do::CacheObject;
pub use crate::copies::offer_copy;
pub use crate::exchange::{answered, failed, timed_out};
pub use crate::held::ended;
pub use crate::limiter_do::LimiterObject;
pub use crate::purge_do::PurgeObject;
pub use crate::work::go_on;

/// Loads the compiled configuration: once an isolate, before its first request.
///
/// # Errors
/// The configuration was compiled by another version of Tidegate; the deployment fails and the old one stays.
#[wasm_bindgen]
pub fn start(config: &[u8]) -> Result<(), JsError> {
    head::read_always();
    state::load(config)
}

/// Answers one request: a `Response`, or a promise of one.
///
/// # Errors
/// The runtime refused a call that it never refuses. The promise never rejects: `crashed` in `crash.mjs` answers instead.
#[wasm_bindgen]
pub fn begin(request: Request, env: Object, ctx: JsValue) -> Result<JsValue, JsValue> {
    work::for_client(serve(request, env, ctx))
}

async fn serve(request: Request, env: Object, ctx: JsValue) -> Result<JsValue, JsValue> {
    let Some(gateway) = state::gateway() else { return js::respond(503, "", &JsValue::NULL).map(JsValue::from) };
    let head = RequestHead::new(request)?;
    let platform = Workers::new(env, ctx);
    let admitted = admit(&gateway, state::memory(), &head, &platform).await;
    if let Some(issuer) = admitted.refresh {
        platform.refresh_keys(issuer);
    }
    platform.renew();
    match admitted.step {
        Step::Reply { reply, record, revalidation, after } => {
            state::finish(&record);
            let response = reply::response(reply, None);
            platform.after(after, None, Body::Free)?;
            if let Some(exchange) = revalidation {
                exchange::revalidate(exchange, head, platform);
            }
            response
        }
        Step::Forward(exchange) => Ok(exchange::send(exchange, head, platform)),
    }
}
