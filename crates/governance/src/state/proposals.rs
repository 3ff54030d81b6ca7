//! Proposals: what was proposed, who has voted how, and when.

use std::collections::BTreeMap;

use kv::{Blob, Tx};
use serde::{Deserialize, Serialize};

use super::{read, write};
use crate::{GovernanceTables, MemberId, Refusal, Trouble};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProposalState {
    Open,
    Accepted,
    Rejected,
    Withdrawn,
    Failed,
    Dropped,
}

/// A row of `proposals_info`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProposalInfo {
    pub proposer_id: MemberId,
    pub state: ProposalState,
    /// The scripts.
    #[serde(default)]
    pub ballots: BTreeMap<MemberId, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<MemberId, bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<MemberId, StoredTrouble>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<StoredTrouble>,
}

/// [`Trouble`], as it stands in a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredTrouble {
    pub reason: String,
    #[serde(default)]
    pub trace: Option<String>,
}

impl From<StoredTrouble> for Trouble {
    fn from(StoredTrouble { reason, trace }: StoredTrouble) -> Self {
        Self { reason, trace }
    }
}

/// A row of `proposals_times`: milliseconds since 1970, by the ledger's clock.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProposalTimes {
    pub submitted: u64,
    #[serde(default)]
    pub ballots: BTreeMap<MemberId, u64>,
}

pub fn info(tables: &GovernanceTables, tx: &Tx<'_>, id: &str) -> Result<Option<ProposalInfo>, Refusal> {
    read(tx, tables.proposals_info, id.as_bytes())
}

pub fn set_info(tables: &GovernanceTables, tx: &mut Tx<'_>, id: &str, info: &ProposalInfo) {
    write(tx, tables.proposals_info, id.as_bytes(), info);
}

/// Every proposal that is still in the table, by id.
pub fn all(tables: &GovernanceTables, tx: &Tx<'_>) -> Result<Vec<(String, ProposalInfo)>, Refusal> {
    let keys: Vec<Blob> = tx.range(tables.proposals_info, ..).map(|(key, _)| key.clone()).collect();
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let id = String::from_utf8_lossy(&key).into_owned();
        if let Some(info) = info(tables, tx, &id)? {
            found.push((id, info));
        }
    }
    Ok(found)
}

/// The body as it was submitted.
pub fn body(tables: &GovernanceTables, tx: &Tx<'_>, id: &str) -> Result<Option<Blob>, Refusal> {
    Ok(tx.get(tables.proposals, id.as_bytes())?)
}

pub fn set_body(tables: &GovernanceTables, tx: &mut Tx<'_>, id: &str, body: &[u8]) {
    tx.put(tables.proposals, id.as_bytes(), body);
}

pub fn times(tables: &GovernanceTables, tx: &Tx<'_>, id: &str) -> Result<ProposalTimes, Refusal> {
    Ok(read(tx, tables.proposals_times, id.as_bytes())?.unwrap_or_default())
}

pub fn set_times(tables: &GovernanceTables, tx: &mut Tx<'_>, id: &str, times: &ProposalTimes) {
    write(tx, tables.proposals_times, id.as_bytes(), times);
}

/// Forgets every proposal but this one that is decided. The ledger keeps them.
pub fn forget_others(tables: &GovernanceTables, tx: &mut Tx<'_>, kept: &str) -> Result<(), Refusal> {
    for (id, info) in all(tables, tx)? {
        if id != kept && info.state != ProposalState::Open {
            for table in [tables.proposals, tables.proposals_info, tables.proposals_times] {
                tx.remove(table, id.as_bytes());
            }
        }
    }
    Ok(())
}
