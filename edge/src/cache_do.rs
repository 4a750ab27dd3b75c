//! The Durable Object `Cache`.
//!
//! **Keyed by** how far its responses are shared and by a part of the keys: `global/17`, or `colo/FRA/17` for one location.
//! **Keeps** responses in memory, and those that are worth a row in its storage. **Asked** through the RPC methods of the
//! class `Cache` in `entry.mjs`; messages are those of `tidegate_http_cache::fill`.
//!
//! What is lost here is fetched once more: nothing depends on a row.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use js_sys::{Array, ArrayBuffer, Uint8Array};
use tidegate_gateway::{BEHIND_MAX, METADATA_MAX};
use tidegate_http_cache::MemoryTier;
use tidegate_http_cache::fill::{Ask, Back, Filled, Fills, Kept, Message, Said};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{self, Sql, Storage};
use crate::kept::KeptResponse;
use crate::sql::{Rows, run, whole};
use crate::state;

/// Bytes of responses in the memory of one object: the runtime gives 128 MB to all objects of an isolate.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The state of one object. Its methods are called by the class `Cache` in `entry.mjs`.
#[wasm_bindgen]
pub struct CacheObject {
    storage: Storage,
    sql: Sql,
    fills: RefCell<Fills>,
    responses: RefCell<MemoryTier<(u64, KeptResponse)>>,
    /// When the next alarm is due, in milliseconds since the Unix epoch.
    alarm_ms: Cell<Option<u64>>,
    /// Whether the table exists.
    has_table: Cell<bool>,
}

#[wasm_bindgen]
impl CacheObject {
    /// Starts without memory; a key's row is read when it is first asked for.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: Storage) -> CacheObject {
        let sql = storage.sql();
        let responses = RefCell::new(MemoryTier::new(BYTES_MAX, BEHIND_MAX + METADATA_MAX));
        let fills = RefCell::new(Fills::new(state::random()));
        Self { storage, sql, fills, responses, alarm_ms: Cell::default(), has_table: Cell::default() }
    }

    /// Decides about one question: an array of what is said (bytes), the kept response or `undefined`, and for how many
    /// milliseconds to wait before asking again, or `undefined`.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails: the asker goes on without this object.
    pub fn ask(&self, key: &str, message: &[u8]) -> Result<Array, JsError> {
        let ask = Ask::decode(message)?;
        let now = state::now();
        let mut fills = self.fills.try_borrow_mut()?;
        let mut found = None;
        if !fills.knows(key) || fills.kept(key).is_some() {
            found = self.response(key, &mut fills, now)?;
        }
        let said = fills.ask(key, &ask, now);
        let (found, wait) = match said {
            Said::Hit { .. } => (found.map_or(JsValue::UNDEFINED, JsValue::from), JsValue::UNDEFINED),
            Said::Wait { until } => (JsValue::UNDEFINED, milliseconds_number(until.saturating_sub(now))),
            _ => (JsValue::UNDEFINED, JsValue::UNDEFINED),
        };
        Ok(Array::of3(&Uint8Array::from(said.encode().as_slice()), &found, &wait))
    }

    /// Takes what a filler brings; those who wait are to be woken. False when it is refused: a purge or a write came in
    /// between, or somebody was quicker. Then nobody should keep it.
    ///
    /// # Errors
    /// A message that cannot be read. A storage that fails is no error: the response is in memory.
    pub fn keep(&self, key: &str, message: &[u8], response: KeptResponse) -> Result<bool, JsError> {
        let filled = Filled::decode(message)?;
        let Some(kept) = self.fills.try_borrow_mut()?.filled(key, &filled, state::now()) else { return Ok(false) };
        let bytes = response.bytes();
        if filled.durable && self.write(key, &kept, &response).is_err() {
            self.fail_row(key);
        }
        self.responses.try_borrow_mut()?.insert(key, (kept.version, response), bytes, kept.keep_until);
        Ok(true)
    }

    /// Takes a lease back that brought nothing; those who wait are to be woken.
    ///
    /// # Errors
    /// A message that cannot be read.
    pub fn end(&self, key: &str, message: &[u8]) -> Result<(), JsError> {
        let Back { lease, how } = Back::decode(message)?;
        self.fills.try_borrow_mut()?.ended(key, lease, how, state::now());
        Ok(())
    }

    /// Forgets what a write has made untrue; those who wait are to be woken.
    ///
    /// # Errors
    /// The storage fails: what is in its row would come back.
    pub fn forget(&self, key: &str) -> Result<(), JsError> {
        self.fills.try_borrow_mut()?.forget(key, state::now());
        self.responses.try_borrow_mut()?.remove(key);
        self.delete(key)
    }

    /// Deletes the rows that are of no use any more, and the whole storage with the last of them.
    ///
    /// # Errors
    /// The storage fails; the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsError> {
        self.alarm_ms.set(None);
        let now = js::float(milliseconds(state::now()));
        self.run("DELETE FROM responses WHERE keep_until_ms <= ?", &[now.into()])?;
        let next = self.run("SELECT min(keep_until_ms) FROM responses", &[])?.next();
        match next.and_then(|row| whole(&row, 0)) {
            Some(next) => self.wake_at(next),
            None => {
                let _deleted_behind_the_output_gate = self.storage.delete_all();
                self.has_table.set(false);
            }
        }
        Ok(())
    }

    /// The response under a key, from memory or from its row; what is said to be kept and is in neither is forgotten.
    fn response(&self, key: &str, fills: &mut Fills, now: Duration) -> Result<Option<KeptResponse>, JsError> {
        let mut responses = self.responses.try_borrow_mut()?;
        let version = fills.kept(key).map(|kept| kept.version);
        if let Some((held, response)) = responses.get(key, now)
            && Some(*held) == version
        {
            return Ok(Some(response.clone()));
        }
        match self.read(key)?.filter(|(kept, _)| version.is_none_or(|version| version == kept.version)) {
            Some((kept, response)) => {
                fills.load(key, Some(kept));
                responses.insert(key, (kept.version, response.clone()), response.bytes(), kept.keep_until);
                Ok(Some(response))
            }
            None => {
                fills.load(key, None);
                Ok(None)
            }
        }
    }

    fn read(&self, key: &str) -> Result<Option<(Kept, KeptResponse)>, JsError> {
        const READ: &str = "SELECT kept, metadata, fields, body FROM responses WHERE key = ?";
        let Some(row) = self.run(READ, &[key.into()])?.next() else { return Ok(None) };
        let kept = row.get(0).dyn_into::<ArrayBuffer>().ok();
        // A row of another version is none.
        let kept = kept.and_then(|kept| Kept::decode(&Uint8Array::new(&kept).to_vec()).ok());
        Ok(kept.zip(KeptResponse::new(&row.get(1), &row.get(2), &row.get(3))))
    }

    fn write(&self, key: &str, kept: &Kept, response: &KeptResponse) -> Result<(), JsError> {
        const STORE: &str = "INSERT OR REPLACE INTO responses \
            (key, kept, metadata, fields, body, keep_until_ms) VALUES (?, ?, ?, ?, ?, ?)";
        let row = Uint8Array::from(kept.encode().as_slice()).buffer();
        let keep_until_ms = milliseconds(kept.keep_until);
        let (metadata, fields, body) = response.parts();
        let keep_until = js::float(keep_until_ms).into();
        self.run(STORE, &[key.into(), row.into(), metadata, fields, body, keep_until])?;
        self.wake_at(keep_until_ms);
        Ok(())
    }

    /// A row that could not be written must not show what it replaces.
    fn fail_row(&self, key: &str) {
        let _tried = self.delete(key);
    }

    fn delete(&self, key: &str) -> Result<(), JsError> {
        self.run("DELETE FROM responses WHERE key = ?", &[key.into()]).map(|_| ())
    }

    /// Sets the alarm unless one is already due: it cleans up, so it may come late but not never.
    fn wake_at(&self, time_ms: u64) {
        if self.alarm_ms.get().is_none() {
            let due = time_ms.max(milliseconds(state::now())).saturating_add(ALARM_SLACK_MS);
            let _set_behind_the_output_gate = self.storage.set_alarm(js::float(due));
            self.alarm_ms.set(Some(due));
        }
    }

    fn run(&self, query: &str, arguments: &[JsValue]) -> Result<Rows, JsError> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, kept BLOB NOT NULL, \
            metadata TEXT NOT NULL, fields TEXT NOT NULL, body BLOB NOT NULL, keep_until_ms INTEGER NOT NULL)";
        if !self.has_table.get() {
            run(&self.sql, TABLE, &[])?;
            self.has_table.set(true);
        }
        run(&self.sql, query, arguments)
    }
}

/// How much later than due rows are deleted: an alarm is a row written, and takes many of them at once.
const ALARM_SLACK_MS: u64 = 600_000;

fn milliseconds_number(duration: Duration) -> JsValue {
    js::float(milliseconds(duration)).into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
