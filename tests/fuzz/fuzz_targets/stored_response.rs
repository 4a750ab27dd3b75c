//! No header makes the cache's rules panic, and no metadata from a store does.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidegate_http_cache::{Exchange, Rules, Sharing, Stored, answer, storable};

fuzz_target!(|fields: (&str, &str, &str)| {
    let _ = Stored::decode(fields.0);
    let request = |name: &str| (name == "cache-control").then(|| fields.0.to_owned());
    let response = |name: &str| match name {
        "cache-control" => Some(fields.1.to_owned()),
        "vary" | "date" | "age" | "expires" => Some(fields.2.to_owned()),
        _ => None,
    };
    let now = Duration::from_secs(1_800_000_000);
    let rules = Rules::new(Duration::from_secs(60), false).unwrap();
    let stored = storable(&Exchange {
        method: "GET",
        request: &request,
        status: 200,
        response: &response,
        sharing: Sharing::Everyone,
        rules: &rules,
        request_time: now,
        response_time: now,
        random: 0,
    });
    if let Ok(stored) = stored {
        assert_eq!(Stored::decode(&stored.encode()).as_ref(), Ok(&stored));
        let _ = answer(&stored, "GET", &request, now);
    }
});
