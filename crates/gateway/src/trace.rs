//! W3C Trace Context: the request keeps its trace, the gateway becomes a span of it.

/// A `traceparent` of version 00 (W3C Trace Context, section 3.2).
pub(crate) struct TraceParent;

impl TraceParent {
    /// The field for the request to the origin, and whether the client's trace goes on.
    ///
    /// A valid one keeps its trace id and flags and gets this gateway's `parent_id`; anything else starts a new trace
    /// (section 4.3: "if parsing fails, the vendor creates a new traceparent and deletes tracestate").
    pub(crate) fn next(received: Option<&str>, trace_id: (u64, u64), parent_id: u64) -> (String, bool) {
        let parent_id = parent_id.max(1);
        if let Some((trace, flags)) = received.and_then(parse) {
            return (field(|text| text.push_str(trace), parent_id, flags), true);
        }
        let new_trace = |text: &mut String| {
            push_hexadecimal(text, trace_id.0);
            push_hexadecimal(text, trace_id.1.max(1));
        };
        (field(new_trace, parent_id, "00"), false)
    }
}

fn field(push_trace: impl FnOnce(&mut String), parent_id: u64, flags: &str) -> String {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_trace(&mut text);
    text.push('-');
    push_hexadecimal(&mut text, parent_id);
    text.push('-');
    text.push_str(flags);
    text
}

/// The trace id and the flags, or `None` when the field is not valid.
fn parse(field: &str) -> Option<(&str, &str)> {
    let mut parts = field.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Section 3.2.2.1: version ff is invalid; a version above 00 may have more parts, 00 must not.
    let version_fits = hexadecimal(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let ids_fit = hexadecimal(trace, 32) && hexadecimal(parent, 16) && hexadecimal(flags, 2);
    let zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    (version_fits && ids_fit && !zero(trace) && !zero(parent)).then_some((trace, flags))
}

fn hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A request id: 128 random bits in hexadecimal.
pub(crate) fn request_id(random: (u64, u64)) -> String {
    let mut id = String::with_capacity(32);
    push_hexadecimal(&mut id, random.0);
    push_hexadecimal(&mut id, random.1);
    id
}

/// Sixteen digits. Every request has five of these, and `format!` takes several times as long.
fn push_hexadecimal(text: &mut String, number: u64) {
    let mut rest = number;
    let mut digits = [0; 16];
    for place in digits.iter_mut().rev() {
        let [.., last] = rest.to_be_bytes();
        let digit = last & 15;
        *place = if digit < 10 { b'0' | digit } else { b'W'.wrapping_add(digit) };
        rest >>= 4;
    }
    text.push_str(str::from_utf8(&digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "00-00000000000000010000000000000002-0000000000000003-00";

    #[track_caller]
    fn check(received: Option<&str>, sent: &str, goes_on: bool) {
        assert_eq!(TraceParent::next(received, (1, 2), 3), (sent.to_owned(), goes_on), "{received:?}");
    }

    #[test]
    fn a_valid_trace_goes_on_with_a_parent_of_ours() {
        check(
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000003-01",
            true,
        );
        check(
            Some("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later-parts"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000003-01",
            true,
        );
    }

    #[test]
    fn anything_else_starts_a_new_trace() {
        for invalid in [
            None,
            Some(""),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"),
            Some("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            Some("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
            Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"),
        ] {
            check(invalid, NEW, false);
        }
    }

    #[test]
    fn no_id_is_all_zero() {
        assert_eq!(TraceParent::next(None, (0, 0), 0).0, "00-00000000000000000000000000000001-0000000000000001-00");
    }
}
