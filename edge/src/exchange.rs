//! An exchange with an origin, as JavaScript carries it out: see `forward` in `platform.mjs`.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::Promise;
use tidegate_gateway::forward::PROXY_FIELDS;
use tidegate_gateway::{Answered, Attempt, Conclusion, Exchange, Head, Permitted};
use tidegate_http_cache::Fields;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use web_sys::Response;

use crate::cache::{Body, Left};
use crate::head::RequestHead;
use crate::kept::Stored;
use crate::numbered::Numbered;
use crate::platform::Workers;
use crate::work::{Audience, Settled};
use crate::{held, js, reply, state, work};

thread_local! {
    /// The exchanges that JavaScript carries out.
    static UNDER_WAY: RefCell<Numbered<OriginExchange>> = RefCell::default();
}

/// One request on its way to an origin.
struct OriginExchange {
    exchange: Box<Exchange<Stored>>,
    head: RequestHead,
    platform: Workers,
    audience: Audience,
}

/// How long after its timeout an exchange is given up.
const GRACE: Duration = Duration::from_secs(60);

/// The same while a client sends a body, which may take it longer than any timeout.
const UPLOAD_MAX: Duration = Duration::from_secs(7_200);

/// Sends the attempt that is due; the promise resolves to the client's response.
pub(crate) fn send(exchange: Box<Exchange<Stored>>, head: RequestHead, platform: Workers) -> JsValue {
    begin(exchange, head, platform, Audience::Client).into()
}

/// Asks for the successor of a stored response once the reply is on its way, unless somebody else does.
pub(crate) fn revalidate(exchange: Box<Exchange<Stored>>, head: RequestHead, platform: Workers) {
    let context = platform.clone();
    let work = work::for_nobody(async move {
        match exchange.permitted(state::memory(), &platform).await {
            Permitted::Go(exchange) => {
                Settled::from(begin(exchange, head, platform, Audience::Nobody)).await.map(|_| ())
            }
            Permitted::Done(after) => platform.after(after, None, Body::Free).map(|_| ()),
        }
    });
    context.background(&work, "revalidating a stored response");
}

fn begin(exchange: Box<Exchange<Stored>>, head: RequestHead, platform: Workers, audience: Audience) -> Promise {
    let Attempt { url, removed, set, sent, timeout, raw } = exchange.attempt();
    // One text, because decoding each further one costs as much as setting a field.
    let removed = if removed.is_empty() { String::new() } else { removed.replace('\n', ",") };
    // The runtime refuses a GET with content, unless it is copied from another request: its body is out of reach.
    let is_copied = head.has_body() && matches!(head.method(), "GET" | "HEAD");
    let has_body = head.has_body() && !is_copied;
    let copied = if is_copied { "1" } else { "" };
    let lines = [head.method(), copied, url.as_str(), &removed, set, ""].join("\n");
    let timeout_ms = timeout.as_secs_f64() * 1_000.0;
    // When JavaScript must have reported back: its timer rings before.
    let grace = if has_body { UPLOAD_MAX } else { GRACE };
    let overdue = sent.saturating_add(timeout).saturating_add(grace);
    // The handle is cloned: the request's method of that name would copy the body.
    let request = Clone::clone(head.request());
    let exchange = OriginExchange { exchange, head, platform, audience };
    let number = UNDER_WAY.with_borrow_mut(|under_way| under_way.insert(exchange, overdue, sent));
    js::forward(number, &request, &lines, timeout_ms, raw, has_body)
}

fn take(number: u32) -> Result<OriginExchange, JsValue> {
    let taken = UNDER_WAY.with_borrow_mut(|under_way| under_way.take(number));
    taken.ok_or_else(|| JsError::new("the exchange was given up").into())
}

impl OriginExchange {
    fn conclude(self, answered: Answered<'_>, response: Option<&Response>) -> Result<JsValue, JsValue> {
        let Self { exchange, head, platform, audience } = self;
        let conclusion = exchange.answered(answered, &head, state::memory(), state::now());
        platform.renew();
        match (conclusion, audience) {
            (Conclusion::Retry(exchange), _) => {
                discard(response);
                Ok(begin(exchange, head, platform, audience).into())
            }
            (conclusion, Audience::Nobody) => {
                keep(conclusion, response, &platform)?;
                Ok(JsValue::UNDEFINED)
            }
            (Conclusion::Pass { held, record }, Audience::Client) => {
                state::finish(&record);
                let Some(response) = response else { return Ok(JsValue::UNDEFINED) };
                held::until_the_end(held, platform, Clone::clone(response)).map(JsValue::from)
            }
            (Conclusion::Amend { first, removed, fields, not_modified, after, held, record }, Audience::Client) => {
                state::finish(&record);
                let Some(response) = response else { return Ok(JsValue::UNDEFINED) };
                let told = first.map(|news| platform.learn(news));
                let lines = reply::lines(&fields);
                let removed = removed.join("\n");
                if not_modified {
                    let reply = js::not_modified(response, &removed, &lines)?;
                    platform.after(after, Some(response), Body::Free)?;
                    return held::until_the_end(held, platform, reply).map(JsValue::from);
                }
                let Left { client, forgotten } = platform.after(after, Some(response), Body::Shared)?;
                let amended = js::amend(client.as_ref().unwrap_or(response), &removed, &lines)?;
                let mut response = JsValue::from(held::until_the_end(held, platform, amended)?);
                for first in [told, forgotten].into_iter().flatten() {
                    response = js::once_ended(&first, &response).into();
                }
                Ok(response)
            }
            (Conclusion::Reply { reply, after, record }, Audience::Client) => {
                state::finish(&record);
                let reply = reply::response(reply, response)?;
                platform.after(after, response, Body::Free)?;
                Ok(reply)
            }
        }
    }
}

/// Does what an answer that nobody waits for leaves behind.
fn keep(conclusion: Conclusion<Stored>, response: Option<&Response>, platform: &Workers) -> Result<(), JsValue> {
    let after = match conclusion {
        Conclusion::Amend { after, .. } | Conclusion::Reply { after, .. } => after,
        Conclusion::Pass { .. } | Conclusion::Retry(_) => Vec::new(),
    };
    platform.after(after, response, Body::Free).map(|_| ())
}

fn discard(response: Option<&Response>) {
    if let Some(response) = response {
        js::discard(response);
    }
}

/// The origin answered: a response for the client, or a promise of one. `hop` is what `hopFields` in `platform.mjs` says.
///
/// # Errors
/// The exchange was given up; the caller answers for it.
#[wasm_bindgen]
pub fn answered(number: u32, status: u16, hop: String, response: &Response) -> Result<JsValue, JsValue> {
    let fields = ResponseFields { response, hop };
    take(number)?.conclude(Answered::Response { status, fields: &fields }, Some(response))
}

/// The origin did not answer in time.
///
/// # Errors
/// As of [`answered`].
#[wasm_bindgen(js_name = timedOut)]
pub fn timed_out(number: u32) -> Result<JsValue, JsValue> {
    take(number)?.conclude(Answered::TimedOut, None)
}

/// The origin could not be asked; the reason is for the log.
///
/// # Errors
/// As of [`answered`].
#[wasm_bindgen]
pub fn failed(number: u32, reason: String) -> Result<JsValue, JsValue> {
    take(number)?.conclude(Answered::Failed { reason }, None)
}

/// The fields of a response, read lazily; those of every response's path came along with it.
struct ResponseFields<'r> {
    response: &'r Response,
    /// The names of the fields that end at this hop.
    hop: String,
}

impl Fields for ResponseFields<'_> {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "connection" => (!self.hop.is_empty()).then(|| self.hop.clone()),
            // `hop` names those that are there.
            _ if PROXY_FIELDS.contains(&name) => None,
            // An invalid name is the only error, and no rule asks for one.
            _ => self.response.headers().get(name).ok().flatten(),
        }
    }
}
