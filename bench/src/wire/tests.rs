//! Requests survive the trip, and the stream is the same however it is cut.

use super::*;

#[test]
fn requests_survive_the_trip() {
    let plan = CheckPlan {
        id: 1,
        seed: 2,
        up_bytes: 3,
        down_bytes: u64::MAX,
        closes_first: ClosesFirst::Backend,
    };
    let requests = [
        Request::Answer { bytes: 1_000_000 },
        Request::Stream { millis: 7 },
        Request::Check(plan),
        Request::Verdict { id: 9 },
    ];
    for request in requests {
        assert_eq!(Request::decode(&request.encode()), Some(request));
    }
    assert_eq!(Request::decode(&[0; REQUEST_BYTES]), None);
}

#[test]
fn the_stream_does_not_depend_on_where_it_is_cut() {
    let mut whole = vec![0; 10_000];
    fill(42, 0, &mut whole);
    for (from, to) in [(0, 1), (1, 3), (3, 11), (5, 8), (8, 16), (4_095, 9_999)] {
        let mut part = vec![0; to - from];
        fill(42, from as u64, &mut part);
        assert_eq!(part, whole[from..to], "{from}..{to}");
        assert!(matches(42, from as u64, &part));
    }
}

#[test]
fn a_changed_or_displaced_byte_is_seen() {
    let mut bytes = vec![0; 9_000];
    fill(1, 0, &mut bytes);
    assert!(!matches(1, 1, &bytes));
    assert!(!matches(2, 0, &bytes));
    bytes[8_999] ^= 1;
    assert!(!matches(1, 0, &bytes));
}
