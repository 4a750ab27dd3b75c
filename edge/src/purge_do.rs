//! The Durable Object `Purge`.
//!
//! **Keyed by** nothing: there is one for the deployment. **Stores** one row a target that was ever purged, with the
//! numbers of its latest purges, and one row with the log's own state. **Asked** through the RPC method
//! `ask(Uint8Array) -> Uint8Array`, an encoded `Question` for an encoded `Delta`.
//!
//! Synchronous from the start of the event to its reply; the output gate holds the reply until the rows are stored. So a
//! receipt means that the purge outlives this instance.

use std::cell::RefCell;

use tidegate_http_cache::purge::{Generation, PurgeLog, PurgeRow, Question, Target};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{Sql, Storage, float};
use crate::sql::{bits, read_bits, run, whole};
use crate::state;

/// The state of the object. Its methods are called by the class `Purge` in `cache_objects.mjs`.
#[wasm_bindgen]
pub struct PurgeObject {
    sql: Sql,
    log: RefCell<Option<PurgeLog>>,
}

#[wasm_bindgen]
impl PurgeObject {
    /// Reads its rows when it is first asked.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: Storage) -> PurgeObject {
        Self { sql: storage.sql(), log: RefCell::default() }
    }

    /// Purges what the question says, stores it, and tells what is new.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails. Nothing is purged.
    pub fn ask(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let question = Question::decode(message)?;
        let mut log = self.log.try_borrow_mut()?;
        let log = match &mut *log {
            Some(log) => log,
            none => none.insert(self.resume()?),
        };
        let (delta, rows, forgotten) = log.answer(&question);
        if !question.targets.is_empty() {
            self.write(log, &rows, &forgotten)?;
        }
        Ok(delta.encode())
    }

    /// Goes on with the stored log, or begins one.
    fn resume(&self) -> Result<PurgeLog, JsError> {
        for table in [
            "CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, name TEXT, sequence INTEGER, floor INTEGER)",
            "CREATE TABLE IF NOT EXISTS purges (target TEXT PRIMARY KEY, hard INTEGER, soft INTEGER) WITHOUT ROWID",
        ] {
            run(&self.sql, table, &[])?;
        }
        let mut rows = run(&self.sql, "SELECT name, sequence, floor FROM log", &[])?;
        let stored = rows.next().and_then(|row| {
            let generation = Generation { log: read_bits(&row, 0)?, sequence: whole(&row, 1)? };
            Some((generation, whole(&row, 2)?))
        });
        let Some((generation, floor)) = stored else {
            let log = PurgeLog::begin(state::random());
            self.write(&log, &[], &[])?;
            return Ok(log);
        };
        let rows = run(&self.sql, "SELECT target, hard, soft FROM purges", &[])?;
        let row = |row: js_sys::Array| {
            let target = Target::from_bits(read_bits(&row, 0)?);
            Some(PurgeRow { target, hard: whole(&row, 1)?, soft: whole(&row, 2)? })
        };
        Ok(PurgeLog::resume(generation, floor, rows.filter_map(row)))
    }

    fn write(&self, log: &PurgeLog, rows: &[PurgeRow], forgotten: &[Target]) -> Result<(), JsError> {
        let Generation { log: name, sequence } = log.generation();
        run(
            &self.sql,
            "INSERT OR REPLACE INTO log (id, name, sequence, floor) VALUES (0, ?, ?, ?)",
            &[bits(name), number(sequence), number(log.floor())],
        )?;
        for PurgeRow { target, hard, soft } in rows {
            run(
                &self.sql,
                "INSERT OR REPLACE INTO purges (target, hard, soft) VALUES (?, ?, ?)",
                &[bits(target.bits()), number(*hard), number(*soft)],
            )?;
        }
        for target in forgotten {
            run(&self.sql, "DELETE FROM purges WHERE target = ?", &[bits(target.bits())])?;
        }
        Ok(())
    }
}

fn number(value: u64) -> JsValue {
    float(value).into()
}
