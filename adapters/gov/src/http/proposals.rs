//! `/gov/members/proposals…`: made, voted on, withdrawn, read.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use governance::{Kind, Outcome};
use kv::Tx;
use serde_json::json;

use super::answer::{Problem, javascript, placed, signed, with_place};
use super::{Door, snapshot};

/// `POST /gov/members/proposals:create`
pub async fn create(State(deciding): Door, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    signed(&headers)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>, body: &[u8]| {
        let request = gov.governance.verify(tx, Kind::Proposal, body)?;
        gov.governance.create(tx, &request, at)
    };
    let (proposal, place) = deciding.request(body, act).await?;
    Ok(placed(&proposal, place))
}

/// `POST /gov/members/proposals/{proposal}:withdraw`
pub async fn withdraw(
    State(deciding): Door,
    Path(proposal): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    signed(&headers)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, _: &governance::At<'_>, body: &[u8]| {
        let request = gov.governance.verify(tx, Kind::Withdrawal, body)?;
        let answer = gov.governance.withdraw(tx, &request, &proposal)?;
        Ok(Outcome { answer, effects: Vec::new(), log: Vec::new() })
    };
    match deciding.request(body, act).await? {
        (Some(proposal), place) => Ok(placed(&proposal, place)),
        (None, place) => Ok(with_place(StatusCode::NO_CONTENT.into_response(), place)),
    }
}

/// `POST /gov/members/proposals/{proposal}/ballots/{member}:submit`
pub async fn vote(
    State(deciding): Door,
    Path((proposal, member)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    signed(&headers)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>, body: &[u8]| {
        let request = gov.governance.verify(tx, Kind::Ballot, body)?;
        gov.governance.submit_ballot(tx, &request, &proposal, &member, at)
    };
    let (proposal, place) = deciding.request(body, act).await?;
    Ok(placed(&proposal, place))
}

pub async fn list(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let proposals = deciding.gov.governance.proposals(&Tx::new(snapshot.state()))?;
    Ok(placed(&json!({ "value": proposals }), None))
}

pub async fn show(State(deciding): Door, Path(proposal): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    Ok(placed(&deciding.gov.governance.proposal(&Tx::new(snapshot.state()), &proposal)?, None))
}

/// The proposal as it was submitted.
pub async fn actions(State(deciding): Door, Path(proposal): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let body = deciding.gov.governance.actions(&Tx::new(snapshot.state()), &proposal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A member's script.
pub async fn ballot(
    State(deciding): Door,
    Path((proposal, member)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    Ok(javascript(deciding.gov.governance.ballot(&Tx::new(snapshot.state()), &proposal, &member)?))
}
