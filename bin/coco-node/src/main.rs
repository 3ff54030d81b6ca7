//! `coco-node DIR`: one node of a network. The composition root, and what a TEE measures.
//!
//! It reads `DIR/node.toml`, joins the network that is named there unless it is of one already, puts the node and its adapters
//! together and runs until it is told to stop (SIGTERM or SIGINT). It has no other options: whoever may change a node's options
//! may change the node. It starts itself again, under another name, to run members' scripts, and as itself once it has come back to a
//! network that had cut it off.

mod hosted;
mod joining;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use adapter::{Fault, Neighbour};
use anyhow::{Context, anyhow};
use base::NodeId;
use crypto::Certificate;
use development::{FounderFile, Identity, Joined, Membership, NodeFile, Past, keep_ledger_secrets};
use joining::Platform;
use node::{Founder, KeepSecrets, MissingSecret, Origin, Secrets, Settings};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Unless `COCO_LOG` says otherwise. The index's own remarks name paths of the machine it was built on.
const LOGGED: &str = "info,fjall=warn,lsm_tree=warn";

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if let Some(ended) = gov::script_process() {
        return ended;
    }
    // Structured, to stderr. What may be logged: `docs/request-flow.md`.
    let filter = EnvFilter::try_from_env("COCO_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the node stopped");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let dir = match std::env::args_os().skip(1).collect::<Vec<_>>().as_slice() {
        [dir] => PathBuf::from(dir),
        _ => return Err(anyhow!("usage: coco-node DIR, where DIR has the node's node.toml")),
    };
    raise_descriptor_limit();
    let file = NodeFile::read(&dir)?;
    tracing::warn!(pid = std::process::id(), "virtual TEE: nothing on this machine is protected from its operator");
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let platform = Platform::new(file.endorsements.clone());
    let identity = match &file.origin {
        development::Origin::Founder(_) => Identity::open(&dir)?,
        development::Origin::Joiner(join) => match joining::identity(&dir, &file, join, &platform, &stop)? {
            Some(identity) => identity,
            None => return Ok(()),
        },
    };
    node::claim(&dir)?;
    if let development::Origin::Joiner(join) = &file.origin
        && !joining::fetch(&dir, &file, join, &identity, &stop)?
    {
        return Ok(());
    }
    let prepared = node::prepare()?;
    let adapters = hosted::adapters(&dir, &file, &identity, &platform, &prepared)?;
    let settings = settings(&dir, &file, &identity)?;
    let ended = node::run(&settings, secrets(&dir, identity)?, prepared, adapters, &stop);
    match ended.as_ref().err().and_then(Fault::downcast_ref::<MissingSecret>) {
        Some(missing) => come_back(&dir, &file, &platform, missing, &stop),
        None => Ok(ended?),
    }
}

/// The network has a new ledger secret that this node was not given, since its lease had run out: it proves itself anew, and starts again
/// with what it is handed then.
fn come_back(
    dir: &Path,
    file: &NodeFile,
    platform: &Platform,
    missing: &MissingSecret,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    tracing::warn!("{missing}; it proves itself anew");
    let Some(secrets) = joining::secrets(file, &Identity::open(dir)?, platform, missing, stop)? else {
        return Ok(());
    };
    keep_ledger_secrets(dir, &secrets)?;
    if stop.is_cancelled() {
        return Ok(());
    }
    tracing::info!("the network trusts this node again: it starts again with all ledger secrets");
    // As the same process: whoever watches over it need not know.
    let mut program = Command::new("/proc/self/exe");
    Err(program.args(std::env::args_os().skip(1)).exec()).context("this program cannot be started again")
}

fn settings(dir: &Path, file: &NodeFile, identity: &Identity) -> anyhow::Result<Settings> {
    let (number, origin) = match (&identity.past, &file.origin) {
        (Past::Joined(joined), _) => {
            let id = identity.node_key.public().node_id();
            Membership::of(id, joined, file).write(dir)?;
            (joined.number, Origin::Joined(neighbours(joined)))
        }
        (Past::Founded { node_certificates, .. }, development::Origin::Founder(founder)) => {
            let founders = founders(founder, node_certificates)?;
            (founder.number, Origin::Founded(founders))
        }
        (Past::Founded { .. }, development::Origin::Joiner(_)) => {
            return Err(anyhow!("node.toml says that this node joins a network, and virtual-tee is that of a founder"));
        }
    };
    Ok(Settings {
        dir: dir.into(),
        number,
        origin,
        peers: file.peer,
        http: file.http,
        governance: file.governance,
        ledgers: hosted::listens(file, identity),
        dual_signatures: hosted::signs_twice(file, identity),
        archive: file.archive,
    })
}

fn neighbours(joined: &Joined) -> Vec<Neighbour> {
    let neighbour =
        |node: &development::Neighbour| Neighbour { number: node.number, id: node.id, address: node.address.clone() };
    joined.nodes.iter().map(neighbour).collect()
}

fn founders(file: &FounderFile, certificates: &[(NodeId, String)]) -> anyhow::Result<Vec<Founder>> {
    let founder = |node: &development::PeerFile| {
        let found = certificates.iter().find(|(id, _)| *id == node.id);
        let (_, pem) = found.with_context(|| format!("node {} has no certificate", node.number))?;
        Ok(Founder {
            number: node.number,
            certificate: certificate(pem)?,
            address: node.peer.to_string(),
            governance: node.governance.map(|address| address.to_string()),
        })
    };
    file.nodes.iter().map(founder).collect()
}

fn secrets(dir: &Path, identity: Identity) -> anyhow::Result<Secrets> {
    let Identity { node_key, node_certificate, service_key, service_certificate, ledger_secrets, past: _ } = identity;
    let dir = dir.to_owned();
    let keep: KeepSecrets = Box::new(move |secrets| keep_ledger_secrets(&dir, secrets).map_err(Fault::new));
    Ok(Secrets {
        node_key: Arc::new(node_key),
        service_key,
        ledger_secrets,
        keep,
        service_certificate: certificate(&service_certificate)?,
        node_certificate: certificate(&node_certificate)?,
    })
}

fn certificate(pem: &str) -> anyhow::Result<Certificate> {
    Certificate::from_pem(pem).context("a certificate of this network cannot be read")
}

/// Every connection is a descriptor; the usual soft limit is far below what the listeners' own bounds allow.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}

/// The first signal asks for a stop in good order.
fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
            let (Ok(mut terminate), Ok(mut interrupt)) = signals else { return stop.cancel() };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.cancel();
        });
    })?;
    Ok(())
}
