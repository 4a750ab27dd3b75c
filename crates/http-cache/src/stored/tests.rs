#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use proptest::prelude::*;

pub(crate) const STORED_AT: Duration = Duration::from_secs(1_767_225_600);

/// A 200 that arrived with age 0 and is fresh for a minute.
pub(crate) fn fresh_for_a_minute(fields: &[(&str, &str)]) -> Stored {
    Stored {
        status: 200,
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        dropped: BTreeSet::new(),
        selecting: Selecting::new(),
        initial_age: Duration::ZERO,
        cost: Duration::ZERO,
        response_time: STORED_AT,
        lifetime: Duration::from_secs(60),
        content_length: None,
        must_revalidate: false,
        proxy_revalidate: false,
        s_maxage: false,
        no_cache: false,
        coded: false,
        stale: StaleWindows::default(),
        family: 0,
    }
}

fn stored() -> impl Strategy<Value = Stored> {
    let time = || (0u64..1 << 40, 0u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let texts = (
        prop::collection::vec(("[a-z-]{1,20}", ".{0,40}"), 0..6),
        prop::collection::btree_set("[a-z-]{1,20}", 0..4),
        prop::collection::btree_map("[a-z-]{1,20}", prop::option::of(".{0,40}"), 0..4),
    );
    (200u16..600, texts, [time(), time(), time()], prop::option::of(any::<u64>()), any::<[bool; 5]>()).prop_map(
        |(status, (fields, dropped, selecting), [initial_age, response_time, lifetime], content_length, flags)| {
            Stored {
                status,
                fields,
                dropped,
                selecting,
                cost: Duration::ZERO,
                initial_age,
                response_time,
                lifetime,
                content_length,
                must_revalidate: flags[0],
                proxy_revalidate: flags[1],
                s_maxage: flags[2],
                no_cache: flags[3],
                coded: flags[4],
                stale: StaleWindows { while_revalidate: initial_age, if_error: lifetime },
                family: u64::from(status),
            }
        },
    )
}

#[test]
fn an_envelope_of_another_version_is_refused() {
    let encoded = fresh_for_a_minute(&[]).encode();
    let bytes = URL_SAFE_NO_PAD.decode(&encoded).unwrap();
    for version in (0..=255).filter(|version| *version != VERSION) {
        let other = [&[version], &bytes[1..]].concat();
        assert_eq!(Stored::decode(&URL_SAFE_NO_PAD.encode(other)), Err(Undecodable::Version), "{version}");
    }
}

#[test]
fn a_damaged_envelope_is_refused() {
    let stored = fresh_for_a_minute(&[("etag", "\"a\"")]);
    let bytes = URL_SAFE_NO_PAD.decode(stored.encode()).unwrap();
    let check = |bytes: &[u8]| assert_eq!(Stored::decode(&URL_SAFE_NO_PAD.encode(bytes)), Err(Undecodable::Damaged));
    for length in 1..bytes.len() {
        check(&bytes[..length]);
    }
    check(&[bytes.as_slice(), &[0]].concat());
    for text in ["", "A A", "ä", "====", "\0"] {
        assert_eq!(Stored::decode(text), Err(Undecodable::Damaged), "{text:?}");
    }
    for status in [0, 199, 600, 65_535] {
        assert_eq!(
            Stored::decode(&Stored { status, ..stored.clone() }.encode()),
            Err(Undecodable::Damaged),
            "{status}"
        );
    }
    let oversized = fresh_for_a_minute(&[("etag", &"a".repeat(MAX_ENVELOPE))]).encode();
    assert_eq!(Stored::decode(&oversized), Err(Undecodable::Damaged));
}

#[test]
fn a_validator_is_sent_as_it_was_received_by_rfc_9111_section_4_3_1() {
    #[track_caller]
    fn check(status: u16, fields: &[(&str, &str)], expected: &[(&str, &str)]) {
        let stored = Stored { status, ..fresh_for_a_minute(fields) };
        assert_eq!(stored.validators(), expected, "{status} {fields:?}");
    }
    let (tag, weak) = (("etag", "\"a\""), ("etag", "W/\"a\""));
    let modified = ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    let since = ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT");
    check(200, &[], &[]);
    check(200, &[tag], &[("if-none-match", "\"a\"")]);
    check(200, &[weak], &[("if-none-match", "W/\"a\"")]);
    check(200, &[modified], &[since]);
    check(200, &[modified, tag], &[("if-none-match", "\"a\""), since]);
    check(200, &[("etag", "a"), ("last-modified", "yesterday")], &[]);
    check(200, &[("etag", "\"a\", \"b\"")], &[]);
    for status in [203, 301, 404, 410] {
        check(status, &[tag, modified], &[]);
    }
}

#[test]
fn what_is_stored_is_kept_as_long_as_it_is_good_for_anything() {
    const DAY: u64 = 86_400;
    let plain = fresh_for_a_minute(&[]);
    let tagged = fresh_for_a_minute(&[("etag", "\"a\"")]);
    let windows = StaleWindows { while_revalidate: Duration::from_secs(5), if_error: Duration::from_secs(10 * DAY) };
    for (stored, expected) in [
        (plain.clone(), 60 + DAY),
        (Stored { must_revalidate: true, ..plain.clone() }, 60),
        (Stored { must_revalidate: true, ..tagged.clone() }, 60 + DAY),
        (Stored { no_cache: true, lifetime: Duration::ZERO, ..tagged }, DAY),
        (Stored { stale: windows, ..plain.clone() }, 60 + 10 * DAY),
        (Stored { initial_age: Duration::from_secs(50), ..plain.clone() }, 10 + DAY),
        (Stored { lifetime: Duration::MAX, ..plain }, 2_147_483_648),
    ] {
        assert_eq!(stored.keep(), Duration::from_secs(expected), "{stored:?}");
    }
}

#[test]
fn time_to_live_ends_with_the_lifetime() {
    let stored = Stored { initial_age: Duration::from_secs(10), ..fresh_for_a_minute(&[]) };
    for (later, age, ttl) in [(0, 10, 50), (49, 59, 1), (50, 60, 0), (51, 61, 0)] {
        let now = STORED_AT + Duration::from_secs(later);
        assert_eq!((stored.age(now), stored.ttl(now)), (Duration::from_secs(age), Duration::from_secs(ttl)), "{later}");
    }
    // A clock that runs backwards.
    assert_eq!(stored.age(Duration::ZERO), Duration::from_secs(10));
}

#[test]
fn three_directives_forbid_stale_reuse() {
    let none = || fresh_for_a_minute(&[]);
    assert!(!none().forbids_stale_reuse());
    assert!(Stored { must_revalidate: true, ..none() }.forbids_stale_reuse());
    assert!(Stored { proxy_revalidate: true, ..none() }.forbids_stale_reuse());
    assert!(Stored { s_maxage: true, ..none() }.forbids_stale_reuse());
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(stored in stored()) {
        let encoded = stored.encode();
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        prop_assert_eq!(Stored::decode(&encoded), Ok(stored));
    }

    #[test]
    fn age_is_monotone_in_now(stored in stored(), one: u64, other: u64) {
        let (early, late) = (Duration::from_secs(one.min(other)), Duration::from_secs(one.max(other)));
        prop_assert!(stored.age(early) <= stored.age(late));
        prop_assert!(stored.ttl(early) >= stored.ttl(late));
        prop_assert!(stored.age(early) >= stored.initial_age);
    }

    #[test]
    fn decoding_never_panics(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Stored::decode(&text);
        let _ = Stored::decode(&URL_SAFE_NO_PAD.encode([&[VERSION], bytes.as_slice()].concat()));
    }

    #[test]
    fn flipping_a_byte_never_panics(stored in stored(), position: prop::sample::Index, with in 1u8..) {
        let mut bytes = URL_SAFE_NO_PAD.decode(stored.encode()).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= with;
        let _ = Stored::decode(&URL_SAFE_NO_PAD.encode(bytes));
    }
}
