//! Which hosted ledgers take work: members open, pause, resume and close them by vote, and a ledger's row says what they decided.
//! It holds from the batch after the decision's on. Reads go on.

use std::sync::Arc;

use adapter::{Blame, Fault, LedgerRow, LedgerStatus, Reject};
use base::Seqno;
use kv::State;

use crate::genesis::ServiceTables;
use crate::hosting::Ledger;

/// What is told to those who bring work, by ledger; read anew where a row has changed since. Of versions that follow on each other.
#[derive(Default)]
pub struct Refusals(Vec<Known>);

/// What was read of one ledger.
#[derive(Default)]
struct Known {
    row: Option<Seqno>,
    opened: Option<Seqno>,
    refusal: Option<Reject>,
}

impl Refusals {
    /// One refusal or none for each ledger. The first is governance, which always takes work.
    pub fn at(
        &mut self,
        head: &State,
        tables: &ServiceTables,
        ledgers: &[Arc<Ledger>],
    ) -> Result<Vec<Option<Reject>>, Fault> {
        self.0.resize_with(ledgers.len(), Known::default);
        for (known, ledger) in self.0.iter_mut().zip(ledgers).skip(1) {
            let key = ledger.name.as_bytes();
            let row = head.version(tables.ledgers(), key)?;
            let opened = head.version(tables.opened(), key)?;
            if row.is_some() && (known.row, known.opened) == (row, opened) {
                continue;
            }
            let value = head.get(tables.ledgers(), key)?;
            let refusal = refusal(value.as_deref().unwrap_or_default(), opened.is_some(), ledger);
            *known = Known { row, opened, refusal };
        }
        Ok(self.0.iter().map(|known| known.refusal.clone()).collect())
    }
}

pub fn being_opened(name: &str) -> Reject {
    Reject::new(Blame::Busy, 0, format!("the ledger {name} is being opened: nothing was done, send it again later"))
}

fn refusal(row: &[u8], opened: bool, Ledger { name, adapter, .. }: &Ledger) -> Option<Reject> {
    match adapter {
        Ok(_) => refusal_by(row, opened, name),
        Err(why) => Some(Reject::new(Blame::Node, 0, format!("this node cannot host the ledger {name}: {why}"))),
    }
}

/// A row that cannot be read closes its ledger and nothing else: members wrote it, and must be able to write another.
fn refusal_by(row: &[u8], opened: bool, name: &str) -> Option<Reject> {
    match LedgerRow::read(row).map(|row| row.status) {
        Ok(LedgerStatus::Open) => (!opened).then(|| being_opened(name)),
        Ok(LedgerStatus::Paused) => {
            let message =
                format!("members have paused the ledger {name}: nothing was done, send it again once it goes on");
            Some(Reject::new(Blame::Busy, 0, message))
        }
        Ok(LedgerStatus::Closed) => {
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
        let blame = |row: &str| refusal_by(row.as_bytes(), true, "l").map(|reject| reject.blame);
        let row = |status: &str| format!(r#"{{"number":1,"kind":"keyvalue","status":"{status}"}}"#);
        assert_eq!(blame(&row("Open")), None);
        assert_eq!(blame(&row("Paused")), Some(Blame::Busy));
        assert_eq!(blame(&row("Closed")), Some(Blame::Caller));
        for nonsense in ["", "{}", "null", &row("Ajar"), r#"{"number":1,"kind":"k","status":7}"#] {
            assert_eq!(blame(nonsense), Some(Blame::Busy), "{nonsense}");
        }
        assert_eq!(refusal_by(row("Open").as_bytes(), false, "l"), Some(being_opened("l")));
    }
}
