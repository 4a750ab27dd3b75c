use super::*;
use crate::fields::tests::Lines;
use crate::storable::tests::date_field;
use crate::stored::tests::{STORED_AT, fresh_for_a_minute};
use proptest::prelude::*;

/// Ten bytes.
fn ten(fields: &[(&str, &str)]) -> Stored {
    Stored { content_length: Some(10), ..fresh_for_a_minute(fields) }
}

#[track_caller]
fn check(range: &str, expected: Selection) {
    assert_eq!(selection(&ten(&[]), "GET", &Lines::new(&[("Range", range)])), expected, "{range:?}");
}

fn part(first: u64, length: u64) -> Selection {
    Selection::Part { first, length, complete: 10 }
}

const NOTHING: Selection = Selection::Unsatisfiable { complete: 10 };

#[test]
fn byte_ranges_of_rfc_9110_section_14_1_2() {
    check("bytes=0-0", part(0, 1));
    check("bytes=0-9", part(0, 10));
    check("Bytes=2-5", part(2, 4));
    check("bytes= 2-5 ,", part(2, 4));
    check("bytes=2-", part(2, 8));
    check("bytes=9-99", part(9, 1));
    check("bytes=9-99999999999999999999", part(9, 1));
    check("bytes=10-", NOTHING);
    check("bytes=10-20", NOTHING);
    check("bytes=99999999999999999999-", NOTHING);
    check("bytes=-3", part(7, 3));
    check("bytes=-10", part(0, 10));
    check("bytes=-11", part(0, 10));
    check("bytes=-0", NOTHING);
}

#[test]
fn what_is_not_one_range_of_bytes_is_ignored() {
    for range in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1",
        "bytes=--1",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=0-1,4-5",
        "bytes=0-1, 4-5",
        "pages=1-2",
        "0-1",
        "bytes =0-1",
    ] {
        check(range, Selection::Whole);
    }
}

#[test]
fn a_part_is_cut_from_a_plain_200_of_known_length_for_a_get() {
    let range = Lines::new(&[("Range", "bytes=0-1")]);
    let stored = ten(&[]);
    assert_eq!(selection(&stored, "GET", &range), part(0, 2));
    for (what, stored, method) in [
        ("HEAD", stored.clone(), "HEAD"),
        ("203", Stored { status: 203, ..stored.clone() }, "GET"),
        ("404", Stored { status: 404, ..stored.clone() }, "GET"),
        ("coded", Stored { coded: true, ..stored.clone() }, "GET"),
        ("unknown length", Stored { content_length: None, ..stored.clone() }, "GET"),
    ] {
        assert_eq!(selection(&stored, method, &range), Selection::Whole, "{what}");
    }
    assert_eq!(selection(&stored, "GET", &Lines::new(&[])), Selection::Whole);
    let empty = Stored { content_length: Some(0), ..stored };
    assert_eq!(selection(&empty, "GET", &range), Selection::Unsatisfiable { complete: 0 });
}

#[test]
fn if_range_wants_a_strong_match_by_rfc_9110_section_13_1_5() {
    let date = |offset: u64| date_field(STORED_AT.as_secs().checked_sub(offset).unwrap());
    #[track_caller]
    fn check(stored: &[(&str, &str)], if_range: &str, expected: Selection) {
        let request = Lines::new(&[("Range", "bytes=0-1"), ("If-Range", if_range)]);
        assert_eq!(selection(&ten(stored), "GET", &request), expected, "{stored:?} {if_range:?}");
    }
    let two = part(0, 2);
    check(&[("etag", "\"a\"")], "\"a\"", two);
    check(&[("etag", "\"a\"")], "\"b\"", Selection::Whole);
    check(&[("etag", "\"a\"")], "W/\"a\"", Selection::Whole);
    check(&[("etag", "W/\"a\"")], "\"a\"", Selection::Whole);
    check(&[("etag", "W/\"a\"")], "W/\"a\"", Selection::Whole);
    check(&[], "\"a\"", Selection::Whole);
    let old = [("last-modified", &*date(10)), ("date", &date(0))];
    check(&old, &date(10), two);
    check(&old, &date(9), Selection::Whole);
    check(&old, &date(11), Selection::Whole);
    check(&old, "a", Selection::Whole);
    // Modified in the second in which it was sent: there may be two of that date.
    check(&[("last-modified", &date(0)), ("date", &date(0))], &date(0), Selection::Whole);
    check(&[("last-modified", &date(10))], &date(10), Selection::Whole);
}

#[test]
fn content_range_by_rfc_9110_section_14_4() {
    assert_eq!(part(2, 3).content_range().as_deref(), Some("bytes 2-4/10"));
    assert_eq!(NOTHING.content_range().as_deref(), Some("bytes */10"));
    assert_eq!(Selection::Whole.content_range(), None);
}

proptest! {
    #[test]
    fn a_part_lies_within_the_whole(range in "bytes=[0-9-]{0,6}|.{0,20}", length in 0u64..1000) {
        let stored = Stored { content_length: Some(length), ..fresh_for_a_minute(&[]) };
        match selection(&stored, "GET", &Lines::new(&[("Range", &range)])) {
            Selection::Part { first, length: part, complete } => {
                prop_assert!(part > 0 && first.checked_add(part).unwrap() <= length && complete == length);
            }
            Selection::Unsatisfiable { complete } => prop_assert_eq!(complete, length),
            Selection::Whole => {}
        }
    }
}
