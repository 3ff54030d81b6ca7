//! Members at work: governance by itself, or beside a ledger's load.

use std::fs;

use load::{Assembly, Attack, Ballots, Doors, Measured, Member, Purpose, Seal, Statement, Trust};

use super::measure::Sending;
use super::place::Place;
use crate::failure::Failure;
use crate::governance::{About, Signer, seal};

/// A node runs few scripts at a time, and decisions are made one after another.
pub const CONNECTIONS_A_NODE: usize = 2;

/// What members do beside a measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Beside {
    /// Requests a second; `None` = as fast as they are answered.
    pub rate: Option<f64>,
    pub ballots: Ballots,
}

impl Beside {
    pub fn name(self) -> &'static str {
        match self.ballots {
            Ballots::Honest => "governance",
            Ballots::Hostile(Attack::Bounds) => "attack",
            Ballots::Hostile(Attack::Strays) => "attack of strays",
        }
    }

    /// As long as the measurement sends.
    pub async fn send(self, assembly: &Assembly, sending: &Sending<'_>) -> Result<Measured, load::Error> {
        let pace = load::Pace { batch: 1, rate: self.rate, ..sending.pace() };
        let connections = CONNECTIONS_A_NODE * sending.endpoints.len();
        load::run_governance(assembly, connections, self.ballots, None, pace, |_| {}).await
    }
}

/// Every member whose key is in the network's directory, ready to vote.
pub async fn gather(place: &Place) -> Result<Assembly, Failure> {
    let Some((layout, nodes)) = &place.governance else {
        return Err(Failure::new("there is nobody to sign: members' keys are in a network's directory")
            .hint("measure one of your own, without --rpc, or name its directory with --dir"));
    };
    let certificate = layout.service_certificate();
    let pem = fs::read(&certificate).map_err(|e| Failure::file("read", &certificate, &e))?;
    let failed = |e| Failure::from_error("members cannot govern", &e);
    let doors = Doors { nodes: nodes.clone(), trust: Trust::only(&pem).map_err(failed)? };
    let members = Signer::all(layout)?.into_iter().map(member).collect();
    Assembly::gather(doors, members).await.map_err(failed)
}

pub async fn send(assembly: &Assembly, sending: Sending<'_>) -> Result<Measured, load::Error> {
    let progress = |answered| sending.bar.set_position(answered);
    load::run_governance(assembly, sending.connections, Ballots::Honest, sending.total(), sending.pace(), progress)
        .await
}

fn member(signer: Signer) -> Member {
    let id = signer.id.clone();
    let seal: Seal = Box::new(move |&Statement { purpose, created_at, proposal_id, payload }| {
        let kind = match purpose {
            Purpose::Proposal => governance::Kind::Proposal,
            Purpose::Ballot => governance::Kind::Ballot,
            Purpose::Withdrawal => governance::Kind::Withdrawal,
            Purpose::StateDigest => governance::Kind::StateDigest,
            Purpose::Ack => governance::Kind::Ack,
        };
        seal(&signer, &About { kind, created_at, proposal_id }, payload).map_err(|failure| failure.message)
    });
    Member { id, seal }
}
