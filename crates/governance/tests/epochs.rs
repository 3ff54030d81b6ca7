//! When a ledger secret is replaced, and which rows of a new one are taken.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use base::{NodeId, Seqno};
use crypto::{KeyPair, PublicKey, Secret};
use governance::constitution::DEFAULT;
use governance::engine::Effect;
use governance::{ProposalState, Refusal};
use kv::{Blob, Section, Tx};
use ledger::genesis::NodeStatus;
use ledger::secrets::{FOR_NODES, HISTORICAL, Holder, SHARES, deal, first, rekey};
use serde_json::{Value, json};
use world::actions::RSA_2048;
use world::{World, YES, put, put_json};

fn world(members: usize) -> World {
    let mut world = World::new(DEFAULT, members);
    world.change(|_, tx| put(tx, HISTORICAL, &[0; 8], &first()));
    world
}

fn pass(world: &mut World, name: &str, args: Value) {
    let mut proposal = world.act(0, name, args).unwrap();
    for member in 0..world.members.len() {
        if proposal.proposal_state == ProposalState::Open {
            proposal = world.vote(member, &proposal.proposal_id.clone(), YES).unwrap();
        }
    }
    assert_eq!(proposal.proposal_state, ProposalState::Accepted);
}

/// A node, by its status.
fn node(world: &mut World, status: NodeStatus) -> (NodeId, PublicKey) {
    let key = KeyPair::generate().unwrap();
    let id = key.public().node_id();
    let row =
        json!({ "status": status, "code_digest": "", "quote_info": { "format": "", "quote": "", "endorsements": "" } });
    world.change(|_, tx| put_json(tx, "public:ccf.gov.nodes.info", id.to_string().as_bytes(), &row));
    (id, PublicKey::from_spki_der(key.public().spki_der()).unwrap())
}

fn rows(world: &World, old: u64, stored: Option<u64>, nodes: &[(NodeId, PublicKey)]) -> Vec<Section> {
    let secret = Secret::from_slice(&[1; 32]).unwrap();
    let made = rekey(&Secret::random().unwrap(), (Seqno(old), &secret), stored.map(Seqno), nodes).unwrap();
    let section = |table: &str, row: Vec<u8>| Section {
        table: world.store.head().tables().find(table).unwrap(),
        puts: vec![(Blob::from([0; 8]), Blob::from(row))],
        removes: vec![],
    };
    vec![section(HISTORICAL, made.historical), section(FOR_NODES, made.for_nodes)]
}

fn due(world: &World, entries: u64) -> bool {
    world.governance.rekey_due(&Tx::new(world.store.head()), world.time, Seqno(entries)).unwrap()
}

fn bring(world: &mut World, rows: &[Section], entries: u64) -> Result<(), Refusal> {
    world.change(|world, tx| world.governance.rekey(tx, rows, world.time, Seqno(entries)).map(drop))
}

/// The entry that wrote the chain's row last.
fn stored(world: &World) -> u64 {
    let state = world.store.head();
    state.version(state.tables().find(HISTORICAL).unwrap(), &[0; 8]).unwrap().unwrap().0
}

#[test]
fn members_ask_for_a_new_secret_and_one_follows() {
    let mut world = world(2);
    let node = node(&mut world, NodeStatus::Trusted);
    assert!(!due(&world, 1_000_000));
    let begun = stored(&world);
    let made = rows(&world, 1, Some(begun), std::slice::from_ref(&node));
    assert_eq!(bring(&mut world, &made, 10).unwrap_err().code(), "InvalidNodeState", "nobody asked");
    pass(&mut world, "trigger_ledger_rekey", json!(null));
    assert!(due(&world, 10) && world.effects == [Effect::RekeyLedger]);
    bring(&mut world, &made, 10).unwrap();
    assert!(!due(&world, 10), "once");
    assert!(stored(&world) > begun);
}

#[test]
fn whoever_leaves_has_no_part_in_what_comes() {
    let mut world = world(3);
    let (trusted, pending) = (node(&mut world, NodeStatus::Trusted), node(&mut world, NodeStatus::Pending));
    pass(&mut world, "remove_node", json!({ "node_id": pending.0.to_string() }));
    assert!(!due(&world, 10), "it never had a part");
    pass(&mut world, "remove_node", json!({ "node_id": trusted.0.to_string() }));
    assert!(due(&world, 10));
    let staying = node(&mut world, NodeStatus::Trusted);
    let begun = stored(&world);
    let both = [trusted, staying];
    let made = rows(&world, 1, Some(begun), &both);
    assert!(bring(&mut world, &made, 10).unwrap_err().to_string().contains("not in good standing"));
    let made = rows(&world, 1, Some(begun), &both[1..]);
    bring(&mut world, &made, 10).unwrap();
    let member = world.members[2].id.to_string();
    pass(&mut world, "suspend_member", json!({ "member_id": member }));
    assert!(!due(&world, 10), "for a time, and without a share");
    pass(&mut world, "remove_member", json!({ "member_id": member }));
    assert!(due(&world, 10));
}

#[test]
fn an_epoch_ends_by_time_or_by_entries() {
    let mut world = world(1);
    let node = node(&mut world, NodeStatus::Trusted);
    pass(&mut world, "set_epoch", json!({ "seconds": 60, "entries": 1_000 }));
    assert!(due(&world, 10), "nobody knows how old the first secret is");
    let begun = stored(&world);
    let made = rows(&world, 1, Some(begun), std::slice::from_ref(&node));
    bring(&mut world, &made, 10).unwrap();
    let k = stored(&world);
    world.time += 59_999;
    assert!(!due(&world, k + 999) && due(&world, k + 1_000));
    world.time += 1;
    assert!(due(&world, k + 999));
    pass(&mut world, "set_epoch", json!({}));
    assert!(!due(&world, 1_000_000), "it does not end by itself any more");
    assert!(world.act(0, "set_epoch", json!({ "entries": 999 })).is_err());
}

#[test]
fn rows_that_do_not_continue_the_chain_are_refused() {
    let mut world = world(1);
    let node = node(&mut world, NodeStatus::Trusted);
    pass(&mut world, "trigger_ledger_rekey", json!(null));
    let begun = stored(&world);
    let own = std::slice::from_ref(&node);
    let good = rows(&world, 1, Some(begun), own);
    let another_table = vec![good[0].clone(), Section { table: good[0].table, ..good[1].clone() }];
    let two_rows = {
        let mut section = good[1].clone();
        section.puts.push(section.puts[0].clone());
        vec![good[0].clone(), section]
    };
    for bad in [
        rows(&world, 2, Some(begun), own),
        rows(&world, 1, Some(begun + 1), own),
        rows(&world, 1, None, own),
        rows(&world, 1, Some(begun), &[]),
        vec![good[0].clone()],
        another_table,
        two_rows,
        Vec::new(),
    ] {
        assert!(bring(&mut world, &bad, 10).is_err());
    }
    bring(&mut world, &good, 10).unwrap();
    pass(&mut world, "trigger_ledger_rekey", json!(null));
    let k = stored(&world);
    let wrong = rows(&world, k, Some(k), own);
    assert!(bring(&mut world, &wrong, 10).is_err());
    let next = rows(&world, k + 1, Some(k), own);
    bring(&mut world, &next, 10).unwrap();
}

/// These members gave a key, in these roles.
fn give_keys(world: &mut World, members: &[(usize, Option<&str>)]) {
    for (member, role) in members {
        let id = world.members[*member].id.to_string();
        world.change(|_, tx| {
            put(tx, "public:ccf.gov.members.encryption_public_keys", id.as_bytes(), RSA_2048.as_bytes());
            let info = json!({ "status": "Active", "recovery_role": role });
            put_json(tx, "public:ccf.gov.members.info", id.as_bytes(), &info);
        });
    }
}

/// Shares as a node deals them, for these members.
fn shares(world: &World, threshold: usize, members: &[usize]) -> Section {
    let ids: Vec<String> = members.iter().map(|member| world.members[*member].id.to_string()).collect();
    let holders: Vec<_> = ids.iter().map(|id| Holder { id, key: RSA_2048, alone: false }).collect();
    let row = deal(&Secret::random().unwrap(), None, threshold, &holders).unwrap();
    let table = world.store.head().tables().find(SHARES).unwrap();
    Section { table, puts: vec![(Blob::from([0; 8]), Blob::from(row))], removes: vec![] }
}

fn recovery(world: &World) -> Option<(usize, usize, usize)> {
    let recovery = world.governance.recovery(&Tx::new(world.store.head())).unwrap()?;
    let alone = recovery.holders.iter().filter(|holder| holder.alone).count();
    Some((recovery.threshold, recovery.holders.len(), alone))
}

fn shares_due(world: &World) -> bool {
    world.governance.shares_due(&Tx::new(world.store.head())).unwrap()
}

#[test]
fn shares_are_for_active_members_with_a_key_and_only_if_they_are_enough() {
    let mut world = world(4);
    assert_eq!(recovery(&world), None);
    give_keys(&mut world, &[(0, Some("Owner"))]);
    assert_eq!(recovery(&world), Some((1, 1, 1)), "an owner alone");
    give_keys(&mut world, &[(1, None), (2, Some("Participant")), (3, Some("NonParticipant"))]);
    assert_eq!(recovery(&world), Some((1, 3, 1)));
    pass(&mut world, "set_recovery_threshold", json!({ "recovery_threshold": 2 }));
    assert_eq!(recovery(&world), Some((2, 3, 1)));
    give_keys(&mut world, &[(2, Some("Owner"))]);
    assert_eq!(recovery(&world), None, "one participant is too few for two");
}

#[test]
fn shares_are_dealt_when_members_ask_and_with_each_secret() {
    let mut world = world(3);
    let node = node(&mut world, NodeStatus::Trusted);
    let give =
        |world: &mut World, row: &Section| world.change(|world, tx| world.governance.deal_shares(tx, row).map(drop));
    give_keys(&mut world, &[(0, None), (1, None)]);
    let both = shares(&world, 1, &[0, 1]);
    assert_eq!(give(&mut world, &both).unwrap_err().code(), "InvalidNodeState", "nobody asked");
    pass(&mut world, "set_recovery_threshold", json!({ "recovery_threshold": 2 }));
    assert!(shares_due(&world));
    for bad in [shares(&world, 1, &[0]), shares(&world, 1, &[0, 2]), shares(&world, 1, &[0, 1, 2])] {
        assert!(give(&mut world, &bad).unwrap_err().to_string().contains("for others than its holders"));
    }
    give(&mut world, &both).unwrap();
    assert!(!shares_due(&world) && !due(&world, 10));
    let share = |world: &World, member: usize| {
        let tx = Tx::new(world.store.head());
        world.governance.encrypted_share(&tx, world.members[member].id).unwrap()
    };
    assert!(share(&world, 0).is_some() && share(&world, 2).is_none());

    // A new secret has new shares in the same entry, or it is none.
    pass(&mut world, "trigger_ledger_rekey", json!(null));
    let mut made = rows(&world, 1, Some(stored(&world)), std::slice::from_ref(&node));
    assert!(bring(&mut world, &made, 10).unwrap_err().to_string().contains("no shares for its holders"));
    let before = share(&world, 0);
    made.push(shares(&world, 2, &[0, 1]));
    bring(&mut world, &made, 10).unwrap();
    assert_ne!(share(&world, 0), before);

    // With the last holder go the shares.
    for member in 0..2 {
        let id = world.members[member].id.to_string();
        world.change(|_, tx| {
            let table = tx.base().tables().find("public:ccf.gov.members.encryption_public_keys").unwrap();
            tx.remove(table, id.into_bytes());
        });
    }
    pass(&mut world, "trigger_ledger_rekey", json!(null));
    let k = stored(&world);
    let made = rows(&world, k + 1, Some(k), std::slice::from_ref(&node));
    bring(&mut world, &made, 10).unwrap();
    assert_eq!(world.rows(SHARES), 0);
}
