//! The Durable Object `Limiter`.
//!
//! **Keyed by** the group of limits that some route decides together, and the values that all of them count by: see
//! `RouteLimits` in `tidegate-gateway`. **Stores** one row a key whose bucket is not full: the key and its theoretical
//! arrival time in milliseconds. **Asked** through the RPC method `spend(Uint8Array) -> Uint8Array`, an encoded
//! `SpendRequest` for an encoded `SpendReply`.
//!
//! It is atomic because it is synchronous: no event can run between the start of `spend` and its reply, and the output
//! gate holds the reply until the rows are stored. An instance that was superseded can only spend what is already charged
//! to a row, because a row is written ahead of what it covers.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tidegate_rate_limit::{Ledger, SpendRequest, SpendWrite, StoredTat};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{self, Sql, Storage};
use crate::state;

/// The state of one object. Its methods are called by the class `Limiter` in `entry.mjs`.
#[wasm_bindgen]
pub struct LimiterObject {
    storage: Storage,
    sql: Sql,
    ledger: RefCell<Ledger>,
    /// When the next alarm is due, in milliseconds since the Unix epoch.
    alarm_ms: Cell<Option<u64>>,
    /// Whether the table exists: not before the first question, and not after the storage was deleted.
    has_table: Cell<bool>,
}

#[wasm_bindgen]
impl LimiterObject {
    /// Starts with an empty ledger, which reads a key's row when it is first asked for.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: Storage) -> LimiterObject {
        let sql = storage.sql();
        Self { storage, sql, ledger: RefCell::default(), alarm_ms: Cell::default(), has_table: Cell::default() }
    }

    /// Decides one request and stores what must outlive this instance.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails. Nothing is granted.
    pub fn spend(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let request = SpendRequest::decode(message)?;
        let mut ledger = self.ledger.try_borrow_mut()?;
        for key in ledger.unknown(&request) {
            let row = self.row(key)?;
            ledger.load(key, row);
        }
        let (reply, writes) = ledger.spend(&request, state::now())?;
        for write in &writes {
            self.write(write).inspect_err(|_| {
                // The memory believes in a row that is not there: start over from the rows that are.
                *ledger = Ledger::new();
            })?;
        }
        Ok(reply.encode())
    }

    /// Deletes the rows of buckets that are full again, and the object's whole storage with the last of them.
    ///
    /// # Errors
    /// The storage fails; the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsError> {
        let now = state::now();
        self.ledger.try_borrow_mut()?.prune(now);
        self.alarm_ms.set(None);
        let forgettable = StoredTat::forgettable(now).as_millis();
        self.run("DELETE FROM buckets WHERE tat_ms <= ?", number(forgettable))?;
        let rows = self.run("SELECT max(tat_ms) FROM buckets", JsValue::UNDEFINED)?;
        match first_number(&rows) {
            Some(last) => self.wake_at(last),
            None => {
                // An object without storage ceases to exist, and costs nothing.
                let _deleted_behind_the_output_gate = self.storage.delete_all();
                self.has_table.set(false);
            }
        }
        Ok(())
    }

    fn row(&self, key: &str) -> Result<Option<StoredTat>, JsError> {
        let rows = self.run("SELECT tat_ms FROM buckets WHERE key = ?", key.into())?;
        Ok(first_number(&rows).map(StoredTat::from_millis))
    }

    fn write(&self, write: &SpendWrite) -> Result<(), JsError> {
        let tat_ms = write.tat.as_millis();
        self.make_table()?;
        self.sql
            .exec_with_two("INSERT OR REPLACE INTO buckets (key, tat_ms) VALUES (?, ?)", &write.key, &number(tat_ms))
            .map_err(|_| JsError::new("the limiter's storage cannot be written"))?;
        self.wake_at(tat_ms);
        Ok(())
    }

    /// Sets the alarm unless one is already due: it cleans up, so it may come late but not never.
    fn wake_at(&self, time_ms: u64) {
        if self.alarm_ms.get().is_none() {
            // Rows are kept a minute longer than they matter; and an alarm, itself a row written, costs more than they do.
            let due = time_ms.max(milliseconds(state::now())).saturating_add(61_000);
            let _set_behind_the_output_gate = self.storage.set_alarm(js::float(due));
            self.alarm_ms.set(Some(due));
        }
    }

    fn make_table(&self) -> Result<(), JsError> {
        if !self.has_table.get() {
            self.sql
                .exec(
                    "CREATE TABLE IF NOT EXISTS buckets (key TEXT PRIMARY KEY, tat_ms INTEGER NOT NULL) WITHOUT ROWID",
                )
                .map_err(|_| JsError::new("the limiter's storage cannot be opened"))?;
            self.has_table.set(true);
        }
        Ok(())
    }

    fn run(&self, query: &str, argument: JsValue) -> Result<js::Cursor, JsError> {
        self.make_table()?;
        let cursor = if argument.is_undefined() { self.sql.exec(query) } else { self.sql.exec_with(query, &argument) };
        cursor.map_err(|_| JsError::new("the limiter's storage failed"))
    }
}

fn first_number(cursor: &js::Cursor) -> Option<u64> {
    let row = cursor.raw().next().ok()?.value();
    let number = row.dyn_into::<js_sys::Array>().ok()?.get(0).as_f64()?;
    // Milliseconds since the epoch: positive, whole and far below 2^53.
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

fn number(value: u64) -> JsValue {
    js::float(value).into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
