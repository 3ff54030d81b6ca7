//! One measurement of governance: members propose, vote and withdraw, each time with a request that one of them signed.
//!
//! ```text
//! gather    every member's status is read; who has not signed the state does so                before the clock
//! run       a connection: propose ─▶ ballots, member after member, until decided ─▶ propose …
//!                                               └─ all voted and still open ─▶ withdraw
//! end       what a connection left open is withdrawn                                          after the clock
//! ```
//!
//! A connection has one proposal at a time, so no more are open than there are connections. What is proposed is what stands
//! already (a member's own data), so a network is governed afterwards as before. An answer comes once what was decided is
//! committed and visible on the node that was asked, so it is the receipt too.

mod assembly;
mod clock;
mod course;
mod hostile;
mod round;

use std::net::SocketAddr;

pub use assembly::{Assembly, Member, Purpose, Seal, Statement};
pub use hostile::Attack;

use crate::book::Measured;
use crate::calls::run_calls;
use crate::pace::Pace;
use crate::{Error, Trust};
use round::Round;

/// How members vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ballots {
    /// With a script that says yes.
    Honest,
    /// With scripts that do harm, or would.
    Hostile(Attack),
}

/// Where members are served.
#[derive(Clone)]
pub struct Doors {
    pub nodes: Vec<SocketAddr>,
    /// The service that all of them belong to.
    pub trust: Trust,
}

/// Connections take turns with the nodes, and members with the proposals. `progress` hears how many requests were answered.
pub async fn run_governance(
    assembly: &Assembly,
    connections: usize,
    ballots: Ballots,
    total: Option<usize>,
    pace: Pace,
    progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    let mut rounds = Vec::new();
    for lane in 0..connections {
        rounds.push(Round::begin(assembly, lane, ballots).await?);
    }
    run_calls(rounds, total, pace, progress).await
}
