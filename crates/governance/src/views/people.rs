//! Members and users.

use kv::Tx;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all, json, row, rows, text};
use crate::state::members::{MemberInfo, Status};
use crate::tables::{MEMBERS_CERTS, MEMBERS_ENCRYPTION_KEYS, MEMBERS_INFO};
use crate::{Governance, Refusal};

const USERS_CERTS: &str = "public:ccf.gov.users.certs";
const USERS_INFO: &str = "public:ccf.gov.users.info";

/// A member, as clients are told of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub member_id: String,
    pub status: Status,
    pub member_data: Option<Value>,
    /// PEM.
    pub certificate: Option<String>,
    /// RSA, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_encryption_key: Option<String>,
    pub recovery_role: String,
}

/// A user, as clients are told of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_id: String,
    /// PEM.
    pub certificate: String,
    pub user_data: Option<Value>,
}

#[derive(Default, Deserialize)]
struct UserInfo {
    #[serde(default)]
    user_data: Option<Value>,
}

impl Governance {
    pub fn members(&self, tx: &Tx<'_>) -> Result<Vec<Member>, Refusal> {
        all::<MemberInfo>(tx, MEMBERS_INFO)?.into_iter().map(|(id, info)| member(tx, id, info)).collect()
    }

    pub fn member(&self, tx: &Tx<'_>, id: &str) -> Result<Option<Member>, Refusal> {
        let id = id.to_ascii_lowercase();
        let Some(found) = row(tx, MEMBERS_INFO, id.as_bytes())? else { return Ok(None) };
        member(tx, id, json(MEMBERS_INFO, &found)?).map(Some)
    }

    pub fn users(&self, tx: &Tx<'_>) -> Result<Vec<User>, Refusal> {
        rows(tx, USERS_CERTS).into_iter().map(|(id, certificate)| user(tx, id, &certificate)).collect()
    }

    pub fn user(&self, tx: &Tx<'_>, id: &str) -> Result<Option<User>, Refusal> {
        let id = id.to_ascii_lowercase();
        let Some(certificate) = row(tx, USERS_CERTS, id.as_bytes())? else { return Ok(None) };
        user(tx, id, &certificate).map(Some)
    }
}

fn member(tx: &Tx<'_>, id: String, info: MemberInfo) -> Result<Member, Refusal> {
    let certificate = row(tx, MEMBERS_CERTS, id.as_bytes())?.map(|pem| text(&pem));
    let key = row(tx, MEMBERS_ENCRYPTION_KEYS, id.as_bytes())?.map(|pem| text(&pem));
    // As CCF takes it where nothing is written: who gave a key takes part.
    let by_key = if key.is_some() { "Participant" } else { "NonParticipant" };
    Ok(Member {
        member_id: id,
        status: info.status,
        member_data: info.member_data,
        certificate,
        public_encryption_key: key,
        recovery_role: info.recovery_role.unwrap_or_else(|| by_key.to_owned()),
    })
}

fn user(tx: &Tx<'_>, id: String, certificate: &[u8]) -> Result<User, Refusal> {
    let info = row(tx, USERS_INFO, id.as_bytes())?;
    let info: UserInfo = info.map(|info| json(USERS_INFO, &info)).transpose()?.unwrap_or_default();
    Ok(User { user_id: id, certificate: text(certificate), user_data: info.user_data })
}
