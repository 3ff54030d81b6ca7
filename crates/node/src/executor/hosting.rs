//! Which hosted ledgers take work: members pause, resume and close them by vote, and a ledger's row says what they decided.
//! It holds from the batch after the decision's on. Reads go on.

use adapter::{Adapter, Blame, Fault, Reject};
use kv::State;
use serde::Deserialize;

use crate::genesis::ServiceTables;

/// A ledger's row, as far as the road cares.
#[derive(Deserialize)]
struct Row {
    status: Status,
}

#[derive(Deserialize)]
enum Status {
    Open,
    Paused,
    Closed,
}

/// What is told to whoever brings work for a ledger; `None` for one that takes it. What has no row is the framework's own.
pub fn refusal(tables: &ServiceTables, state: &State, adapter: &dyn Adapter) -> Result<Option<Reject>, Fault> {
    let name = adapter.name();
    let Some(row) = state.get(tables.ledgers(), name.as_bytes()).map_err(Fault::new)? else { return Ok(None) };
    let Row { status } = serde_json::from_slice(&row).map_err(Fault::new)?;
    Ok(match status {
        Status::Open => None,
        Status::Paused => {
            let message =
                format!("members have paused the ledger {name}: nothing was done, send it again once it goes on");
            Some(Reject::new(Blame::Busy, 0, message))
        }
        Status::Closed => {
            Some(Reject::caller(0, format!("members have closed the ledger {name}: it takes no more work")))
        }
    })
}
