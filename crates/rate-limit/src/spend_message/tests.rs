#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

fn request() -> SpendRequest {
    let rate = Rate::new(100, Duration::from_secs(60), 20).unwrap();
    SpendRequest::new(vec![Spend::new("ab", rate, 3).unwrap()]).unwrap()
}

/// The bytes of a request whose entries need not be valid.
fn bytes(entries: &[(&str, u32, u64, u32, u32)]) -> Vec<u8> {
    encode(entries.iter().map(|&(key, requests, per_nanos, burst, cost)| SpendEntry {
        key,
        requests,
        per_nanos,
        burst,
        cost,
    }))
}

const SECOND: u64 = 1_000_000_000;

#[track_caller]
fn check(bytes: &[u8], refused: Option<InvalidSpendMessage>) {
    assert_eq!(SpendRequest::decode(bytes).err(), refused);
}

#[test]
fn version_1_is_these_bytes() {
    // The other side may run the code of last week: a change here needs a new version.
    let mut request_bytes = vec![1, 1, 2, b'a', b'b', 100];
    request_bytes.extend([0x80, 0xb0, 0x9d, 0xc2, 0xdf, 0x01]); // 60,000,000,000
    request_bytes.extend([20, 3]);
    assert_eq!(request().encode(), request_bytes);
    assert_eq!(SpendRequest::decode(&request_bytes), Ok(request()));

    let allowed = SpendVerdict::Allowed { remaining: 7, effective_window: Duration::new(4, 5) };
    assert_eq!(SpendReply::new(vec![allowed]).encode(), [1, 1, 0, 7, 4, 5]);
    let denied = SpendVerdict::Denied { remaining: 7, retry_after: Duration::new(4, 5) };
    assert_eq!(SpendReply::new(vec![denied]).encode(), [1, 1, 1, 7, 4, 5]);
}

#[test]
fn an_unknown_version_is_named() {
    check(&[2, 1, 2], Some(InvalidSpendMessage::Version(2)));
    check(&[0, 1], Some(InvalidSpendMessage::Version(0)));
    assert_eq!(SpendReply::decode(&[2, 1], &request()), Err(InvalidSpendMessage::Version(2)));
}

#[test]
fn a_message_is_exactly_its_bytes() {
    let whole = request().encode();
    for end in 0..whole.len() {
        assert!(SpendRequest::decode(&whole[..end]).is_err(), "cut at {end}");
    }
    check(&[&whole[..], &[0]].concat(), Some(InvalidSpendMessage::Malformed));
    let reply =
        SpendReply::new(vec![SpendVerdict::Denied { remaining: 0, retry_after: Duration::from_secs(1) }]).encode();
    for end in 0..reply.len() {
        assert!(SpendReply::decode(&reply[..end], &request()).is_err(), "cut at {end}");
    }
    assert_eq!(SpendReply::decode(&[&reply[..], &[0]].concat(), &request()), Err(InvalidSpendMessage::Malformed));
}

#[test]
fn a_decoded_request_is_as_valid_as_a_constructed_one() {
    check(&bytes(&[("k", 1, SECOND, 1, 1)]), None);
    check(&bytes(&[("k", 0, SECOND, 1, 1)]), Some(InvalidRate::NoRequests.into()));
    check(&bytes(&[("k", 1, SECOND, 0, 1)]), Some(InvalidRate::NoBurst.into()));
    check(&bytes(&[("k", 1, 999_999, 1, 1)]), Some(InvalidRate::Per.into()));
    check(&bytes(&[("k", 2_000_000, 1_000_000, 1, 1)]), Some(InvalidRate::TooFast.into()));
    check(&bytes(&[("k", 1, SECOND, 1, 0)]), Some(InvalidSpend::NoCost.into()));
    check(&bytes(&[("k", 1, SECOND, 1, 2)]), Some(InvalidSpend::CostAboveBurst.into()));
    check(&bytes(&[("k", 1, SECOND, 1, 1), ("k", 1, SECOND, 1, 1)]), Some(InvalidSpend::CostAboveBurst.into()));
    check(&bytes(&[("", 1, SECOND, 1, 1)]), Some(InvalidSpend::KeyLength.into()));
}

#[test]
fn a_decoded_request_is_bounded() {
    check(&bytes(&[("k", 1, SECOND, 33, 1); 32]), None);
    check(&bytes(&[("k", 1, SECOND, 33, 1); 33]), Some(InvalidSpend::LimitCount.into()));
    check(&bytes(&[]), Some(InvalidSpend::LimitCount.into()));
    check(&bytes(&[(&"k".repeat(1024), 1, SECOND, 1, 1)]), None);
    check(&bytes(&[(&"k".repeat(1025), 1, SECOND, 1, 1)]), Some(InvalidSpend::KeyLength.into()));
}

#[test]
fn a_reply_that_says_less_than_it_was_asked_is_not_a_permission() {
    let verdict = SpendVerdict::Allowed { remaining: 1, effective_window: Duration::from_secs(1) };
    for (verdicts, right) in [(0, false), (1, true), (2, false)] {
        let decoded = SpendReply::decode(&SpendReply::new(vec![verdict; verdicts]).encode(), &request());
        assert_eq!(decoded.is_ok(), right, "{verdicts} verdicts");
    }
}

#[test]
fn more_entries_than_a_message_can_count_make_an_empty_one() {
    let verdict = SpendVerdict::Allowed { remaining: 1, effective_window: Duration::from_secs(1) };
    assert!(SpendReply::new(vec![verdict; 256]).encode().is_empty());
    check(&[], Some(InvalidSpendMessage::Malformed));
}

fn requests() -> impl Strategy<Value = SpendRequest> {
    let spend = ("\\PC{1,40}", any::<u32>(), 1_000_000..=31_622_400 * SECOND, any::<u32>(), any::<u32>());
    let spend = spend.prop_filter_map("not a spend", |(key, requests, per, burst, cost)| {
        let rate = Rate::new(requests, Duration::from_nanos(per), burst).ok()?;
        Spend::new(key, rate, 1 + cost % burst).ok()
    });
    prop::collection::vec(spend, 1..=32).prop_filter_map("not a request", |limits| SpendRequest::new(limits).ok())
}

fn verdicts() -> impl Strategy<Value = SpendVerdict> {
    (any::<bool>(), any::<u32>(), any::<u64>(), 0..1_000_000_000_u32).prop_map(|(allow, remaining, secs, nanos)| {
        let time = Duration::new(secs, nanos);
        match allow {
            true => SpendVerdict::Allowed { remaining, effective_window: time },
            false => SpendVerdict::Denied { remaining, retry_after: time },
        }
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(request in requests(), verdict in verdicts()) {
        prop_assert_eq!(SpendRequest::decode(&request.encode()), Ok(request.clone()));
        let reply = SpendReply::new(vec![verdict; request.limits().len()]);
        prop_assert_eq!(SpendReply::decode(&reply.encode(), &request), Ok(reply));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200), count in 0..4_u8) {
        for bytes in [tail.clone(), [&[VERSION, count], &tail[..]].concat()] {
            if let Ok(decoded) = SpendRequest::decode(&bytes) {
                prop_assert_eq!(SpendRequest::decode(&decoded.encode()), Ok(decoded));
            }
            let _ = SpendReply::decode(&bytes, &request());
        }
    }

    #[test]
    fn a_damaged_message_is_a_valid_one_or_refused(
        request in requests(), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
    ) {
        let mut bytes = request.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(decoded) = SpendRequest::decode(&bytes) {
            prop_assert!(decoded.limits().iter().all(|spend| spend.cost() <= spend.rate().burst()));
        }
    }
}
