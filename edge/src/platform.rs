//! [`Platform`] on Workers: one call of the runtime a method.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use tidegate_gateway::limiting::{Held, LIMITER_TIMEOUT};
use tidegate_gateway::platform::{Behind, Copied, Purpose, SignatureCheck, Told};
use tidegate_gateway::route::Issuer;
use tidegate_gateway::{
    AskFailure, BEHIND_TIMEOUT, COPY_TIMEOUT, LogFailure, News, Platform, SHELVED_MAX, Shelf, Unreachable, learn,
    refresh_keys, renew,
};
use tidegate_http_cache::purge::Generations;
use wasm_bindgen::{JsCast, JsError, JsValue};
use web_sys::Response;

use crate::kept::{KeptResponse, Stored};
use crate::work::Settled;
use crate::{js, state, work};

/// How long a key set may take, and how long it may be.
const KEY_SET_TIMEOUT_MS: f64 = 5_000.0;
const KEY_SET_BYTES_MAX: f64 = 1_048_576.0;

/// The name of the one Durable Object that holds the purge log.
const PURGE_LOG: &str = "log";

/// The runtime as one request sees it: its bindings and its context.
#[derive(Clone)]
pub(crate) struct Workers {
    env: Object,
    ctx: JsValue,
}

impl Workers {
    pub(crate) fn new(env: Object, ctx: JsValue) -> Self {
        Self { env, ctx }
    }

    pub(crate) fn binding(&self, name: &str) -> Option<JsValue> {
        // A getter of `env` that throws is no binding.
        Reflect::get(&self.env, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
    }

    /// The name of the Cache API's cache; empty for the default one. Each edge of a local run has its own.
    pub(crate) fn cache(&self) -> String {
        self.binding("TIDEGATE_CACHE").and_then(|value| value.as_string()).unwrap_or_default()
    }

    /// The namespace of the objects behind the locations' stores.
    pub(crate) fn behind(&self) -> Result<JsValue, Unreachable> {
        self.binding("CACHE").ok_or_else(|| Unreachable::new("there is no binding CACHE"))
    }

    /// Fetches an issuer's keys once the reply is on its way.
    pub(crate) fn refresh_keys(&self, issuer: Rc<Issuer>) {
        let platform = self.clone();
        let work = work::for_nobody(async move {
            let refreshed = refresh_keys(&issuer, state::memory(), &platform).await;
            refreshed.map_err(|reason| JsError::new(&reason))
        });
        js::after(&self.ctx, &work, "refresh of a key set");
    }

    /// Asks what nobody waits for once the reply is on its way.
    pub(crate) fn renew(&self) {
        let news = state::memory().borrow_mut().take_news();
        if let Some(news) = news {
            let _nobody_waits = self.learn(news);
        }
        let renewals = state::memory().borrow_mut().take_renewals();
        for renewal in renewals {
            let platform = self.clone();
            let work = work::for_nobody(async move {
                let renewed = renew(renewal, state::memory(), &platform).await;
                renewed.map_err(|failure| JsError::new(&failure.reason()))
            });
            js::after(&self.ctx, &work, "renewal of a limit's lease");
        }
    }

    /// Asks the purge log; the promise ends when it has answered, or did not in time.
    pub(crate) fn learn(&self, news: News) -> Promise {
        let platform = self.clone();
        let work = work::for_nobody(async move {
            let learnt = learn(news, state::memory(), &platform).await;
            learnt.map_err(|error| JsError::new(&error.reason))
        });
        js::after(&self.ctx, &work, "news of purges");
        work
    }

    /// Gives back what a request held of its limits.
    pub(crate) fn release(&self, held: Held) {
        state::memory().borrow_mut().release(held, state::now());
        self.renew();
    }

    /// The runtime's context of this request.
    pub(crate) fn context(&self) -> &JsValue {
        &self.ctx
    }

    /// A response whose end JavaScript reports under a number.
    ///
    /// # Errors
    /// Somebody reads its body already.
    pub(crate) fn watch(&self, number: u32, response: &Response) -> Result<Response, JsValue> {
        js::watch(&self.ctx, number, response)
    }

    /// Lets work go on after the reply.
    pub(crate) fn background(&self, promise: &Promise, what: &str) {
        js::after(&self.ctx, promise, what);
    }
}

impl Platform for Workers {
    type Body = Stored;

    fn now(&self) -> Duration {
        state::now()
    }

    fn random(&self) -> u64 {
        state::random()
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.binding(name)?.as_string()
    }

    async fn key_set(&self, url: &str) -> Result<String, Unreachable> {
        let value = settled(js::key_set(url, KEY_SET_TIMEOUT_MS, KEY_SET_BYTES_MAX)).await?;
        value.as_string().ok_or_else(|| Unreachable::new("the key set is no text"))
    }

    async fn verify(&self, check: SignatureCheck<'_>) -> Result<bool, Unreachable> {
        let SignatureCheck { algorithm, key, signing_input, signature } = check;
        let (algorithm, fingerprint) = (algorithm.name(), key.fingerprint());
        let verify =
            || js::verify(algorithm, fingerprint, signing_input.as_bytes(), signature).map_err(|error| reason(&error));
        let begun = match verify()? {
            Some(begun) => begun,
            None => {
                settled(js::import_key(algorithm, fingerprint, &key.import_jwk())).await?;
                verify()?.ok_or_else(|| Unreachable::new("the key was dropped"))?
            }
        };
        Ok(settled(begun).await?.is_truthy())
    }

    async fn ask(&self, object: &str, purpose: Purpose, message: Vec<u8>) -> Result<Vec<u8>, AskFailure> {
        let namespace = self.binding("LIMITER").ok_or_else(|| Unreachable::new("there is no binding LIMITER"));
        let message = Uint8Array::from(message.as_slice());
        let timeout_ms = milliseconds(LIMITER_TIMEOUT);
        // The methods of the class `Limiter` in entry.mjs.
        let method = match purpose {
            Purpose::Decide => "ask",
            Purpose::Usage => "usage",
            Purpose::Reset => "reset",
        };
        let promise = js::ask(&namespace.map_err(AskFailure::Unreachable)?, object, method, message, timeout_ms);
        match Settled::from(promise).await {
            Ok(answer) => Ok(Uint8Array::new(&answer).to_vec()),
            Err(error) if is_overload(&error) => Err(AskFailure::Overloaded),
            Err(error) => Err(AskFailure::Unreachable(reason(&error))),
        }
    }

    async fn purge_log(&self, question: Vec<u8>) -> Result<Vec<u8>, LogFailure> {
        let namespace = self.binding("PURGE").ok_or(LogFailure::Absent)?;
        let question = Uint8Array::from(question.as_slice());
        let timeout_ms = Generations::TIMEOUT.as_secs_f64() * 1_000.0;
        let answer = settled(js::ask(&namespace, PURGE_LOG, "ask", question, timeout_ms)).await;
        answer.map(|answer| Uint8Array::new(&answer).to_vec()).map_err(LogFailure::Unreachable)
    }

    fn shelf(&self) -> &RefCell<Shelf<Self::Body>> {
        state::shelf()
    }

    fn location(&self) -> Option<String> {
        Some(self.cache()).filter(|name| !name.is_empty())
    }

    async fn stored(&self, key: &str) -> Option<(String, Self::Body)> {
        let most = js::float(SHELVED_MAX as u64);
        js::metadata_and_response(settled(js::stored(&self.cache(), key, most)).await.ok()?)
    }

    async fn ask_behind(
        &self,
        place: &Behind,
        message: Vec<u8>,
        wait: Option<Duration>,
    ) -> Result<Told<Self::Body>, Unreachable> {
        let Behind { object, key } = place;
        let message = Uint8Array::from(message.as_slice());
        let timeout = wait.unwrap_or_default().saturating_add(BEHIND_TIMEOUT);
        let promise = js::ask_behind(&self.behind()?, object, key, message, wait.is_some(), milliseconds(timeout));
        let told: Array =
            settled(promise).await?.dyn_into().map_err(|_| Unreachable::new("no answer of the cache's"))?;
        let response = KeptResponse::read(told.get(1)).map(|(metadata, kept)| (metadata, Stored::Whole(kept)));
        Ok(Told { said: Uint8Array::new(&told.get(0)).to_vec(), response })
    }

    async fn copied(&self, url: &str) -> Result<Copied<Self::Body>, Unreachable> {
        let answer = settled(js::ask_for_copy(&self.ctx, url, milliseconds(COPY_TIMEOUT))).await?;
        let answer: Array = answer.dyn_into().map_err(|_| Unreachable::new("no answer of the Workers Cache's"))?;
        let kept = KeptResponse::read(answer.get(2));
        let copy = answer.get(1).as_string().zip(kept);
        let copy = copy.map(|(of, (metadata, kept))| (of, metadata, Stored::Whole(kept)));
        Ok(Copied { copy, is_cached: answer.get(0).is_truthy() })
    }

    async fn sleep(&self, duration: Duration) {
        let _slept = settled(js::sleep(milliseconds(duration))).await;
    }
}

/// As JavaScript's timers count.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Waits for a promise; what it rejects with becomes the reason.
pub(crate) async fn settled(promise: Promise) -> Result<JsValue, Unreachable> {
    Settled::from(promise).await.map_err(|error| reason(&error))
}

fn reason(error: &JsValue) -> Unreachable {
    let message = Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
    Unreachable::new(message.unwrap_or_else(|| "the call failed".to_owned()))
}

/// The runtime's word for an object with too much to do.
fn is_overload(error: &JsValue) -> bool {
    Reflect::get(error, &"overloaded".into()).is_ok_and(|overloaded| overloaded.is_truthy())
}
