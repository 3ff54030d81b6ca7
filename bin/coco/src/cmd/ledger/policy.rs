//! `coco ledger policy`: proposes from where clients may connect.

use std::process::ExitCode;

use serde_json::json;

use super::find::find;
use crate::cli::ANYWHERE;
use crate::cmd::proposal::{propose, refuse_twice};
use crate::failure::Failure;
use crate::governance::{Place, SET_LEDGER_POLICY, Service, Signer, Who, ledger_policy, plain};
use crate::printer::Printer;

/// What `--connect` says; `None` = from anywhere.
pub fn connect(networks: Vec<String>) -> Result<Option<Vec<String>>, Failure> {
    match (networks.iter().any(|it| it == ANYWHERE), networks.len()) {
        (false, 0) | (true, 1) => Ok(None),
        (false, _) => Ok(Some(networks)),
        (true, _) => Err(Failure::new("--connect names networks, and `any` beside them")
            .hint("leave `any` out to let in those networks alone, or the networks to let in everybody")),
    }
}

pub fn run(
    place: &Place,
    who: &Who,
    name: &str,
    connect: Option<&[String]>,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let signer = Signer::open(who, place)?;
    let policy = ledger_policy(connect);
    {
        let service = Service::reach(place, printer)?;
        let ledgers = service.ledgers()?;
        let ledger = find(&ledgers, name)?;
        let now = if ledger.policy.is_null() { ledger_policy(None) } else { ledger.policy.clone() };
        if now == policy {
            return Err(Failure::new(format!("that is the policy of the ledger {} already", plain(name))));
        }
        let args = json!({ "name": name, "policy": policy });
        refuse_twice(&service, |it| it.name == SET_LEDGER_POLICY && it.args == args)?;
    }
    let action = json!({ "name": SET_LEDGER_POLICY, "args": { "name": name, "policy": policy } });
    propose(place, &signer, &json!({ "actions": [action] }).to_string(), json, printer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anywhere_stands_alone() {
        let networks = |all: &[&str]| connect(all.iter().map(ToString::to_string).collect());
        assert_eq!(networks(&[]).unwrap(), None);
        assert_eq!(networks(&["any"]).unwrap(), None);
        assert_eq!(networks(&["10.0.0.0/8"]).unwrap(), Some(vec!["10.0.0.0/8".to_owned()]));
        assert!(networks(&["10.0.0.0/8", "any"]).is_err());
    }
}
