//! The Durable Object `Purge`: the one list of all purges.
//!
//! **Keyed by** nothing: there is one object for the whole deployment, named `log`. **Stores** one row a purged target, and
//! the name and the floor of the log. **Asked** through the RPC method `ask(Uint8Array) -> Uint8Array`, an encoded
//! `Question` of `tidegate-http-cache` for an encoded `Delta`.
//!
//! Two purges never get one number because it is synchronous: no event can run between the start of `ask` and its reply, and
//! the output gate holds the reply until the rows are stored.

use std::cell::RefCell;

use tidegate_http_cache::purge::{Generation, PurgeLog, PurgeRow, Question, Target};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{self, Sql, Storage};
use crate::sql::run;
use crate::state;

/// The state of the object. Its methods are called by the class `Purge` in `entry.mjs`.
#[wasm_bindgen]
pub struct PurgeObject {
    sql: Sql,
    /// Read from the storage by the first question.
    log: RefCell<Option<PurgeLog>>,
}

#[wasm_bindgen]
impl PurgeObject {
    /// Starts with a log that is not read yet.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: &Storage) -> PurgeObject {
        Self { sql: storage.sql(), log: RefCell::default() }
    }

    /// Appends what one question purges, stores it, and says what is new.
    ///
    /// # Errors
    /// A message that cannot be read, or a storage that fails. The instance is not asked again, because its memory may
    /// believe in a row that is not there.
    pub fn ask(&self, message: &[u8]) -> Result<Vec<u8>, JsError> {
        let question = Question::decode(message)?;
        let mut log = self.log.try_borrow_mut()?;
        let log = match &mut *log {
            Some(log) => log,
            unread => unread.insert(self.read()?),
        };
        let floor = log.floor();
        let (delta, rows, forgotten) = log.answer(&question);
        rows.iter().try_for_each(|row| self.write(row))?;
        forgotten.iter().try_for_each(|target| self.delete(*target))?;
        if log.floor() != floor {
            self.set("floor", log.floor())?;
        }
        Ok(delta.encode())
    }

    /// The log as it is stored, or a new one.
    fn read(&self) -> Result<PurgeLog, JsError> {
        const TABLES: [&str; 2] = [
            "CREATE TABLE IF NOT EXISTS log (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS purges \
             (target INTEGER PRIMARY KEY, hard INTEGER NOT NULL, soft INTEGER NOT NULL)",
        ];
        TABLES.iter().try_for_each(|table| run(&self.sql, table, &[]).map(drop))?;
        let Some(name) = self.get("name")? else {
            let log = PurgeLog::begin(state::random());
            self.set("name", log.generation().log)?;
            return Ok(log);
        };
        let floor = self.get("floor")?.unwrap_or_default();
        let rows = self.rows()?;
        // The latest purge of all is always among the rows: what is forgotten is older.
        let sequence = rows.last().map(|row| row.hard.max(row.soft)).unwrap_or_default();
        Ok(PurgeLog::resume(Generation { log: name, sequence }, floor, rows))
    }

    /// All rows, the latest purge last. SQLite's numbers have as many bits as a target, JavaScript's have not: they cross as
    /// text.
    fn rows(&self) -> Result<Vec<PurgeRow>, JsError> {
        const ROWS: &str = "SELECT target || ' ' || hard || ' ' || soft FROM purges ORDER BY max(hard, soft)";
        let rows = run(&self.sql, ROWS, &[])?.map(|row| row_of(&row.get(0).as_string()?));
        rows.collect::<Option<Vec<_>>>().ok_or_else(|| JsError::new("a row of the purge log cannot be read"))
    }

    fn write(&self, row: &PurgeRow) -> Result<(), JsError> {
        const STORE: &str = "INSERT OR REPLACE INTO purges (target, hard, soft) VALUES (CAST(? AS INTEGER), ?, ?)";
        let PurgeRow { target, hard, soft } = *row;
        run(&self.sql, STORE, &[signed(target).into(), js::float(hard).into(), js::float(soft).into()]).map(drop)
    }

    fn delete(&self, target: Target) -> Result<(), JsError> {
        const DELETE: &str = "DELETE FROM purges WHERE target = CAST(? AS INTEGER)";
        run(&self.sql, DELETE, &[signed(target).into()]).map(drop)
    }

    fn get(&self, key: &str) -> Result<Option<u64>, JsError> {
        let row = run(&self.sql, "SELECT value FROM log WHERE key = ?", &[key.into()])?.next();
        Ok(row.and_then(|row| row.get(0).as_string()?.parse().ok()))
    }

    fn set(&self, key: &str, value: u64) -> Result<(), JsError> {
        let value = JsValue::from(value.to_string());
        run(&self.sql, "INSERT OR REPLACE INTO log (key, value) VALUES (?, ?)", &[key.into(), value]).map(drop)
    }
}

fn signed(target: Target) -> String {
    target.bits().cast_signed().to_string()
}

fn row_of(text: &str) -> Option<PurgeRow> {
    let mut numbers = text.split(' ');
    let target = numbers.next()?.parse::<i64>().ok()?;
    let (hard, soft) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(PurgeRow { target: Target::from_bits(target.cast_unsigned()), hard, soft })
}
