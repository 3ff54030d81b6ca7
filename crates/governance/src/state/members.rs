//! Members: certificates, status, encryption keys.

use crypto::ForeignCertificate;
use kv::Tx;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{read, write};
use crate::{GovernanceTables, MemberId, Refusal};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    /// Known, and has not signed the state yet.
    Accepted,
    /// Proposes and votes.
    Active,
    /// Of our own constitution: keeps its rows and may do nothing.
    Suspended,
}

/// A row of `members.info`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MemberInfo {
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_data: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_role: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

pub fn info(tables: &GovernanceTables, tx: &Tx<'_>, member: &MemberId) -> Result<Option<MemberInfo>, Refusal> {
    read(tx, tables.members_info, &member.key())
}

pub fn set_info(tables: &GovernanceTables, tx: &mut Tx<'_>, member: &MemberId, info: &MemberInfo) {
    write(tx, tables.members_info, &member.key(), info);
}

pub fn certificate(
    tables: &GovernanceTables,
    tx: &Tx<'_>,
    member: &MemberId,
) -> Result<Option<ForeignCertificate>, Refusal> {
    let Some(pem) = tx.get(tables.members_certs, &member.key())? else { return Ok(None) };
    let broken =
        |why: &str| Refusal::InternalError(format!("The certificate of member {member} cannot be read: {why}."));
    let pem = std::str::from_utf8(&pem).map_err(|_| broken("not a text"))?;
    ForeignCertificate::from_pem(pem).map(Some).map_err(|error| broken(&error.to_string()))
}

/// Whether a member takes part in recovery: it does if it gave a key to encrypt its share for.
pub fn recovers(tables: &GovernanceTables, tx: &Tx<'_>, member: &MemberId) -> Result<bool, Refusal> {
    Ok(tx.get(tables.members_encryption_keys, &member.key())?.is_some())
}
