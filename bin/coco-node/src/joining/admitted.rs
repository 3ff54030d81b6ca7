//! What a network handed over: believed if it belongs together, then sealed.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use base::{NodeId, Seqno};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::{Certificate, KeyPair, Secret};
use development::{Admission, Candidate, Identity, Joined, JoinedLedger, LedgerKind, Neighbour, NodeFile, Ports};
use governance::join::{self, Answer, NetworkInfo};
use zeroize::Zeroizing;

/// No network has more nodes, or more ledgers.
const NODES_MAX: usize = 1_000;
const LEDGERS_MAX: usize = 1_000;

/// Checks it against the service that was asked and the key that was vouched for, and seals it. The rest of the node's life begins.
pub fn seal(
    dir: &Path,
    file: &NodeFile,
    service: &Certificate,
    candidate: Candidate,
    answer: Answer,
) -> anyhow::Result<Identity> {
    let info = answer.network_info.context("the network trusts this node, and gave it nothing")?;
    let key = KeyPair::from_pkcs8_pem(&info.identity.priv_key).context("the service's key cannot be read")?;
    let given = Certificate::from_pem(&info.identity.cert).context("the service's certificate cannot be read")?;
    // It may have been renewed since the operator got it; the key is the service.
    ensure!(
        *key.public() == service.public_key()? && *key.public() == given.public_key()?,
        "the key that was handed over is not that of the service whose certificate this node was given"
    );
    let endorsed = info.endorsed_certificate.as_deref().context("the network endorsed no certificate of this node")?;
    let own = Certificate::from_pem(endorsed).context("the endorsed certificate cannot be read")?;
    own.check_issued_by(key.public()).context("the endorsed certificate is not by the service")?;
    ensure!(own.public_key()? == *candidate.node_key.public(), "the endorsed certificate is of another node");

    let ledger_secrets = secrets(&info)?;
    let joined = joined(dir, file, info.coco, &candidate)?;
    let admission = Admission {
        service_key: &key,
        service_certificate: &info.identity.cert,
        ledger_secrets: &ledger_secrets,
        node_certificate: endorsed,
        joined: &joined,
    };
    Ok(candidate.seal(&admission, dir)?)
}

/// All that there were: what the newest opens begins where the last rekey was.
pub fn secrets(info: &NetworkInfo) -> anyhow::Result<Vec<(Seqno, Secret)>> {
    ensure!(
        info.ledger_secrets.contains_key(&1),
        "the network handed over no ledger secret that its ledger begins with"
    );
    let secret = |(first, secret): (&u64, &join::LedgerSecret)| {
        let raw = STANDARD.decode(secret.raw_key.as_bytes()).context("a ledger secret is not base64")?;
        let secret = Secret::from_slice(&Zeroizing::new(raw)).context("a ledger secret has not 32 bytes")?;
        Ok((Seqno(*first), secret))
    };
    info.ledger_secrets.iter().map(secret).collect()
}

fn joined(dir: &Path, file: &NodeFile, told: join::Network, candidate: &Candidate) -> anyhow::Result<Joined> {
    ensure!(told.nodes.len() <= NODES_MAX && told.ledgers.len() <= LEDGERS_MAX, "the network is larger than any");
    let nodes = told
        .nodes
        .into_iter()
        .map(|node| {
            let id = NodeId::parse(&node.id).map_err(|_| anyhow!("a node of the network has no readable id"))?;
            Ok(Neighbour { number: node.number, id, address: node.address })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let own = candidate.node_key.public().node_id();
    ensure!(
        nodes.iter().any(|node| node.id == own && node.number == told.number),
        "this node, number {}, is not among the nodes that the network trusts",
        told.number
    );
    let mut ports = Ports::new(file.governance.ip());
    for door in [file.http, file.governance, file.peer].into_iter().chain(file.ledgers.iter().map(|it| it.listen)) {
        ports.reserve(door.port());
    }
    let mut ledgers = Vec::new();
    for (name, row) in told.ledgers {
        let row = row.as_object().cloned().with_context(|| format!("the row of ledger {name} is no object"))?;
        let kind = row.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
        let kind = LedgerKind::parse(kind)
            .with_context(|| format!("ledger {name} is of the kind {kind:?}, which this version does not host"))?;
        let listen = match file.ledgers.iter().find(|told| told.name == name) {
            Some(told) => told.listen,
            None => ports.take(dir)?,
        };
        ledgers.push(JoinedLedger { name, kind, row, listen });
    }
    ledgers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Joined { number: told.number, nodes, ledgers, dual_signatures: told.dual_signatures })
}
