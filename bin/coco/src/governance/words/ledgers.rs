//! Hosted ledgers.

use serde_json::Value;

use super::{Words, data, text};

pub fn of(action: &str, args: &Value) -> Option<Words> {
    let name = || text(args, "name");
    Some(match action {
        "open_ledger" => Words::new(format!("open a ledger called {}, of kind {}", name(), text(args, "kind")))
            .details(data(args, "listeners", "where it is served:"))
            .details(data(args, "policy", "policy:"))
            .details(data(args, "genesis", "first state:")),
        "pause_ledger" => Words::new(format!("pause the ledger {}", name())),
        "resume_ledger" => Words::new(format!("let the ledger {} go on", name())),
        "close_ledger" => {
            Words::new(format!("close the ledger {}", name())).detail("for good: its name is never used again")
        }
        "set_ledger_policy" => {
            Words::new(format!("change the policy of the ledger {}", name())).details(data(args, "policy", "policy:"))
        }
        _ => return None,
    })
}
