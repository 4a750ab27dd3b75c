//! What a reply leaves behind for the caches, carried out: see `After` in `tidegate-gateway`.

use std::future::Future;

use js_sys::{Array, ArrayBuffer, Promise, Uint8Array};
use tidegate_gateway::platform::Behind;
use tidegate_gateway::reply::{After, Bring, Forgotten, Freshen, Store};
use tidegate_gateway::{
    BEHIND_MAX, BEHIND_TIMEOUT, Landing, SHELVED_MAX, is_overwritten, land, overwrite, shelve, unshelve,
};
use wasm_bindgen::{JsCast, JsError, JsValue};
use web_sys::Response;

use crate::kept::{KeptResponse, Stored, kept_of, updated_kept};
use crate::platform::{Workers, milliseconds, settled};
use crate::{js, state, work};

/// Whether the client gets the body of an origin's response as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Shared,
    Free,
}

/// What is left for the reply.
#[derive(Default)]
pub(crate) struct Left {
    /// Another response for the client, when the origin's body is read here too.
    pub(crate) client: Option<Response>,
    /// When what the request made untrue is forgotten: whoever has written, reads what was written.
    pub(crate) forgotten: Option<Promise>,
}

impl Workers {
    /// Does what a reply leaves behind; `response` is the origin's.
    ///
    /// # Errors
    /// The response cannot be copied, because somebody reads it already.
    pub(crate) fn after(
        &self,
        effects: Vec<After<Stored>>,
        response: Option<&Response>,
        body: Body,
    ) -> Result<Left, JsValue> {
        let mut left = Left::default();
        let mut is_read = body == Body::Shared;
        for effect in effects {
            match (effect, response) {
                (After::Store(store), Some(response)) => {
                    let copy = if body == Body::Shared {
                        let pair = js::split(self.context(), response, most(store.behind.as_ref()))?;
                        left.client = Some(pair.get(0).dyn_into()?);
                        pair.get(1).dyn_into()?
                    } else {
                        is_read = true;
                        // The handle is cloned: the response's method of that name would copy the body.
                        Clone::clone(response)
                    };
                    self.later(self.clone().store(*store, copy), "storing a response");
                }
                (After::Freshen(freshen), Some(answer)) => {
                    let answer = Clone::clone(answer);
                    self.later(self.clone().freshen(*freshen, answer), "updating a stored response");
                }
                (After::Store(_) | After::Freshen(_), None) => {}
                (After::Promote { key, body, keep_seconds }, _) => {
                    if let Stored::Whole(kept) = &body {
                        let promise = js::put(&self.cache(), &key, kept, js::float(keep_seconds));
                        self.background(&promise, "storing a response");
                    }
                }
                (After::Forget(forgotten), _) => left.forgotten = Some(self.forget(&forgotten)),
                (After::End(place, message), _) => {
                    self.later(self.clone().end(place, message), "giving a lease back");
                }
            }
        }
        if let Some(response) = response.filter(|_| !is_read) {
            js::discard(response);
        }
        Ok(left)
    }

    fn later(&self, work: impl Future<Output = Result<(), JsError>> + 'static, what: &str) {
        self.background(&work::for_nobody(work), what);
    }

    async fn store(self, store: Store, copy: Response) -> Result<(), JsError> {
        let Store { key, metadata, removed, keep_seconds, behind } = store;
        let removed = removed.join("\n");
        let gathered = settled(js::gather(&copy, most(behind.as_ref()))).await;
        match gathered.map(JsCast::dyn_into::<ArrayBuffer>) {
            Ok(Ok(body)) => {
                let kept = kept_of(&copy.headers(), &removed, &metadata, &body);
                self.keep(key, metadata, kept, keep_seconds, behind).await
            }
            Ok(Err(rest)) => {
                // It is too large for the memory.
                let rest: Response = rest.dyn_into().map_err(|_| JsError::new("what was gathered is no response"))?;
                unshelve(state::shelf(), &key);
                match keep_seconds {
                    Some(seconds) => {
                        let seconds = js::float(seconds);
                        let put = js::put_stream(&self.cache(), &key, &rest, &metadata, &removed, seconds);
                        settled(put).await?;
                        if is_overwritten(state::shelf(), &key, &metadata) {
                            settled(js::forget(&self.cache(), &key)).await?;
                        }
                    }
                    None => {
                        js::discard(&rest);
                        land(Some(&key), Landing::Uncacheable, state::memory(), state::now());
                    }
                }
                self.end_of(behind, |bring| bring.too_large).await
            }
            Err(broken) => {
                land(Some(&key), Landing::Failed, state::memory(), state::now());
                self.end_of(behind, |bring| bring.failed).await?;
                Err(broken.into())
            }
        }
    }

    async fn freshen(self, freshen: Freshen<Stored>, answer: Response) -> Result<(), JsError> {
        let Freshen { body, key, replaced, metadata, excepted, keep_seconds, behind } = freshen;
        let excepted = excepted.join("\n");
        if let Some(Stored::Whole(kept)) = body {
            let kept = updated_kept(&kept, &answer, &excepted, &metadata);
            return self.keep(key, metadata, kept, keep_seconds, behind).await;
        }
        unshelve(state::shelf(), &key);
        if let Some(seconds) = keep_seconds {
            let seconds = js::float(seconds);
            settled(js::freshen(&self.cache(), &key, &replaced, &answer, &excepted, &metadata, seconds)).await?;
        }
        self.end_of(behind, |bring| bring.too_large).await
    }

    /// Keeps a response in every tier that is to have it. The object behind has the first word: what it refuses was purged
    /// or overwritten on its way, and is kept nowhere.
    async fn keep(
        self,
        key: String,
        metadata: String,
        kept: KeptResponse,
        keep_seconds: Option<u64>,
        behind: Option<Bring>,
    ) -> Result<(), JsError> {
        let whole = Stored::Whole(kept.clone());
        let is_true = shelve(state::shelf(), &key, metadata, whole, keep_seconds.is_some(), state::now());
        land(Some(&key), Landing::Stored, state::memory(), state::now());
        let brought = match behind {
            Some(Bring { place, filled, .. }) => settled(self.bring(&place, &filled, &kept)?).await,
            None => Ok(JsValue::from(is_true)),
        };
        // An object that does not answer leaves it to what this isolate knows of writes.
        let is_kept = brought.as_ref().map_or(is_true, |is_kept| is_kept.as_bool() != Some(false));
        if !is_kept {
            unshelve(state::shelf(), &key);
        }
        if let Some(seconds) = keep_seconds.filter(|_| is_kept) {
            settled(js::put(&self.cache(), &key, &kept, js::float(seconds))).await?;
        }
        brought.map(|_| ()).map_err(JsError::from)
    }

    fn bring(&self, place: &Behind, message: &[u8], kept: &KeptResponse) -> Result<Promise, JsError> {
        let Behind { object, key } = place;
        let timeout = milliseconds(BEHIND_TIMEOUT);
        Ok(js::bring_behind(&self.behind()?, object, key, Uint8Array::from(message), kept, timeout))
    }

    async fn end_of(&self, behind: Option<Bring>, word: impl FnOnce(Bring) -> Vec<u8>) -> Result<(), JsError> {
        match behind {
            Some(bring) => {
                let place = bring.place.clone();
                self.clone().end(place, word(bring)).await
            }
            None => Ok(()),
        }
    }

    async fn end(self, place: Behind, message: Vec<u8>) -> Result<(), JsError> {
        let Behind { object, key } = place;
        let message = Uint8Array::from(message.as_slice());
        settled(js::end_behind(&self.behind()?, &object, &key, message, milliseconds(BEHIND_TIMEOUT))).await?;
        Ok(())
    }

    /// The promise settles when all tiers have forgotten, or their time is up.
    fn forget(&self, forgotten: &[Forgotten]) -> Promise {
        let keys: Vec<&str> = forgotten.iter().map(|forgotten| forgotten.key.as_str()).collect();
        keys.iter().for_each(|key| overwrite(state::shelf(), key, state::now()));
        let promises = Array::of1(&js::forget(&self.cache(), &keys.join("\n")));
        if let Ok(namespace) = self.behind() {
            for Forgotten { key, object } in forgotten {
                let Some(object) = object else { continue };
                promises.push(&js::forget_behind(&namespace, object, key, milliseconds(BEHIND_TIMEOUT)));
            }
        }
        let all = Promise::all(&promises);
        self.background(&all, "invalidating stored responses");
        all
    }
}

/// How many bytes are gathered in memory.
fn most(behind: Option<&Bring>) -> f64 {
    js::float(behind.map_or(SHELVED_MAX, |_| BEHIND_MAX) as u64)
}
