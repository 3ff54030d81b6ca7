//! How a node gets a ledger secret that it was not given: its lease had run out when the network got the secret, so it proves itself anew.
//!
//! ```text
//!   the node ends ─▶ its lease, as the network has it ─▶ evidence for the next one ─▶ POST /node/join ─▶ all secrets ─▶ it starts again
//! ```
//!
//! Nothing of the node runs meanwhile: it could neither follow its network nor vote in it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use attestation::Statement;
use base::{NodeId, Seqno};
use crypto::{Certificate, KeyPair, Secret, certificate};
use development::{Door, Identity, LedgerSecrets, NodeFile, Origin};
use governance::join::{Answer, Doors, Request};
use ledger::genesis::{Interface, NodeStatus};
use node::MissingSecret;
use tokio_util::sync::CancellationToken;

use super::door::{Asked, Client, Standing};
use super::{Platform, Round, admitted};

/// How often it is said that the node still waits.
const SAID_EVERY: Duration = Duration::from_secs(30);
/// Before evidence is asked for again that nobody gave, or that the network refused: both may pass.
const EVIDENCE_AGAIN: Duration = Duration::from_secs(30);
/// So often doors in turn must not know this node before it believes that it was forgotten: one of them may be behind.
const UNKNOWN_MAX: u32 = 20;

/// All secrets of the network, among them the one that begins there. Asks until the network gives them or says that it never will;
/// `None` if the node is stopped.
pub fn secrets(
    file: &NodeFile,
    identity: &Identity,
    platform: &Platform,
    MissingSecret { begins, doors: known }: &MissingSecret,
    stop: &CancellationToken,
) -> anyhow::Result<Option<LedgerSecrets>> {
    let service = Certificate::from_pem(&identity.service_certificate)?;
    let own = Certificate::from_pem(&identity.node_certificate)?;
    let mut asking = Asking {
        client: Client::new(&service, &own, &identity.node_key)?,
        round: Round::new(doors(file, known)),
        platform,
        key: &identity.node_key,
        peer: file.peer.to_string(),
        said: None,
        unknown: 0,
    };
    ensure!(!asking.round.doors.is_empty(), "this node knows no other node of its network to ask");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        tokio::select! {
            answer = asking.ask() => answer.map(Some),
            () = stop.cancelled() => Ok(None),
        }
    })?;
    let Some(answer) = answer else { return Ok(None) };
    let info = answer.network_info.context("the network trusts this node, and gave it nothing")?;
    let secrets: Vec<(Seqno, Secret)> = admitted::secrets(&info)?;
    ensure!(
        secrets.iter().any(|(first, _)| first == begins),
        "the network handed over no ledger secret that begins at entry {begins}"
    );
    Ok(Some(secrets))
}

/// The nodes that are named in a node's file, and those that it last knew of.
fn doors(file: &NodeFile, known: &[String]) -> Vec<Door> {
    let named: Vec<String> = match &file.origin {
        Origin::Joiner(join) => join.network.clone(),
        Origin::Founder(founder) => {
            let others = founder.nodes.iter().filter(|node| node.number != founder.number);
            others.filter_map(|node| Some(format!("https://{}", node.governance?))).collect()
        }
    };
    let known = known.iter().map(|address| format!("https://{address}"));
    let mut doors: Vec<Door> = Vec::new();
    for door in named.into_iter().chain(known).filter_map(|url| Door::parse(&url)) {
        if !doors.contains(&door) {
            doors.push(door);
        }
    }
    doors
}

struct Asking<'a> {
    client: Client,
    round: Round,
    platform: &'a Platform,
    key: &'a KeyPair,
    /// Where it listens for other nodes, which is in the request.
    peer: String,
    said: Option<Instant>,
    unknown: u32,
}

impl Asking<'_> {
    async fn ask(&mut self) -> anyhow::Result<Answer> {
        let id = self.key.public().node_id();
        loop {
            let door = self.round.door();
            let asked = self.client.standing(&door, id).await;
            let Some(standing) = self.settle(asked, &door).await? else { continue };
            let Some(Standing { status, lease }) = standing else {
                self.unknown += 1;
                ensure!(self.unknown < UNKNOWN_MAX, "the network has forgotten this node: members removed it");
                self.settle::<()>(Asked::Later("this node is not known there".into()), &door).await?;
                continue;
            };
            if status != NodeStatus::Trusted {
                bail!("the network does not trust this node any more: it cannot come back under this key");
            }
            let request = match self.request(id, lease.map(|lease| lease.nonce()).as_deref()).await {
                Ok(request) => request,
                Err(error) => {
                    self.evidence_is_missing(&format!("{error:#}")).await;
                    continue;
                }
            };
            let asked = self.client.join(&door, &serde_json::to_string(&request)?).await;
            if let Asked::Refused(refusal) = &asked
                && refusal.code == "InvalidQuote"
            {
                self.evidence_is_missing(&refusal.message).await;
                continue;
            }
            if let Some(answer) = self.settle(asked, &door).await? {
                return Ok(answer);
            }
        }
    }

    async fn settle<T>(&mut self, asked: Asked<T>, door: &Door) -> anyhow::Result<Option<T>> {
        let said = &mut self.said;
        self.round.settle(asked, door, |why| say(said, why)).await
    }

    async fn evidence_is_missing(&mut self, why: &str) {
        say(&mut self.said, why);
        tokio::time::sleep(EVIDENCE_AGAIN).await;
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
            certificate_signing_request: certificate::request(self.key, &[])?,
            node_data: None,
        })
    }
}

fn say(said: &mut Option<Instant>, why: &str) {
    if said.is_none_or(|at| at.elapsed() > SAID_EVERY) {
        *said = Some(Instant::now());
        tracing::warn!(why, "this node has to prove itself anew before it can go on; asking again");
    }
}
