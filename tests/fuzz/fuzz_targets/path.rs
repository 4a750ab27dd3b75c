//! A path is refused, or has one normal form that is its own normal form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_gateway::matching::Pattern;
use tidegate_gateway::path::normalise;

fuzz_target!(|text: &str| {
    if let Ok(path) = normalise(text) {
        assert_eq!(normalise(path.as_str()).as_ref(), Ok(&path));
    }
    let _ = Pattern::parse(text);
});
