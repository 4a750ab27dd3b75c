//! No bytes make the limiter's messages panic, nor the authority that answers what can be read of them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidegate_rate_limit::{Answer, Authority, Question};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(question) = Question::decode(bytes) {
        let now = Duration::from_secs(1_700_000_000);
        let mut authority = Authority::new(1);
        for key in authority.unknown(&question) {
            authority.load(key, Some(bytes), now);
        }
        let Ok((answer, _)) = authority.answer(&question, now) else { return };
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    let _ = Answer::decode(bytes);
});
