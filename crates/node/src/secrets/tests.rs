//! A primary and a backup without a network between them: batches are sealed, dropped, and opened as on the road.

use std::sync::Mutex;

use adapter::Opening;
use base::{Digest, View};
use bytes::Bytes;
use crossbeam_channel::unbounded;
use crypto::shares::{Share, SharedSecret};
use kv::NoHistory;
use ledger::{Head, Signer};
use serde_json::{Value, json};

use super::*;
use crate::executor::{Command, open_batch};
use crate::sealer::{ClosedBatch, Draft, Sealer};

/// What two nodes share: tables, rows, and who signs.
struct World {
    service: ServiceTables,
    private: TableId,
    state: State,
    signer: Signer,
}

/// One node's secrets, and what it has kept.
struct Node {
    key: Arc<KeyPair>,
    secrets: Arc<LedgerSecrets>,
    kept: Arc<Mutex<Vec<(Seqno, Secret)>>>,
}

const FIRST: [u8; 32] = [1; 32];

fn keys() -> [Arc<KeyPair>; 3] {
    [(); 3].map(|()| Arc::new(KeyPair::generate().unwrap()))
}

impl World {
    /// Entry 1 has the nodes with these statuses; whose lease ran out is `lapsed`.
    fn new(nodes: &[(&Arc<KeyPair>, &str)], lapsed: Option<&Arc<KeyPair>>) -> Self {
        let tables = Tables::new();
        let service = ServiceTables::register(&tables).unwrap();
        let private = tables.add("private", Kind::State).unwrap();
        let mut state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let put = |id: NodeId, row: Value| (Blob::from(node_key(id)), Blob::from(row.to_string().into_bytes()));
        let row = |(number, (key, status)): (usize, &(&Arc<KeyPair>, &str))| {
            let row = json!({ "status": status, "number": number + 1, "public_key": key.public().to_pem(), "code_digest": "",
                "quote_info": { "format": "", "quote": "", "endorsements": "" },
                "node_to_node_interface": { "bind_address": format!("10.0.0.{number}:1") } });
            put(key.public().node_id(), row)
        };
        let mut rows: Vec<(Blob, Blob)> = nodes.iter().enumerate().map(row).collect();
        rows.sort();
        let leases = lapsed.iter().map(|key| put(key.public().node_id(), json!({ "renewed": 1, "lapsed": true })));
        let sections = [(service.nodes(), rows), (service.leases(), leases.collect()), service.secrets().first()];
        state.apply(Seqno(1), &writes(sections));
        let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
        Self { service, private, state, signer }
    }

    /// A batch of one primary: a rekey, then an entry that is private.
    fn batch(&self, view: u64, head: &Head, rekey: Vec<Section>, speculative: &mut Speculative) -> (Bytes, Head) {
        let first = head.seqno().next();
        let rekey = WriteSet { sections: rekey };
        speculative.executed(first, &rekey).unwrap();
        let secret = writes([(self.private, vec![(Blob::from(&b"k"[..]), Blob::from(&b"canary"[..]))])]);
        let draft = |writes| Draft { writes, claims: Digest::ZERO, slot: None };
        let opening = Opening { time: 1, view: View(view), first, entropy: [0; 32] };
        let closed = ClosedBatch {
            opening,
            drafts: vec![draft(rekey), draft(secret)],
            ends: Vec::new(),
            state: self.state.clone(),
            head: head.clone(),
            keys: speculative.keys(),
        };
        let ((executor, _sealed), (proposals, proposed), (send, batches)) =
            (unbounded::<Command>(), unbounded(), unbounded());
        send.send(closed).unwrap();
        drop(send);
        Sealer { signer: self.signer.clone(), executor, proposals }.run(&batches).unwrap();
        let proposal: crate::ordering::Proposal = proposed.recv().unwrap();
        (proposal.batch, proposal.head)
    }

    fn open(&self, batch: &[u8], node: &Node) -> Result<Vec<(Seqno, WriteSet)>, String> {
        let learn = |seqno, writes: &WriteSet| node.secrets.learn(seqno, writes);
        let opened = open_batch(batch, self.state.tables(), node.secrets.keys(), &learn);
        opened.map_err(|error| error.to_string())
    }

    /// Whether the private entry of such a batch opens with these secrets.
    fn opens(&self, batch: &[u8], keys: &LedgerKeys) -> bool {
        let entry = ledger::split(batch).nth(1).unwrap().unwrap();
        assert!(entry.private_bytes() > 0);
        ledger::open(&entry, self.state.tables(), keys).is_ok()
    }
}

impl Node {
    fn new(world: &World, key: &Arc<KeyPair>) -> Self {
        Self::holding(world, key, &[(Seqno(1), Secret::from_slice(&FIRST).unwrap())])
    }

    fn holding(world: &World, key: &Arc<KeyPair>, held: &[(Seqno, Secret)]) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keep: KeepSecrets = Box::new({
            let kept = kept.clone();
            move |secrets| {
                *kept.lock().unwrap() = secrets.to_vec();
                Ok(())
            }
        });
        let secrets = LedgerSecrets::new(held, key.clone(), world.service.secrets(), keep).unwrap();
        Self { key: key.clone(), secrets: Arc::new(secrets), kept }
    }

    fn speculative(&self) -> Speculative {
        Speculative::new(self.secrets.clone())
    }

    fn rekey(&self, world: &World) -> Vec<Section> {
        self.secrets.rekey(&world.service, &world.state, None).unwrap()
    }

    fn newest(&self) -> (Seqno, [u8; 32]) {
        let (first, secret) = self.secrets.keys().newest();
        (first, *secret.expose())
    }

    /// What it would find at its next start.
    fn kept(&self) -> Vec<(Seqno, [u8; 32])> {
        self.kept.lock().unwrap().iter().map(|(first, secret)| (*first, *secret.expose())).collect()
    }
}

fn writes<const N: usize>(tables: [(TableId, Vec<(Blob, Blob)>); N]) -> WriteSet {
    let mut sections: Vec<Section> =
        tables.into_iter().map(|(table, puts)| Section { table, puts, removes: Vec::new() }).collect();
    sections.sort_by_key(|section| section.table);
    WriteSet { sections }
}

/// The ledger stands behind entry 1.
fn begun(world: &World, node: &Node) -> Head {
    let mut bytes = Vec::new();
    ledger::sign(&Head::new(), View(2), &[], &world.signer, node.secrets.keys(), 1, &mut bytes).unwrap()
}

#[test]
fn what_is_behind_the_rekey_is_sealed_with_the_new_secret_and_backups_have_it_in_time() {
    let [primary, backup, _] = keys();
    let world = World::new(&[(&primary, "Trusted"), (&backup, "Trusted")], None);
    let (primary, backup) = (Node::new(&world, &primary), Node::new(&world, &backup));
    let (head, mut speculative) = (begun(&world, &primary), primary.speculative());
    // Whoever makes it need not lead, and does not keep it.
    let rows = backup.rekey(&world);
    assert_eq!(backup.newest(), (Seqno(1), FIRST));
    let (batch, head) = world.batch(2, &head, rows, &mut speculative);
    assert!(!world.opens(&batch, &LedgerKeys::new(&Secret::from_slice(&FIRST).unwrap()).unwrap()));
    assert_eq!(primary.newest(), (Seqno(1), FIRST), "not before it is committed");

    let entries = world.open(&batch, &backup).unwrap();
    assert_eq!(entries.len(), 2);
    speculative.committed(&speculative.keys()).unwrap();
    assert_eq!(primary.newest(), backup.newest());
    assert_eq!((primary.newest().0, primary.kept()), (Seqno(3), backup.kept()));
    assert_eq!(backup.kept(), [(Seqno(1), FIRST), backup.newest()]);
    // Once more, as after a restart: nothing changes.
    world.open(&batch, &backup).unwrap();
    // The next one continues it.
    let again = primary.rekey(&world);
    let (batch, _) = world.batch(2, &head, again, &mut speculative);
    world.open(&batch, &backup).unwrap();
    assert_eq!(backup.kept().iter().map(|(first, _)| first.0).collect::<Vec<_>>(), [1, 3, 6]);
}

#[test]
fn a_rekey_that_is_rolled_back_leaves_nothing() {
    let [old, new, _] = keys();
    let world = World::new(&[(&old, "Trusted"), (&new, "Trusted")], None);
    let (old, new) = (Node::new(&world, &old), Node::new(&world, &new));
    let (head, mut speculative) = (begun(&world, &old), old.speculative());
    let (lost, _) = world.batch(2, &head, old.rekey(&world), &mut speculative);
    let sealed = speculative.keys();
    let (never, dropped) = (sealed.newest().1, Arc::downgrade(&sealed));
    drop(sealed);
    // It leads no more: the batch goes, and the secret with it.
    speculative.reset();
    assert!(dropped.upgrade().is_none());
    assert_eq!(speculative.keys().newest().0, Seqno(1));
    assert!(old.kept().is_empty());

    // The next primary makes another, in the same place.
    let (batch, head) = world.batch(3, &head, new.rekey(&world), &mut new.speculative());
    world.open(&batch, &old).unwrap();
    world.open(&batch, &new).unwrap();
    assert_eq!((old.newest(), old.newest().0), (new.newest(), Seqno(3)));
    assert!(old.kept().iter().all(|(_, secret)| secret != never.expose()));
    assert!(!world.opens(&lost, old.secrets.keys()) && world.opens(&batch, old.secrets.keys()));
    // And it leads again: on what is committed.
    let mut speculative = old.speculative();
    let rows = old.rekey(&world);
    let (batch, _) = world.batch(4, &head, rows, &mut speculative);
    world.open(&batch, &new).unwrap();
    assert_eq!(new.newest().0, Seqno(6));
}

#[test]
fn a_rekey_that_another_primary_commits_after_all_is_learned_from_its_rows() {
    let [old, new, _] = keys();
    let world = World::new(&[(&old, "Trusted"), (&new, "Trusted")], None);
    let (old, new) = (Node::new(&world, &old), Node::new(&world, &new));
    let mut speculative = old.speculative();
    let (batch, _) = world.batch(2, &begun(&world, &old), old.rekey(&world), &mut speculative);
    speculative.reset();
    world.open(&batch, &new).unwrap();
    world.open(&batch, &old).unwrap();
    assert_eq!(old.newest(), new.newest());
    speculative.reset();
    assert_eq!(speculative.keys().newest().0, Seqno(3), "whoever leads next begins with it");
}

#[test]
fn only_nodes_in_good_standing_get_it() {
    let [sound, lapsed, retired] = keys();
    let nodes = [(&sound, "Trusted"), (&lapsed, "Trusted"), (&retired, "Retired")];
    let world = World::new(&nodes, Some(&lapsed));
    let [sound, lapsed, retired] = [&sound, &lapsed, &retired].map(|key| Node::new(&world, key));
    let (batch, _) = world.batch(2, &begun(&world, &sound), sound.rekey(&world), &mut sound.speculative());
    world.open(&batch, &sound).unwrap();
    for node in [&lapsed, &retired] {
        let error = world.open(&batch, node).err().unwrap();
        assert!(error.starts_with("from entry 3 on ") && error.contains("was not given"), "{error}");
        assert_eq!((node.newest(), node.kept().len()), ((Seqno(1), FIRST), 0));
        assert!(!world.opens(&batch, node.secrets.keys()));
    }
    // A primary that it is not for makes no entry of it.
    let rows = WriteSet { sections: sound.rekey(&world) };
    assert!(lapsed.speculative().executed(Seqno(2), &rows).is_err());
    assert_eq!(lapsed.key.public().node_id().to_string().len(), 64);
}

#[test]
fn a_node_that_was_given_none_goes_on_with_what_it_is_handed_later() {
    let [sound, lapsed, _] = keys();
    let world = World::new(&[(&sound, "Trusted"), (&lapsed, "Trusted")], Some(&lapsed));
    let sound = Node::new(&world, &sound);
    let (mut speculative, mut head) = (sound.speculative(), begun(&world, &sound));
    let mut rekeyed = || {
        let (batch, after) = world.batch(2, &head, sound.rekey(&world), &mut speculative);
        head = after;
        world.open(&batch, &sound).unwrap();
        batch
    };
    let batches = [rekeyed(), rekeyed()];
    let all = sound.secrets.keys().secrets();
    let opens = |held: &[(Seqno, Secret)]| {
        let node = Node::holding(&world, &lapsed, held);
        let opened =
            batches.iter().try_for_each(|batch| world.open(batch, &node).map(|entries| assert_eq!(entries.len(), 2)));
        (opened, node.kept().len())
    };
    // It starts again with all of them, and keeps nothing anew.
    assert_eq!(opens(&all), (Ok(()), 0));
    let [first, second, third] = <[_; 3]>::try_from(all).ok().unwrap();
    let strange = |begins| (begins, Secret::from_slice(&[9; 32]).unwrap());
    for (handed, why) in [
        (vec![first.clone(), second.clone()], "from entry 6 on "),
        (vec![first.clone(), strange(second.0), third.clone()], "that entry 2 brings is of no use"),
        (vec![first, second, strange(third.0)], "that entry 5 brings is of no use"),
    ] {
        let (opened, kept) = opens(&handed);
        let error = opened.unwrap_err();
        assert!(error.contains(why) && kept == 0, "{why}: {error}");
    }
}

/// Made for tests: whose share is whose is told by its place in the row.
const MEMBERS_KEY: &str = include_str!("../../../crypto/src/oaep/private.pem");
const MEMBERS_PUBLIC_KEY: &str = include_str!("../../../crypto/src/oaep/public.pem");

fn holder(id: &str, alone: bool) -> adapter::Holder {
    adapter::Holder { id: id.to_owned(), key: MEMBERS_PUBLIC_KEY.to_owned(), alone }
}

/// What these members' shares give.
fn recovered(row: &[u8], members: &[&str]) -> Result<Secret, crypto::Error> {
    let dealt: secrets::Shares = serde_json::from_slice(row).unwrap();
    let share = |member: &&str| {
        let share = crypto::oaep::decrypt(MEMBERS_KEY, &dealt.encrypted_shares[*member].0).unwrap();
        assert_eq!(share.len(), 44);
        Share::from_bytes(&share).unwrap()
    };
    let shares: Vec<Share> = members.iter().map(share).collect();
    SharedSecret::combine(&shares)?.unwrap(&dealt.wrapped_latest_ledger_secret.0)
}

#[test]
fn enough_shares_open_the_ledger_from_its_end_to_its_beginning() {
    let [key, ..] = keys();
    let world = World::new(&[(&key, "Trusted")], None);
    let node = Node::new(&world, &key);
    let holders = vec![holder("ann", false), holder("bob", false), holder("cid", false), holder("own", true)];
    let recovery = Recovery { threshold: 2, holders };
    let rows = node.secrets.rekey(&world.service, &world.state, Some(&recovery)).unwrap();
    let (batch, _) = world.batch(2, &begun(&world, &node), rows, &mut node.speculative());
    world.open(&batch, &node).unwrap();

    // All that is left is the ledger: what is public in it, and the members.
    let entry = ledger::split(&batch).next().unwrap().unwrap();
    let row = |table: &str| {
        let section = entry.public().map(Result::unwrap).find(|section| section.name == table).unwrap();
        section.get(&SINGLETON).unwrap().to_vec()
    };
    let (shares, historical) = (row(SHARES), row(HISTORICAL));
    for enough in [&["ann", "bob"][..], &["cid", "ann"], &["ann", "bob", "cid"], &["own"], &["own", "bob"]] {
        let newest = recovered(&shares, enough).unwrap();
        assert_eq!(*newest.expose(), node.newest().1, "{enough:?}");
        let before = secrets::previous(&historical, &newest).unwrap().unwrap();
        let keys = LedgerKeys::new(&before.secret).unwrap();
        keys.add(entry.txid.seqno.next(), &newest).unwrap();
        assert_eq!((before.first, *before.secret.expose()), (Seqno(1), FIRST));
        for entry in ledger::split(&batch) {
            ledger::open(&entry.unwrap(), world.state.tables(), &keys).unwrap();
        }
    }
    for few in [&["ann"][..], &["bob"], &["cid"]] {
        assert!(recovered(&shares, few).is_err(), "{few:?}");
    }
    // Dealt anew they are others, of the same secret; those of before are of no use with them.
    let again = node.secrets.deal_shares(&world.state, &recovery).unwrap();
    let again = again.puts[0].1.to_vec();
    assert_ne!(again, shares);
    assert_eq!(*recovered(&again, &["bob", "cid"]).unwrap().expose(), node.newest().1);
    let unsound = Recovery { threshold: 4, ..recovery };
    assert!(node.secrets.deal_shares(&world.state, &unsound).is_err());
}

#[test]
fn a_key_that_is_not_the_nodes_own_gets_nothing() {
    let [sound, other, _] = keys();
    let mut world = World::new(&[(&sound, "Trusted"), (&other, "Trusted")], None);
    let sound = Node::new(&world, &sound);
    // Members' scripts write rows of nodes, too.
    let strange = KeyPair::generate().unwrap();
    let id = other.public().node_id();
    let row = world.state.get(world.service.nodes(), &node_key(id)).unwrap().unwrap();
    let mut row: Value = serde_json::from_slice(&row).unwrap();
    row["public_key"] = json!(strange.public().to_pem());
    let put = (Blob::from(node_key(id)), Blob::from(row.to_string().into_bytes()));
    world.state.apply(Seqno(2), &writes([(world.service.nodes(), vec![put])]));
    let refused = sound.secrets.rekey(&world.service, &world.state, None).err().unwrap();
    assert!(refused.message.contains("has not the node's key"), "{}", refused.message);
}

#[test]
fn a_node_begins_with_the_first_secret() {
    let [key, ..] = keys();
    let world = World::new(&[], None);
    let keep = || -> KeepSecrets { Box::new(|_| Ok(())) };
    for held in [vec![], vec![(Seqno(3), Secret::from_slice(&FIRST).unwrap())]] {
        assert!(LedgerSecrets::new(&held, key.clone(), world.service.secrets(), keep()).is_err());
    }
}
