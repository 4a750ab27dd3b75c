//! Base64url as JOSE writes it: no padding, no line breaks, one spelling per byte string (RFC 7515, section 2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes `text`, or says `None` for anything but the one canonical spelling.
///
/// The engine refuses padding, the other alphabet, white space, and bits left over in the last character: with those
/// accepted, one signed token would have many spellings, and whoever remembers tokens by their text could be passed by.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes `bytes` without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[u8]>) {
        assert_eq!(decode(text).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn only_the_canonical_spelling_is_read() {
        check("", Some(b""));
        check("AA", Some(b"\0"));
        check("_-8", Some(b"\xff\xef"));
        for refused in ["A", "AB", "AA=", "AA==", "/+8", "A A", "AA\n", " AA", "AAé", "AAA\0"] {
            check(refused, None);
        }
    }

    proptest! {
        #[test]
        fn no_two_texts_mean_the_same_bytes(text in "[A-Za-z0-9_=-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
