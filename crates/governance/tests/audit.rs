//! A short history of a service, audited as it was and as somebody would like it to have been.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod world;

use std::sync::Arc;

use base::{Digest, Seqno};
use governance::audit::{Auditor, Finding, Rows, What};
use governance::engine::NoService;
use governance::{At, Decision, Governance, Kind, ProposalState, Refusal, Signed, constitution};
use kv::{Blob, NoHistory, State, Tables, Tx, WriteSet};
use serde_json::json;
use world::{Member, NO, YES, inline, put, put_json};

/// A ledger as a node writes it: every entry is signed.
struct Ledger {
    governance: Governance,
    state: State,
    entries: Vec<WriteSet>,
    members: Vec<Member>,
    created_at: u64,
}

fn root(entries: usize) -> Digest {
    crypto::sha256(&entries.to_be_bytes())
}

impl Ledger {
    fn founded(members: usize) -> Self {
        let mut tables = Tables::new();
        ledger::tables::register(&mut tables).unwrap();
        let governance = Governance::register(&mut tables, &[]).unwrap();
        let state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let members = (0..members).map(|place| Member::new(&format!("member{place}"))).collect();
        let mut ledger = Self { governance, state, entries: Vec::new(), members, created_at: 1_800_000_000 };
        let mut tx = Tx::new(&ledger.state);
        put_json(&mut tx, "public:ccf.gov.service.info", &[0; 8], &json!({ "status": "Open" }));
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
        let decision = Decision::last(decisions, &tx)?.next(1_800_000_000_000);
        let runner = inline();
        let (time, seed) = (decision.time, decision.seed());
        let at = At { root: Some(root), time, seed, service: Arc::new(NoService), runner: &runner };
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
