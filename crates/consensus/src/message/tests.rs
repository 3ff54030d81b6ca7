//! The format as documented, and what is no message.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn point() -> impl Strategy<Value = Point> {
    let real = (1..=INDEX_MAX, 1..=VIEW_MAX).prop_map(|(index, view)| Point::new(index, view));
    prop_oneof![Just(Point::default()), real]
}

fn index() -> impl Strategy<Value = Index> {
    (0..=INDEX_MAX).prop_map(Index)
}

fn append() -> impl Strategy<Value = Message> {
    let data = vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    (point(), index(), vec((1..=VIEW_MAX, data), 0..5), 1..=VIEW_MAX).prop_map(|(before, commit, data, view)| {
        let mut views: Vec<u64> = data.iter().map(|(view, _)| (*view).max(before.view.0)).collect();
        views.sort_unstable();
        let view = View(view.max(before.view.0).max(views.last().copied().unwrap_or(1)));
        let item = |(view, (_, data))| Item { view: View(view), data };
        Message {
            view,
            body: Body::Append { before, commit, entries: views.into_iter().zip(data).map(item).collect() },
        }
    })
}

fn short() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        (index(), index()).prop_map(|(index, commit)| Body::Appended { index, commit }),
        (index(), point(), index()).prop_map(|(before, hint, commit)| Body::Refused { before, hint, commit }),
        (point(), any::<bool>()).prop_map(|(last, handover)| Body::Vote { last, handover }),
        any::<bool>().prop_map(|granted| Body::Voted { granted }),
        point().prop_map(|last| Body::PreVote { last }),
        any::<bool>().prop_map(|granted| Body::PreVoted { granted }),
        index().prop_map(|commit| Body::Heartbeat { commit }),
        index().prop_map(|commit| Body::Alive { commit }),
        (1..=INDEX_MAX).prop_map(|index| Body::CatchUp { to: Point::new(index, 1) }),
        Just(Body::TakeOver),
    ];
    (1..=VIEW_MAX, body).prop_map(|(view, body)| Message { view: View(view), body })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![append(), short()]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(message in message()) {
        let bytes = message.encode();
        prop_assert_eq!(kind_of(&bytes), Ok(message.kind()));
        prop_assert!(bytes.len() <= message.encoded_bytes());
        prop_assert_eq!(Message::decode(bytes), Ok(message));
    }

    #[test]
    fn a_message_cut_short_or_followed_by_bytes_is_refused(message in message(), more in 1_usize..9) {
        let bytes = message.encode();
        for end in 0..bytes.len() {
            match Message::decode(bytes.slice(..end)) {
                // An append says where it ends by ending: whole entries may be missing, and the rest is one.
                Ok(shorter) => prop_assert_eq!(shorter.encode(), bytes.slice(..end)),
                Err(error) => prop_assert!(matches!(error, Malformed::Short), "{}", error),
            }
        }
        let longer = [&bytes[..], &vec![0; more]].concat();
        prop_assert!(Message::decode(longer.into()).is_err());
    }

    /// One encoding a message: whatever decodes encodes to the same bytes.
    #[test]
    fn changed_bytes_are_refused_or_are_another_message(message in message(), place: usize, with: u8) {
        let mut bytes = message.encode().to_vec();
        let place = place % bytes.len();
        bytes[place] = with;
        if let Ok(other) = Message::decode(bytes.clone().into()) {
            prop_assert_eq!(&other.encode()[..], &bytes[..]);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_message(mut bytes in vec(any::<u8>(), 0..80), kind in 0_u8..13) {
        bytes.splice(..bytes.len().min(2), [FORMAT, kind]);
        if let Ok(message) = Message::decode(bytes.clone().into()) {
            prop_assert_eq!(&message.encode()[..], &bytes[..]);
        }
    }
}

fn decode(hex: &str) -> Result<Message, Malformed> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    Message::decode(digits.chunks(2).map(byte).collect())
}

#[test]
fn an_append_has_the_documented_bytes() {
    let message = decode(
        "01 01 0300000000000000 0700000000000000 0200000000000000 0600000000000000
         0200000000000000 03000000 616263 0300000000000000 00000000",
    );
    let entries =
        vec![Item { view: View(2), data: Bytes::from_static(b"abc") }, Item { view: View(3), data: Bytes::new() }];
    let body = Body::Append { before: Point::new(7, 2), commit: Index(6), entries };
    assert_eq!(message, Ok(Message { view: View(3), body }));
}

#[test]
fn each_mistake_has_its_name() {
    const BEHIND: &str = "0100000000000000 0200000000000000 0000000000000000";
    let view = "0300000000000000";
    let cases = [
        ("02 08", Malformed::Format(2)),
        ("01 0c", Malformed::Kind(12)),
        ("01 00", Malformed::Kind(0)),
        ("01 08 0000000000000000", Malformed::View(0)),
        ("01 08 0000008000000000", Malformed::View(1 << 31)),
        (&format!("01 08 {view} 0100000000000040"), Malformed::Index(INDEX_MAX + 1)),
        (&format!("01 05 {view} 02"), Malformed::Flag(2)),
        (&format!("01 0b {view} 00"), Malformed::Trailing { bytes: 1 }),
        (&format!("01 06 {view} 0100000000000000 0000000000000000"), Malformed::View(0)),
        (&format!("01 06 {view} 0000000000000000 0100000000000000"), Malformed::View(1)),
        (&format!("01 0a {view} 0000000000000000 0000000000000000"), Malformed::Index(0)),
        (&format!("01 0a {view} 0100000000000000 0400000000000000"), Malformed::Order),
        // Appends: behind 1@2, committed 0.
        (&format!("01 01 {view} {BEHIND} {view} ffffffff"), Malformed::Batch(u32::MAX as usize)),
        (&format!("01 01 {view} {BEHIND} {view} 01000000"), Malformed::Short),
        (&format!("01 01 {view} {BEHIND} 0100000000000000 00000000"), Malformed::Order),
        (&format!("01 01 {view} {BEHIND} 0400000000000000 00000000"), Malformed::Order),
    ];
    for (hex, error) in cases {
        assert_eq!(decode(hex), Err(error), "{hex}");
    }
    let entries = vec![Item { view: View(3), data: Bytes::new() }; 2 * APPEND_ENTRIES_MAX + 1];
    let body = Body::Append { before: Point::default(), commit: Index(0), entries };
    assert_eq!(Message::decode(Message { view: View(3), body }.encode()), Err(Malformed::Entries));
    let long = Bytes::from(vec![0; PEER_FRAME_BYTES_MAX + 1]);
    assert_eq!(Message::decode(long), Err(Malformed::TooLong { bytes: PEER_FRAME_BYTES_MAX + 1 }));
}

#[test]
fn batches_are_slices_of_the_message() {
    let entries = vec![Item { view: View(2), data: Bytes::from_static(b"batch") }];
    let body = Body::Append { before: Point::default(), commit: Index(0), entries };
    let bytes = Message { view: View(2), body }.encode();
    let Ok(Message { body: Body::Append { entries, .. }, .. }) = Message::decode(bytes.clone()) else {
        panic!("an append was encoded");
    };
    assert!(bytes.as_ptr_range().contains(&entries[0].data.as_ptr()));
}
