//! No text makes the JOSE parsers panic, and what they accept round trips.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = tidegate_jwt::Token::parse(text).map(|token| token.unverified_issuer());
    let _ = tidegate_jwt::KeySet::parse(text);
    let _ = tidegate_jwt::bearer(text);
    let _ = tidegate_jwt::cookie(text, "session");
});
