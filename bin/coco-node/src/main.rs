//! `coco-node DIR`: one node of a network. The composition root, and what a TEE measures.
//!
//! It reads `DIR/node.toml`, puts the node and its adapters together and runs until it is told to stop (SIGTERM or
//! SIGINT). It has no other options: whoever may change a node's options may change the node. It starts itself again, under
//! another name, to run members' scripts.

mod hosted;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use crypto::Certificate;
use development::{Identity, NodeFile, Signing};
use node::{Secrets, Settings};
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
    let identity = Identity::open(&dir)?;
    tracing::warn!(
        node = file.number,
        pid = std::process::id(),
        "virtual TEE: nothing on this machine is protected from its operator"
    );
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let mut prepared = node::prepare()?;
    let hosted = hosted::adapters(&dir, &file, &identity.members, &mut prepared.tables)?;
    node::run(&settings(&dir, &file), secrets(identity)?, prepared, hosted, &stop)?;
    Ok(())
}

fn settings(dir: &Path, file: &NodeFile) -> Settings {
    Settings {
        dir: dir.into(),
        number: file.number,
        nodes: file.nodes.iter().map(|node| (node.number, node.id, node.peer)).collect(),
        http: file.http,
        dual_signatures: file.signing == Signing::Dual,
        archive: file.archive,
    }
}

fn secrets(identity: Identity) -> anyhow::Result<Secrets> {
    let Identity {
        node_key,
        node_certificate: _,
        service_key,
        service_certificate,
        ledger_secret,
        node_certificates,
        members: _,
    } = identity;
    let nodes =
        node_certificates.iter().map(|(id, pem)| Ok((*id, certificate(pem)?))).collect::<anyhow::Result<_>>()?;
    Ok(Secrets {
        node_key,
        service_key,
        ledger_secret,
        service_certificate: certificate(&service_certificate)?,
        node_certificates: nodes,
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
