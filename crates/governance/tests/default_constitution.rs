//! The constitution of our own: its actions, its policies, and what it never does.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use governance::constitution::DEFAULT;
use governance::engine::{Bounds, Effect, check_constitution};
use governance::{ProposalState, Refusal};
use serde_json::{Value, json};
use world::actions::{PENDING, RSA_2048, cases, check};
use world::{Member, NO, World, YES, clock, put_json};

use ProposalState::{Accepted, Open, Rejected};

fn world(members: usize) -> World {
    World::new(DEFAULT, members)
}

/// Proposes and lets members vote in turn until it is decided.
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

fn set_policy(world: &mut World, action: &str, policy: Value) {
    assert_eq!(pass(world, "set_policy", json!({ "action": action, "policy": policy })).unwrap(), Accepted);
}

fn id(world: &World, member: usize) -> String {
    world.members[member].id.to_string()
}

#[test]
fn it_is_a_constitution() {
    check_constitution(DEFAULT, &Bounds::LEAST, clock(Bounds::LEAST.time)).unwrap();
}

#[test]
fn it_knows_ccfs_actions_under_their_names() {
    assert_eq!(check(DEFAULT, |world| cases(world, DEFAULT)), 39);
}

#[test]
fn nobody_decides_alone_whoever_was_first() {
    for founder in 0..3 {
        let mut world = world(3);
        let id = world.act(founder, "trigger_snapshot", Value::Null).unwrap().proposal_id;
        assert_eq!(world.vote(founder, &id, YES).unwrap().proposal_state, Open);
        assert_eq!(world.vote((founder + 1) % 3, &id, NO).unwrap().proposal_state, Open);
        assert_eq!(world.vote((founder + 2) % 3, &id, NO).unwrap().proposal_state, Rejected);
    }
}

#[test]
fn a_change_of_a_policy_is_judged_by_the_policy_that_it_changes() {
    let mut world = world(4);
    set_policy(&mut world, "trigger_snapshot", json!({ "agree": "unanimous" }));
    for (name, args) in [
        ("set_policy", json!({ "action": "trigger_snapshot", "policy": { "agree": { "count": 1 } } })),
        ("remove_policy", json!({ "action": "trigger_snapshot" })),
        // Whoever changes the script changes that policy too.
        ("set_constitution", json!({ "constitution": DEFAULT })),
    ] {
        let id = world.act(0, name, args).unwrap().proposal_id;
        for member in 0..3 {
            assert_eq!(world.vote(member, &id, YES).unwrap().proposal_state, Open, "{name}");
        }
        assert_eq!(world.vote(3, &id, NO).unwrap().proposal_state, Rejected, "{name}");
    }
    // Not even together with what it would allow.
    let both = json!([
        { "name": "set_policy", "args": { "action": "trigger_snapshot", "policy": { "agree": { "count": 1 } } } },
        { "name": "trigger_snapshot" }
    ]);
    let id = world.propose(0, both).unwrap().proposal_id;
    for member in 0..3 {
        assert_eq!(world.vote(member, &id, YES).unwrap().proposal_state, Open);
    }
    assert_eq!(world.vote(3, &id, YES).unwrap().proposal_state, Accepted);
    let id = world.act(0, "trigger_snapshot", Value::Null).unwrap().proposal_id;
    assert_eq!(world.vote(3, &id, YES).unwrap().proposal_state, Accepted);
}

#[test]
fn a_spared_action_does_not_spare_the_change_of_its_policy() {
    let mut world = world(3);
    let spared = json!({ "agree": "unanimous", "automatic": [{ "when": "proposer_in", "members": [id(&world, 0)] }] });
    set_policy(&mut world, "trigger_snapshot", spared);
    assert_eq!(world.act(0, "trigger_snapshot", Value::Null).unwrap().proposal_state, Accepted);
    assert_eq!(world.act(1, "trigger_snapshot", Value::Null).unwrap().proposal_state, Open);
    for (name, args) in [
        ("set_policy", json!({ "action": "trigger_snapshot", "policy": { "agree": { "count": 1 } } })),
        ("remove_policy", json!({ "action": "trigger_snapshot" })),
        ("set_constitution", json!({ "constitution": DEFAULT })),
    ] {
        let id = world.act(0, name, args).unwrap().proposal_id;
        world.vote(0, &id, YES).unwrap();
        // Enough for changing policies, not enough for changing this one.
        assert_eq!(world.vote(1, &id, YES).unwrap().proposal_state, Open, "{name}");
    }
}

#[test]
fn rules_that_change_drop_what_was_open_under_the_old_ones() {
    for (name, args) in [
        ("set_policy", json!({ "action": "remove_user", "policy": { "agree": "majority" } })),
        ("add_code", json!({ "tee": "snp", "measurement": "ab" })),
        ("set_constitution", json!({ "constitution": DEFAULT })),
    ] {
        let mut world = world(2);
        let open = world.act(1, "trigger_snapshot", Value::Null).unwrap().proposal_id;
        assert_eq!(pass(&mut world, name, args).unwrap(), Accepted);
        assert_eq!(world.json("public:ccf.gov.proposals_info", open.as_bytes()).unwrap()["state"], "Dropped", "{name}");
        assert_eq!(world.vote(0, &open, YES).unwrap_err().code(), "ProposalNotOpen");
    }
}

#[test]
fn delays_run_from_the_vote_that_was_enough() {
    let mut world = world(3);
    let delayed = json!({ "agree": "majority", "delay_seconds": 60, "veto": [id(&world, 2)] });
    set_policy(&mut world, "*", delayed);
    let decide = |world: &mut World| {
        let id = world.act(0, "trigger_snapshot", Value::Null).unwrap().proposal_id;
        world.time += 100_000;
        world.vote(0, &id, YES).unwrap();
        world.time += 100_000;
        assert_eq!(world.vote(1, &id, YES).unwrap().proposal_state, Open);
        world.time += 59_999;
        let before = world.store.head().seqno();
        assert_eq!(world.settle(&id).unwrap().proposal_state, Open);
        assert_eq!(world.store.head().seqno(), before, "asked in vain, nothing is written");
        id
    };
    let id = decide(&mut world);
    world.time += 1;
    assert_eq!(world.settle(&id).unwrap().proposal_state, Accepted);
    assert_eq!(world.settle(&id).unwrap().proposal_state, Accepted, "said again it stays");
    assert_eq!(world.effects, [Effect::TakeSnapshot]);
    let id = decide(&mut world);
    assert_eq!(world.vote(2, &id, NO).unwrap().proposal_state, Rejected, "a veto within the delay");
}

#[test]
fn no_policy_is_left_that_nobody_can_satisfy() {
    let mut world = world(3);
    for policy in [
        json!({ "agree": { "count": 4 } }),
        json!({ "agree": { "weight": 1 } }),
        json!({ "agree": "unanimous", "voters": [] }),
    ] {
        let refusal = pass(&mut world, "set_policy", json!({ "action": "remove_user", "policy": policy })).unwrap_err();
        assert!(refusal.to_string().contains("would satisfy the policy for remove_user"), "{refusal}");
    }
    set_policy(&mut world, "remove_user", json!({ "agree": { "count": 3 } }));
    let gone = json!({ "member_id": id(&world, 2) });
    for action in ["remove_member", "suspend_member"] {
        assert!(pass(&mut world, action, gone.clone()).is_err(), "{action}");
        assert_eq!(world.rows("public:ccf.gov.members.info"), 3);
    }
    for policy in [
        json!({}),
        json!({ "agree": "some" }),
        json!({ "agree": { "count": 0 } }),
        json!({ "agree": { "count": 1, "weight": 1 } }),
        json!({ "agree": "majority", "vetoes": [] }),
        json!({ "agree": "majority", "veto": ["me"] }),
        json!({ "agree": "majority", "automatic": [{ "when": "always" }] }),
        json!({ "agree": "majority", "automatic": [{ "when": "constructor" }] }),
        json!({ "agree": "majority", "automatic": [{ "when": "own_node" }] }),
    ] {
        let refusal = world.act(0, "set_policy", json!({ "action": "*", "policy": policy })).unwrap_err();
        assert_eq!(refusal.code(), "ProposalFailedToValidate", "{policy}");
    }
    let refusal =
        world.act(0, "set_policy", json!({ "action": "nothing", "policy": { "agree": "majority" } })).unwrap_err();
    assert!(refusal.to_string().contains("there is no action nothing"));
}

/// A network in which members' own nodes need no votes, two each.
fn with_own_nodes() -> World {
    let mut world = world(3);
    let policy = json!({ "agree": "unanimous", "automatic": [{ "when": "own_node", "nodes_max": 2 }] });
    set_policy(&mut world, "transition_node_to_trusted", policy);
    for (name, args) in [
        ("add_tee", json!({ "tee": "snp" })),
        ("add_code", json!({ "tee": "snp", "measurement": "abcd", "version": "1.0" })),
    ] {
        assert_eq!(pass(&mut world, name, args).unwrap(), Accepted);
    }
    world
}

fn pending(world: &mut World, digit: char, format: &str, code: &str) -> String {
    let node = digit.to_string().repeat(64);
    let row = json!({ "status": "Pending", "code_digest": code, "quote_info": { "format": format } });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.nodes.info", node.as_bytes(), &row));
    node
}

fn trust(node: &str) -> Value {
    json!({ "name": "transition_node_to_trusted", "args": { "node_id": node, "valid_from": "260101000000Z" } })
}

#[test]
fn a_members_own_node_with_approved_code_needs_no_votes() {
    let mut world = with_own_nodes();
    let [a, b, c, d] = ['a', 'b', 'c', 'd'].map(|digit| pending(&mut world, digit, "AMD_SEV_SNP_v1", "abcd"));
    let state =
        |world: &mut World, member: usize, actions: Value| world.propose(member, actions).unwrap().proposal_state;
    assert_eq!(state(&mut world, 0, json!([trust(&a)])), Accepted);
    let owner = world.json("public:coco.gov.nodes.owners", a.as_bytes()).unwrap();
    assert_eq!(owner, json!({ "owner": id(&world, 0) }));
    assert_eq!(world.json("public:ccf.gov.nodes.info", a.as_bytes()).unwrap()["ledger_secret_seqno"], 7);
    assert_eq!(state(&mut world, 0, json!([trust(&b), trust(&c)])), Open, "one more, not two");
    assert_eq!(state(&mut world, 0, json!([trust(&b)])), Accepted);
    assert_eq!(state(&mut world, 0, json!([trust(&c)])), Open, "two a member");
    assert_eq!(state(&mut world, 1, json!([trust(&c), { "name": "trigger_snapshot" }])), Open, "the rest needs votes");
    assert_eq!(state(&mut world, 1, json!([trust(&c)])), Accepted);
    let mut of_another = trust(&d);
    of_another["args"]["owner"] = json!(id(&world, 1));
    assert_eq!(state(&mut world, 2, json!([of_another])), Open, "not one's own");
    let mut of_nobody = trust(&d)["args"].clone();
    of_nobody["owner"] = json!("9".repeat(64));
    assert!(pass(&mut world, "transition_node_to_trusted", of_nobody).is_err());
    let retired = pass(&mut world, "remove_node", json!({ "node_id": a })).unwrap();
    assert_eq!(
        (retired, state(&mut world, 0, json!([trust(&d)]))),
        (Accepted, Accepted),
        "a retired one does not count"
    );
}

#[test]
fn code_and_tee_must_be_in_the_manifests_and_not_expired() {
    let mut world = with_own_nodes();
    let other_code = pending(&mut world, 'a', "AMD_SEV_SNP_v1", "abce");
    let other_tee = pending(&mut world, 'b', "Insecure_Virtual", "abcd");
    let good = pending(&mut world, 'c', "AMD_SEV_SNP_v1", "abcd");
    for node in [&other_code, &other_tee] {
        assert_eq!(world.propose(0, json!([trust(node)])).unwrap().proposal_state, Open);
    }
    let expires = world.time + 1_000;
    let code = json!({ "tee": "snp", "measurement": "abcd", "expires": expires });
    assert_eq!(pass(&mut world, "add_code", code).unwrap(), Accepted);
    world.time = expires;
    assert_eq!(world.propose(0, json!([trust(&good)])).unwrap().proposal_state, Open);
    world.time = expires - 1;
    assert_eq!(world.propose(1, json!([trust(&good)])).unwrap().proposal_state, Accepted);
    assert_eq!(pass(&mut world, "remove_tee", json!({ "tee": "snp" })).unwrap(), Accepted);
    let late = pending(&mut world, 'd', "AMD_SEV_SNP_v1", "abcd");
    assert_eq!(world.propose(1, json!([trust(&late)])).unwrap().proposal_state, Open);
    for bad in [json!({ "tee": "snp", "debug": true }), json!({ "tee": "abacus" })] {
        assert_eq!(world.act(0, "add_tee", bad).unwrap_err().code(), "ProposalFailedToValidate");
    }
}

#[test]
fn an_operator_may_be_spared_by_what_members_wrote_about_it() {
    let mut world = world(3);
    let condition = json!([{ "when": "proposer_data", "field": "is_operator", "value": true }]);
    set_policy(&mut world, "remove_node", json!({ "agree": "majority", "automatic": condition }));
    let operator = json!({ "member_id": id(&world, 2), "member_data": { "is_operator": true } });
    assert_eq!(pass(&mut world, "set_member_data", operator).unwrap(), Accepted);
    let node = json!({ "node_id": PENDING });
    assert_eq!(world.act(1, "remove_node", node.clone()).unwrap().proposal_state, Open);
    assert_eq!(world.act(2, "remove_node", node).unwrap().proposal_state, Accepted);
}

#[test]
fn a_suspended_member_waits_and_comes_back() {
    let mut world = world(3);
    let member = json!({ "member_id": id(&world, 2) });
    assert_eq!(pass(&mut world, "suspend_member", member.clone()).unwrap(), Accepted);
    assert_eq!(world.act(2, "trigger_snapshot", Value::Null).unwrap_err().status(), 401);
    // Of two who are left, a majority is both.
    let open = world.act(0, "trigger_snapshot", Value::Null).unwrap().proposal_id;
    assert_eq!(world.vote(0, &open, YES).unwrap().proposal_state, Open);
    assert_eq!(world.vote(1, &open, YES).unwrap().proposal_state, Accepted);
    assert_eq!(pass(&mut world, "restore_member", member).unwrap(), Accepted);
    assert_eq!(world.act(2, "trigger_snapshot", Value::Null).unwrap().proposal_state, Open);
    let row = world.json("public:ccf.gov.members.info", id(&world, 2).as_bytes()).unwrap();
    assert_eq!(row, json!({ "status": "Active" }));
}

#[test]
fn who_holds_a_share_leaves_only_if_enough_are_left() {
    let mut world = world(3);
    let keys = "public:ccf.gov.members.encryption_public_keys";
    for member in 0..2 {
        let id = id(&world, member);
        world.change(|_, tx| world::put(tx, keys, id.as_bytes(), RSA_2048.as_bytes()));
    }
    assert_eq!(pass(&mut world, "set_recovery_threshold", json!({ "recovery_threshold": 2 })).unwrap(), Accepted);
    assert_eq!(world.effects, [Effect::RefreshRecoveryShares]);
    let holder = json!({ "member_id": id(&world, 0) });
    assert!(pass(&mut world, "remove_member", holder.clone()).is_err());
    assert!(pass(&mut world, "set_recovery_threshold", json!({ "recovery_threshold": 3 })).is_err());
    assert_eq!(pass(&mut world, "set_recovery_threshold", json!({ "recovery_threshold": 1 })).unwrap(), Accepted);
    world.effects.clear();
    assert_eq!(pass(&mut world, "remove_member", holder).unwrap(), Accepted);
    assert_eq!(world.effects, [Effect::RekeyLedger]);
    assert_eq!(world.rows(keys), 1);
}

#[test]
fn a_new_member_is_given_the_state_to_sign() {
    let mut world = world(2);
    let newcomer = Member::new("newcomer");
    let args = json!({ "cert": newcomer.pem, "encryption_pub_key": RSA_2048, "recovery_role": "Owner" });
    assert_eq!(pass(&mut world, "set_member", args).unwrap(), Accepted);
    let key = newcomer.id.to_string();
    let row = |table: &str| world.json(&format!("public:ccf.gov.members.{table}"), key.as_bytes()).unwrap();
    assert_eq!(row("info"), json!({ "status": "Accepted", "recovery_role": "Owner" }));
    assert_eq!(row("acks"), json!({ "state_digest": world.root.unwrap().to_string() }));
}

#[test]
fn actions_of_our_own_write_their_rows() {
    let mut world = world(1);
    let stranger = Member::new("stranger");
    let participant = stranger.id.to_string();
    let bundle = world.service_pem.clone();
    let steps: Vec<(&str, Value, &str, &str, Option<Value>)> = vec![
        (
            "set_participant",
            json!({ "cert": stranger.pem, "participant_data": { "n": 1 } }),
            "participants",
            &participant,
            Some(json!({ "cert": stranger.pem, "participant_data": { "n": 1 } })),
        ),
        (
            "set_organisation",
            json!({ "name": "acme", "owner": participant, "cert_bundle": bundle }),
            "organisations",
            "acme",
            Some(json!({ "owner": participant, "cert_bundle": bundle })),
        ),
        ("remove_organisation", json!({ "name": "acme" }), "organisations", "acme", None),
        ("remove_participant", json!({ "participant_id": participant }), "participants", &participant, None),
        (
            "add_code",
            json!({ "tee": "tdx", "measurement": "ab", "version": "2" }),
            "manifest.code",
            "tdx:ab",
            Some(json!({ "tee": "tdx", "measurement": "ab", "version": "2" })),
        ),
        ("remove_code", json!({ "tee": "tdx", "measurement": "ab" }), "manifest.code", "tdx:ab", None),
        (
            "add_tee",
            json!({ "tee": "virtual", "debug": true }),
            "manifest.tee",
            "virtual",
            Some(json!({ "tee": "virtual", "debug": true })),
        ),
        ("set_lease", json!({ "seconds": 3600 }), "lease", "\0\0\0\0\0\0\0\0", Some(json!({ "seconds": 3600 }))),
        (
            "set_epoch",
            json!({ "entries": 1_000_000 }),
            "epoch",
            "\0\0\0\0\0\0\0\0",
            Some(json!({ "entries": 1_000_000 })),
        ),
        (
            "open_ledger",
            json!({ "name": "eth", "kind": "ethereum", "genesis": { "a": 1 } }),
            "ledgers",
            "eth",
            Some(json!({ "kind": "ethereum", "number": 1, "genesis": { "a": 1 }, "status": "Open" })),
        ),
        (
            "pause_ledger",
            json!({ "name": "eth" }),
            "ledgers",
            "eth",
            Some(json!({ "kind": "ethereum", "number": 1, "genesis": { "a": 1 }, "status": "Paused" })),
        ),
        (
            "resume_ledger",
            json!({ "name": "eth" }),
            "ledgers",
            "eth",
            Some(json!({ "kind": "ethereum", "number": 1, "genesis": { "a": 1 }, "status": "Open" })),
        ),
        (
            "set_ledger_policy",
            json!({ "name": "eth", "policy": { "connect": ["10.0.0.0/8"] } }),
            "ledgers",
            "eth",
            Some(
                json!({ "kind": "ethereum", "number": 1, "genesis": { "a": 1 }, "policy": { "connect": ["10.0.0.0/8"] }, "status": "Open" }),
            ),
        ),
        (
            "close_ledger",
            json!({ "name": "eth" }),
            "ledgers",
            "eth",
            Some(
                json!({ "kind": "ethereum", "number": 1, "genesis": { "a": 1 }, "policy": { "connect": ["10.0.0.0/8"] }, "status": "Closed" }),
            ),
        ),
    ];
    for (name, args, table, key, row) in steps {
        assert_eq!(pass(&mut world, name, args).unwrap(), Accepted, "{name}");
        assert_eq!(world.json(&format!("public:coco.gov.{table}"), key.as_bytes()), row, "{name}");
    }
    // The number of one that is closed is not used again, nor is its name.
    let args = json!({ "name": "kv", "kind": "keyvalue", "listeners": { "rest": 8080 } });
    assert_eq!(pass(&mut world, "open_ledger", args).unwrap(), Accepted);
    let opened = json!({ "kind": "keyvalue", "number": 2, "listeners": { "rest": 8080 }, "status": "Open" });
    assert_eq!(world.json("public:coco.gov.ledgers", b"kv"), Some(opened));
    for (name, args) in [
        ("open_ledger", json!({ "name": "eth", "kind": "ethereum" })),
        ("resume_ledger", json!({ "name": "eth" })),
        ("pause_ledger", json!({ "name": "other" })),
        ("set_organisation", json!({ "name": "acme", "owner": participant, "cert_bundle": bundle })),
    ] {
        assert_eq!(pass(&mut world, name, args).unwrap_err().status(), 500, "{name}");
    }
    for (name, args) in [
        ("open_ledger", json!({ "name": "no spaces", "kind": "ethereum" })),
        ("open_ledger", json!({ "name": "l", "kind": "ethereum", "policy": { "read": ["org1"] } })),
        ("open_ledger", json!({ "name": "l", "kind": "ethereum", "listeners": { "rpc": 0 } })),
        ("set_ledger_policy", json!({ "name": "eth", "policy": { "connect": "10.0.0.0/8" } })),
        ("set_lease", json!({ "seconds": 1 })),
        ("add_code", json!({ "tee": "tdx", "measurement": "AB" })),
        ("set_participant", json!({ "cert": "no" })),
        ("suspend_member", json!({})),
    ] {
        assert_eq!(world.act(0, name, args).unwrap_err().code(), "ProposalFailedToValidate", "{name}");
    }
}

#[test]
fn a_proposal_that_is_none_is_refused_with_a_reason() {
    let mut world = world(1);
    for (body, reason) in [
        ("{}", "a list of actions"),
        ("null", "a list of actions"),
        ("{\"actions\":[]}", "a list of actions"),
        ("{\"actions\":7}", "a list of actions"),
        ("{\"actions\":[null]}", "no such action"),
        ("{\"actions\":[{\"name\":\"toString\"}]}", "no such action"),
        ("{\"actions\":[{\"name\":\"set_user\"}]}", "cert"),
        ("{\"actions\":[{\"name\":\"remove_user\",\"args\":{\"user_id\":\"x\",\"odd\":1}}]}", "has no field odd"),
        ("{\"actions\":[{\"name\":\"trigger_snapshot\"},{\"name\":\"nothing\"}]}", "nothing at position 1"),
    ] {
        let refusal = world.propose_text(0, body).unwrap_err();
        assert_eq!(refusal.code(), "ProposalFailedToValidate", "{body}");
        assert!(refusal.to_string().contains(reason), "{body}: {refusal}");
    }
    // What is not JSON at all stops `validate`.
    assert_eq!(world.propose_text(0, "{").unwrap_err().status(), 500);
}
