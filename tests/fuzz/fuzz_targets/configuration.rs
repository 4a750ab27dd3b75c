//! No text makes the configuration's check panic, and no bytes its compiled form.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tidegate_config::load(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = tidegate_config::check(text, &|_| Err("no files here".to_owned()));
    }
});
