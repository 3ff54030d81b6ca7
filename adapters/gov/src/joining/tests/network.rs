//! A network of one node that commits at once, with one active member.

use std::sync::{Arc, Mutex};

use adapter::{
    Adapter, Handover, Opening, Plumbing, Proof, Recovery, Reject, Role, Service, Status, Submission, Submitted,
    Verdict, Work,
};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base::{Digest, NodeId, Seqno, TxId, View};
use crypto::certificate::{self, Validity};
use crypto::{Certificate, ForeignCertificate, KeyPair};
use governance::{Kind, MemberId};
use kv::{NoHistory, Section, State, Store, Tables, Tx};
use ledger::genesis::{NodeInfo, NodeStatus, node_key};
use minicbor::data::Tag;
use serde_json::{Value, json};
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::decide::Deciding;
use crate::{Founding, Gov, Joining};

pub const CODE: [u8; 32] = [7; 32];
const YEARS: Validity = Validity { from: 1_767_225_600, until: 4_000_000_000 };

/// The service's keys as a node has them.
struct Keys {
    key: KeyPair,
    certificate: Certificate,
}

impl Service for Keys {
    fn ledger_secret_seqno(&self) -> u64 {
        1
    }

    fn endorse_node(&self, request: &str, from: u64, until: u64) -> Result<String, Reject> {
        let request = certificate::Request::from_pem(request).map_err(crate::at_fault)?;
        let validity = Validity { from, until };
        Ok(certificate::node(&request.key, &self.key, &self.certificate, &request.names, validity).unwrap().to_pem())
    }

    fn renew_certificate(&self, from: u64, until: u64) -> Result<String, Reject> {
        Ok(certificate::renew_service(&self.certificate, &self.key, Validity { from, until }).unwrap().to_pem())
    }

    fn rekey(&self, _: &State, _: Option<&Recovery>) -> Result<Vec<Section>, Reject> {
        Err(crate::at_fault("there are no ledger secrets here"))
    }

    fn deal_shares(&self, _: &State, _: &Recovery) -> Result<Section, Reject> {
        Err(crate::at_fault("there are no ledger secrets here"))
    }

    fn hand_over(&self, committed: &State, to: NodeId) -> Result<Handover, Reject> {
        let table = committed.tables().find(ledger::tables::NODES_INFO).unwrap();
        let row = committed.get(table, &node_key(to)).unwrap();
        if row.is_none_or(|row| NodeInfo::read(&row).unwrap().status != NodeStatus::Trusted) {
            return Err(Reject::caller(0, "not trusted"));
        }
        Ok(Handover {
            service_certificate: self.certificate.to_pem(),
            service_key: self.key.to_pkcs8_pem().unwrap(),
            ledger_secrets: vec![(1, Zeroizing::new([9; 32]))],
            nodes: Vec::new(),
        })
    }

    fn node_certificate(&self) -> Result<String, Reject> {
        Ok(self.certificate.to_pem())
    }

    fn proof(&self, _: Seqno) -> Result<Option<Proof>, Reject> {
        Ok(None)
    }
}

pub struct Network {
    pub deciding: Deciding,
    pub service_certificate: Certificate,
    pub own: NodeId,
    committed: Arc<Mutex<Store>>,
    plumbing: Arc<Plumbing>,
    member: (KeyPair, MemberId),
    proposals: u64,
}

impl Network {
    pub fn new() -> Self {
        let member = KeyPair::generate().unwrap();
        let pem = certificate::member(&member, "member", YEARS).unwrap().to_pem();
        let id = MemberId::of(&ForeignCertificate::from_pem(&pem).unwrap());
        let founder = crate::founding::Founder { name: "member".to_owned(), certificate: pem };
        let constitution = governance::constitution::DEFAULT.to_owned();
        let founding = Founding { members: vec![founder], constitution, code: Some(CODE) };
        let tables = Tables::new();
        ledger::tables::register(&tables).unwrap();
        let joining = Joining { dual_signatures: true, attester: None };
        let gov = Arc::new(Gov::new(adapter::LedgerId(0), founding, joining, crate::watched(), &tables).unwrap());
        let key = KeyPair::generate().unwrap();
        let certificate = certificate::service(&key, "service", YEARS).unwrap();
        let keys = Arc::new(Keys { key, certificate: certificate.clone() });
        let mut store = Store::new(Arc::new(tables), Arc::new(NoHistory));
        let own = NodeId(Digest([1; 32]));
        let mut tx = store.tx();
        gov.open(&mut tx).unwrap();
        row(&mut tx, "service.info", &[0; 8], &json!({ "status": "Open", "cert": certificate.to_pem() }));
        row(&mut tx, "nodes.info", &node_key(own), &node(1, "Trusted", "own:1"));
        row(&mut tx, "members.info", id.to_string().as_bytes(), &json!({ "status": "Active" }));
        let writes = tx.finish().writes;
        store.apply(Seqno(1), &writes);
        store.close();
        let snapshot = store.commit(Seqno(1));
        let txid = |seqno| TxId { view: View(2), seqno };
        let status = Status {
            id: own,
            role: Role::Primary,
            view: View(2),
            committed: txid(Seqno(1)),
            root: Digest([3; 32]),
            transactions: 0,
            voters: vec![1],
            learners: Vec::new(),
        };
        let (submit, submitted) = std::sync::mpsc::channel();
        let plumbing = Arc::new(Plumbing::new(snapshot, status, keys, move |submission| {
            let _ = submit.send(submission);
        }));
        let committed = Arc::new(Mutex::new(store));
        let (executor, publisher, store) = (gov.clone(), plumbing.clone(), committed.clone());
        std::thread::spawn(move || {
            while let Ok(Submission { work, answer }) = submitted.recv() {
                let _ = answer.send(execute(&executor, &store, &publisher, &work));
            }
        });
        let deciding = Deciding::new(gov, plumbing.node.clone());
        Self {
            deciding,
            service_certificate: certificate,
            own,
            committed,
            plumbing,
            member: (member, id),
            proposals: 0,
        }
    }

    /// What members decided, without the way there.
    pub fn write(&self, change: impl FnOnce(&mut Tx<'_>)) {
        let mut store = self.committed.lock().unwrap();
        let mut tx = store.tx();
        change(&mut tx);
        let writes = tx.finish().writes;
        let seqno = store.head().seqno().next();
        store.apply(seqno, &writes);
        store.close();
        self.plumbing.publish(store.commit(seqno));
    }

    /// A proposal of the only member, which decides it.
    pub async fn pass(&mut self, name: &str, args: Value) {
        self.proposals += 1;
        let body = json!({ "actions": [{ "name": name, "args": args }] }).to_string();
        let created_at = 1_800_000_000 + self.proposals;
        let envelope = sign(&self.member.0, self.member.1, Kind::Proposal, created_at, None, body.as_bytes());
        let made = self.cose("/gov/members/proposals:create", envelope).await;
        let id = made["proposalId"].as_str().unwrap().to_owned();
        let ballot = json!({ "ballot": "export function vote () { return true; }" }).to_string();
        let envelope = sign(&self.member.0, self.member.1, Kind::Ballot, created_at, Some(&id), ballot.as_bytes());
        let path = format!("/gov/members/proposals/{id}/ballots/{}:submit", self.member.1);
        let voted = self.cose(&path, envelope).await;
        assert_eq!(voted["proposalState"], "Accepted", "{voted}");
    }

    async fn cose(&self, path: &str, envelope: Vec<u8>) -> Value {
        let request =
            Request::post(path).header("content-type", "application/cose").body(Body::from(envelope)).unwrap();
        let (status, answer) = self.send(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    pub async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = crate::http::router(self.deciding.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn execute(gov: &Gov, store: &Mutex<Store>, plumbing: &Plumbing, work: &Work) -> Result<Submitted, Reject> {
    let mut store = store.lock().unwrap();
    let opening = Opening { time: 0, view: View(2), first: store.head().seqno().next(), entropy: [0; 32] };
    let mut batch = gov.begin(store.head(), &opening).unwrap();
    let mut tx = store.tx();
    match batch.execute(&mut tx, work) {
        Verdict::Keep(outcome) => {
            let writes = tx.finish().writes;
            let seqno = opening.first;
            store.apply(seqno, &writes);
            store.close();
            plumbing.publish(store.commit(seqno));
            let txid = TxId { view: View(2), seqno };
            plumbing.status.send_modify(|status| status.committed = txid);
            Ok(Submitted::Committed { txid, reply: outcome.reply })
        }
        Verdict::Drop(reject) => Err(reject),
        _ => panic!("a decision is kept or dropped"),
    }
}

pub fn row(tx: &mut Tx<'_>, table: &str, key: &[u8], value: &Value) {
    let prefix = if table.starts_with("public:") { "" } else { "public:ccf.gov." };
    let table = tx.base().tables().find(&format!("{prefix}{table}")).unwrap();
    tx.put(table, key, value.to_string().as_bytes());
}

pub fn node(number: u64, status: &str, address: &str) -> Value {
    json!({
        "status": status, "number": number, "code_digest": "00", "node_to_node_interface": { "bind_address": address },
        "quote_info": { "format": "Insecure_Virtual", "quote": "", "endorsements": "" }
    })
}

fn sign(key: &KeyPair, id: MemberId, kind: Kind, at: u64, proposal: Option<&str>, payload: &[u8]) -> Vec<u8> {
    let mut protected = Vec::new();
    let mut e = minicbor::Encoder::new(&mut protected);
    e.map(if proposal.is_some() { 5 } else { 4 }).unwrap().i64(1).unwrap().i64(-35).unwrap();
    e.i64(4).unwrap().bytes(id.to_string().as_bytes()).unwrap();
    e.str("ccf.gov.msg.type").unwrap().str(kind.text()).unwrap();
    if let Some(id) = proposal {
        e.str("ccf.gov.msg.proposal_id").unwrap().str(id).unwrap();
    }
    e.str("ccf.gov.msg.created_at").unwrap().u64(at).unwrap();
    let signature = key.sign(&governance::envelope::signed_bytes(&protected, payload)).unwrap();
    let mut bytes = Vec::new();
    let mut e = minicbor::Encoder::new(&mut bytes);
    e.tag(Tag::new(18)).unwrap().array(4).unwrap().bytes(&protected).unwrap().map(0).unwrap();
    e.bytes(payload).unwrap().bytes(&signature).unwrap();
    bytes
}
