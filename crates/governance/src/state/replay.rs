//! Which signed proposals were seen already.
//!
//! A window of the latest requests is kept, ordered by the time that their signers wrote into them. A request that is older
//! than the median of the window is refused, so the window need not reach back to the beginning.
//!
//! Times are whole seconds, and within a second the order is by a hash of the request and its signature: by chance. CCF compares that too, and
//! refuses every other request that is signed in the second of the median. Here a request of that second is taken, unless it
//! comes before all that the full window still has: then it may be one that has left it.

use kv::{Blob, Tx};

use super::service;
use crate::{GovernanceTables, Refusal, Signed};

/// Ten digits: until the year 2286.
const CREATED_AT_MAX: u64 = 9_999_999_999;

/// Notes a request to propose, unless it was seen before or is too old to tell.
pub fn admit(tables: &GovernanceTables, tx: &mut Tx<'_>, request: &Signed<'_>, id: &str) -> Result<(), Refusal> {
    if request.created_at > CREATED_AT_MAX {
        return Err(Refusal::InvalidCreatedAt);
    }
    let key = format!("{:010}:{}", request.created_at, request.once);
    if let Some(known) = tx.get(tables.cose_recent_proposals, key.as_bytes())? {
        return Err(Refusal::ProposalReplay(String::from_utf8_lossy(&known).into_owned()));
    }
    let mut keys: Vec<Blob> = tx.range(tables.cose_recent_proposals, ..).map(|(key, _)| key.clone()).collect();
    let window = service::replay_window(tables, tx)?;
    let second = |key: &[u8]| String::from_utf8_lossy(&key[..key.len().min(10)]).into_owned();
    if let Some(median) = keys.get(keys.len() / 2).map(|median| second(median)) {
        let forgotten = keys.len() >= window && key.as_bytes() < &keys[0][..];
        if second(key.as_bytes()) < median || forgotten {
            return Err(Refusal::ProposalCreatedTooLongAgo(median));
        }
    }
    keys.push(Blob::from(key.as_bytes()));
    keys.sort();
    tx.put(tables.cose_recent_proposals, key.into_bytes(), id.as_bytes());
    for old in &keys[..keys.len().saturating_sub(window)] {
        tx.remove(tables.cose_recent_proposals, old.clone());
    }
    Ok(())
}
