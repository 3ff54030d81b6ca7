//! How a node comes into a network that is there already.
//!
//! ```text
//!   a key, sealed ─▶ the constitution is read, and is the one that was asked for ─▶ evidence for the key
//!        ─▶ POST /node/join, again and again: pending ─▶ trusted ─▶ what came is checked ─▶ sealed
//!        ─▶ ledger files and a snapshot, from a node that has them (`fetch`) ─▶ the node starts
//! ```
//!
//! Much later a node may have to prove itself anew to get a ledger secret that it missed (`again`).
//!
//! Nothing of the network is fetched before its constitution was approved, and nothing that comes is believed because of where it
//! came from: the connection is to a node that the service certified, and what it hands over must belong to that service.
//! A node that has joined finds its identity at the next start and asks nobody.

mod admitted;
mod again;
mod door;
mod endorsements;
mod evidence;
mod fetch;
mod http;
mod progress;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use crypto::certificate::{self, Validity};
use crypto::{Certificate, KeyPair};
use development::{Candidate, Door, Identity, JoinFile, JoiningState, NodeFile};
use governance::join::{Answer, Doors, REQUEST_BYTES_MAX, Request};
use ledger::genesis::{Interface, NodeStatus};
use tokio_util::sync::CancellationToken;

pub use again::secrets;
use door::{Asked, Client, Refusal};
pub use evidence::Platform;
pub use fetch::fetch;
use progress::Progress;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// The node's own certificate, before the service has endorsed one: from a day before (clocks differ) for a year.
const DAY: u64 = 24 * 60 * 60;
const VALIDITY: u64 = 365 * DAY;

/// The node's identity, which it has, or asks its network for. `None` if it was stopped while it asked.
pub fn identity(
    dir: &Path,
    file: &NodeFile,
    join: &JoinFile,
    platform: &Platform,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Identity>> {
    if Identity::has_joined(dir) {
        return Ok(Some(Identity::open(dir)?));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let candidate = Candidate::open_or_make(dir)?;
    let mut progress = Progress::new(dir, candidate.node_key.public().node_id());
    let asked = runtime.block_on(async {
        tokio::select! {
            answer = ask(dir, file, join, platform, &candidate.node_key, &mut progress) => answer.map(Some),
            () = stop.cancelled() => Ok(None),
        }
    });
    let taken = asked.and_then(|answer| match answer {
        None => Ok(None),
        Some((service, answer)) => admitted::seal(dir, file, &service, candidate, answer).map(Some),
    });
    match &taken {
        Ok(Some(_)) => progress.reached(JoiningState::Trusted),
        Ok(None) => {}
        Err(error) => progress.ended(&format!("{error:#}")),
    }
    taken
}

/// Asks until the network trusts the node, or does not want it.
async fn ask(
    dir: &Path,
    file: &NodeFile,
    join: &JoinFile,
    platform: &Platform,
    key: &KeyPair,
    progress: &mut Progress,
) -> anyhow::Result<(Certificate, Answer)> {
    let path = dir.join(&join.service_certificate);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let service =
        Certificate::from_pem(&text).with_context(|| format!("{} is no service's certificate", path.display()))?;
    let names = names(file, join);
    let client = Client::new(&service, &own_certificate(key, &names)?, key)?;
    let mut round = Round::new(join.network.iter().filter_map(|url| Door::parse(url)).collect());

    let constitution = approve(&client, &mut round, join, progress).await?;
    tracing::info!(constitution, "this is the network's constitution");
    let evidence = platform.vouch_for(key.public()).await?;
    progress.vouched(&evidence);
    let body = serde_json::to_string(&request(file, join, key, &names, evidence)?)?;
    if body.len() > REQUEST_BYTES_MAX {
        bail!("the evidence has {} KiB, and a network takes {} at most", body.len() >> 10, REQUEST_BYTES_MAX >> 10);
    }
    loop {
        let door = round.door();
        progress.asks(&door);
        let asked = client.join(&door, &body).await;
        let Some(answer) = round.settle(asked, &door, |why| progress.waits(why)).await? else { continue };
        match answer.node_status {
            NodeStatus::Trusted => return Ok((service, answer)),
            NodeStatus::Pending => progress.reached(JoiningState::Pending),
            NodeStatus::Retired => bail!("the network has retired this node: it cannot come back under this key"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads the network's constitution and compares it with the one that is insisted on; its SHA-256.
async fn approve(
    client: &Client,
    round: &mut Round,
    join: &JoinFile,
    progress: &mut Progress,
) -> anyhow::Result<String> {
    loop {
        let door = round.door();
        progress.asks(&door);
        let asked = client.constitution(&door).await;
        let Some(script) = round.settle(asked, &door, |why| progress.waits(why)).await? else { continue };
        let found = crypto::sha256(&script);
        progress.read(found);
        return match join.constitution() {
            Some(wanted) if wanted != found => Err(anyhow!(
                "the network's constitution is {found}, and this node insists on {wanted}: read it with `coco constitution show`, \
                 and if you can live by it, put its SHA-256 into [join] of node.toml"
            )),
            _ => Ok(found.to_string()),
        };
    }
}

fn refused(refusal: &Refusal, door: &Door) -> anyhow::Error {
    let Refusal { status, code, message } = refusal;
    anyhow!("the network refuses this node: {message} ({code}, HTTP status {status}, from {})", door.authority())
}

/// Whom to ask next: where the primary was said to be, else the doors in turn.
struct Round {
    doors: Vec<Door>,
    next: usize,
    primary: Option<Door>,
}

impl Round {
    fn new(doors: Vec<Door>) -> Self {
        Self { doors, next: 0, primary: None }
    }

    /// What was answered; `None`: ask again. An error is the network's no.
    async fn settle<T>(&mut self, asked: Asked<T>, door: &Door, waits: impl FnOnce(&str)) -> anyhow::Result<Option<T>> {
        match asked {
            Asked::Answered(answer) => return Ok(Some(answer)),
            Asked::Elsewhere(primary) => self.primary = Some(primary),
            Asked::Later(why) => {
                waits(&why);
                self.turn();
                tokio::time::sleep(PAUSE).await;
            }
            Asked::Refused(refusal) => return Err(refused(&refusal, door)),
        }
        Ok(None)
    }

    fn door(&self) -> Door {
        self.primary.clone().unwrap_or_else(|| self.doors[self.next % self.doors.len()].clone())
    }

    /// This one was of no use.
    fn turn(&mut self) {
        if self.primary.take().is_none() {
            self.next = self.next.wrapping_add(1);
        }
    }
}

/// By which others reach the node.
fn names(file: &NodeFile, join: &JoinFile) -> Vec<String> {
    let mut names = vec![join.published_host(file)];
    let listened = [file.governance, file.peer].map(|address| address.ip());
    for address in listened.into_iter().filter(|address| !address.is_unspecified()) {
        names.push(address.to_string());
        if address.is_loopback() {
            names.push("localhost".into());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn own_certificate(key: &KeyPair, names: &[String]) -> anyhow::Result<Certificate> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let validity = Validity { from: now.saturating_sub(DAY), until: now + VALIDITY };
    certificate::lone_node(key, names, validity).context("the node cannot certify itself under its names")
}

fn request(
    file: &NodeFile,
    join: &JoinFile,
    key: &KeyPair,
    names: &[String],
    evidence: evidence::Vouched,
) -> anyhow::Result<Request> {
    let door = |listen: std::net::SocketAddr| Interface {
        bind_address: listen.to_string(),
        published_address: Some(join.published(listen)),
        ..Interface::default()
    };
    Ok(Request {
        node_info_network: Doors {
            node_to_node_interface: door(file.peer),
            rpc_interfaces: [("governance".to_owned(), door(file.governance))].into(),
        },
        quote_info: evidence.quote,
        public_encryption_key: None,
        startup_seqno: None,
        certificate_signing_request: certificate::request(key, names)?,
        node_data: join.node_data(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doors_are_asked_in_turn_and_the_primary_first() {
        let door = |port| Door { host: "a".into(), port };
        let mut round = Round::new(vec![door(1), door(2)]);
        assert_eq!(round.door(), door(1));
        round.turn();
        assert_eq!(round.door(), door(2));
        round.primary = Some(door(9));
        assert_eq!(round.door(), door(9));
        round.turn();
        assert_eq!(round.door(), door(2), "a primary that is gone is forgotten, and who named it asked again");
        round.turn();
        assert_eq!(round.door(), door(1));
    }
}
