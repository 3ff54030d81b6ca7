//! What members were given to sign before they count, and what they signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kv::Tx;
use serde::{Deserialize, Serialize};

use super::{read, write};
use crate::{GovernanceTables, MemberId, Refusal};

/// A row of `members.acks`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// The root of the ledger, in hexadecimal.
    pub state_digest: String,
    /// The signed request that repeated it, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cose_sign1_req: Option<String>,
}

pub fn get(tables: &GovernanceTables, tx: &Tx<'_>, member: &MemberId) -> Result<Option<Ack>, Refusal> {
    read(tx, tables.members_acks, &member.key())
}

pub fn set(tables: &GovernanceTables, tx: &mut Tx<'_>, member: &MemberId, ack: &Ack) {
    write(tx, tables.members_acks, &member.key(), ack);
}

/// Keeps a member's request. One slot per member: the ledger is the history.
pub fn note(tables: &GovernanceTables, tx: &mut Tx<'_>, member: &MemberId, envelope: &[u8]) {
    write(tx, tables.cose_history, &member.key(), &STANDARD.encode(envelope));
}
