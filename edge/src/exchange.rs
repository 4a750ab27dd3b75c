//! An exchange with an origin, as JavaScript carries it out: see `forward` in `platform.mjs`.

use tidegate_gateway::{Answered, Conclusion, Exchange};
use tidegate_http_cache::Fields;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Headers, Request, Response};

use crate::head::RequestHead;
use crate::platform::Workers;
use crate::{js, reply, state};

/// One request on its way to an origin, handed to JavaScript between its attempts.
#[wasm_bindgen]
pub struct OriginExchange {
    exchange: Box<Exchange>,
    head: RequestHead,
    request: Request,
    platform: Workers,
}

impl OriginExchange {
    /// Sends the attempt that is due; the promise resolves to the client's response.
    pub(crate) fn send(exchange: Box<Exchange>, head: RequestHead, request: Request, platform: Workers) -> JsValue {
        let attempt = exchange.attempt();
        let url = attempt.url;
        let (removed, set) = (attempt.removed.to_owned(), attempt.set.to_owned());
        let timeout_ms = attempt.timeout.as_secs_f64() * 1_000.0;
        let sent = Clone::clone(&request);
        let exchange = Self { exchange, head, request, platform };
        js::forward(exchange, &sent, &url, &removed, &set, timeout_ms).into()
    }

    fn conclude(self, answered: Answered<'_>, response: Option<&Response>) -> JsValue {
        let Self { exchange, head, request, platform } = self;
        match exchange.answered(answered, &head, state::memory(), state::now()) {
            Conclusion::Retry(exchange) => {
                if let Some(response) = response {
                    js::discard(response);
                }
                Self::send(exchange, head, request, platform)
            }
            Conclusion::Pass(record) => {
                state::finish(&record);
                response.map_or(JsValue::UNDEFINED, JsValue::from)
            }
            Conclusion::Amend { removed, fields, after, record } => {
                state::finish(&record);
                let Some(response) = response else { return JsValue::UNDEFINED };
                for effect in &after {
                    platform.after(effect, response);
                }
                js::amend(response, &removed.join("\n"), &reply::lines(&fields)).into()
            }
            Conclusion::Reply { reply, record } => {
                state::finish(&record);
                reply::response(reply)
            }
        }
    }
}

#[wasm_bindgen]
impl OriginExchange {
    /// The origin answered: a response for the client, or a promise of one.
    pub fn answered(self, response: &Response) -> JsValue {
        let fields = ResponseFields(response.headers());
        self.conclude(Answered::Response { status: response.status(), fields: &fields }, Some(response))
    }

    /// The origin did not answer in time.
    pub fn timed_out(self) -> JsValue {
        self.conclude(Answered::TimedOut, None)
    }

    /// The origin could not be asked; the reason is for the log.
    pub fn failed(self, reason: String) -> JsValue {
        self.conclude(Answered::Failed { reason }, None)
    }
}

/// The fields of a response, read lazily.
struct ResponseFields(Headers);

impl Fields for ResponseFields {
    fn get(&self, name: &str) -> Option<String> {
        // An invalid name is the only error, and no rule asks for one.
        self.0.get(name).ok().flatten()
    }
}
