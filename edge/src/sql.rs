//! The SQLite database of a Durable Object, for statements with any number of arguments.

use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

use crate::js::{Cursor, Sql};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(method, catch, variadic, js_name = exec)]
    fn exec_all(this: &Sql, query: &str, arguments: &Array) -> Result<Cursor, JsValue>;
}

/// Runs one statement.
pub(crate) fn run(sql: &Sql, query: &str, arguments: &[JsValue]) -> Result<Rows, JsError> {
    let arguments: Array = arguments.iter().collect();
    let cursor = sql.exec_all(query, &arguments).map_err(|_| JsError::new("the storage failed"))?;
    Ok(Rows(cursor.raw()))
}

/// The rows of a statement, each as its columns.
pub(crate) struct Rows(js_sys::Iterator);

impl Iterator for Rows {
    type Item = Array;

    fn next(&mut self) -> Option<Array> {
        let next = self.0.next().ok()?;
        if next.done() { None } else { next.value().dyn_into().ok() }
    }
}

/// A whole number of a row; SQLite's are wider than JavaScript's, and none here is.
pub(crate) fn whole(row: &Array, column: u32) -> Option<u64> {
    let number = row.get(column).as_f64()?;
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}
