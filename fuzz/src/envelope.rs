//! Members' signed requests, against a store that knows two members.

use crypto::ForeignCertificate;
use governance::{Kind, envelope};

use crate::input::{Input, pieces};
use crate::world::{self, World};

const KINDS: [Kind; 6] =
    [Kind::Proposal, Kind::Withdrawal, Kind::Ballot, Kind::StateDigest, Kind::Ack, Kind::RecoveryShare];

/// The first byte chooses: bytes as they come, or a protected header and a payload that a member signs.
pub fn run(data: &[u8]) {
    thread_local! {
        static WORLD: World = World::new("", 2);
    }
    let mut input = Input(data);
    WORLD.with(|world| match input.byte() & 1 {
        0 => judge(world, input.0),
        _ => {
            let protected = input.piece();
            judge(world, &world::envelope(&world.members[0].key, protected, input.0));
        }
    });
}

fn judge(world: &World, bytes: &[u8]) {
    let tx = world.store.tx();
    let (told, accepted) = (envelope::kind(bytes), world.governance.verify_any(&tx, bytes));
    let Ok(signed) = accepted else { return };
    assert_eq!(told, Some(signed.kind));
    assert_eq!(signed.envelope, bytes);
    assert!(world.members.iter().any(|member| member.id == signed.signer), "signed by a stranger");
    assert_eq!(signed.proposal_id.is_some(), matches!(signed.kind, Kind::Ballot | Kind::Withdrawal));
    for kind in KINDS {
        let again = world.governance.verify(&tx, kind, bytes);
        assert_eq!(again.ok().as_ref(), (kind == signed.kind).then_some(&signed), "a request is of one kind");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let world = World::new("", 2);
    let member = &world.members[0];
    let mut seeds = Vec::new();
    for kind in KINDS {
        let named = matches!(kind, Kind::Ballot | Kind::Withdrawal).then_some("ab");
        let signed = member.sign(kind, 1_800_000_000, named, b"{\"actions\":[]}");
        let protected = minicbor::Decoder::new(&signed[2..]).bytes().expect("as it was just written").to_vec();
        seeds.push([&[0], &signed[..]].concat());
        seeds.push(pieces(1, &[&protected], b"{}"));
    }
    let certificate = ForeignCertificate::from_pem(&member.pem).expect("as it was just made");
    seeds.push([&[0], certificate.der()].concat());
    seeds
}
