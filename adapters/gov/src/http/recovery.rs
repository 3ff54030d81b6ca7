//! `/gov/recovery/…`: members' shares of the ledger secret, encrypted for each of them. Nothing waits for shares while nodes of the
//! network are left, and without any nothing answers here.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use governance::{Kind, MemberId};
use kv::Tx;

use super::answer::{Problem, placed, signed};
use super::{Door, snapshot};
use crate::decide::blocking;

pub async fn encrypted_share(State(deciding): Door, Path(member): Path<String>) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let tx = Tx::new(snapshot.state());
    let share = match MemberId::parse(&member) {
        Some(member) => deciding.gov.governance.encrypted_share(&tx, member)?,
        None => None,
    };
    let none = || Problem::not_found("This member holds no recovery share.");
    Ok(placed(&share.ok_or_else(none)?, None))
}

/// `POST …/{member}:recover`
pub async fn recover(
    State(deciding): Door,
    Path(member): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    signed(&headers)?;
    let signer = blocking(move || {
        let snapshot = deciding.node.snapshot();
        let tx = Tx::new(snapshot.state());
        Ok(deciding.gov.governance.verify(&tx, Kind::RecoveryShare, &body)?.signer)
    });
    let signer = signer.await?;
    if MemberId::parse(&member) != Some(signer) {
        let message = "The signer is not the member in the path.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", message));
    }
    let message = "The service is not waiting for recovery shares: its nodes have the ledger's secrets.";
    Err(Problem::new(StatusCode::FORBIDDEN, "ServiceNotWaitingForRecoveryShares", message))
}
