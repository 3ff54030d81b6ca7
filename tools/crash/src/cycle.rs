//! The test itself: clients in the background, cycles one after another, and the checks.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use anyhow::{Context, Result, bail, ensure};
use load::{Account, Rpc, Signer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Client, Shared};
use crate::examine::Examined;
use crate::ledgers;
use crate::model::{Fault, Model, Receipt, check_receipts};
use crate::network::Network;
use crate::options::Options;
use crate::report::{Cycle, Target, median, table};

/// Between the moment all is well and the next kill.
const CALM_MS: std::ops::Range<u64> = 200..800;
/// For service to come back at all; a median is asked for, a single cycle may be slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before a node is asked again.
const BREATH: Duration = Duration::from_millis(10);
/// Faults that are printed one by one.
const SHOWN: usize = 20;

/// Runs the test and prints what happens. `true`: all checks passed.
pub fn run(options: &Options, out: &mut impl Write) -> Result<bool> {
    let temporary = tempfile::Builder::new().prefix("coco-crash-").tempdir().context("no temporary directory")?;
    let dir = match &options.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => temporary.path().join("network"),
    };
    let coco = match &options.coco {
        Some(coco) => std::path::absolute(coco)?,
        None => std::env::current_exe()?.with_file_name("coco"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let passed = runtime.block_on(async {
        let mut network = Network::start(coco, dir.clone(), options.nodes).await?;
        let tested = tokio::select! {
            tested = all(&mut network, options, out) => tested,
            stopped = told_to_stop() => stopped,
        };
        // Whatever went wrong, no process stays behind.
        let stopped = network.down().await;
        let tested = tested?;
        stopped?;
        Ok(finish(&network, tested.committed, out).await? && tested.passed)
    });
    if !matches!(passed, Ok(true)) {
        keep(temporary, &dir, out)?;
    }
    passed
}

/// An end that was asked for is no success; but it is an end in good order.
async fn told_to_stop() -> Result<Tested> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    bail!("stopped before the end")
}

/// What is known before the nodes stop.
struct Tested {
    passed: bool,
    /// Every node has committed up to here.
    committed: u64,
}

fn keep(temporary: TempDir, dir: &std::path::Path, out: &mut impl Write) -> Result<()> {
    let _ = temporary.keep();
    writeln!(out, "the network's files and logs are kept in {}", dir.display())?;
    Ok(())
}

async fn all(network: &mut Network, options: &Options, out: &mut impl Write) -> Result<Tested> {
    let (stop, stopping) = watch::channel(false);
    let (shared, mut clients) = clients(network, options, stopping).await?;
    let mut test = Test { shared, rng: ChaCha8Rng::seed_from_u64(options.seed), checked: BTreeMap::new() };
    let mut cycles = Vec::new();
    for number in 0..options.cycles {
        let target = Target::IN_TURN[(number % 3) as usize];
        let done = tokio::select! {
            done = test.cycle(network, target) => done,
            Some(ended) = clients.join_next() => bail!(ended_early(ended)),
        };
        let (cycle, who) = done.with_context(|| format!("cycle {}", number + 1))?;
        writeln!(
            out,
            "cycle {:>3}/{}  kill -9 {:<10}{:<12}back after {:>5} ms, whole after {:>5} ms; {} transfers acknowledged, {} receipts as seen on all nodes",
            number + 1,
            options.cycles,
            target,
            who,
            cycle.back.as_millis(),
            cycle.whole.as_millis(),
            test.shared.model().acknowledged(),
            test.checked.len(),
        )?;
        cycles.push(cycle);
    }
    sleep(Duration::from_millis(CALM_MS.end)).await;
    stop.send_replace(true);
    while let Some(ended) = clients.join_next().await {
        ended?.context("a client gave up")?;
    }
    let mut passed = test.examine(network, out).await?;
    writeln!(out, "\n{}\n", table(&cycles))?;
    for target in Target::IN_TURN {
        // Of each kind: backups are killed without a gap in service, and shall not hide the others.
        let back = median(cycles.iter().filter(|cycle| cycle.target == target).map(|cycle| cycle.back));
        if back > options.median {
            writeln!(out, "FAILED: after a kill of the {target} service is back in {} ms (median)", back.as_millis())?;
            passed = false;
        }
    }
    Ok(Tested { passed, committed: network.committed().await? })
}

fn ended_early(ended: Result<Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a client ended before it was told to"),
        Ok(Err(error)) => error.context("a client gave up"),
        Err(error) => error.into(),
    }
}

/// Funds accounts, writes down what they start with, and sets the clients to work.
async fn clients(
    network: &Network,
    options: &Options,
    stop: watch::Receiver<bool>,
) -> Result<(Arc<Shared>, JoinSet<Result<()>>)> {
    let first = network.nodes.first().context("the network has no node")?;
    let mut rpc = Rpc::new(first.rpc.clone(), PATIENCE);
    let signer = Signer::suited(&mut rpc).await?;
    let accounts = Account::derived("coco crash", options.clients * options.accounts);
    let mut funder = load::senders(&mut rpc, std::slice::from_ref(&network.funder)).await?;
    for funder in &mut funder {
        load::fund(&mut rpc, &signer, funder, &accounts).await?;
    }
    let senders = load::senders(&mut rpc, &accounts).await?;
    let known = || accounts.iter().map(Account::address);
    let observed = Examined::new(&first.rpc).observe(known(), std::iter::empty()).await?;
    // Clients begin with any node, and one that is behind refuses who has nothing yet.
    for node in &network.nodes {
        let level = async {
            while Examined::new(&node.rpc).observe(known(), std::iter::empty()).await?.accounts != observed.accounts {
                sleep(BREATH).await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, level).await.context("a node does not show the accounts' funds")??;
    }
    let mut model = Model::default();
    for (account, (nonce, balance)) in observed.accounts {
        model.open_account(account, nonce, balance);
    }
    let shared = Arc::new(Shared {
        model: Mutex::new(model),
        faults: Mutex::default(),
        acknowledged: watch::Sender::new(None),
        stop,
        signer,
        receivers: accounts.iter().map(Account::address).collect(),
        nodes: network.nodes.iter().map(|node| node.rpc.clone()).collect(),
    });
    let mut clients = JoinSet::new();
    let mut senders = senders.into_iter().map(|sender| (sender.account, sender.nonce));
    for number in 0..options.clients {
        let own = senders.by_ref().take(options.accounts).collect();
        clients.spawn(Client::new(number, options, Arc::clone(&shared), own).run());
    }
    Ok((shared, clients))
}

struct Test {
    shared: Arc<Shared>,
    rng: ChaCha8Rng,
    /// Receipts that were read again on all nodes.
    checked: BTreeMap<B256, Receipt>,
}

impl Test {
    /// One kill and what follows it; also says who was killed.
    async fn cycle(&mut self, network: &mut Network, target: Target) -> Result<(Cycle, String)> {
        sleep(Duration::from_millis(self.rng.random_range(CALM_MS))).await;
        let victims = self.victims(network, target).await?;
        let mut acknowledged = self.shared.acknowledged.subscribe();
        let killed = Instant::now();
        for &victim in &victims {
            network.kill(victim)?;
        }
        let service = async {
            let newer = acknowledged.wait_for(|newest| newest.is_some_and(|newest| newest.begun >= killed));
            match timeout(PATIENCE, newer).await {
                Ok(newest) => Ok(newest?.map_or(PATIENCE, |newest| newest.at - killed)),
                Err(_) => bail!("no transfer was acknowledged within {} s", PATIENCE.as_secs()),
            }
        };
        // The majority that is left must do it alone. If none is left, a supervisor would start all at once.
        let back = if victims.len() * 2 > network.nodes.len() {
            let (back, up) = tokio::join!(service, network.up());
            up?;
            back?
        } else {
            let back = service.await?;
            network.up().await?;
            back
        };
        let whole = killed.elapsed();
        self.check_new_receipts(network).await?;
        let who = match target {
            Target::All => String::new(),
            _ => victims.iter().map(|victim| format!("(node {victim})")).collect(),
        };
        Ok((Cycle { target, back, whole }, who))
    }

    async fn victims(&mut self, network: &Network, target: Target) -> Result<Vec<usize>> {
        let all: Vec<usize> = network.nodes.iter().map(|node| node.number).collect();
        if target == Target::All {
            return Ok(all);
        }
        let primary = network.primary().await?;
        if target == Target::Primary {
            return Ok(vec![primary]);
        }
        let backups: Vec<usize> = all.into_iter().filter(|number| *number != primary).collect();
        ensure!(!backups.is_empty(), "there is no backup");
        Ok(vec![backups[self.rng.random_range(0..backups.len())]])
    }

    /// Reads again, on every node, what clients saw since the last time.
    async fn check_new_receipts(&mut self, network: &Network) -> Result<()> {
        let new: BTreeMap<B256, Receipt> = {
            let model = self.shared.model();
            let new = model.receipts().iter().filter(|(hash, _)| !self.checked.contains_key(*hash));
            new.map(|(hash, receipt)| (*hash, *receipt)).collect()
        };
        let newest = new.values().map(|receipt| receipt.block).max().unwrap_or_default();
        for node in &network.nodes {
            let mut examined = Examined::new(&node.rpc);
            examined.wait_for(newest).await?;
            let faults = check_receipts(&new, &examined.receipts(new.keys().copied()).await?);
            if let Some(fault) = faults.first() {
                bail!("node {}: {} faults, the first: {fault}", node.number, faults.len());
            }
        }
        self.checked.extend(new);
        Ok(())
    }

    /// Everything, on every node.
    async fn examine(&self, network: &Network, out: &mut impl Write) -> Result<bool> {
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        let told = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        faults.extend(told.into_iter().map(|fault| (0, fault)));
        let model = self.shared.model().clone();
        let newest = model.receipts().values().map(|receipt| receipt.block).max().unwrap_or_default();
        for node in &network.nodes {
            let mut examined = Examined::new(&node.rpc);
            examined.wait_for(newest).await?;
            let observed = examined.observe(model.accounts(), model.transactions()).await?;
            let found = model.check(&observed);
            writeln!(
                out,
                "node {}: {} transfers acknowledged, {} receipts seen, {} attempts, {} accounts: {} faults",
                node.number,
                model.acknowledged(),
                model.receipts().len(),
                model.transactions().count(),
                model.accounts().count(),
                found.len()
            )?;
            faults.extend(found.into_iter().map(|fault| (node.number, fault)));
        }
        for (node, fault) in faults.iter().take(SHOWN) {
            let where_found = if *node == 0 { "a client was told".into() } else { format!("node {node}") };
            writeln!(out, "FAILED: {where_found}: {fault}")?;
        }
        Ok(faults.is_empty())
    }
}

/// What can be said of the files once no node runs any more.
async fn finish(network: &Network, committed: u64, out: &mut impl Write) -> Result<bool> {
    let common = match ledgers::compare(&network.ledgers) {
        Ok(common) => common,
        Err(error) => {
            writeln!(out, "FAILED: {error:#}")?;
            return Ok(false);
        }
    };
    let ledgers::Common { chunks, bytes, last } = common;
    let nodes = network.ledgers.len();
    writeln!(out, "ledgers: byte-identical on {nodes} nodes up to entry {last} ({chunks} chunks, {bytes} bytes)")?;
    let mut passed = true;
    if last < committed {
        writeln!(
            out,
            "FAILED: entry {committed} was committed on every node, and the ledgers agree only up to {last}"
        )?;
        passed = false;
    }
    for ledger in &network.ledgers {
        match network.verify(ledger).await {
            Ok(entries) => writeln!(out, "{}: {entries} entries verified", ledger.display())?,
            Err(error) => {
                writeln!(out, "FAILED: {error:#}")?;
                passed = false;
            }
        }
    }
    writeln!(out, "{}", if passed { "all ledgers are whole" } else { "a ledger is not whole" })?;
    Ok(passed)
}
