//! What happens to the rows of nodes without a vote: a node asks to join, is let go, is forgotten, proves itself anew.
//!
//! ```text
//!   asks ──▶ Pending ──(members)──▶ Trusted ──(members)──▶ Retired ──▶ let go: it may be stopped ──▶ row removed
//!                                      │ ▲
//!                          lapsed ◀────┘ └──── proves itself anew (`leases.rs`)
//! ```
//!
//! Each of these is a decision like any other, made by a node of the service, and each follows from rows alone: so an audit makes
//! it again. What it does not follow from rows, and what is believed of whoever runs approved code, is that evidence was
//! verified, and that consensus has let a node go.

mod evaluations;
mod leases;
mod policy;

use base::NodeId;
use crypto::certificate::Request;
use kv::Tx;
use ledger::genesis::{NodeInfo, NodeStatus, node_key};
use serde::{Deserialize, Serialize};

use crate::state::{read, service, write};
use crate::tables::SINGLETON;
use crate::{Governance, Outcome, Refusal, whole};

pub use leases::{Lease, Period, Shown};
pub use policy::Candidate;

/// Nodes that may wait for members at once: whoever runs approved code can ask.
pub const PENDING_MAX: usize = 64;

/// The row of `nodes.numbers`.
#[derive(Serialize, Deserialize)]
struct Numbers {
    highest: u64,
}

impl Governance {
    /// The row of a node. One that cannot be read is an error: nothing may be decided on it.
    pub fn node_info(&self, tx: &Tx<'_>, id: NodeId) -> Result<Option<NodeInfo>, Refusal> {
        read(tx, self.tables.nodes_info, &node_key(id))
    }

    /// The rows that can be read, by id. Members' scripts write them too.
    #[must_use]
    pub fn node_infos(&self, tx: &Tx<'_>) -> Vec<(NodeId, NodeInfo)> {
        let rows = tx.range(self.tables.nodes_info, ..);
        rows.filter_map(|(key, row)| {
            Some((NodeId::parse(std::str::from_utf8(key).ok()?).ok()?, NodeInfo::read(row).ok()?))
        })
        .collect()
    }

    /// A node asks to join: its row, Pending, with a number of its own. Its evidence was verified; `info` is what it says of itself.
    pub fn admit(&self, tx: &mut Tx<'_>, id: NodeId, info: NodeInfo) -> Result<Outcome<NodeInfo>, Refusal> {
        self.check_open(tx)?;
        if self.node_info(tx, id)?.is_some() {
            return Err(Refusal::NodeAlreadyExists(format!("Node {id} is known already.")));
        }
        check_key(id, &info)?;
        let others = self.node_infos(tx);
        let nowhere = || Refusal::InvalidInput("A node says where other nodes reach it.".to_owned());
        let address = info.peer_address().ok_or_else(nowhere)?;
        let same = others
            .iter()
            .find(|(_, other)| other.status != NodeStatus::Retired && other.peer_address() == Some(address));
        if let Some((other, _)) = same {
            return Err(Refusal::NodeAlreadyExists(format!("Node {other} is reached at {address} already.")));
        }
        if others.iter().filter(|(_, other)| other.status == NodeStatus::Pending).count() >= PENDING_MAX {
            let message =
                format!("{PENDING_MAX} nodes wait for members already: some must be trusted or removed first.");
            return Err(Refusal::InvalidNodeState(message));
        }
        whole(tx, |tx| {
            let number = self.next_number(tx)?;
            let info = NodeInfo { status: NodeStatus::Pending, retired_committed: false, number, ..info };
            self.set_node(tx, id, &info);
            Ok(Outcome::plain(info))
        })
    }

    /// Consensus has let a retired node go: it may be stopped, and its row removed.
    pub fn let_go(&self, tx: &mut Tx<'_>, id: NodeId) -> Result<Outcome<()>, Refusal> {
        let mut info = self.known(tx, id)?;
        if info.status != NodeStatus::Retired || info.retired_committed {
            return Err(Refusal::InvalidNodeState(format!("Node {id} does not wait to be let go.")));
        }
        info.retired_committed = true;
        self.set_node(tx, id, &info);
        Ok(Outcome::plain(()))
    }

    /// Forgets a node that was let go. Its number stays used.
    pub fn forget_node(&self, tx: &mut Tx<'_>, id: NodeId) -> Result<Outcome<()>, Refusal> {
        let info = self.known(tx, id)?;
        if !info.retired_committed {
            let message =
                format!("Node {id} is {:?} and consensus has not let it go: it cannot be removed.", info.status);
            return Err(Refusal::NodeNotRetiredCommitted(message));
        }
        let highest = self.highest_number(tx)?;
        write(tx, self.tables.nodes_numbers, &SINGLETON, &Numbers { highest });
        tx.remove(self.tables.nodes_info, node_key(id));
        for table in [self.tables.nodes_certificates, self.tables.nodes_leases, self.tables.nodes_evidence] {
            if tx.get(table, &node_key(id))?.is_some() {
                tx.remove(table, node_key(id));
            }
        }
        Ok(Outcome::plain(()))
    }

    fn known(&self, tx: &Tx<'_>, id: NodeId) -> Result<NodeInfo, Refusal> {
        let unknown = || Refusal::InvalidNodeState(format!("Node {id} is not known."));
        self.node_info(tx, id)?.ok_or_else(unknown)
    }

    fn set_node(&self, tx: &mut Tx<'_>, id: NodeId, info: &NodeInfo) {
        tx.put(self.tables.nodes_info, node_key(id), info.write());
    }

    fn check_open(&self, tx: &Tx<'_>) -> Result<(), Refusal> {
        let status = service::info(&self.tables, tx)?.map(|info| info.status);
        if status == Some(ledger::genesis::ServiceStatus::Open) {
            return Ok(());
        }
        let status = status.map_or_else(|| "not founded".to_owned(), |status| format!("{status:?}"));
        Err(Refusal::InvalidNodeState(format!("The service is {status}: nodes join once it is open.")))
    }

    /// None is used twice: consensus knows nodes by nothing else.
    fn next_number(&self, tx: &mut Tx<'_>) -> Result<u64, Refusal> {
        let full = || Refusal::InternalError("The numbers of nodes are used up.".to_owned());
        // Scripts read it as a double.
        let number = self.highest_number(tx)?.checked_add(1).filter(|number| *number < 1 << 53).ok_or_else(full)?;
        write(tx, self.tables.nodes_numbers, &SINGLETON, &Numbers { highest: number });
        Ok(number)
    }

    fn highest_number(&self, tx: &Tx<'_>) -> Result<u64, Refusal> {
        let given: Option<Numbers> = read(tx, self.tables.nodes_numbers, &SINGLETON)?;
        let of_rows = self.node_infos(tx).into_iter().map(|(_, info)| info.number).max();
        Ok(given.map_or(0, |given| given.highest).max(of_rows.unwrap_or(0)))
    }
}

/// The row's key, public key and signing request are of one key.
fn check_key(id: NodeId, info: &NodeInfo) -> Result<(), Refusal> {
    let request = info.certificate_signing_request.as_deref().ok_or(Refusal::CsrPublicKeyInvalid)?;
    let key = Request::from_pem(request).map_err(|_| Refusal::CsrPublicKeyInvalid)?.key;
    if key.node_id() == id && info.public_key.as_deref() == Some(&key.to_pem()) {
        return Ok(());
    }
    Err(Refusal::CsrPublicKeyInvalid)
}
