//! From the core's replies to the runtime's.

use tidegate_gateway::reply::Fields;
use tidegate_gateway::{Reply, ReplyBody};
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::js;

/// Builds the runtime's response; `answer` is the origin's, when it was asked.
pub(crate) fn response(reply: Reply<Response>, answer: Option<&Response>) -> Result<JsValue, JsValue> {
    let lines = lines(&reply.fields);
    let response = match reply.body {
        ReplyBody::Empty => js::respond(reply.status, &lines, &JsValue::NULL),
        ReplyBody::Text(text) => js::respond(reply.status, &lines, &text.into()),
        ReplyBody::Stored { response, with_body, part, removed, update } => {
            let updated =
                answer.zip(update).map(|(answer, excepted)| js::updated(&response, answer, &excepted.join("\n")));
            let stored = updated.transpose()?.unwrap_or(response);
            let removed = removed.join("\n");
            match part {
                None => js::respond_stored(&stored, reply.status, with_body, &removed, &lines),
                Some(part) => {
                    let (first, length) = (js::float(part.first), js::float(part.length));
                    js::respond_part(&stored, reply.status, first, length, &removed, &lines)
                }
            }
        }
    };
    response.map(JsValue::from)
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
