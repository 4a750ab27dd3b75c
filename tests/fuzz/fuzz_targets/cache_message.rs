//! No bytes make the messages of caches and purges panic, nor the objects that take what can be read of them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidegate_http_cache::fill::{Ask, Back, Filled, Fills, Kept, Message, Said};
use tidegate_http_cache::purge::{Delta, Generations, PurgeLog, Question, Stamp, group_members, tag_members};

fuzz_target!(|bytes: &[u8]| {
    let now = Duration::from_secs(1_700_000_000);
    let mut fills = Fills::new(1);
    if let Ok(ask) = Ask::decode(bytes) {
        let said = fills.ask("key", &ask, now);
        assert_eq!(Said::decode(&said.encode()), Ok(said));
    }
    if let Ok(filled) = Filled::decode(bytes) {
        let kept = fills.filled("key", &filled, now);
        assert_eq!(fills.kept("key"), kept);
    }
    if let Ok(Back { lease, how }) = Back::decode(bytes) {
        fills.ended("key", lease, how, now);
    }
    if let Ok(kept) = Kept::decode(bytes) {
        fills.load("key", Some(kept));
    }
    fills.forget("key", now);
    if let Ok(question) = Question::decode(bytes) {
        let (delta, ..) = PurgeLog::begin(1).answer(&question);
        Generations::default().apply(delta, now);
    }
    if let Ok(delta) = Delta::decode(bytes) {
        Generations::default().apply(delta, now);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((stamp, envelope)) = Stamp::open(text) {
        assert_eq!(Stamp::open(&stamp.seal(envelope)), Some((stamp.clone(), envelope)));
    }
    assert!(tag_members(text).all(|tag| !tag.is_empty()));
    assert!(group_members(text).iter().all(|group| !group.is_empty()));
});
