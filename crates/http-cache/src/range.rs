use crate::date;
use crate::entity_tag::EntityTag;
use crate::fields::{Fields, members, trim};
use crate::stored::Stored;
use std::time::Duration;

/// Which part of a stored response a GET wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Whole,
    /// The bytes from `first`, `length` of them, of `complete`: 206.
    Part {
        /// The position of the first byte.
        first: u64,
        /// How many; at least one.
        length: u64,
        /// How many the whole has.
        complete: u64,
    },
    /// Bytes that are not there: 416.
    Unsatisfiable {
        /// How many the whole has.
        complete: u64,
    },
}

impl Selection {
    /// The Content-Range field (RFC 9110, section 14.4); `None` for the whole.
    pub fn content_range(&self) -> Option<String> {
        match *self {
            Self::Whole => None,
            Self::Part { first, length, complete } => {
                let last = first.saturating_add(length).saturating_sub(1);
                Some(format!("bytes {first}-{last}/{complete}"))
            }
            // "A server generating a 416 response to a byte-range request SHOULD generate a Content-Range header field
            // specifying the current length of the selected representation" (section 15.5.17).
            Self::Unsatisfiable { complete } => Some(format!("bytes */{complete}")),
        }
    }
}

/// Selects the part of a stored response that a GET asks for, after [`precondition`](crate::precondition) (RFC 9110,
/// section 13.2.2).
///
/// "A server MAY ignore the Range header field" (section 14.2), which is what happens to several ranges at once, and where a
/// part cannot be cut: the length is unknown, or the content is in a coding.
pub fn selection(stored: &Stored, method: &str, request: &dyn Fields) -> Selection {
    // "A server MUST ignore a Range header field received with a request method [for] which range handling is not
    // defined", which it is for GET only; and it is applied "if the result in absence of the Range header field would be a
    // 200 (OK) response".
    let range = request.get("range").filter(|_| method == "GET" && stored.status() == 200 && !stored.coded);
    let (Some(range), Some(complete)) = (range, stored.content_length) else { return Selection::Whole };
    if !same_representation(stored, request) {
        return Selection::Whole;
    }
    // "A server MUST ignore a Range header field [...] that contains a range unit that it does not understand."
    let set = trim(&range).split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((_, set)) = set else { return Selection::Whole };
    let mut specs = members(set);
    match (specs.next(), specs.next()) {
        (Some(spec), None) => one(spec, complete),
        _ => Selection::Whole,
    }
}

/// One range-spec (RFC 9110, section 14.1.2). "A recipient of a request whose ranges-specifier is invalid" ignores it.
fn one(spec: &str, complete: u64) -> Selection {
    let Some((first, last)) = spec.split_once('-') else { return Selection::Whole };
    let number = |digits: &str| {
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large for this type is past every end.
        valid.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let part = |first: u64, last: u64| {
        let end = last.saturating_add(1).min(complete);
        match end.checked_sub(first) {
            // "If all of the [...] first-pos are greater than the current length", the range "is not satisfiable".
            None | Some(0) => Selection::Unsatisfiable { complete },
            Some(length) => Selection::Part { first, length, complete },
        }
    };
    match (number(first), number(last)) {
        // "If the selected representation is shorter than the specified suffix-length, the entire representation is used."
        (None, Some(0)) if first.is_empty() => Selection::Unsatisfiable { complete },
        (None, Some(suffix)) if first.is_empty() => part(complete.saturating_sub(suffix), u64::MAX),
        (Some(first), None) if last.is_empty() => part(first, u64::MAX),
        // "An int-range is invalid if the last-pos value is present and less than first-pos."
        (Some(first), Some(last)) if first <= last => part(first, last),
        _ => Selection::Whole,
    }
}

/// If-Range: "if the representation is unchanged, send me the part(s) that I am requesting in Range; otherwise, send me the
/// entire representation" (RFC 9110, section 13.1.5).
fn same_representation(stored: &Stored, request: &dyn Fields) -> bool {
    let Some(validator) = request.get("if-range") else { return true };
    if let Some(asked) = EntityTag::read(&validator) {
        // "A client MUST NOT generate an If-Range header field containing an entity tag that is marked as weak", and "the
        // comparison [is] the strong comparison function".
        return stored.field("etag").and_then(EntityTag::read).is_some_and(|own| own.matches_strongly(asked));
    }
    // "If the HTTP-date validator provided is not a strong validator in the sense defined by section 8.8.2.2, the condition
    // is false": it is strong when the Date of the response is later by at least a second. "If [it] exactly matches the
    // Last-Modified field value for the selected representation, the condition is true."
    let read = |value: &str| date::parse(value, stored.response_time);
    let (own, date) = (stored.field("last-modified"), stored.field("date").and_then(read));
    let strong = own
        .and_then(read)
        .zip(date)
        .is_some_and(|(modified, date)| modified.saturating_add(Duration::from_secs(1)) <= date);
    strong && own == Some(trim(&validator))
}

#[cfg(test)]
mod tests;
