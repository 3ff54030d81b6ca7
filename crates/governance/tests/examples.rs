//! The examples of `examples/constitutions`, each with its story.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::path::Path;

use governance::ProposalState::{self, Accepted, Open, Rejected};
use governance::constitution;
use serde_json::{Value, json};
use world::{Member, NO, World, YES};

/// Three members who have agreed on an example.
fn governed(example: &str) -> World {
    let mut world = World::new(constitution::DEFAULT, 3);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/constitutions").join(example);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (place, member) in world.members.iter().enumerate() {
        text = text.replace(&format!("MEMBER{place}"), &member.id.to_string());
    }
    let id = world.propose_text(0, &text).unwrap().proposal_id;
    let mut state = Open;
    for member in 0..3 {
        if state == Open {
            state = world.vote(member, &id, YES).unwrap().proposal_state;
        }
    }
    assert_eq!(state, Accepted, "{example} was not agreed on");
    world
}

/// What becomes of an action on which members vote one after the other, as far as it takes; and who voted.
fn story(world: &mut World, name: &str, args: Value, votes: &[(usize, &str)]) -> (ProposalState, usize) {
    let proposal = world.act(0, name, args).unwrap();
    let (id, mut state, mut cast) = (proposal.proposal_id, proposal.proposal_state, 0);
    for (member, ballot) in votes {
        if state == Open {
            state = world.vote(*member, &id, ballot).unwrap().proposal_state;
            cast += 1;
        }
    }
    if state == Open {
        world.withdraw(0, &id).unwrap();
    }
    (state, cast)
}

fn a_word_about(world: &World, member: usize) -> Value {
    json!({ "member_id": world.members[member].id, "member_data": { "said": true } })
}

#[test]
fn a_majority_decides() {
    let mut world = governed("majority.json");
    let args = a_word_about(&world, 1);
    assert_eq!(story(&mut world, "set_member_data", args.clone(), &[(0, YES), (1, NO), (2, YES)]), (Accepted, 3));
    assert_eq!(story(&mut world, "set_member_data", args, &[(1, NO), (2, NO)]), (Rejected, 2));
}

#[test]
fn everybody_must_agree() {
    let mut world = governed("unanimous.json");
    let args = a_word_about(&world, 1);
    assert_eq!(story(&mut world, "set_member_data", args.clone(), &[(0, YES), (1, YES)]), (Open, 2));
    assert_eq!(story(&mut world, "set_member_data", args.clone(), &[(0, YES), (1, YES), (2, YES)]), (Accepted, 3));
    assert_eq!(story(&mut world, "set_member_data", args, &[(2, NO)]), (Rejected, 1));
}

#[test]
fn shares_decide() {
    let mut world = governed("weighted.json");
    let args = a_word_about(&world, 1);
    // 50 and 20 are enough, 30 and 20 are not; without the 50 nothing goes.
    assert_eq!(story(&mut world, "set_member_data", args.clone(), &[(0, YES), (2, YES)]), (Accepted, 2));
    assert_eq!(story(&mut world, "set_member_data", args.clone(), &[(1, YES), (2, YES)]), (Open, 2));
    assert_eq!(story(&mut world, "set_member_data", args, &[(0, NO)]), (Rejected, 1));
}

#[test]
fn not_against_the_regulator() {
    let mut world = governed("veto.json");
    let code = json!({ "tee": "snp", "measurement": "5a84" });
    assert_eq!(story(&mut world, "add_code", code.clone(), &[(0, YES), (1, YES)]), (Open, 2));
    assert_eq!(story(&mut world, "add_code", code.clone(), &[(0, YES), (1, YES), (2, NO)]), (Rejected, 3));
    assert_eq!(story(&mut world, "add_code", code, &[(0, YES), (2, YES)]), (Accepted, 2));
    let word = a_word_about(&world, 1);
    assert_eq!(story(&mut world, "set_member_data", word, &[(0, YES), (1, YES)]), (Accepted, 2), "no veto on this");
    let without = json!({ "action": "add_code" });
    assert_eq!(story(&mut world, "remove_policy", without, &[(0, YES), (1, YES)]), (Open, 2), "nor around it");
}

#[test]
fn a_provisioner_appoints_operators_and_nobody_else() {
    let mut world = governed("operator-provisioner.json");
    let (operator, other) = (Member::new("operator"), Member::new("other"));
    let as_operator = json!({ "cert": operator.pem, "member_data": { "is_operator": true } });
    assert_eq!(story(&mut world, "set_member", as_operator.clone(), &[]), (Accepted, 0), "alone");
    let plain = json!({ "cert": other.pem, "member_data": { "name": "other" } });
    assert_eq!(story(&mut world, "set_member", plain, &[]), (Open, 0), "a member with a say takes the others");
    let promoted = json!({ "cert": world.members[1].pem, "member_data": { "is_operator": true } });
    assert_eq!(story(&mut world, "set_member", promoted, &[]), (Open, 0), "nobody loses its say this way");
    // Another member is no provisioner.
    let proposal = world.act(1, "set_member", as_operator).unwrap();
    assert_eq!(proposal.proposal_state, Open);
    world.withdraw(1, &proposal.proposal_id).unwrap();
    assert_eq!(story(&mut world, "remove_member", json!({ "member_id": operator.id }), &[]), (Accepted, 0));
    let founder = json!({ "member_id": world.members[2].id });
    assert_eq!(story(&mut world, "remove_member", founder, &[]), (Open, 0));
}
