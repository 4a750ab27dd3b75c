//! Work that waits for the runtime: see `work.mjs`.
//!
//! A future here waits for one promise at a time, so it needs no executor: JavaScript carries it on when the promise has
//! settled. A task with a promise and a waker of its own takes more turns of the microtask queue.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use js_sys::Promise;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::numbered::Numbered;
use crate::{js, state};

thread_local! {
    static PAUSED: RefCell<Numbered<Work>> = RefCell::default();
    /// What the future that was just polled waits for.
    static AWAITED: Cell<Option<Promise>> = const { Cell::new(None) };
    /// What the promise of the future that is polled next has settled to.
    static SETTLED: Cell<Option<Result<JsValue, JsValue>>> = const { Cell::new(None) };
}

/// After how long work is given up: longer than the longest timeout of a route. Only a body may stream for longer.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(7_200);

/// Who waits for an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A client: if the gateway fails, an answer says so.
    Client,
    /// Nobody: what is done goes on after the reply, and a failure is logged.
    Nobody,
}

struct Work {
    future: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>>,
    audience: Audience,
}

/// Does work that a client waits for. What is ready at the first poll never becomes a promise.
///
/// # Errors
/// Those of the work, if it fails before it waits.
pub(crate) fn for_client(future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Result<JsValue, JsValue> {
    Work { future: Box::pin(future), audience: Audience::Client }.go_on()
}

/// Does work that nobody waits for; the promise settles when it is done.
pub(crate) fn for_nobody<E: Into<JsValue>>(future: impl Future<Output = Result<(), E>> + 'static) -> Promise {
    let future = async move { future.await.map(|()| JsValue::UNDEFINED).map_err(Into::into) };
    match (Work { future: Box::pin(future), audience: Audience::Nobody }).go_on() {
        Ok(outcome) => Promise::resolve(&outcome),
        Err(error) => Promise::reject(&error),
    }
}

impl Work {
    /// Goes on until the next promise that it waits for: the outcome, or a promise of it.
    fn go_on(mut self) -> Result<JsValue, JsValue> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                let awaited = AWAITED.take().ok_or_else(|| JsError::new("the work waits for nothing"))?;
                let is_for_client = self.audience == Audience::Client;
                let now = state::now();
                let overdue = now.saturating_add(GIVEN_UP_AFTER);
                let number = PAUSED.with_borrow_mut(|paused| paused.insert(self, overdue, now));
                Ok(js::once_settled(&awaited, number, is_for_client).into())
            }
        }
    }
}

/// Goes on with the work of that number, whose promise has settled.
///
/// # Errors
/// Those of the work, or it was given up.
#[wasm_bindgen(js_name = goOn)]
pub fn go_on(number: u32, is_fulfilled: bool, value: JsValue) -> Result<JsValue, JsValue> {
    let work = PAUSED.with_borrow_mut(|paused| paused.take(number));
    let work = work.ok_or_else(|| JsError::new("the work was given up"))?;
    SETTLED.set(Some(if is_fulfilled { Ok(value) } else { Err(value) }));
    work.go_on()
}

/// What a promise settles to: the only thing that a future waits for here.
pub(crate) struct Settled(Option<Promise>);

impl From<Promise> for Settled {
    fn from(promise: Promise) -> Self {
        Self(Some(promise))
    }
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        // It is polled twice: when it begins to wait, and when JavaScript has said what came of it.
        match self.0.take() {
            Some(promise) => {
                AWAITED.set(Some(promise));
                Poll::Pending
            }
            None => SETTLED.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}
