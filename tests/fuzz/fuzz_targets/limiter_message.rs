//! No bytes make the limiter's messages panic, and what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_rate_limit::{SpendReply, SpendRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = SpendRequest::decode(bytes) {
        assert_eq!(SpendRequest::decode(&request.encode()).as_ref(), Ok(&request));
        let _ = SpendReply::decode(bytes, &request);
    }
});
