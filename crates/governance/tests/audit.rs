//! A short history of a service, audited as it was and as somebody would like it to have been.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;

use base::{Digest, NodeId, Seqno};
use crypto::certificate::{self, Validity};
use crypto::{Certificate, ForeignKey, KeyPair, PublicKey, Secret};
use governance::audit::{Auditor, Finding, NodeEvent, Rows, What};
use governance::engine::Service;
use governance::nodes::Shown;
use governance::validity::period;
use governance::{At, Decision, Governance, Kind, ProposalState, Refusal, Signed, constitution};
use kv::{Blob, NoHistory, Section, State, Tables, Tx, WriteSet};
use ledger::genesis::{Evaluation, Interface, NodeInfo, NodeStatus, QuoteInfo, VIRTUAL, node_key};
use ledger::secrets;
use serde_json::{Map, json};
use world::{Member, NO, YES, inline, put, put_json};

/// A ledger as a node writes it: every entry is signed.
struct Ledger {
    governance: Governance,
    state: State,
    entries: Vec<WriteSet>,
    members: Vec<Member>,
    created_at: u64,
    keys: Arc<Keys>,
    /// Milliseconds.
    time: u64,
}

const YEAR: Validity = Validity { from: 1_767_225_600, until: 1_798_761_600 };

/// The service's key, at work.
struct Keys {
    key: KeyPair,
    certificate: Certificate,
}

impl Keys {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = certificate::service(&key, "service", YEAR).unwrap();
        Self { key, certificate }
    }
}

impl Service for Keys {
    fn ledger_secret_seqno(&self) -> u64 {
        1
    }

    fn endorse_node(&self, request: &str, valid_from: &str, days: u32) -> Result<String, String> {
        let request = certificate::Request::from_pem(request).unwrap();
        let validity = period(valid_from, days)?;
        Ok(certificate::node(&request.key, &self.key, &self.certificate, &request.names, validity).unwrap().to_pem())
    }

    fn renew_certificate(&self, valid_from: &str, days: u32) -> Result<String, String> {
        let validity = period(valid_from, days)?;
        Ok(certificate::renew_service(&self.certificate, &self.key, validity).unwrap().to_pem())
    }

    fn check_identities(&self, _: Option<&str>, _: &str) -> Result<(), String> {
        Ok(())
    }
}

fn root(entries: usize) -> Digest {
    crypto::sha256(&entries.to_be_bytes())
}

impl Ledger {
    fn founded(members: usize) -> Self {
        let tables = Tables::new();
        ledger::tables::register(&tables).unwrap();
        let governance = Governance::register(&tables, &[]).unwrap();
        let state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let members = (0..members).map(|place| Member::new(&format!("member{place}"))).collect();
        let keys = Arc::new(Keys::new());
        let mut ledger = Self {
            governance,
            state,
            entries: Vec::new(),
            members,
            created_at: 1_800_000_000,
            keys,
            time: 1_800_000_000_000,
        };
        let mut tx = Tx::new(&ledger.state);
        put_json(
            &mut tx,
            "public:ccf.gov.service.info",
            &[0; 8],
            &json!({ "status": "Open", "cert": ledger.keys.certificate.to_pem() }),
        );
        let writes = tx.finish().writes;
        ledger.keep(writes);
        let mut tx = Tx::new(&ledger.state);
        for member in &ledger.members {
            let id = member.id.to_string();
            put(&mut tx, "public:ccf.gov.members.certs", id.as_bytes(), member.pem.as_bytes());
            put_json(&mut tx, "public:ccf.gov.members.info", id.as_bytes(), &json!({ "status": "Accepted" }));
        }
        put_json(&mut tx, "public:ccf.gov.constitution", &[0; 8], &json!(constitution::DEFAULT));
        let writes = tx.finish().writes;
        ledger.keep(writes);
        for member in 0..ledger.members.len() {
            ledger.request(member, Kind::StateDigest, None, b"").unwrap();
            let digest = root(ledger.entries.len() - 1).to_string();
            let ack = json!({ "stateDigest": digest }).to_string();
            ledger.request(member, Kind::Ack, None, ack.as_bytes()).unwrap();
        }
        ledger
    }

    fn keep(&mut self, writes: WriteSet) {
        self.entries.push(writes);
        self.state.apply(Seqno(self.entries.len() as u64), self.entries.last().unwrap());
    }

    fn decide(
        &mut self,
        act: impl FnOnce(&Governance, &mut Tx<'_>, &At<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let root = root(self.entries.len());
        let version = self.governance.signed(&self.state, Some(root));
        let mut tx = Tx::new(&version);
        let decisions = self.governance.tables().decisions;
        let decision = Decision::last(decisions, &tx)?.next(self.time);
        let runner = inline();
        let (time, seed) = (decision.time, decision.seed());
        let at = At { root: Some(root), time, seed, service: self.keys.clone(), runner: &runner };
        act(&self.governance, &mut tx, &at)?;
        decision.write(decisions, &mut tx);
        let writes = tx.finish().writes;
        self.keep(writes);
        Ok(())
    }

    fn request(&mut self, member: usize, kind: Kind, proposal: Option<&str>, payload: &[u8]) -> Result<(), Refusal> {
        self.created_at += 1;
        let envelope = self.members[member].sign(kind, self.created_at, proposal, payload);
        let id = self.members[member].id.to_string();
        self.decide(|governance, tx, at| {
            let signed: Signed<'_> = governance.verify_any(tx, &envelope)?;
            let proposal = proposal.unwrap_or_default();
            match kind {
                Kind::Proposal => governance.create(tx, &signed, at).map(drop),
                Kind::Ballot => governance.submit_ballot(tx, &signed, proposal, &id, at).map(drop),
                Kind::Withdrawal => governance.withdraw(tx, &signed, proposal).map(drop),
                Kind::StateDigest => governance.update_state_digest(tx, &signed, &id, at).map(drop),
                _ => governance.acknowledge(tx, &signed, &id).map(drop),
            }
        })
    }

    fn propose(&mut self, member: usize, name: &str, args: serde_json::Value) -> String {
        let body = json!({ "actions": [{ "name": name, "args": args }] }).to_string();
        self.request(member, Kind::Proposal, None, body.as_bytes()).unwrap();
        let proposals = self.governance.proposals(&Tx::new(&self.state)).unwrap();
        let open = proposals.into_iter().find(|proposal| proposal.proposal_state == ProposalState::Open);
        open.unwrap().proposal_id
    }

    fn vote(&mut self, member: usize, proposal: &str, script: &str) {
        let ballot = json!({ "ballot": script }).to_string();
        self.request(member, Kind::Ballot, Some(proposal), ballot.as_bytes()).unwrap();
    }

    /// Two decided proposals and one that was taken back.
    fn with_history() -> Self {
        let mut ledger = Self::founded(3);
        let id = ledger.members[2].id.to_string();
        let newcomer = Member::new("newcomer");
        let proposal = ledger.propose(0, "set_member", json!({ "cert": newcomer.pem }));
        ledger.vote(0, &proposal, YES);
        ledger.vote(1, &proposal, YES);
        let proposal = ledger.propose(1, "remove_member", json!({ "member_id": id }));
        ledger.vote(0, &proposal, NO);
        ledger.vote(2, &proposal, NO);
        let proposal = ledger.propose(1, "remove_member", json!({ "member_id": id }));
        ledger.request(1, Kind::Withdrawal, Some(&proposal), b"").unwrap();
        ledger
    }

    fn audited(&self) -> Vec<Finding> {
        let runner = inline();
        let mut auditor = Auditor::new(&runner).unwrap();
        let tables = self.state.tables();
        let mut findings = Vec::new();
        for (place, writes) in self.entries.iter().enumerate() {
            let rows: Vec<Rows<'_>> = (writes.sections.iter())
                .map(|section| Rows {
                    table: &tables.get(section.table).name,
                    puts: section.puts.iter().map(|(key, value)| (&**key, &**value)).collect(),
                    removes: section.removes.iter().map(|key| &**key).collect(),
                })
                .collect();
            findings.extend(auditor.entry(Seqno(place as u64 + 1), &rows));
            auditor.signed(root(place + 1));
        }
        findings
    }

    /// Changes a row that an entry wrote.
    fn forge(&mut self, entry: usize, table: &str, change: impl Fn(&str) -> String) {
        let table = self.state.tables().find(table).unwrap();
        let section = self.entries[entry].sections.iter_mut().find(|section| section.table == table).unwrap();
        let (_, value) = &mut section.puts[0];
        let forged = change(std::str::from_utf8(value).unwrap());
        assert_ne!(forged.as_bytes(), &value[..], "nothing was forged");
        *value = Blob::from(forged.as_bytes());
    }
}

#[test]
fn what_happened_follows() {
    let ledger = Ledger::with_history();
    let findings = ledger.audited();
    assert_eq!(findings.iter().find(|finding| finding.fault.is_some()), None);
    assert_eq!(findings.len(), 1 + 6 + 3 + 3 + 2);
    assert_eq!(findings[0].what, What::Founded { members: 3 });
    let states = findings.iter().filter_map(|finding| match &finding.what {
        What::Request { state, .. } => *state,
        _ => None,
    });
    use ProposalState::{Accepted, Open, Rejected, Withdrawn};
    assert_eq!(states.collect::<Vec<_>>(), [Open, Open, Accepted, Open, Open, Rejected, Open, Withdrawn]);
    let numbers: Vec<u64> = findings.iter().filter_map(|finding| Some(finding.decision?.number)).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<_>>());
}

#[test]
fn what_a_decision_drops_is_told() {
    let mut ledger = Ledger::founded(3);
    let id = ledger.members[2].id.to_string();
    let open = ledger.propose(0, "remove_member", json!({ "member_id": id }));
    let code = json!({ "actions": [{ "name": "add_code", "args": { "tee": "snp", "measurement": "ab".repeat(48) } }] });
    ledger.request(1, Kind::Proposal, None, code.to_string().as_bytes()).unwrap();
    let proposals = ledger.governance.proposals(&Tx::new(&ledger.state)).unwrap();
    let change = proposals.into_iter().map(|proposal| proposal.proposal_id).find(|id| *id != open).unwrap();
    ledger.vote(0, &change, YES);
    ledger.vote(1, &change, YES);
    let findings = ledger.audited();
    assert_eq!(findings.iter().find(|finding| finding.fault.is_some()), None);
    let (last, before) = findings.split_last().unwrap();
    assert_eq!(last.dropped, [open]);
    assert!(before.iter().all(|finding| finding.dropped.is_empty()));
}

/// The first fault that an audit finds once a row was changed.
fn fault(entry: usize, table: &str, change: impl Fn(&str) -> String) -> String {
    let mut ledger = Ledger::with_history();
    ledger.forge(entry, table, change);
    let findings = ledger.audited();
    let first = findings.into_iter().find(|finding| finding.fault.is_some()).expect("the audit saw nothing");
    assert_eq!(first.seqno, Seqno(entry as u64 + 1), "{first:?}");
    first.fault.unwrap()
}

/// Entries: two of the founding, six of three members who sign the state, then a proposal and two votes …
const FIRST_VOTE: usize = 9;
const LAST_VOTE: usize = 10;
const REJECTING_VOTE: usize = 13;

#[test]
fn a_result_that_was_changed_does_not_follow() {
    let info = "public:ccf.gov.proposals_info";
    let other = |from: &'static str, to: &'static str| move |row: &str| row.replace(from, to);
    assert!(fault(REJECTING_VOTE, info, other("Rejected", "Accepted")).contains("other rows"));
    assert!(fault(FIRST_VOTE, info, other("Open", "Accepted")).contains("other rows"));
    assert!(fault(LAST_VOTE, "public:ccf.gov.members.info", other("Accepted", "Active")).contains("other rows"));
}

#[test]
fn a_ballot_that_nobody_signed_is_found() {
    let history = "public:ccf.gov.cose_history";
    let changed = |row: &str| {
        let middle = row.len() / 2;
        let (start, rest) = row.split_at(middle);
        let other = if rest.starts_with('A') { "B" } else { "A" };
        format!("{start}{other}{}", &rest[1..])
    };
    assert!(fault(LAST_VOTE, history, changed).contains("signed request"));
}

#[test]
fn a_decision_cannot_be_left_out_or_slipped_in() {
    let mut ledger = Ledger::with_history();
    ledger.entries.remove(FIRST_VOTE);
    let first = ledger.audited().into_iter().find(|finding| finding.fault.is_some()).unwrap();
    assert!(first.fault.unwrap().contains("came after"), "the numbers have a gap");

    let mut ledger = Ledger::with_history();
    let mut tx = Tx::new(&ledger.state);
    let id = ledger.members[0].id.to_string();
    put_json(&mut tx, "public:ccf.gov.members.info", id.as_bytes(), &json!({ "status": "Accepted" }));
    let writes = tx.finish().writes;
    ledger.keep(writes);
    let last = ledger.audited().pop().unwrap();
    assert_eq!(last.what, What::Unknown);
    assert!(last.fault.unwrap().contains("nobody had decided"));
}

/// A node's row before it is admitted.
fn candidate(address: &str) -> (NodeId, NodeInfo) {
    let key = KeyPair::generate().unwrap();
    let info = NodeInfo {
        status: NodeStatus::Pending,
        retired_committed: false,
        number: 0,
        public_key: Some(key.public().to_pem()),
        code_digest: "ab".to_owned(),
        evaluation: Some(Evaluation { tee: "tdx".to_owned(), number: 17 }),
        quote_info: QuoteInfo::default(),
        node_to_node_interface: Some(Interface { bind_address: address.to_owned(), ..Interface::default() }),
        rpc_interfaces: [].into(),
        certificate_signing_request: Some(certificate::request(&key, &["node.example".to_owned()]).unwrap()),
        more: Map::new(),
    };
    (key.public().node_id(), info)
}

impl Ledger {
    fn pass(&mut self, name: &str, args: serde_json::Value) {
        let proposal = self.propose(0, name, args);
        for member in 0..2 {
            self.vote(member, &proposal, YES);
        }
    }

    fn info(&self, id: NodeId) -> NodeInfo {
        self.governance.node_info(&Tx::new(&self.state), id).unwrap().unwrap()
    }

    /// A node that joined, renewed its lease, lapsed, came back, and was retired.
    fn with_node() -> (Self, NodeId) {
        let mut ledger = Self::founded(3);
        let ((id, info), (other, second)) = (candidate("a:1"), candidate("b:1"));
        ledger.decide(|governance, tx, _| governance.admit(tx, id, info).map(drop)).unwrap();
        ledger.decide(|governance, tx, _| governance.admit(tx, other, second).map(drop)).unwrap();
        for node in [id, other] {
            let args =
                json!({ "node_id": node.to_string(), "valid_from": "260101000000Z", "validity_period_days": 30 });
            ledger.pass("transition_node_to_trusted", args);
            assert_eq!(ledger.info(node).status, NodeStatus::Trusted);
        }
        ledger.pass("set_service_certificate_validity", json!({ "valid_from": "2026-01-01T00:00:00Z" }));
        ledger.pass("set_lease", json!({ "seconds": 60 }));
        for node in [id, other] {
            ledger.decide(|governance, tx, at| governance.begin_lease(tx, node, at.time).map(drop)).unwrap();
        }
        ledger.time += 61_000;
        ledger.decide(|governance, tx, at| governance.lapse(tx, id, at.time).map(drop)).unwrap();
        let lapsed = ledger.decide(|governance, tx, at| governance.lapse(tx, other, at.time).map(drop)).unwrap_err();
        assert!(lapsed.to_string().contains("last one"), "{lapsed}");
        let tx = Tx::new(&ledger.state);
        assert!(!ledger.governance.in_good_standing(&tx, id).unwrap());
        let after = ledger.governance.lease(&tx, id).unwrap().unwrap().renewed;
        drop(tx);
        let shown = Shown { quote_info: QuoteInfo::default(), after };
        ledger.decide(|governance, tx, _| governance.show(tx, id, &shown).map(drop)).unwrap();
        assert_eq!(ledger.evaluation(), Some(17));
        let newer = Some(Evaluation { tee: "tdx".to_owned(), number: 18 });
        let renew = |ledger: &mut Self| {
            ledger.decide(|governance, tx, at| governance.renew_lease(tx, id, &shown, newer.clone(), at.time).map(drop))
        };
        renew(&mut ledger).unwrap();
        assert_eq!(ledger.evaluation(), Some(17), "one of two is not most of them");
        let lease = ledger.governance.lease(&Tx::new(&ledger.state), id).unwrap().unwrap();
        assert_eq!(lease.evaluation, newer);
        let again = ledger.decide(|governance, tx, _| governance.show(tx, id, &shown).map(drop)).unwrap_err();
        assert!(again.to_string().contains("not for the lease"), "old evidence renews nothing: {again}");
        assert!(ledger.governance.in_good_standing(&Tx::new(&ledger.state), id).unwrap());
        ledger.pass("remove_node", json!({ "node_id": id.to_string() }));
        assert_eq!(ledger.evaluation(), Some(17), "of the one that is left");
        let founder = |ledger: &mut Self| {
            let (id, mut info) = candidate("c:1");
            info.evaluation = None;
            info.quote_info.format = VIRTUAL.to_owned();
            let mut tx = Tx::new(&ledger.state);
            info.status = NodeStatus::Trusted;
            put_json(&mut tx, "public:ccf.gov.nodes.info", &node_key(id), &serde_json::to_value(&info).unwrap());
            ledger.governance.evaluations(&tx).unwrap().get("tdx").copied()
        };
        assert_eq!(founder(&mut ledger), Some(0), "one of two, if another may be of that kind");
        ledger.decide(|governance, tx, _| governance.end_lease(tx, id).map(drop)).unwrap();
        assert!(ledger.decide(|governance, tx, _| governance.forget_node(tx, id).map(drop)).is_err());
        ledger.decide(|governance, tx, _| governance.let_go(tx, id).map(drop)).unwrap();
        ledger.decide(|governance, tx, _| governance.forget_node(tx, id).map(drop)).unwrap();
        (ledger, id)
    }

    /// The lowest that is taken of a TD.
    fn evaluation(&self) -> Option<u32> {
        self.governance.evaluations(&Tx::new(&self.state)).unwrap().get("tdx").copied()
    }
}

#[test]
fn what_happens_to_a_node_follows() {
    let (mut ledger, id) = Ledger::with_node();
    let findings = ledger.audited();
    assert_eq!(findings.iter().find(|finding| finding.fault.is_some()), None);
    let events = findings.iter().filter_map(|finding| match finding.what {
        What::Node { node, event } if node == id => Some(event),
        _ => None,
    });
    use NodeEvent::{Asked, Forgotten, Lapsed, LeaseBegun, LeaseEnded, LetGo, Renewed, Showed};
    let all = [Asked, LeaseBegun, Lapsed, Showed, Renewed, LeaseEnded, LetGo, Forgotten];
    assert_eq!(events.collect::<Vec<_>>(), all);
    let (third, info) = candidate("a:1");
    ledger.decide(|governance, tx, _| governance.admit(tx, third, info).map(drop)).unwrap();
    assert_eq!(ledger.info(third).number, 3, "a number is used once");
}

/// Rows of a new ledger secret for these nodes, as a node makes them.
fn new_secret(ledger: &Ledger, old: u64, stored: Option<u64>, nodes: &[NodeId]) -> Vec<Section> {
    let tx = Tx::new(&ledger.state);
    let nodes: Vec<_> = nodes
        .iter()
        .map(|id| {
            let pem = ledger.governance.node_info(&tx, *id).unwrap().unwrap().public_key.unwrap();
            (*id, PublicKey::from_spki_der(ForeignKey::from_pem(&pem).unwrap().spki_der()).unwrap())
        })
        .collect();
    let secret = || Secret::random().unwrap();
    let rows = secrets::rekey(&secret(), (Seqno(old), &secret()), stored.map(Seqno), &nodes).unwrap();
    let section = |table: &str, row: Vec<u8>| Section {
        table: ledger.state.tables().find(table).unwrap(),
        puts: vec![(Blob::from([0; 8]), Blob::from(row))],
        removes: vec![],
    };
    vec![section(secrets::HISTORICAL, rows.historical), section(secrets::FOR_NODES, rows.for_nodes)]
}

impl Ledger {
    fn rekey(&mut self, rows: &[Section]) -> Result<(), Refusal> {
        let entry = Seqno(self.entries.len() as u64 + 1);
        self.decide(|governance, tx, at| governance.rekey(tx, rows, at.time, entry).map(drop))
    }
}

#[test]
fn a_new_ledger_secret_follows_from_who_asked_for_it() {
    let mut ledger = Ledger::founded(3);
    let (id, info) = candidate("a:1");
    ledger.decide(|governance, tx, _| governance.admit(tx, id, info).map(drop)).unwrap();
    let args = json!({ "node_id": id.to_string(), "valid_from": "260101000000Z", "validity_period_days": 30 });
    ledger.pass("transition_node_to_trusted", args);
    let early = new_secret(&ledger, 1, None, &[id]);
    assert!(ledger.rekey(&early).is_err(), "nobody asked");
    ledger.pass("trigger_ledger_rekey", json!(null));
    let rows = new_secret(&ledger, 1, None, &[id]);
    ledger.rekey(&rows).unwrap();
    let entry = ledger.entries.len() as u64;
    ledger.pass("set_epoch", json!({ "seconds": 60 }));
    let soon = new_secret(&ledger, entry + 1, Some(entry), &[id]);
    assert!(ledger.rekey(&soon).is_err(), "the epoch is not over");
    ledger.time += 60_000;
    ledger.rekey(&soon).unwrap();
    let findings = ledger.audited();
    assert_eq!(findings.iter().find(|finding| finding.fault.is_some()), None);
    assert_eq!(findings.iter().filter(|finding| finding.what == What::Rekeyed).count(), 2);

    // For a node that nobody trusts, in another's place, or because nobody asked: it is found.
    let place = entry as usize - 1;
    let fault = |change: &dyn Fn(&mut Ledger)| {
        let mut forged = Ledger::founded(1);
        (forged.entries, forged.state) = (ledger.entries.clone(), ledger.state.clone());
        change(&mut forged);
        forged.audited().into_iter().find_map(|finding| finding.fault)
    };
    let another = KeyPair::generate().unwrap().public().node_id().to_string();
    let to_another = |ledger: &mut Ledger| {
        ledger.forge(place, secrets::FOR_NODES, |row| row.replace(&id.to_string(), &another));
    };
    assert!(fault(&to_another).unwrap().contains("not in good standing"));
    let elsewhere = |ledger: &mut Ledger| {
        ledger.forge(place, secrets::HISTORICAL, |row| row.replace("\"version\":1", "\"version\":2"));
    };
    assert!(fault(&elsewhere).unwrap().contains("does not continue"));
    let undecided = |ledger: &mut Ledger| {
        let decisions = ledger.governance.tables().decisions;
        let in_use = ledger.governance.tables().ledger_secret;
        ledger.entries[place].sections.retain(|section| section.table != decisions && section.table != in_use);
    };
    assert!(fault(&undecided).unwrap().contains("nobody had decided it"));
}

#[test]
fn a_node_is_admitted_once_and_under_its_own_key() {
    let mut ledger = Ledger::founded(1);
    let (id, info) = candidate("a:1");
    let mut refused = |id: NodeId, info: NodeInfo| {
        ledger.decide(|governance, tx, _| governance.admit(tx, id, info).map(drop)).err().map(|refusal| refusal.code())
    };
    assert_eq!(refused(NodeId(Digest::ZERO), info.clone()), Some("CSRPublicKeyInvalid"));
    let unsigned = NodeInfo { certificate_signing_request: None, ..info.clone() };
    assert_eq!(refused(id, unsigned), Some("CSRPublicKeyInvalid"));
    let elsewhere = NodeInfo { node_to_node_interface: None, ..info.clone() };
    assert_eq!(refused(id, elsewhere), Some("InvalidInput"));
    assert_eq!(refused(id, info.clone()), None);
    assert_eq!(refused(id, info), Some("NodeAlreadyExists"));
    let (other, same_place) = candidate("a:1");
    assert_eq!(refused(other, same_place), Some("NodeAlreadyExists"));
    for place in 1..governance::nodes::PENDING_MAX {
        let (id, info) = candidate(&format!("b:{place}"));
        assert_eq!(refused(id, info), None);
    }
    let (id, info) = candidate("c:1");
    assert_eq!(refused(id, info), Some("InvalidNodeState"), "strangers do not fill the ledger");
}

#[test]
fn a_node_that_nobody_trusted_is_found() {
    let trusted = |info: NodeInfo| NodeInfo { status: NodeStatus::Trusted, ..info }.write();
    for decided in [false, true] {
        let mut ledger = Ledger::founded(3);
        let (id, info) = candidate("a:1");
        ledger.decide(|governance, tx, _| governance.admit(tx, id, info).map(drop)).unwrap();
        let row = trusted(ledger.info(id));
        let forge = |tx: &mut Tx<'_>| put(tx, "public:ccf.gov.nodes.info", id.to_string().as_bytes(), &row);
        if decided {
            ledger
                .decide(|_, tx, _| {
                    forge(tx);
                    Ok(())
                })
                .unwrap();
        } else {
            let mut tx = Tx::new(&ledger.state);
            forge(&mut tx);
            let writes = tx.finish().writes;
            ledger.keep(writes);
        }
        let last = ledger.audited().pop().unwrap();
        assert!(last.fault.is_some(), "{last:?}");
    }
    let mut ledger = Ledger::founded(3);
    let (id, info) = candidate("a:1");
    ledger
        .decide(|_, tx, _| {
            put(tx, "public:ccf.gov.nodes.info", id.to_string().as_bytes(), &trusted(info));
            Ok(())
        })
        .unwrap();
    assert!(ledger.audited().pop().unwrap().fault.is_some(), "it never asked");
}

#[test]
fn a_certificate_of_another_service_is_found() {
    let (mut ledger, _) = Ledger::with_node();
    let table = ledger.state.tables().find("public:ccf.gov.nodes.endorsed_certificates").unwrap();
    let entry = ledger.entries.iter().position(|writes| writes.section(table).is_some()).unwrap();
    let (other, _) = Ledger::with_node();
    let foreign = other.entries[entry].section(table).unwrap().puts[0].1.clone();
    ledger.forge(entry, "public:ccf.gov.nodes.endorsed_certificates", |_| String::from_utf8(foreign.to_vec()).unwrap());
    let first = ledger.audited().into_iter().find(|finding| finding.fault.is_some()).unwrap();
    assert_eq!(first.seqno, Seqno(entry as u64 + 1), "{first:?}");
}
