//! The format as documented, and what is no message.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::Member;

fn point() -> impl Strategy<Value = Point> {
    let real = (1..=INDEX_MAX, 1..=VIEW_MAX).prop_map(|(index, view)| Point::new(index, view));
    prop_oneof![Just(Point::default()), real]
}

fn index() -> impl Strategy<Value = Index> {
    (0..=INDEX_MAX).prop_map(Index)
}

fn configuration() -> impl Strategy<Value = Configuration> {
    (btree_set(1_u64..50, 1..6), btree_set(50_u64.., 0..4)).prop_map(|(voters, learners)| {
        Configuration::new(voters.into_iter().map(Member), learners.into_iter().map(Member)).unwrap()
    })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..20).prop_map(|data| Content::batch(data.into())),
        1 => configuration().prop_map(Content::Configuration),
    ]
}

fn append() -> impl Strategy<Value = Message> {
    (point(), index(), vec((1..=VIEW_MAX, content()), 0..5), 1..=VIEW_MAX).prop_map(|(before, commit, data, view)| {
        let mut views: Vec<u64> = data.iter().map(|(view, _)| (*view).max(before.view.0)).collect();
        views.sort_unstable();
        let view = View(view.max(before.view.0).max(views.last().copied().unwrap_or(1)));
        let item = |(view, (_, content))| Item { view: View(view), content };
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
        (1..=INDEX_MAX, 0..=INDEX_MAX, index(), configuration()).prop_map(|(index, more, since, configuration)| {
            let known = Index(index.saturating_add(more).min(INDEX_MAX));
            let membership = Membership { since: since.min(known), configuration };
            Body::CatchUp { to: Point::new(index, 1), known, membership }
        }),
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
                Err(Malformed::Short | Malformed::Configuration(BadConfiguration::Bytes)) => {}
                Err(error) => prop_assert!(false, "{}", error),
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
        "02 01 0300000000000000 0700000000000000 0200000000000000 0600000000000000
         0200000000000000 02 03000000 616263 0300000000000000 01 00000000
         0300000000000000 03 12000000 01 01 0100000000000000 0200000000000000",
    );
    let configuration = Configuration::new([Member(1)], [Member(2)]).unwrap();
    let entries = vec![
        Item { view: View(2), content: Content::Batch(Bytes::from_static(b"abc")) },
        Item { view: View(3), content: Content::Mark },
        Item { view: View(3), content: Content::Configuration(configuration) },
    ];
    let body = Body::Append { before: Point::new(7, 2), commit: Index(6), entries };
    assert_eq!(message, Ok(Message { view: View(3), body }));
}

#[test]
fn each_mistake_has_its_name() {
    const BEHIND: &str = "0100000000000000 0200000000000000 0000000000000000";
    const PLACE: &str = "0100000000000000 0100000000000000";
    const ONE: &str = "01 00 0100000000000000";
    let view = "0300000000000000";
    let cases = [
        ("01 08", Malformed::Format(1)),
        ("02 0c", Malformed::Kind(12)),
        ("02 00", Malformed::Kind(0)),
        ("02 08 0000000000000000", Malformed::View(0)),
        ("02 08 0000008000000000", Malformed::View(1 << 31)),
        (&format!("02 08 {view} 0100000000000040"), Malformed::Index(INDEX_MAX + 1)),
        (&format!("02 05 {view} 02"), Malformed::Flag(2)),
        (&format!("02 0b {view} 00"), Malformed::Trailing { bytes: 1 }),
        (&format!("02 06 {view} 0100000000000000 0000000000000000"), Malformed::View(0)),
        (&format!("02 06 {view} 0000000000000000 0100000000000000"), Malformed::View(1)),
        (&format!("02 0a {view} 0000000000000000 0000000000000000"), Malformed::Index(0)),
        (&format!("02 0a {view} 0100000000000000 0400000000000000"), Malformed::Order),
        (&format!("02 0a {view} {PLACE} 0000000000000000 0000000000000000 {ONE}"), Malformed::Order),
        (&format!("02 0a {view} {PLACE} 0100000000000000 0200000000000000 {ONE}"), Malformed::Order),
        (
            &format!("02 0a {view} {PLACE} 0100000000000000 0000000000000000 00 00"),
            Malformed::Configuration(BadConfiguration::NoVoter),
        ),
        (
            &format!("02 0a {view} {PLACE} 0100000000000000 0000000000000000 {ONE} 00"),
            Malformed::Configuration(BadConfiguration::Bytes),
        ),
        // Appends: behind 1@2, committed 0.
        (&format!("02 01 {view} {BEHIND} {view} 02 ffffffff"), Malformed::Batch(u32::MAX as usize)),
        (&format!("02 01 {view} {BEHIND} {view} 02 01000000"), Malformed::Short),
        (&format!("02 01 {view} {BEHIND} 0100000000000000 01 00000000"), Malformed::Order),
        (&format!("02 01 {view} {BEHIND} 0400000000000000 01 00000000"), Malformed::Order),
        (&format!("02 01 {view} {BEHIND} {view} 01 01000000 00"), Malformed::EntryKind(1)),
        (&format!("02 01 {view} {BEHIND} {view} 02 00000000"), Malformed::EntryKind(2)),
        (&format!("02 01 {view} {BEHIND} {view} 04 00000000"), Malformed::EntryKind(4)),
        (
            &format!("02 01 {view} {BEHIND} {view} 03 0a000000 01 00 0000000000000000"),
            Malformed::Configuration(BadConfiguration::Zero),
        ),
    ];
    for (hex, error) in cases {
        assert_eq!(decode(hex), Err(error), "{hex}");
    }
    let entries = vec![Item { view: View(3), content: Content::Mark }; 2 * APPEND_ENTRIES_MAX + 1];
    let body = Body::Append { before: Point::default(), commit: Index(0), entries };
    assert_eq!(Message::decode(Message { view: View(3), body }.encode()), Err(Malformed::Entries));
    let long = Bytes::from(vec![0; PEER_FRAME_BYTES_MAX + 1]);
    assert_eq!(Message::decode(long), Err(Malformed::TooLong { bytes: PEER_FRAME_BYTES_MAX + 1 }));
}

#[test]
fn batches_are_slices_of_the_message() {
    let entries = vec![Item { view: View(2), content: Content::Batch(Bytes::from_static(b"batch")) }];
    let body = Body::Append { before: Point::default(), commit: Index(0), entries };
    let bytes = Message { view: View(2), body }.encode();
    let Ok(Message { body: Body::Append { entries, .. }, .. }) = Message::decode(bytes.clone()) else {
        panic!("an append was encoded");
    };
    let Content::Batch(batch) = &entries[0].content else { panic!("a batch was encoded") };
    assert!(bytes.as_ptr_range().contains(&batch.as_ptr()));
}
