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
    let row = state.get(tables.ledgers(), name.as_bytes()).map_err(Fault::new)?;
    Ok(row.and_then(|row| refusal_by(&row, name)))
}

/// A row that cannot be read closes its ledger and nothing else: members wrote it, and must be able to write another.
fn refusal_by(row: &[u8], name: &str) -> Option<Reject> {
    match serde_json::from_slice(row) {
        Ok(Row { status: Status::Open }) => None,
        Ok(Row { status: Status::Paused }) => {
            let message =
                format!("members have paused the ledger {name}: nothing was done, send it again once it goes on");
            Some(Reject::new(Blame::Busy, 0, message))
        }
        Ok(Row { status: Status::Closed }) => {
            Some(Reject::caller(0, format!("members have closed the ledger {name}: it takes no more work")))
        }
        Err(_) => {
            let message = format!(
                "what members decided about the ledger {name} cannot be read: it takes no work until they decide anew"
            );
            Some(Reject::new(Blame::Busy, 0, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_takes_work_while_it_is_open_and_no_row_stops_the_node() {
        let blame = |row: &str| refusal_by(row.as_bytes(), "l").map(|reject| reject.blame);
        assert_eq!(blame(r#"{"kind":"keyvalue","status":"Open"}"#), None);
        assert_eq!(blame(r#"{"kind":"keyvalue","status":"Paused"}"#), Some(Blame::Busy));
        assert_eq!(blame(r#"{"status":"Closed"}"#), Some(Blame::Caller));
        for nonsense in ["", "{}", "null", r#"{"status":"Ajar"}"#, r#"{"status":7}"#] {
            assert_eq!(blame(nonsense), Some(Blame::Busy), "{nonsense}");
        }
    }
}
