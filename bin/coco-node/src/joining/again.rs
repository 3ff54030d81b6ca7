//! How a node gets a ledger secret that it was not given: its lease had run out when the network got the secret, so it proves itself anew.
//!
//! ```text
//!   the node ends ─▶ its lease, as the network has it ─▶ evidence for the next one ─▶ POST /node/join ─▶ all secrets ─▶ it starts again
//! ```
//!
//! Nothing of the node runs meanwhile: it could neither follow its network nor vote in it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use attestation::Statement;
use base::{NodeId, Seqno};
use crypto::{Certificate, KeyPair, Secret, certificate};
use development::{Door, Identity, LedgerSecrets, NodeFile, Origin};
use governance::join::{Doors, Request};
use ledger::genesis::{Interface, NodeStatus};
use ledger::secrets::check_follows;
use node::MissingSecret;
use tokio_util::sync::CancellationToken;

use super::door::{Asked, Client, Standing};
use super::{Platform, Round, admitted};

/// How often it is said that the node still waits.
const SAID_EVERY: Duration = Duration::from_secs(30);
/// Before evidence is asked for again that nobody gave, or that the network refused: both may pass.
const EVIDENCE_AGAIN: Duration = Duration::from_secs(30);

/// All secrets of the network, among them the one that begins there. Asks until the network gives them or says that it never will;
/// `None` if the node is stopped.
pub fn secrets(
    file: &NodeFile,
    identity: &Identity,
    platform: &Platform,
    missing: &MissingSecret,
    stop: &CancellationToken,
) -> anyhow::Result<Option<LedgerSecrets>> {
    let service = Certificate::from_pem(&identity.service_certificate)?;
    let own = Certificate::from_pem(&identity.node_certificate)?;
    let mut asking = Asking {
        client: Client::new(&service, &own, &identity.node_key)?,
        round: Round::new(doors(file, &missing.doors, own_door(file))),
        platform,
        key: &identity.node_key,
        held: &identity.ledger_secrets,
        missing,
        peer: file.peer.to_string(),
        said: None,
        unknown: BTreeSet::new(),
    };
    ensure!(!asking.round.doors.is_empty(), "this node knows no other node of its network to ask");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(None),
            secrets = asking.ask() => secrets.map(Some),
        }
    })
}

/// Whether what a node handed over goes on from what this one holds: all of that is in it, and the missing one opens the last of it, by
/// the row that came with it. A node that was removed since may still answer, and what is sealed here replaces what there is.
fn check(handed: &[(Seqno, Secret)], held: &[(Seqno, Secret)], missing: &MissingSecret) -> Result<(), String> {
    let MissingSecret { begins, historical, .. } = missing;
    let find = |wanted: Seqno| handed.iter().find(|(first, _)| *first == wanted).map(|(_, secret)| secret);
    if held.iter().any(|(first, own)| find(*first).is_none_or(|other| other.expose() != own.expose())) {
        return Err("it handed over other ledger secrets than this node holds".into());
    }
    let new =
        find(*begins).ok_or_else(|| format!("it has no ledger secret from entry {begins} on, and may be behind"))?;
    let Some((first, newest)) = held.last() else { return Err("this node holds no ledger secret".into()) };
    check_follows(historical, new, (*first, newest)).map_err(|error| error.to_string())
}

/// The nodes that are named in a node's file, and those that it last knew of.
fn doors(file: &NodeFile, known: &[String], own: Option<Door>) -> Vec<Door> {
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
        if !doors.contains(&door) && own.as_ref() != Some(&door) {
            doors.push(door);
        }
    }
    doors
}

/// Where the network was told that members reach this node.
fn own_door(file: &NodeFile) -> Option<Door> {
    let address = match &file.origin {
        Origin::Joiner(join) => join.published(file.governance),
        Origin::Founder(_) => file.governance.to_string(),
    };
    Door::parse(&format!("https://{address}"))
}

struct Asking<'a> {
    client: Client,
    round: Round,
    platform: &'a Platform,
    key: &'a KeyPair,
    held: &'a [(Seqno, Secret)],
    missing: &'a MissingSecret,
    /// Where it listens for other nodes, which is in the request.
    peer: String,
    said: Option<Instant>,
    /// Who did not know this node, one after the other.
    unknown: BTreeSet<String>,
}

impl Asking<'_> {
    async fn ask(&mut self) -> anyhow::Result<LedgerSecrets> {
        let id = self.key.public().node_id();
        loop {
            let door = self.round.door();
            let asked = self.client.standing(&door, id).await;
            let Some(standing) = self.settle(asked, &door).await? else { continue };
            let Some(Standing { status, lease }) = standing else {
                self.unknown.insert(door.authority());
                let all = self.round.doors.iter().all(|door| self.unknown.contains(&door.authority()));
                ensure!(!all, "the network has forgotten this node: members removed it");
                self.later("this node is not known there, which may be behind", &door).await?;
                continue;
            };
            self.unknown.clear();
            match status {
                NodeStatus::Trusted => {}
                NodeStatus::Retired => bail!("members have removed this node: it cannot come back under this key"),
                NodeStatus::Pending => {
                    self.later("this node is not trusted there, which may be behind", &door).await?;
                    continue;
                }
            }
            let request = match self.request(id, lease.map(|lease| lease.nonce()).as_deref()).await {
                Ok(request) => request,
                Err(error) => {
                    say(&mut self.said, &format!("{error:#}"));
                    tokio::time::sleep(EVIDENCE_AGAIN).await;
                    continue;
                }
            };
            let asked = self.client.join(&door, &serde_json::to_string(&request)?).await;
            if let Asked::Refused(refusal) = &asked
                && refusal.code == "InvalidQuote"
            {
                // Its clock may be wrong, or members may approve this node's code again.
                self.later(&refusal.message, &door).await?;
                tokio::time::sleep(EVIDENCE_AGAIN).await;
                continue;
            }
            let Some(answer) = self.settle(asked, &door).await? else { continue };
            // What one node hands over, or does not, is no reason to give up.
            let handed =
                answer.network_info.context("it handed over nothing").and_then(|info| admitted::secrets(&info));
            let checked = handed.map_err(|error| format!("{error:#}")).and_then(|handed| {
                check(&handed, self.held, self.missing)?;
                Ok(handed)
            });
            match checked {
                Ok(handed) => return Ok(handed),
                Err(why) => self.later(&why, &door).await?,
            }
        }
    }

    /// The next one is asked.
    async fn later(&mut self, why: &str, door: &Door) -> anyhow::Result<()> {
        self.settle::<()>(Asked::Later(why.to_owned()), door).await.map(drop)
    }

    async fn settle<T>(&mut self, asked: Asked<T>, door: &Door) -> anyhow::Result<Option<T>> {
        let said = &mut self.said;
        self.round.settle(asked, door, |why| say(said, why)).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_goes_on_from_what_is_held() {
        let secret = |byte: u8| Secret::from_slice(&[byte; 32]).unwrap();
        let at = |first: u64, byte: u8| (Seqno(first), secret(byte));
        let rekeyed = ledger::secrets::rekey(&secret(3), (Seqno(7), &secret(2)), None, &[]).unwrap();
        let missing = MissingSecret { begins: Seqno(20), historical: rekeyed.historical, doors: vec![] };
        let held = [at(1, 1), at(7, 2)];
        let said = |handed: &[(Seqno, Secret)]| check(handed, &held, &missing).err().unwrap_or_default();
        assert_eq!(said(&[at(1, 1), at(7, 2), at(20, 3), at(31, 4)]), "");
        assert!(said(&[at(1, 1), at(7, 2), at(31, 4)]).contains("may be behind"));
        assert!(said(&[at(1, 1), at(7, 2), at(20, 9)]).contains("does not open the one before it"));
        for other in [vec![at(1, 9), at(7, 2), at(20, 3)], vec![at(1, 1), at(20, 3)], vec![]] {
            assert!(said(&other).contains("other ledger secrets"));
        }
    }
}
