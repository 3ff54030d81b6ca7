//! Signed requests: what is taken, and that nothing else is.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use governance::{Kind, Refusal};
use minicbor::Encoder;
use minicbor::data::Tag;
use serde_json::json;
use world::{Member, World, envelope, put_json};

/// One entry of a header, or more, as bytes.
fn entry(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}

/// A number under a number, a number under a name, and so on: the entries that these tests are made of.
fn number(label: i64, value: i64) -> Vec<u8> {
    entry(|e| {
        e.i64(label).unwrap().i64(value).unwrap();
    })
}

fn bytes(label: i64, value: &str) -> Vec<u8> {
    entry(|e| {
        e.i64(label).unwrap().bytes(value.as_bytes()).unwrap();
    })
}

fn text(name: &str, value: &str) -> Vec<u8> {
    entry(|e| {
        e.str(name).unwrap().str(value).unwrap();
    })
}

fn time(value: i64) -> Vec<u8> {
    entry(|e| {
        e.str("ccf.gov.msg.created_at").unwrap().i64(value).unwrap();
    })
}

/// A protected header of these entries.
fn protected(entries: &[&Vec<u8>]) -> Vec<u8> {
    let mut header = entry(|e| {
        e.map(entries.len() as u64).unwrap();
    });
    entries.iter().for_each(|entry| header.extend_from_slice(entry));
    header
}

fn check(world: &World, kind: Kind, bytes: &[u8]) -> Result<(), &'static str> {
    let tx = world.store.tx();
    match world.governance.verify(&tx, kind, bytes) {
        Ok(_) => Ok(()),
        Err(Refusal::InvalidAuthenticationInfo(why)) => Err(why),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_what_its_signer_signed() {
    let world = World::new("", 1);
    let bytes = world.members[0].sign(Kind::Ballot, 77, Some("abc"), b"payload");
    let tx = world.store.tx();
    let signed = world.governance.verify(&tx, Kind::Ballot, &bytes).unwrap();
    assert_eq!((signed.signer, signed.created_at, signed.proposal_id), (world.members[0].id, 77, Some("abc")));
    assert_eq!((signed.payload, signed.envelope), (&b"payload"[..], &bytes[..]));
    assert_eq!(signed.signature, crypto::sha256(&bytes[bytes.len() - 96..]));
}

#[test]
fn the_order_of_headers_is_free_and_unknown_ones_are_passed_over() {
    let world = World::new("", 1);
    let member = &world.members[0];
    let (alg, newer, other) = (&number(1, -35), &number(1, -51), &number(1, -7));
    let id = member.id.to_string();
    let (kid, upper, stranger) =
        (&bytes(4, &id), &bytes(4, &id.to_uppercase()), &bytes(4, &Member::new("stranger").id.to_string()));
    let kind = &text("ccf.gov.msg.type", "proposal");
    let (time, before) = (&time(5), &time(-5));
    let unknown = &entry(|e| {
        e.str("x").unwrap().array(1).unwrap().map(1).unwrap().u8(1).unwrap().null().unwrap();
    });
    let crit = &entry(|e| {
        e.i64(2).unwrap().array(1).unwrap().str("x").unwrap();
    });
    let try_it =
        |entries: &[&Vec<u8>]| check(&world, Kind::Proposal, &envelope(&member.key, &protected(entries), b"{}"));

    try_it(&[alg, kid, kind, time]).unwrap();
    try_it(&[newer, kid, kind, time]).unwrap();
    try_it(&[time, unknown, kind, kid, alg]).unwrap();
    for missing in [&[kid, kind, time][..], &[alg, kind, time], &[alg, kid, time], &[alg, kid, kind]] {
        assert!(try_it(missing).unwrap_err().contains("header"));
    }
    for bad in [
        &[alg, kid, kind, time, alg][..],
        &[alg, kid, kind, time, kind],
        &[alg, kid, kind, time, crit],
        &[alg, kid, kind, before],
    ] {
        assert!(try_it(bad).unwrap_err().contains("header"));
    }
    assert!(try_it(&[other, kid, kind, time]).unwrap_err().contains("algorithm"));
    assert!(try_it(&[alg, upper, kind, time]).unwrap_err().contains("not a member"));
    assert!(try_it(&[alg, stranger, kind, time]).unwrap_err().contains("not a member"));
}

#[test]
fn who_may_sign_what() {
    let mut world = World::new("", 2);
    let member = world.members[0].id.to_string();
    let sign = |world: &World, kind: Kind| world.members[0].sign(kind, 1, Some("id"), b"");
    for status in ["Accepted", "Suspended"] {
        world.change(|_, tx| {
            put_json(tx, "public:ccf.gov.members.info", member.as_bytes(), &json!({ "status": status }))
        });
        for (kind, may) in [
            (Kind::Proposal, false),
            (Kind::Ballot, false),
            (Kind::Withdrawal, false),
            (Kind::RecoveryShare, false),
            (Kind::StateDigest, true),
            (Kind::Ack, true),
        ] {
            assert_eq!(check(&world, kind, &sign(&world, kind)).is_ok(), may, "{status} {kind:?}");
        }
    }
    let as_ballot = world.members[1].sign(Kind::Ballot, 1, Some("id"), b"");
    assert!(check(&world, Kind::Proposal, &as_ballot).unwrap_err().contains("type"));
    let without = world.members[1].sign(Kind::Ballot, 1, None, b"");
    assert!(check(&world, Kind::Ballot, &without).unwrap_err().contains("proposal_id"));
}

#[test]
fn a_request_is_tagged_whole_and_short() {
    let world = World::new("", 1);
    let member = &world.members[0];
    let good = member.sign(Kind::Proposal, 1, None, b"{}");
    check(&world, Kind::Proposal, &good).unwrap();
    assert!(check(&world, Kind::Proposal, &good[1..]).is_err(), "no tag");
    let mut other = Vec::new();
    Encoder::new(&mut other).tag(Tag::new(98)).unwrap();
    other.extend_from_slice(&good[1..]);
    assert!(check(&world, Kind::Proposal, &other).is_err(), "another tag");
    let mut longer = good.clone();
    longer.push(0);
    assert!(check(&world, Kind::Proposal, &longer).is_err());
    for cut in 0..good.len() {
        assert!(check(&world, Kind::Proposal, &good[..cut]).is_err(), "cut at {cut}");
    }
    let huge = member.sign(Kind::Proposal, 1, None, &vec![b' '; governance::envelope::ENVELOPE_BYTES_MAX]);
    assert!(check(&world, Kind::Proposal, &huge).is_err());
}

#[test]
fn no_changed_bit_passes() {
    let world = World::new("", 1);
    let good = world.members[0].sign(Kind::Ballot, 1, Some("id"), b"{}");
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&world, Kind::Ballot, &bad).is_err(), "bit {bit}");
    }
}
