//! The Durable Object `Cache`.
//!
//! **Keyed by** a shard of the cache's keys: for the whole deployment, or for one edge location. **Stores** one row a
//! response of at most 1 MiB, when it is for the whole deployment. **Asked** through the RPC methods `ask` (an encoded
//! `Ask` for an encoded `Said`, with the response when there is one), `bring` (a filler's response) and `ended` (a lease
//! given back without one). Those who are told to wait do so in `cache_objects.mjs`, and ask again.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use js_sys::{Array, Uint8Array};
use tidegate_http_cache::fill::{Ask, Back, Filled, Fills, Kept, Message, Said};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{Sql, Storage, float};
use crate::sql::{run, whole};
use crate::state;

/// Beyond this a shard keeps no more responses until others have expired.
const BYTES_MAX: f64 = 512.0 * 1024.0 * 1024.0;

/// How often expired responses are deleted.
const CLEANING: Duration = Duration::from_secs(600);

/// The state of one shard. Its methods are called by the class `Cache` in `cache_objects.mjs`.
#[wasm_bindgen]
pub struct CacheObject {
    storage: Storage,
    sql: Sql,
    fills: RefCell<Fills>,
    has_table: Cell<bool>,
    has_alarm: Cell<bool>,
}

#[wasm_bindgen]
impl CacheObject {
    /// Knows no lease, and reads a key's row when it is first asked for.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: Storage) -> CacheObject {
        let sql = storage.sql();
        let fills = RefCell::new(Fills::new(state::random()));
        Self { storage, sql, fills, has_table: Cell::default(), has_alarm: Cell::default() }
    }

    /// What to do about a miss: the milliseconds (since the Unix epoch) when to ask again, or an array of the encoded
    /// `Said`, the metadata, the fields and the body.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails.
    pub fn ask(&self, key: &str, message: &[u8]) -> Result<JsValue, JsError> {
        let ask = Ask::decode(message)?;
        let mut fills = self.fills.try_borrow_mut()?;
        if !fills.knows(key) {
            fills.load(key, self.kept(key)?);
        }
        let said = fills.ask(key, &ask, state::now());
        if let Said::Wait { until } = said {
            return Ok((until.as_secs_f64() * 1_000.0).into());
        }
        let answer = Array::of1(&bytes(&said.encode()));
        if let Said::Hit { .. } = said
            && let Some(row) = self.rows("SELECT metadata, fields, body FROM responses WHERE key = ?", key)?
        {
            (0..3).for_each(|column| {
                answer.push(&row.get(column));
            });
        }
        Ok(answer.into())
    }

    /// A filler's response; without a body, it lies in the edge's own cache. False: it was refused.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails: nothing is kept.
    pub fn bring(
        &self,
        key: &str,
        message: &[u8],
        metadata: &str,
        fields: &str,
        body: Option<Uint8Array>,
    ) -> Result<bool, JsError> {
        let filled = Filled::decode(message)?;
        let mut fills = self.fills.try_borrow_mut()?;
        let now = state::now();
        let Some(kept) = fills.filled(key, &filled, now) else { return Ok(false) };
        let Some(body) = body else { return Ok(true) };
        self.keep(key, &kept, metadata, fields, &body).inspect_err(|_| {
            // The memory believes in a row that is not there.
            fills.load(key, None);
        })?;
        Ok(true)
    }

    /// A lease is given back without a response.
    ///
    /// # Errors
    /// A message that cannot be read.
    pub fn ended(&self, key: &str, message: &[u8]) -> Result<(), JsError> {
        let Back { lease, how } = Back::decode(message)?;
        self.fills.try_borrow_mut()?.ended(key, lease, how, state::now());
        Ok(())
    }

    /// Deletes the responses that are good for nothing any more, and the whole storage with the last of them.
    ///
    /// # Errors
    /// The storage fails; the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsError> {
        self.has_alarm.set(false);
        self.delete_expired()?;
        let mut rows = self.run("SELECT count(*) FROM responses", &[])?;
        if rows.next().and_then(|row| whole(&row, 0)) == Some(0) {
            // An object without storage ceases to exist, and costs nothing.
            let _deleted_behind_the_output_gate = self.storage.delete_all();
            self.has_table.set(false);
        } else {
            self.clean_later();
        }
        Ok(())
    }

    fn kept(&self, key: &str) -> Result<Option<Kept>, JsError> {
        let row = self.rows("SELECT state FROM responses WHERE key = ?", key)?;
        // A row of another version is no response.
        Ok(row.and_then(|row| Kept::decode(&Uint8Array::new(&row.get(0)).to_vec()).ok()))
    }

    fn keep(&self, key: &str, kept: &Kept, metadata: &str, fields: &str, body: &Uint8Array) -> Result<(), JsError> {
        if self.sql.database_size() > BYTES_MAX {
            self.delete_expired()?;
            if self.sql.database_size() > BYTES_MAX {
                return Err(JsError::new("the shard is full"));
            }
        }
        let keep_until = float(u64::try_from(kept.keep_until.as_millis()).unwrap_or(u64::MAX));
        self.run(
            "INSERT OR REPLACE INTO responses (key, state, keep_until, metadata, fields, body) VALUES (?, ?, ?, ?, ?, ?)",
            &[
                key.into(),
                bytes(&kept.encode()),
                keep_until.into(),
                metadata.into(),
                fields.into(),
                body.unchecked_ref::<JsValue>().clone(),
            ],
        )?;
        self.clean_later();
        Ok(())
    }

    fn delete_expired(&self) -> Result<(), JsError> {
        let now = state::now().as_secs_f64() * 1_000.0;
        self.run("DELETE FROM responses WHERE keep_until <= ?", &[now.into()])?;
        Ok(())
    }

    fn clean_later(&self) {
        if !self.has_alarm.replace(true) {
            let due = state::now().saturating_add(CLEANING).as_secs_f64() * 1_000.0;
            let _set_behind_the_output_gate = self.storage.set_alarm(due);
        }
    }

    fn rows(&self, query: &str, key: &str) -> Result<Option<Array>, JsError> {
        Ok(self.run(query, &[key.into()])?.next())
    }

    fn run(&self, query: &str, arguments: &[JsValue]) -> Result<crate::sql::Rows, JsError> {
        if !self.has_table.replace(true) {
            run(
                &self.sql,
                "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, state BLOB, keep_until REAL, metadata TEXT, \
                 fields TEXT, body BLOB)",
                &[],
            )?;
        }
        run(&self.sql, query, arguments)
    }
}

fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}
