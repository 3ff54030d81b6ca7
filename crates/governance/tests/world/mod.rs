//! A small network for tests: a store, members with keys, and requests as their tools would sign them.

pub mod actions;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base::{Digest, Seqno};
use crypto::certificate::{self, Validity};
use crypto::{ForeignCertificate, KeyPair};
use governance::engine::{Effect, Inline, Late, Runner, Service};
use governance::envelope::signed_bytes;
use governance::state::members::Status;
use governance::{At, Founding, FoundingMember, Governance, Kind, MemberId, Outcome, Proposal, Refusal};
use kv::{NoHistory, Store, Tables, Tx};
use minicbor::Encoder;
use minicbor::data::Tag;
use serde_json::{Value, json};

pub const YES: &str = "export function vote () { return true; }";
pub const NO: &str = "export function vote () { return false; }";
/// 2026 and 2027.
const YEARS: Validity = Validity { from: 1_767_225_600, until: 1_830_297_600 };

/// Counts time as the machine does.
pub fn clock(limit: Duration) -> Late {
    let begun = Instant::now();
    Box::new(move || begun.elapsed() > limit)
}

pub fn inline() -> Inline<fn(Duration) -> Late> {
    Inline(clock)
}

pub struct Member {
    pub key: KeyPair,
    pub pem: String,
    pub id: MemberId,
}

impl Member {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = certificate::member(&key, name, YEARS).unwrap().to_pem();
        let id = MemberId::of(&ForeignCertificate::from_pem(&pem).unwrap());
        Self { key, pem, id }
    }

    /// A request as a member's tool signs it.
    pub fn sign(&self, kind: Kind, created_at: u64, proposal: Option<&str>, payload: &[u8]) -> Vec<u8> {
        let mut protected = Vec::new();
        let mut e = Encoder::new(&mut protected);
        e.map(if proposal.is_some() { 5 } else { 4 }).unwrap();
        e.i64(1).unwrap().i64(-35).unwrap();
        e.i64(4).unwrap().bytes(self.id.to_string().as_bytes()).unwrap();
        e.str("ccf.gov.msg.type").unwrap().str(kind.text()).unwrap();
        if let Some(id) = proposal {
            e.str("ccf.gov.msg.proposal_id").unwrap().str(id).unwrap();
        }
        e.str("ccf.gov.msg.created_at").unwrap().u64(created_at).unwrap();
        envelope(&self.key, &protected, payload)
    }
}

/// A COSE_Sign1 under a protected header that may be anything.
pub fn envelope(key: &KeyPair, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let signature = key.sign(&signed_bytes(protected, payload)).unwrap();
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    e.tag(Tag::new(18)).unwrap().array(4).unwrap().bytes(protected).unwrap().map(0).unwrap();
    e.bytes(payload).unwrap().bytes(&signature).unwrap();
    bytes
}

/// A service that endorses whatever it is asked to.
pub struct Obliging;

impl Service for Obliging {
    fn ledger_secret_seqno(&self) -> u64 {
        7
    }

    fn endorse_node(&self, request: &str, valid_from: &str, days: u32) -> Result<String, String> {
        Ok(format!("endorsed {request} from {valid_from} for {days} days"))
    }

    fn renew_certificate(&self, valid_from: &str, days: u32) -> Result<String, String> {
        Ok(format!("renewed from {valid_from} for {days} days"))
    }

    fn check_identities(&self, _: Option<&str>, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// Members are made once: keys take time.
fn pool() -> &'static [Arc<Member>] {
    static POOL: OnceLock<Vec<Arc<Member>>> = OnceLock::new();
    POOL.get_or_init(|| (0..10).map(|place| Arc::new(Member::new(&format!("member{place}")))).collect())
}

pub struct World {
    pub store: Store,
    pub governance: Governance,
    pub members: Vec<Arc<Member>>,
    pub service_pem: String,
    pub root: Option<Digest>,
    /// Milliseconds.
    pub time: u64,
    pub created_at: u64,
    pub effects: Vec<Effect>,
    pub log: Vec<String>,
    pub runner: Box<dyn Runner>,
    seqno: u64,
}

impl World {
    /// An open service with some active members.
    pub fn new(constitution: &str, members: usize) -> Self {
        let tables = Tables::new();
        let governance = Governance::register(&tables, &["public:app"]).unwrap();
        let service_pem = certificate::service(&KeyPair::generate().unwrap(), "service", YEARS).unwrap().to_pem();
        let mut world = Self {
            store: Store::new(Arc::new(tables), Arc::new(NoHistory)),
            governance,
            members: pool()[..members].to_vec(),
            service_pem,
            root: Some(crypto::sha256(b"root")),
            time: 1_800_000_000_000,
            created_at: 1_800_000_000,
            effects: Vec::new(),
            log: Vec::new(),
            runner: Box::new(inline()),
            seqno: 0,
        };
        let info = json!({ "status": "Open", "cert": world.service_pem });
        let root = world.root.unwrap().to_string();
        world.change(|world, tx| {
            let members = world.members.iter().map(|member| FoundingMember {
                certificate: member.pem.clone(),
                encryption_key: None,
                data: None,
                status: Status::Active,
            });
            let founding = Founding { constitution, members: members.collect(), recovery_threshold: 1 };
            let ids = world.governance.found(tx, &founding).unwrap();
            assert!(ids.iter().eq(world.members.iter().map(|member| &member.id)));
            put_json(tx, "public:ccf.gov.service.info", &[0; 8], &info);
            put_json(tx, "public:ccf.internal.signatures", &[0; 8], &json!({ "root": root }));
        });
        world
    }

    /// Runs one transaction and keeps it.
    pub fn change<T>(&mut self, act: impl FnOnce(&Self, &mut Tx<'_>) -> T) -> T {
        let mut tx = self.store.tx();
        let result = act(self, &mut tx);
        let writes = tx.finish().writes;
        if !writes.is_empty() {
            self.seqno += 1;
            self.store.apply(Seqno(self.seqno), &writes);
        }
        result
    }

    pub fn at(&self) -> At<'_> {
        At { root: self.root, time: self.time, seed: 1, service: Arc::new(Obliging), runner: &*self.runner }
    }

    fn keep<T>(&mut self, outcome: Outcome<T>) -> T {
        self.effects.extend(outcome.effects);
        self.log.extend(outcome.log);
        outcome.answer
    }

    pub fn propose_text(&mut self, member: usize, body: &str) -> Result<Proposal, Refusal> {
        self.created_at += 1;
        let bytes = self.members[member].sign(Kind::Proposal, self.created_at, None, body.as_bytes());
        self.propose_signed(&bytes)
    }

    pub fn propose_signed(&mut self, bytes: &[u8]) -> Result<Proposal, Refusal> {
        let outcome = self.change(|world, tx| {
            let signed = world.governance.verify(tx, Kind::Proposal, bytes)?;
            world.governance.create(tx, &signed, &world.at())
        })?;
        Ok(self.keep(outcome))
    }

    pub fn propose(&mut self, member: usize, actions: Value) -> Result<Proposal, Refusal> {
        self.propose_text(member, &json!({ "actions": actions }).to_string())
    }

    /// Proposes one action.
    pub fn act(&mut self, member: usize, name: &str, args: Value) -> Result<Proposal, Refusal> {
        self.propose(member, json!([{ "name": name, "args": args }]))
    }

    pub fn vote(&mut self, member: usize, id: &str, ballot: &str) -> Result<Proposal, Refusal> {
        let payload = json!({ "ballot": ballot }).to_string();
        self.created_at += 1;
        let bytes = self.members[member].sign(Kind::Ballot, self.created_at, Some(id), payload.as_bytes());
        let voter = self.members[member].id.to_string();
        let outcome = self.change(|world, tx| {
            let signed = world.governance.verify(tx, Kind::Ballot, &bytes)?;
            world.governance.submit_ballot(tx, &signed, id, &voter, &world.at())
        })?;
        Ok(self.keep(outcome))
    }

    pub fn settle(&mut self, id: &str) -> Result<Proposal, Refusal> {
        let outcome = self.change(|world, tx| world.governance.settle(tx, id, &world.at()))?;
        Ok(self.keep(outcome))
    }

    pub fn withdraw(&mut self, member: usize, id: &str) -> Result<Option<Proposal>, Refusal> {
        self.created_at += 1;
        let bytes = self.members[member].sign(Kind::Withdrawal, self.created_at, Some(id), b"");
        self.change(|world, tx| {
            let signed = world.governance.verify(tx, Kind::Withdrawal, &bytes)?;
            world.governance.withdraw(tx, &signed, id)
        })
    }

    pub fn row(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        let state = self.store.head();
        let table = state.tables().find(table).unwrap();
        state.get(table, key).unwrap().map(|row| row.to_vec())
    }

    pub fn json(&self, table: &str, key: &[u8]) -> Option<Value> {
        self.row(table, key).map(|row| serde_json::from_slice(&row).unwrap())
    }

    pub fn rows(&self, table: &str) -> usize {
        let state = self.store.head();
        state.len(state.tables().find(table).unwrap())
    }
}

pub fn put(tx: &mut Tx<'_>, table: &str, key: &[u8], value: &[u8]) {
    let table = tx.base().tables().find(table).unwrap();
    tx.put(table, key, value);
}

pub fn put_json(tx: &mut Tx<'_>, table: &str, key: &[u8], value: &Value) {
    put(tx, table, key, value.to_string().as_bytes());
}
