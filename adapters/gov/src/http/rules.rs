//! `/gov/coco/…`: the rules that proposals are judged by and the times that delays are counted from. CCF's API has no place for
//! them: its rules are in the script alone.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use governance::constitution::DEFAULT;
use governance::state::proposals;
use governance::tables::POLICIES;
use governance::{Governance, MemberId, Refusal};
use kv::Tx;
use serde::Serialize;
use serde_json::{Value, json};

use super::Door;
use super::answer::{Problem, placed};
use super::service::read;

/// For actions without a rule of their own.
const OTHERS: &str = "*";

#[derive(Serialize)]
struct Policies {
    /// Whether the constitution in force is the one that a network starts with. Another one may judge as it likes.
    judged: bool,
    value: Vec<Policy>,
    /// What holds for every action that is not in the list.
    otherwise: Value,
}

#[derive(Serialize)]
struct Policy {
    action: String,
    policy: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    proposal_id: String,
    /// Milliseconds since 1970, by the ledger's clock.
    submitted: u64,
    ballots: BTreeMap<MemberId, u64>,
}

pub async fn policies(State(deciding): Door) -> Result<Response, Problem> {
    let policies = read(&deciding, |governance, tx| {
        let judged = governance.constitution(tx)?.is_some_and(|script| script == DEFAULT);
        let (others, value): (Vec<Policy>, _) = rows(tx)?.into_iter().partition(|row| row.action == OTHERS);
        let otherwise = others.into_iter().next().map_or_else(|| json!({ "agree": "majority" }), |row| row.policy);
        Ok(Policies { judged, value, otherwise })
    })?;
    Ok(placed(&policies, None))
}

fn rows(tx: &Tx<'_>) -> Result<Vec<Policy>, Refusal> {
    let Some(table) = tx.base().tables().find(POLICIES) else { return Ok(Vec::new()) };
    let policy = |(action, row): (&kv::Blob, &kv::Blob)| {
        let policy = serde_json::from_slice(row)
            .map_err(|error| Refusal::InternalError(format!("A row of {POLICIES} cannot be read: {error}")))?;
        Ok(Policy { action: String::from_utf8_lossy(action).into_owned(), policy })
    };
    tx.range(table, ..).map(policy).collect()
}

/// When a proposal was made and its ballots came.
pub async fn times(State(deciding): Door, Path(proposal): Path<String>) -> Result<Response, Problem> {
    let times = read(&deciding, |governance: &Governance, tx| {
        let known = governance.proposal(tx, &proposal)?;
        let times = proposals::times(governance.tables(), tx, &known.proposal_id)?;
        Ok(Times { proposal_id: known.proposal_id, submitted: times.submitted, ballots: times.ballots })
    })?;
    Ok(placed(&times, None))
}
