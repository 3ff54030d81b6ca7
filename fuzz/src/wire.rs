//! What comes from peers, and what a node reads from its own log.

use base::{Seqno, View};
use bytes::Bytes;
use consensus::{Body, Configuration, Content, Index, Item, Member, Membership, Message, Point, kind_of};
use node::parsers;

use crate::input::{Input, pieces};

/// A message of consensus: one encoding each.
pub fn message(data: &[u8]) {
    let decoded = Message::decode(Bytes::copy_from_slice(data));
    let Ok(message) = decoded else { return };
    assert_eq!(message.encode(), data);
    assert_eq!(kind_of(data), Ok(message.kind()));
}

pub fn message_seeds() -> Vec<Vec<u8>> {
    let (point, commit) = (Point::new(7, 3), Index(6));
    let item = |view, content| Item { view: View(view), content };
    let batch = |data: &'static [u8]| Content::Batch(Bytes::from_static(data));
    let configuration = Configuration::new([Member(1), Member(3)], [Member(9)]).expect("it can decide");
    let membership = Membership { since: Index(5), configuration: configuration.clone() };
    let bodies = [
        Body::Append {
            before: point,
            commit,
            entries: vec![
                item(3, batch(b"batch")),
                item(4, Content::Mark),
                item(4, Content::Configuration(configuration)),
            ],
        },
        Body::Appended { index: Index(8), commit },
        Body::Refused { before: Index(8), hint: point, commit },
        Body::Vote { last: point, handover: true },
        Body::Voted { granted: true },
        Body::PreVote { last: point },
        Body::PreVoted { granted: false },
        Body::Heartbeat { commit },
        Body::Alive { commit },
        Body::CatchUp { to: point, known: Index(9), membership },
        Body::TakeOver,
    ];
    bodies.into_iter().map(|body| Message { view: View(4), body }.encode().to_vec()).collect()
}

/// A frame between nodes.
pub fn frame(data: &[u8]) {
    let Some(written) = parsers::frame(Bytes::copy_from_slice(data)) else { return };
    let again = parsers::frame(Bytes::copy_from_slice(&written));
    assert_eq!(again.as_ref(), Some(&written), "what was read says the same when it is written");
    // The reason of a refusal is CBOR, which has longer forms too.
    assert!(written == data || data.first() == Some(&REFUSED), "a frame has one form");
}

const REFUSED: u8 = 5;

pub fn frame_seeds() -> Vec<Vec<u8>> {
    let refused = minicbor::to_vec(adapter::Reject::busy().with_data([1, 2])).expect("it has a form");
    let numbers = |count: u64| (1..=count).flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    vec![
        [&[1], &message_seeds()[0][..]].concat(),
        [&[2], &numbers(1)[..], &[1, 0], b"work"].concat(),
        [&[3], &numbers(3)[..], b"reply"].concat(),
        [&[4], &numbers(1)[..]].concat(),
        [&[REFUSED], &numbers(1)[..], &refused].concat(),
        [&[6], &numbers(2)[..]].concat(),
        [&[7][..], b"batches"].concat(),
        [&[8], &numbers(3)[..]].concat(),
    ]
}

/// Of the segment of the log that is made here.
const SALT: u64 = 5;

/// A segment of the log: with the first bit of the first byte its records' lengths and checksums are put right. The second
/// says whether it is the newest.
pub fn log_record(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let segment = if choice & 1 == 0 { input.0.to_vec() } else { records(input) };
    let length = segment.len() as u64;
    let newest = choice & 2 != 0;
    let seqno_of = |batch: &[u8]| batch.first().map(|byte| Seqno(u64::from(*byte)));
    if let Some((whole, ended)) = parsers::log_segment(segment, newest, seqno_of) {
        assert!((1..=length).contains(&whole) && (newest || ended), "{whole} of {length} bytes");
    }
}

fn records(mut input: Input<'_>) -> Vec<u8> {
    let mut segment = Vec::new();
    while !input.0.is_empty() {
        let body = input.piece();
        let synced = u32::try_from(segment.len()).expect("an input is short").to_le_bytes();
        let summed = [&synced, body].concat();
        // All but the first are of a segment with this salt.
        let salt: &[u8] = if segment.is_empty() { &[] } else { &SALT.to_le_bytes() };
        let seed = crc32c::crc32c(&[&1u64.to_le_bytes(), salt].concat());
        let checksum = crc32c::crc32c_append(seed, &summed);
        segment.extend(u32::try_from(body.len()).expect("a piece is short").to_le_bytes());
        segment.extend(checksum.to_le_bytes());
        segment.extend(summed);
    }
    segment
}

pub fn log_record_seeds() -> Vec<Vec<u8>> {
    let body = |kind: u8, numbers: &[u64], rest: &[u8]| {
        [&[kind], &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()[..], rest].concat()
    };
    let opening = body(1, &[SALT, 3, 2, 7, 8, 3, 90], &[]);
    let bodies = [
        opening.clone(),
        body(2, &[9, 3], &[91, 1, 2]),
        body(2, &[10, 4], &[]),
        body(3, &[4, 0, 9], &[]),
        body(5, &[9, 3, 91], &[]),
        body(4, &[12, 5, 99], &[]),
        body(2, &[13, 5], &[100]),
        body(8, &[], &[]),
    ];
    let all: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
    let last = u64::MAX;
    let far = body(1, &[SALT, 3, 2, 7, last, 3, 90], &[]);
    let plain = {
        let whole = pieces(1, &all, &[]);
        let mut input = Input(&whole);
        input.byte();
        [&[2], &records(input)[..]].concat()
    };
    vec![pieces(1, &all, &[]), pieces(3, &all[..4], &[]), pieces(1, &[&far, &bodies[1]], &[]), plain]
}
