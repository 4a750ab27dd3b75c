//! From the core's replies to the runtime's.

use tidegate_gateway::reply::{Fields, Part};
use tidegate_gateway::{Reply, ReplyBody};
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::js;
use crate::kept::{self, Stored};

/// Builds the runtime's response; `answer` is the origin's, when it was asked.
pub(crate) fn response(reply: Reply<Stored>, answer: Option<&Response>) -> Result<JsValue, JsValue> {
    let lines = lines(&reply.fields);
    let response = match reply.body {
        ReplyBody::Empty => js::respond(reply.status, &lines, &JsValue::NULL),
        ReplyBody::Text(text) => js::respond(reply.status, &lines, &text.into()),
        ReplyBody::Stored { response, with_body, part, removed, update } => {
            let updated = answer.zip(update).map(|(answer, excepted)| (answer, excepted.join("\n")));
            let removed = removed.join("\n");
            match response {
                Stored::Whole(whole) => {
                    let whole = match updated {
                        // The metadata of a reply is of no use to anybody.
                        Some((answer, excepted)) => kept::updated_kept(&whole, answer, &excepted, ""),
                        None => whole,
                    };
                    let (first, length) = part.map_or((0.0, f64::INFINITY), bounds);
                    kept::respond_kept(&whole, reply.status, with_body, first, length, &removed, &lines)
                }
                Stored::Streaming(stored) => {
                    let updated = updated.map(|(answer, excepted)| js::updated(&stored, answer, &excepted));
                    let stored = updated.transpose()?.unwrap_or(stored);
                    match part.map(bounds) {
                        None => js::respond_stored(&stored, reply.status, with_body, &removed, &lines),
                        Some((first, length)) => {
                            js::respond_part(&stored, reply.status, first, length, &removed, &lines)
                        }
                    }
                }
            }
        }
    };
    response.map(JsValue::from)
}

fn bounds(part: Part) -> (f64, f64) {
    (js::float(part.first), js::float(part.length))
}

/// Fields as one text: a name, its value, the next name, and so on.
pub(crate) fn lines(fields: &Fields) -> String {
    let mut text = String::new();
    for (name, value) in fields.iter() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push('\n');
        text.push_str(value);
    }
    text
}
