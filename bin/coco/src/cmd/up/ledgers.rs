//! The ledgers that a network was made for: proposed, and voted for by its members, as anybody would.

use std::path::Path;

use development::{HostedLedger, Layout, LedgerKind, Network};
use serde_json::{Value, json};

use crate::cmd::proposal::{self, Ballot};
use crate::failure::Failure;
use crate::governance::{Action, Opening, Place, Proposal, Service, Signer, Start};
use crate::network::Status;
use crate::printer::Printer;

/// Opens those that are not there yet. Returns the names of all that nodes have to serve.
pub fn open(dir: &Path, network: &Network, statuses: &[Status], printer: &Printer) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = network.ledgers.iter().map(|ledger| ledger.name.clone()).collect();
    // Where every node has all of them there is nothing to ask members.
    if statuses.iter().all(|status| names.iter().all(|name| status.hosted(name).is_some())) {
        return Ok(names);
    }
    let place = Place::Dir(dir.to_owned());
    let service = Service::reach(&place, printer)?;
    let mut missing = missing(&service, network)?;
    if !missing.is_empty() {
        let members = Members::gather(&service, &Layout::new(dir))?;
        // One that was interrupted may have left proposals that name some of them.
        while !missing.is_empty() {
            let before = missing.len();
            members.decide(&service, dir, &missing)?;
            missing = self::missing(&service, network)?;
            if missing.len() == before {
                return Err(Failure::new(
                    "the ledgers of the network were decided on, and its members do not see them",
                ));
            }
        }
    }
    Ok(names)
}

/// What the network was made for and does not host.
fn missing<'a>(service: &Service<'_>, network: &'a Network) -> Result<Vec<&'a HostedLedger>, Failure> {
    let rows = service.ledgers()?;
    Ok(network.ledgers.iter().filter(|ledger| rows.iter().all(|row| row.name != ledger.name)).collect())
}

/// As it is proposed.
fn action(dir: &Path, ledger: &HostedLedger) -> Result<Value, Failure> {
    let start = match ledger.kind {
        LedgerKind::Keyvalue => Start::Keyvalue,
        LedgerKind::Ethereum => {
            let path = Layout::new(dir).genesis();
            let genesis = std::fs::read(&path).map_err(|e| Failure::file("read", &path, &e))?;
            Start::ethereum(&path, &genesis, ledger.base_fee, ledger.blobs)?
        }
    };
    // Each node's file says where it serves them.
    Ok(Opening { name: ledger.name.clone(), start, port: None, connect: None }.action())
}

/// Those whose keys are in the directory.
struct Members {
    signers: Vec<Signer>,
}

impl Members {
    /// Lets everyone sign the state who has not yet: nobody counts before that.
    fn gather(service: &Service<'_>, layout: &Layout) -> Result<Self, Failure> {
        let people = service.people()?;
        let mut signers = Signer::all(layout)?;
        signers.retain(|signer| people.has(&signer.id));
        let active = |signer: &Signer| people.active().any(|member| member.member_id == signer.id);
        for signer in signers.iter().filter(|signer| !active(signer)) {
            service.acknowledge(signer)?;
        }
        Ok(Self { signers })
    }

    /// Proposes to open the ledgers, unless that was done, and votes until it is decided.
    fn decide(&self, service: &Service<'_>, dir: &Path, ledgers: &[&HostedLedger]) -> Result<(), Failure> {
        let wanted = ledgers.iter().map(|ledger| action(dir, ledger)).collect::<Result<Vec<_>, _>>()?;
        // Nobody votes here for what somebody else put beside it.
        let ours = |actions: &[Action]| {
            let asked = |Action { name, args }: &Action| wanted.contains(&json!({ "name": name, "args": args }));
            !actions.is_empty() && actions.iter().all(asked)
        };
        let mut proposal = match proposal::open_with(service, ours)? {
            Some(proposal) => proposal,
            None => self.propose(service, &json!({ "actions": wanted }).to_string())?,
        };
        let voted = proposal.ballot_submitters.clone();
        for signer in self.signers.iter().filter(|signer| !voted.contains(&signer.id)) {
            if !proposal.is_open() {
                break;
            }
            proposal = proposal::cast(service, signer, &proposal.proposal_id, &Ballot::yes())?.json()?;
        }
        if proposal.proposal_state == "Accepted" {
            return Ok(());
        }
        let id = &proposal.proposal_id;
        let why = proposal::sentence(&proposal, &service.people()?);
        Err(Failure::new(format!("the ledgers of the network are not open: {why}"))
            .hint(format!("`coco proposal show {id}` says more; the same command goes on once it is decided")))
    }

    fn propose(&self, service: &Service<'_>, body: &str) -> Result<Proposal, Failure> {
        let first = self.signers.first().ok_or_else(|| {
            Failure::new("nobody can propose to open the ledgers of the network: no member's key is in its directory")
                .hint("members elsewhere can: `coco ledger open`")
        })?;
        Ok(proposal::made(service, proposal::submit(service, first, body))?.0)
    }
}
