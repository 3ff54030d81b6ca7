//! The audit of governance: every decision of a ledger, judged again with what was known then.
//!
//! ```text
//!   entries, in order ─┬─ a signature: the root that requests after it may be bound to
//!                      ├─ rows of governance with a decision: the request in it, verified and judged on the rows before it ─▶ the same rows?
//!                      └─ rows of governance without one: only before there is a constitution
//! ```
//!
//! Needs no key and no network: requests are in the ledger with their signatures, and what the constitution and the ballots decided can
//! be decided again. The ledger itself (hashes, tree, signatures of the service) is verified by `ledger::verify`.

mod nodes;
mod recorded;
mod secrets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::{Digest, NodeId, Seqno};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kv::{Blob, NoHistory, Section, State, TableError, TableId, Tables, Tx, WriteSet};

use crate::engine::Runner;
use crate::state::decisions::Decision;
use crate::state::proposals::{self, ProposalState};
use crate::tables::{FOR_NODES, HISTORICAL, SHARES, SINGLETON};
use crate::{At, Governance, Kind, MemberId, Refusal, Signed};

pub use nodes::NodeEvent;
use recorded::Recorded;
use secrets::Brought;

/// Roots that a request may be bound to: it takes milliseconds to judge one, and a batch is signed every few.
const ROOTS_KEPT: usize = 256;

/// The rows of one entry, by the table's name.
pub struct Rows<'a> {
    pub table: &'a str,
    pub puts: Vec<(&'a [u8], &'a [u8])>,
    pub removes: Vec<&'a [u8]>,
}

/// What happened in an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The members and the constitution that a service began with.
    Founded { members: usize },
    /// A member's request.
    Request { kind: Kind, member: MemberId, proposal: Option<String>, state: Option<ProposalState> },
    /// A proposal that time decided.
    Settled { proposal: String, state: ProposalState },
    /// What a node decided about a node.
    Node { node: NodeId, event: NodeEvent },
    /// The ledger has a new secret from the next entry on.
    Rekeyed,
    /// Members have new shares of the ledger's secret.
    SharesDealt,
    /// Nothing that an audit knows.
    Unknown,
}

/// An entry of governance, and whether it follows from what came before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub seqno: Seqno,
    /// Absent for what was not decided.
    pub decision: Option<Decision>,
    pub what: What,
    /// The other proposals that it ended.
    pub dropped: Vec<String>,
    /// Why it does not follow.
    pub fault: Option<String>,
}

/// Goes through a ledger, from its first entry.
pub struct Auditor<'a> {
    governance: Governance,
    tables: Arc<Tables>,
    state: State,
    roots: VecDeque<Digest>,
    runner: &'a dyn Runner,
}

type Changes = BTreeMap<(TableId, Blob), Option<Blob>>;

impl<'a> Auditor<'a> {
    pub fn new(runner: &'a dyn Runner) -> Result<Self, TableError> {
        let tables = Tables::new();
        ledger::tables::register(&tables)?;
        let governance = Governance::register(&tables, &[])?;
        let tables = Arc::new(tables);
        let state = State::new(tables.clone(), Arc::new(NoHistory));
        Ok(Self { governance, tables, state, roots: VecDeque::new(), runner })
    }

    /// The rows of governance as they are after what was seen.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    #[must_use]
    pub fn governance(&self) -> &Governance {
        &self.governance
    }

    /// The entry before was a signature; `root` is of the tree with it.
    pub fn signed(&mut self, root: Digest) {
        if self.roots.len() == ROOTS_KEPT {
            self.roots.pop_back();
        }
        self.roots.push_front(root);
    }

    /// The next entry. Tables that are not of governance are passed over. `None`: it has nothing of governance.
    pub fn entry(&mut self, seqno: Seqno, rows: &[Rows<'_>]) -> Option<Finding> {
        let writes = self.writes(rows);
        let finding = self.judge(seqno, &writes);
        if !writes.is_empty() {
            self.state.apply(seqno, &writes);
        }
        finding
    }

    fn writes(&self, rows: &[Rows<'_>]) -> WriteSet {
        let known = rows.iter().filter_map(|rows| Some((self.tables.find(rows.table)?, rows)));
        let mut sections: Vec<Section> = known
            .map(|(table, rows)| Section {
                table,
                puts: rows.puts.iter().map(|(key, value)| (Blob::from(*key), Blob::from(*value))).collect(),
                removes: rows.removes.iter().map(|key| Blob::from(*key)).collect(),
            })
            .collect();
        sections.sort_by_key(|section| section.table);
        WriteSet { sections }
    }

    fn judge(&self, seqno: Seqno, writes: &WriteSet) -> Option<Finding> {
        let of = self.governance.tables();
        let decided = put(writes, of.decisions, &SINGLETON);
        let founded = !self.state.is_empty(of.constitution);
        match decided {
            Some(row) if founded => Some(self.decision(seqno, row, writes)),
            _ if !self.of_governance(writes) => None,
            // What the node itself writes when a service is founded comes before the constitution, in the same batch.
            None if !founded => {
                let members = writes.section(of.members_certs).map_or(0, |section| section.puts.len());
                let complete = writes.section(of.constitution).is_some();
                complete.then_some(Finding {
                    seqno,
                    decision: None,
                    what: What::Founded { members },
                    dropped: Vec::new(),
                    fault: None,
                })
            }
            _ => {
                let fault = Some("rows of governance were written, and nobody had decided it".to_owned());
                Some(Finding { seqno, decision: None, what: What::Unknown, dropped: self.dropped(writes), fault })
            }
        }
    }

    fn of_governance(&self, writes: &WriteSet) -> bool {
        let name = |section: &Section| &self.tables.get(section.table).name;
        writes.sections.iter().any(|section| {
            let name = name(section);
            let secrets = [HISTORICAL, FOR_NODES, SHARES].contains(&name.as_str());
            name.starts_with("public:ccf.gov.") || name.starts_with("public:coco.gov.") || secrets
        })
    }

    fn decision(&self, seqno: Seqno, row: &[u8], writes: &WriteSet) -> Finding {
        let finding = |decision, what, fault: Result<(), String>| {
            let dropped = self.dropped(writes);
            Finding { seqno, decision, what, dropped, fault: fault.err() }
        };
        let Some(decision) = Decision::read(row) else {
            return finding(None, What::Unknown, Err("the decision's own row cannot be read".to_owned()));
        };
        let (what, judged) = self.again(seqno, decision, writes);
        finding(Some(decision), what, self.in_row(decision).and(judged))
    }

    /// Decisions are numbered without a gap, and time does not go back.
    fn in_row(&self, decision: Decision) -> Result<(), String> {
        let last = Decision::last(self.governance.tables().decisions, &Tx::new(&self.state));
        let last = last.map_err(|refusal| refusal.to_string())?;
        if decision == last.next(decision.time) {
            return Ok(());
        }
        Err(format!(
            "decision {} of time {} came after {} of {}",
            decision.number, decision.time, last.number, last.time
        ))
    }

    /// Judges the request in an entry, on what was there before the entry.
    fn again(&self, seqno: Seqno, decision: Decision, writes: &WriteSet) -> (What, Result<(), String>) {
        let envelope = match self.envelope(writes) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return self.unsigned(seqno, decision, writes),
            Err(fault) => return (What::Unknown, Err(fault)),
        };
        let tx = Tx::new(&self.state);
        let signed = match self.governance.verify_any(&tx, &envelope) {
            Ok(signed) => signed,
            Err(refusal) => return (What::Unknown, Err(format!("the signed request is refused: {refusal}"))),
        };
        let proposal = match signed.kind {
            Kind::Proposal => self.made(writes),
            _ => signed.proposal_id.map(str::to_owned),
        };
        let state = proposal.as_deref().and_then(|id| self.state_of(id, writes));
        let what = What::Request { kind: signed.kind, member: signed.signer, proposal, state };
        (what, self.same(decision, writes, |tx, at| self.carry_out(tx, at, &signed)))
    }

    /// Nobody asked for it: it must follow from rows and time.
    fn unsigned(&self, seqno: Seqno, decision: Decision, writes: &WriteSet) -> (What, Result<(), String>) {
        if let Some(brought) = secrets::brought(&self.governance, writes) {
            let what = match brought {
                Brought::Secret(_) => What::Rekeyed,
                Brought::Shares(_) => What::SharesDealt,
            };
            let again = |tx: &mut Tx<'_>, at: &At<'_>| secrets::again(&self.governance, tx, &brought, at.time, seqno);
            return (what, self.same(decision, writes, again));
        }
        let Some((node, event)) = nodes::event(&self.governance, &self.state, writes) else {
            return self.settled(decision, writes);
        };
        let again = |tx: &mut Tx<'_>, at: &At<'_>| nodes::again(&self.governance, tx, (node, event), writes, at.time);
        (What::Node { node, event }, self.same(decision, writes, again))
    }

    fn settled(&self, decision: Decision, writes: &WriteSet) -> (What, Result<(), String>) {
        let Some((state, proposal)) = self.moved(writes).find(|(state, _)| *state != ProposalState::Dropped) else {
            return (
                What::Unknown,
                Err("there is no signed request in it, and no proposal that time decided".to_owned()),
            );
        };
        let judged = self.same(decision, writes, |tx, at| self.governance.settle(tx, &proposal, at).map(drop));
        (What::Settled { proposal, state }, judged)
    }

    /// The signed request that an entry carries.
    fn envelope(&self, writes: &WriteSet) -> Result<Option<Vec<u8>>, String> {
        let Some(section) = writes.section(self.governance.tables().cose_history) else { return Ok(None) };
        let [(_, row)] = &section.puts[..] else { return Err("it carries more than one signed request".to_owned()) };
        let unreadable = || "its signed request cannot be read".to_owned();
        let text: String = serde_json::from_slice(row).map_err(|_| unreadable())?;
        STANDARD.decode(text).map(Some).map_err(|_| unreadable())
    }

    fn carry_out(&self, tx: &mut Tx<'_>, at: &At<'_>, signed: &Signed<'_>) -> Result<(), Refusal> {
        let member = signed.signer.to_string();
        let proposal = signed.proposal_id.unwrap_or_default();
        match signed.kind {
            Kind::Proposal => self.governance.create(tx, signed, at).map(drop),
            Kind::Ballot => self.governance.submit_ballot(tx, signed, proposal, &member, at).map(drop),
            Kind::Withdrawal => self.governance.withdraw(tx, signed, proposal).map(drop),
            Kind::StateDigest => self.governance.update_state_digest(tx, signed, &member, at).map(drop),
            Kind::Ack => self.governance.acknowledge(tx, signed, &member).map(drop),
            Kind::RecoveryShare => Err(Refusal::InternalError("recovery shares are not audited".to_owned())),
        }
    }

    /// Whether the request leaves what the entry says, on one of the roots that it can have been bound to.
    fn same(
        &self,
        decision: Decision,
        writes: &WriteSet,
        act: impl Fn(&mut Tx<'_>, &At<'_>) -> Result<(), Refusal>,
    ) -> Result<(), String> {
        let written = self.changes(writes);
        let mut fault = "there is no signed state that it could be bound to".to_owned();
        let service = Arc::new(Recorded::new(&self.governance, &self.state, writes));
        for root in &self.roots {
            let version = self.governance.signed(&self.state, Some(*root));
            let mut tx = Tx::new(&version);
            let at = At {
                root: Some(*root),
                time: decision.time,
                seed: decision.seed(),
                service: service.clone(),
                runner: self.runner,
            };
            match act(&mut tx, &at) {
                Ok(()) if self.changes(&tx.finish().writes) == written => return Ok(()),
                Ok(()) => "by the rules of then it leaves other rows".clone_into(&mut fault),
                // On another root it would be refused as well.
                Err(refusal) => return Err(format!("by the rules of then it is refused: {refusal}")),
            }
        }
        Err(fault)
    }

    /// All but the decision's own row.
    fn changes(&self, writes: &WriteSet) -> Changes {
        let own = self.governance.tables().decisions;
        let sections = writes.sections.iter().filter(|section| section.table != own);
        let rows = sections.flat_map(|Section { table, puts, removes }| {
            let puts = puts.iter().map(|(key, value)| ((*table, key.clone()), Some(value.clone())));
            puts.chain(removes.iter().map(|key| ((*table, key.clone()), None)))
        });
        rows.collect()
    }

    /// The id of the proposal that an entry makes.
    fn made(&self, writes: &WriteSet) -> Option<String> {
        let section = writes.section(self.governance.tables().proposals)?;
        section.puts.first().map(|(key, _)| String::from_utf8_lossy(key).into_owned())
    }

    /// The proposals that an entry writes the state of.
    fn moved(&self, writes: &WriteSet) -> impl Iterator<Item = (ProposalState, String)> {
        let section = writes.section(self.governance.tables().proposals_info);
        let ids = section.into_iter().flat_map(|section| &section.puts);
        let ids = ids.map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        ids.filter_map(|id| Some((self.state_of(&id, writes)?, id)))
    }

    fn dropped(&self, writes: &WriteSet) -> Vec<String> {
        self.moved(writes).filter(|(state, _)| *state == ProposalState::Dropped).map(|(_, id)| id).collect()
    }

    /// The state of a proposal after an entry.
    fn state_of(&self, proposal: &str, writes: &WriteSet) -> Option<ProposalState> {
        let row = put(writes, self.governance.tables().proposals_info, proposal.as_bytes())?;
        serde_json::from_slice::<proposals::ProposalInfo>(row).ok().map(|info| info.state)
    }
}

fn put<'w>(writes: &'w WriteSet, table: TableId, key: &[u8]) -> Option<&'w [u8]> {
    let section = writes.section(table)?;
    section.puts.iter().find(|(found, _)| **found == *key).map(|(_, value)| &**value)
}
