//! How a node gets a ledger secret that it was not given: its lease had run out when the network got the secret, so it proves itself anew.
//!
//! ```text
//!   its lease, as the network has it ─▶ evidence for the next one ─▶ POST /node/join ─▶ all secrets that there are
//! ```
//!
//! Until then the node stands where its ledger goes on under the new secret. Once it has it, it goes on from there, as the same node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter::Fault;
use anyhow::{Context, bail};
use attestation::Statement;
use base::{NodeId, Seqno};
use crypto::{Certificate, KeyPair, Secret, certificate};
use development::{Door, NodeFile, Origin};
use governance::join::{Doors, Request};
use ledger::genesis::{Interface, NodeStatus};
use tokio_util::sync::CancellationToken;

use super::door::Client;
use super::{Platform, Round, admitted};

/// How often it is said that the node still waits.
const SAID_EVERY: Duration = Duration::from_secs(30);

/// What it takes to ask.
pub struct Again {
    pub platform: Platform,
    /// Of the network's nodes, where members talk to them.
    pub doors: Vec<Door>,
    pub service: Certificate,
    pub own: Certificate,
    pub key: Arc<KeyPair>,
    /// Where it listens for other nodes, which is in the request.
    pub peer: String,
}

impl Again {
    /// The nodes that are named in a node's file.
    pub fn doors(file: &NodeFile) -> Vec<Door> {
        match &file.origin {
            Origin::Joiner(join) => join.network.iter().filter_map(|url| Door::parse(url)).collect(),
            Origin::Founder(founder) => {
                let others = founder.nodes.iter().filter(|node| node.number != founder.number);
                let doors = others.filter_map(|node| node.governance);
                doors.map(|at| Door { host: at.ip().to_string(), port: at.port() }).collect()
            }
        }
    }

    /// Asks until the network gives all secrets, says that it never will, or the node is stopped. Blocks, outside any runtime.
    pub fn secrets(&self, stop: &CancellationToken) -> Result<Vec<(Seqno, Secret)>, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fault::new)?;
        let asked = runtime.block_on(async {
            tokio::select! {
                secrets = self.ask() => secrets,
                () = stop.cancelled() => bail!("the node is stopped, and will ask again for the ledger secret that it was not given"),
            }
        });
        asked.map_err(|error| Fault::new(format!("{error:#}")))
    }

    async fn ask(&self) -> anyhow::Result<Vec<(Seqno, Secret)>> {
        let client = Client::new(&self.service, &self.own, &self.key)?;
        let id = self.key.public().node_id();
        let mut round = Round::new(self.doors.clone());
        if round.doors.is_empty() {
            bail!("this node knows no other node of its network to ask for the ledger secret that it was not given");
        }
        let mut said: Option<Instant> = None;
        let mut waits = |why: &str| {
            if said.is_none_or(|at| at.elapsed() > SAID_EVERY) {
                said = Some(Instant::now());
                tracing::warn!(why, "this node has to prove itself anew to go on; asking again");
            }
        };
        loop {
            let door = round.door();
            let asked = client.standing(&door, id).await;
            let Some(standing) = round.settle(asked, &door, &mut waits).await? else { continue };
            if standing.status != NodeStatus::Trusted {
                bail!("the network does not trust this node any more: it cannot come back under this key");
            }
            let lease = standing.lease.map(|lease| lease.nonce());
            let body = serde_json::to_string(&self.request(id, lease.as_deref()).await?)?;
            let asked = client.join(&door, &body).await;
            let Some(answer) = round.settle(asked, &door, &mut waits).await? else { continue };
            let info = answer.network_info.context("the network trusts this node, and gave it nothing")?;
            return admitted::secrets(&info);
        }
    }

    /// A request to join again. Of a node that is known only the evidence counts.
    async fn request(&self, id: NodeId, lease: Option<&[u8]>) -> anyhow::Result<Request> {
        let quote_info = match lease {
            Some(nonce) => {
                let statement = Statement { key: id.0, nonce: nonce.to_vec() };
                gov::quote_info(&self.platform.evidence(&statement.report_data()).await?)
            }
            // Members want no leases by now.
            None => self.platform.vouch_for(self.key.public()).await?.quote,
        };
        let peer = Interface { bind_address: self.peer.clone(), ..Interface::default() };
        Ok(Request {
            node_info_network: Doors { node_to_node_interface: peer, ..Doors::default() },
            quote_info,
            public_encryption_key: None,
            startup_seqno: None,
            certificate_signing_request: certificate::request(&self.key, &[])?,
            node_data: None,
        })
    }
}
