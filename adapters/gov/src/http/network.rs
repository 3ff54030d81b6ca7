//! `/gov/coco/nodes` and `/gov/coco/ledgers`: the network as its rows and its consensus have it. CCF's answers have no place for
//! numbers, owners and hosted ledgers.

use adapter::{LEDGERS, Role};
use axum::extract::State;
use axum::response::Response;
use governance::Governance;
use kv::Tx;
use ledger::genesis::NodeInfo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Door;
use super::answer::{Problem, placed};
use super::service::read;

const OWNERS: &str = "public:coco.gov.nodes.owners";
/// The door of a node that members use.
const GOVERNANCE: &str = "governance";

/// A node. What it is bound to by evidence stands in `/gov/service/nodes`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    node_id: String,
    number: u64,
    #[serde(flatten)]
    info: Shown,
    primary: bool,
    /// `voter` or `learner`; absent while consensus does not count it, as far as the node that was asked knows.
    counted: Option<&'static str>,
    owner: Option<String>,
    certificate: Option<String>,
}

/// What its row says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    status: ledger::genesis::NodeStatus,
    retired_committed: bool,
    address: Option<String>,
    governance: Option<String>,
    evidence: String,
    code: String,
    node_data: Option<Value>,
}

impl From<&NodeInfo> for Shown {
    fn from(info: &NodeInfo) -> Self {
        let governance = info.rpc_interfaces.get(GOVERNANCE);
        let governance = governance.map(|door| door.published_address.as_ref().unwrap_or(&door.bind_address).clone());
        Self {
            status: info.status,
            retired_committed: info.retired_committed,
            address: info.peer_address().map(str::to_owned),
            governance,
            evidence: info.quote_info.format.clone(),
            code: info.code_digest.clone(),
            node_data: info.more.get("node_data").cloned(),
        }
    }
}

/// `GET /gov/coco/nodes`.
pub async fn nodes(State(deciding): Door) -> Result<Response, Problem> {
    let status = deciding.node.status();
    let primary = match status.role {
        Role::Primary => Some(status.id),
        Role::Backup { primary } => primary,
    };
    let nodes = read(&deciding, |governance, tx| {
        let of = |(id, info): (base::NodeId, NodeInfo)| {
            let known = governance.node(tx, &id.to_string())?;
            Ok(Node {
                node_id: id.to_string(),
                number: info.number,
                info: Shown::from(&info),
                primary: primary == Some(id),
                counted: match info.number {
                    number if status.voters.contains(&number) => Some("voter"),
                    number if status.learners.contains(&number) => Some("learner"),
                    _ => None,
                },
                owner: owner(tx, &id.to_string()),
                certificate: known.and_then(|node| node.certificate),
            })
        };
        governance.node_infos(tx).into_iter().map(of).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(placed(&json!({ "value": nodes }), None))
}

fn owner(tx: &Tx<'_>, node: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Row {
        owner: String,
    }
    let row = tx.get(tx.base().tables().find(OWNERS)?, node.as_bytes()).ok()??;
    serde_json::from_slice::<Row>(&row).ok().map(|row| row.owner)
}

/// `GET /gov/coco/ledgers`.
pub async fn ledgers(State(deciding): Door) -> Result<Response, Problem> {
    let rows = read(&deciding, |_: &Governance, tx| Ok(rows(tx)))?;
    Ok(placed(&json!({ "value": rows }), None))
}

/// A row that cannot be read is shown as what it is: the node keeps such a ledger closed.
fn rows(tx: &Tx<'_>) -> Vec<Value> {
    let Some(table) = tx.base().tables().find(LEDGERS) else { return Vec::new() };
    let shown = |(name, row): (&kv::Blob, &kv::Blob)| {
        let row: Value = serde_json::from_slice(row).unwrap_or_default();
        let text = |field: &str| row[field].as_str().unwrap_or("unreadable").to_owned();
        json!({
            "name": String::from_utf8_lossy(name),
            "kind": text("kind"),
            "status": text("status"),
            "policy": row["policy"],
            "number": row["number"],
            "listeners": row["listeners"],
        })
    };
    tx.range(table, ..).map(shown).collect()
}
