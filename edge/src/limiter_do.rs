//! The Durable Object `Limiter`.
//!
//! **Keyed by** the group of limits that some route decides together, and the values that all of them count by: see
//! `RouteLimits` in `tidegate-gateway`. **Stores** one row a key of which something is used: what `tidegate-rate-limit`
//! wants to outlive this instance. **Asked** through the RPC method `ask(Uint8Array) -> Uint8Array`, an encoded `Question`
//! for an encoded `Answer`; operators ask through `usage` and `reset`.
//!
//! It is atomic because it is synchronous: no event can run between the start of `ask` and its reply, and the output gate
//! holds the reply until the rows are stored. An instance that was superseded can only grant what is already charged to a
//! row, because a row is written ahead of what it covers.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use js_sys::{ArrayBuffer, Uint8Array};
use tidegate_rate_limit::{Authority, Question, Write};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{self, Sql, Storage};
use crate::sql::{Rows, run, whole};
use crate::state;

/// The state of one object. Its methods are called by the class `Limiter` in `entry.mjs`.
#[wasm_bindgen]
pub struct LimiterObject {
    storage: Storage,
    sql: Sql,
    authority: RefCell<Authority>,
    /// When the next alarm is due, in milliseconds since the Unix epoch.
    alarm_ms: Cell<Option<u64>>,
    /// Whether the table exists: not before the first question, and not after the storage was deleted.
    has_table: Cell<bool>,
}

#[wasm_bindgen]
impl LimiterObject {
    /// Starts with an authority that knows no key: it reads a key's row when it is first asked for.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: Storage) -> LimiterObject {
        let sql = storage.sql();
        let authority = RefCell::new(Authority::new(state::random()));
        Self { storage, sql, authority, alarm_ms: Cell::default(), has_table: Cell::default() }
    }

    /// Decides one question and stores what must outlive this instance.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails. Nothing is granted; the instance is not asked again, because
    /// its memory may believe in a row that is not there.
    pub fn ask(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let question = Question::decode(message)?;
        let now = state::now();
        let mut authority = self.authority.try_borrow_mut()?;
        for key in authority.unknown(&question) {
            let row = self.row(key)?;
            authority.load(key, row.as_deref(), now);
        }
        let (answer, writes) = authority.answer(&question, now)?;
        writes.iter().try_for_each(|write| self.write(write))?;
        Ok(answer.encode())
    }

    /// What is used of the key that the message peeks at, for an operator.
    ///
    /// # Errors
    /// As of [`LimiterObject::ask`].
    pub fn usage(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let question = Question::decode(message)?;
        let row = self.row(question.keys().next().unwrap_or_default())?;
        let usage = self.authority.try_borrow()?.look(&question, row.as_deref(), state::now());
        Ok(usage.map(|usage| usage.encode()).unwrap_or_default())
    }

    /// Forgets what was used of the key that the message peeks at, and says what is used of it then.
    ///
    /// # Errors
    /// As of [`LimiterObject::ask`].
    pub fn reset(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let question = Question::decode(message)?;
        let row = self.row(question.keys().next().unwrap_or_default())?;
        let write = self.authority.try_borrow_mut()?.clear(&question, row.as_deref(), state::now());
        write.iter().try_for_each(|write| self.write(write))?;
        self.usage(message)
    }

    /// Deletes the rows that say no more than missing ones, and the object's whole storage with the last of them.
    ///
    /// # Errors
    /// The storage fails; the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsError> {
        let now = state::now();
        self.authority.try_borrow_mut()?.prune(now);
        self.alarm_ms.set(None);
        let forgettable = milliseconds(now).saturating_sub(SLACK_MS);
        self.run("DELETE FROM accounts WHERE forget_after_ms <= ?", &[number(forgettable)])?;
        let last = self.run("SELECT max(forget_after_ms) FROM accounts", &[])?.next();
        match last.and_then(|row| whole(&row, 0)) {
            Some(last) => self.wake_at(last),
            None => {
                // An object without storage ceases to exist, and costs nothing.
                let _deleted_behind_the_output_gate = self.storage.delete_all();
                self.has_table.set(false);
            }
        }
        Ok(())
    }

    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, JsError> {
        let Some(row) = self.run("SELECT row FROM accounts WHERE key = ?", &[key.into()])?.next() else {
            return Ok(None);
        };
        let row =
            row.get(0).dyn_into::<ArrayBuffer>().map_err(|_| JsError::new("a row of the limiter's is no blob"))?;
        Ok(Some(Uint8Array::new(&row).to_vec()))
    }

    fn write(&self, write: &Write) -> Result<(), JsError> {
        const STORE: &str = "INSERT OR REPLACE INTO accounts (key, row, forget_after_ms) VALUES (?, ?, ?)";
        let row = Uint8Array::from(write.row.as_slice()).buffer();
        self.run(STORE, &[write.key.as_str().into(), row.into(), number(write.forget_after_ms)])?;
        self.wake_at(write.forget_after_ms);
        Ok(())
    }

    /// Sets the alarm unless one is already due: it cleans up, so it may come late but not never.
    fn wake_at(&self, time_ms: u64) {
        if self.alarm_ms.get().is_none() {
            let due = time_ms.max(milliseconds(state::now())).saturating_add(SLACK_MS).saturating_add(1_000);
            let _set_behind_the_output_gate = self.storage.set_alarm(js::float(due));
            self.alarm_ms.set(Some(due));
        }
    }

    fn run(&self, query: &str, arguments: &[JsValue]) -> Result<Rows, JsError> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS accounts \
            (key TEXT PRIMARY KEY, row BLOB NOT NULL, forget_after_ms INTEGER NOT NULL) WITHOUT ROWID";
        if !self.has_table.get() {
            run(&self.sql, TABLE, &[])?;
            self.has_table.set(true);
        }
        run(&self.sql, query, arguments)
    }
}

/// How much longer rows are kept than they matter: clocks differ, and an alarm, itself a row written, costs more than they
/// do.
const SLACK_MS: u64 = 60_000;

/// Milliseconds since the epoch are far below 2^53.
fn number(value: u64) -> JsValue {
    js::float(value).into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
