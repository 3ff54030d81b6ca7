//! A member changes its certificate; an organisation vouches for its people.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;

use governance::constitution::DEFAULT;
use governance::organisations::{Organisation, Stranger, person};
use governance::{Kind, ProposalState, Refusal};
use serde_json::{Value, json};
use world::actions::RSA_2048;
use world::{Member, NO, World, YES, put, put_json};

use ProposalState::{Accepted, Open};

const ROOT: &str = include_str!("data/acme/root.pem");
const MIDDLE: &str = include_str!("data/acme/middle.pem");
const OTHER: &str = include_str!("data/acme/other.pem");
const ANN: &str = include_str!("data/acme/ann.pem");
const ANN_AGAIN: &str = include_str!("data/acme/ann2.pem");
const BOB: &str = include_str!("data/acme/bob.pem");
const CARL: &str = include_str!("data/acme/carl.pem");
const INFO: &str = "public:ccf.gov.members.info";

fn pass(world: &mut World, name: &str, args: Value) -> Result<ProposalState, Refusal> {
    let mut proposal = world.act(0, name, args)?;
    for member in 0..world.members.len() {
        if proposal.proposal_state == Open {
            let id = proposal.proposal_id.clone();
            proposal = world.vote(member, &id, YES)?;
        }
    }
    Ok(proposal.proposal_state)
}

fn id(world: &World, member: usize) -> String {
    world.members[member].id.to_string()
}

fn rotation(world: &World, member: usize, next: &Member) -> Value {
    json!({ "member_id": id(world, member), "cert": next.pem })
}

fn acknowledge(world: &mut World, member: &Member) {
    world.created_at += 1;
    let name = member.id.to_string();
    let digest = world.json("public:ccf.gov.members.acks", name.as_bytes()).unwrap()["state_digest"].clone();
    let payload = json!({ "stateDigest": digest }).to_string();
    let bytes = member.sign(Kind::Ack, world.created_at, None, payload.as_bytes());
    world
        .change(|world, tx| {
            let signed = world.governance.verify(tx, Kind::Ack, &bytes)?;
            world.governance.acknowledge(tx, &signed, &name)
        })
        .unwrap();
}

fn status(world: &World, id: &str) -> Value {
    world.json(INFO, id.as_bytes()).map_or(Value::Null, |info| info["status"].clone())
}

#[test]
fn a_member_goes_on_under_its_new_certificate() {
    let mut world = World::new(DEFAULT, 3);
    let (old, next) = (id(&world, 1), Arc::new(Member::new("next")));
    let policy = json!({
        "agree": { "weight": 3 }, "weights": { &old: 3, id(&world, 0): 1 }, "veto": [&old], "voters": [&old, id(&world, 0)],
        "automatic": [{ "when": "proposer_in", "members": [&old] }]
    });
    world.change(|_, tx| {
        put_json(tx, "public:coco.gov.policies", b"trigger_snapshot", &policy);
        put_json(tx, "public:coco.gov.nodes.owners", b"node", &json!({ "owner": &old }));
        put_json(tx, "public:coco.gov.organisations", b"acme", &json!({ "owner": &old, "cert_bundle": ROOT }));
        put_json(tx, INFO, old.as_bytes(), &json!({ "status": "Active", "member_data": { "name": "bo" } }));
    });
    let under_way = world.act(0, "trigger_ledger_chunk", Value::Null).unwrap().proposal_id;
    world.vote(1, &under_way, YES).unwrap();
    let own = world.act(1, "trigger_ledger_chunk", Value::Null).unwrap().proposal_id;

    let args = rotation(&world, 1, &next);
    assert_eq!(pass(&mut world, "rotate_member_certificate", args).unwrap(), Accepted);
    let new = next.id.to_string();
    assert_eq!(status(&world, &old), Value::Null);
    for table in ["certs", "acks"] {
        assert!(world.row(&format!("public:ccf.gov.members.{table}"), old.as_bytes()).is_none(), "{table}");
    }
    let info = world.json(INFO, new.as_bytes()).unwrap();
    assert_eq!(info, json!({ "status": "Accepted", "member_data": { "name": "bo" } }));
    let renamed = serde_json::from_str::<Value>(&policy.to_string().replace(&old, &new)).unwrap();
    assert_eq!(world.json("public:coco.gov.policies", b"trigger_snapshot").unwrap(), renamed);
    assert_eq!(world.json("public:coco.gov.nodes.owners", b"node").unwrap()["owner"], new.as_str());
    assert_eq!(world.json("public:coco.gov.organisations", b"acme").unwrap()["owner"], new.as_str());
    assert_eq!(world.json("public:ccf.gov.proposals_info", own.as_bytes()).unwrap()["state"], "Dropped");

    // The old key signs nothing any more, and what it voted does not count: two are left, and both are needed.
    assert_eq!(world.vote(1, &under_way, NO).unwrap_err().code(), "InvalidAuthenticationInfo");
    assert_eq!(world.vote(0, &under_way, YES).unwrap().proposal_state, Open);
    world.members[1] = next.clone();
    let early = world.vote(1, &under_way, YES).unwrap_err();
    assert!(early.to_string().contains("not an active member"), "{early}");
    acknowledge(&mut world, &next);
    assert_eq!(status(&world, &new), "Active");
    assert_eq!(world.vote(1, &under_way, YES).unwrap().proposal_state, Accepted);
    assert_eq!(
        world.act(1, "trigger_snapshot", Value::Null).unwrap().proposal_state,
        Accepted,
        "what was its own still is"
    );
}

#[test]
fn a_policy_may_let_a_member_change_its_own_certificate_alone() {
    let mut world = World::new(DEFAULT, 3);
    let own = json!({ "agree": "majority", "automatic": [{ "when": "own_key" }] });
    let first = Member::new("first");
    let args = rotation(&world, 1, &first);
    assert_eq!(world.act(1, "rotate_member_certificate", args.clone()).unwrap().proposal_state, Open);
    let policy = json!({ "action": "rotate_member_certificate", "policy": own });
    assert_eq!(pass(&mut world, "set_policy", policy).unwrap(), Accepted);
    assert_eq!(world.act(0, "rotate_member_certificate", args.clone()).unwrap().proposal_state, Open, "not of another");
    let both = json!([{ "name": "rotate_member_certificate", "args": args }, { "name": "trigger_snapshot" }]);
    assert_eq!(world.propose(1, both).unwrap().proposal_state, Open, "the rest needs votes");
    assert_eq!(world.act(1, "rotate_member_certificate", args).unwrap().proposal_state, Accepted);
    // Nothing is automatic for whoever was suspended after it proposed.
    let pair = json!([
        { "name": "rotate_member_certificate", "args": rotation(&world, 2, &Member::new("second")) },
        { "name": "trigger_snapshot" }
    ]);
    let pending = world.propose(2, pair).unwrap().proposal_id;
    let gone = id(&world, 2);
    world.change(|_, tx| {
        put_json(tx, INFO, gone.as_bytes(), &json!({ "status": "Suspended", "suspended_from": "Active" }))
    });
    assert_eq!(world.vote(0, &pending, YES).unwrap().proposal_state, Accepted, "by the vote of the one who is left");
    assert_eq!(world.rows(INFO), 3);
}

#[test]
fn who_may_not_count_does_not_come_to_count_by_it() {
    let mut world = World::new(DEFAULT, 3);
    let next = Member::new("next");
    let suspended = json!({ "member_id": id(&world, 2) });
    assert_eq!(pass(&mut world, "suspend_member", suspended).unwrap(), Accepted);
    let args = rotation(&world, 2, &next);
    assert_eq!(pass(&mut world, "rotate_member_certificate", args).unwrap(), Accepted);
    acknowledge(&mut world, &next);
    let new = next.id.to_string();
    assert_eq!(
        world.json(INFO, new.as_bytes()).unwrap(),
        json!({ "status": "Suspended", "suspended_from": "Accepted" })
    );
    for (args, why) in [
        (json!({ "member_id": id(&world, 0), "cert": world.members[0].pem }), "already"),
        (json!({ "member_id": id(&world, 0), "cert": world.members[1].pem }), "is a member already"),
        (json!({ "member_id": "9".repeat(64), "cert": next.pem }), "does not exist"),
    ] {
        let refusal = pass(&mut world, "rotate_member_certificate", args).unwrap_err();
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
}

#[test]
fn nobody_is_locked_out_and_no_share_is_lost() {
    // A member who is alone, and a policy that all must satisfy.
    let mut world = World::new(DEFAULT, 1);
    let next = Arc::new(Member::new("next"));
    let args = rotation(&world, 0, &next);
    assert_eq!(pass(&mut world, "rotate_member_certificate", args).unwrap(), Accepted);
    acknowledge(&mut world, &next);
    world.members[0] = next;
    assert_eq!(pass(&mut world, "trigger_snapshot", Value::Null).unwrap(), Accepted);

    let mut world = World::new(DEFAULT, 2);
    let holder = id(&world, 1);
    world.change(|_, tx| {
        put(tx, "public:ccf.gov.members.encryption_public_keys", holder.as_bytes(), RSA_2048.as_bytes())
    });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.service.config", &[0; 8], &json!({ "recovery_threshold": 1 })));
    let args = rotation(&world, 1, &Member::new("next"));
    let refusal = pass(&mut world, "rotate_member_certificate", args).unwrap_err();
    assert!(refusal.to_string().contains("until the new key has signed the state"), "{refusal}");
}

#[test]
fn an_organisation_vouches_for_its_people() {
    let row = |bundle: &str| Organisation { owner: "0".repeat(64), cert_bundle: bundle.into() };
    let rows = || vec![("other".to_owned(), row(OTHER)), ("acme".to_owned(), row(ROOT))];
    let found = person(rows(), &format!("{ANN}{MIDDLE}"), 1_800_000_000).unwrap();
    assert_eq!((found.organisation.as_str(), found.subject.contains("ann")), ("acme", true), "{found:?}");
    assert_eq!(person(rows(), CARL, 1_800_000_000).unwrap().organisation, "other");
    person([("acme".into(), row(&format!("{ROOT}{MIDDLE}")))], ANN, 1_800_000_000).unwrap();
    for (chain, bundle, why) in [
        (ANN.to_owned(), ROOT, "leads to none"),
        (format!("{CARL}{MIDDLE}"), ROOT, "names another issuer"),
        (format!("{MIDDLE}{ROOT}"), ROOT, "not for somebody"),
        (ANN.to_owned(), ANN, "leads to none"),
        (String::new(), ROOT, "not certificates"),
        (ANN.repeat(9), ROOT, "not certificates"),
        ("x".repeat(1 << 20), ROOT, "bytes"),
    ] {
        let stranger = person([("acme".into(), row(bundle))], &chain, 1_800_000_000).unwrap_err();
        assert!(stranger.to_string().contains(why), "{why}: {stranger}");
    }
    let early = person(rows(), &format!("{ANN}{MIDDLE}"), 1_000_000_000).unwrap_err();
    assert!(early.to_string().contains("not valid yet"), "{early}");
    assert_eq!(person([], ANN, 1_800_000_000), Err(Stranger::Nobody));
}

#[test]
fn a_company_takes_in_its_own_people_and_no_others() {
    let mut world = World::new(DEFAULT, 3);
    let owner = id(&world, 1);
    let organisation = json!({ "name": "acme", "owner": owner, "cert_bundle": ROOT });
    assert_eq!(pass(&mut world, "set_organisation", organisation).unwrap(), Accepted);
    let automatic = json!({ "agree": "unanimous", "automatic": [{ "when": "own_organisation", "people_max": 2 }] });
    for action in ["set_user", "set_member"] {
        assert_eq!(pass(&mut world, "set_policy", json!({ "action": action, "policy": automatic })).unwrap(), Accepted);
    }
    let of = |cert: &str| json!({ "cert": cert, "chain": MIDDLE, "organisation": "acme" });
    assert_eq!(world.act(0, "set_user", of(ANN)).unwrap().proposal_state, Open, "not its owner");
    assert_eq!(world.act(1, "set_user", of(CARL)).unwrap().proposal_state, Open, "not its person");
    assert_eq!(world.act(1, "set_user", json!({ "cert": ANN })).unwrap().proposal_state, Open, "nobody vouches");
    let all = json!([ANN, BOB, ANN_AGAIN].map(|cert| json!({ "name": "set_user", "args": of(cert) })));
    assert_eq!(world.propose(1, all).unwrap().proposal_state, Open, "too many");
    assert_eq!(world.act(1, "set_user", of(BOB)).unwrap().proposal_state, Accepted);
    assert_eq!(world.act(1, "set_member", of(ANN)).unwrap().proposal_state, Accepted);
    assert_eq!(world.act(1, "set_user", of(ANN_AGAIN)).unwrap().proposal_state, Open, "two at a time");
    let key = |pem: &str| crypto::sha256(crypto::ForeignCertificate::from_pem(pem).unwrap().der()).to_string();
    assert_eq!(
        world.json("public:ccf.gov.users.info", key(BOB).as_bytes()).unwrap(),
        json!({ "organisation": "acme" })
    );
    assert_eq!(world.json(INFO, key(ANN).as_bytes()).unwrap()["organisation"], "acme");
    assert_eq!(world.act(1, "set_member", of(ANN)).unwrap().proposal_state, Open, "who is there is not written anew");

    // A vote does not make somebody what no organisation says.
    let refusal = pass(&mut world, "set_member", of(CARL)).unwrap_err();
    assert!(refusal.to_string().contains("no organisation vouches"), "{refusal}");
    assert!(world.act(0, "set_user", json!({ "cert": ANN, "chain": MIDDLE })).is_err(), "a chain to nobody");
    // And whom it vouched for it vouches for again.
    let rotate = |cert: &str| json!({ "member_id": key(ANN), "cert": cert, "chain": MIDDLE });
    assert!(pass(&mut world, "rotate_member_certificate", rotate(CARL)).is_err());
    assert_eq!(pass(&mut world, "rotate_member_certificate", rotate(ANN_AGAIN)).unwrap(), Accepted);
    assert_eq!(world.json(INFO, key(ANN_AGAIN).as_bytes()).unwrap()["organisation"], "acme");
}
