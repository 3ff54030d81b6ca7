//! `/node/quotes…`, `/node/attestations…`: the evidence that nodes were let in with. The two are one under two names, as in CCF.

use axum::extract::State;
use axum::response::Response;
use base::NodeId;
use governance::Governance;
use ledger::genesis::{NodeInfo, NodeStatus};
use serde::Serialize;
use serde_json::json;

use super::Door;
use super::answer::{Problem, placed};
use super::service::read;
use crate::decide::Deciding;

/// In CCF's words; byte strings are base64.
#[derive(Serialize)]
struct Quote {
    node_id: String,
    format: String,
    raw: String,
    endorsements: String,
    /// Of the code, in hexadecimal.
    measurement: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uvm_endorsements: Option<String>,
}

impl Quote {
    fn of((id, info): (NodeId, NodeInfo)) -> Self {
        let NodeInfo { quote_info, code_digest, .. } = info;
        Self {
            node_id: id.to_string(),
            format: quote_info.format,
            raw: quote_info.quote,
            endorsements: quote_info.endorsements,
            measurement: code_digest,
            uvm_endorsements: quote_info.uvm_endorsements,
        }
    }
}

pub async fn quotes(State(deciding): Door) -> Result<Response, Problem> {
    Ok(placed(&json!({ "quotes": all(&deciding)? }), None))
}

pub async fn attestations(State(deciding): Door) -> Result<Response, Problem> {
    Ok(placed(&json!({ "attestations": all(&deciding)? }), None))
}

pub async fn of_this_node(State(deciding): Door) -> Result<Response, Problem> {
    let id = deciding.node.status().id;
    let info = read(&deciding, |governance, tx| governance.node_info(tx, id))?;
    let info = info.ok_or_else(|| Problem::not_found("This node has no row: there is no evidence of it."))?;
    Ok(placed(&Quote::of((id, info)), None))
}

fn all(deciding: &Deciding) -> Result<Vec<Quote>, Problem> {
    let nodes = read(deciding, |governance: &Governance, tx| Ok(governance.node_infos(tx)))?;
    Ok(nodes.into_iter().filter(|(_, info)| info.status == NodeStatus::Trusted).map(Quote::of).collect())
}
