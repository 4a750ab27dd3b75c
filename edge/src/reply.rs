//! From the core's replies to the runtime's.

use tidegate_gateway::reply::Fields;
use tidegate_gateway::{Reply, ReplyBody};
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::js;

/// Builds the runtime's response.
pub(crate) fn response(reply: Reply<Response>) -> Result<JsValue, JsValue> {
    let lines = lines(&reply.fields);
    let response = match reply.body {
        ReplyBody::Empty => js::respond(reply.status, &lines, &JsValue::NULL),
        ReplyBody::Text(text) => js::respond(reply.status, &lines, &text.into()),
        ReplyBody::Stored { response, with_body, removed } => {
            js::respond_stored(&response, reply.status, with_body, &removed.join("\n"), &lines)
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
