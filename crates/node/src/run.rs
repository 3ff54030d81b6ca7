//! Puts a node together, starts its threads, and takes it apart again.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use std::time::Duration;

use adapter::{Adapter, Fault, Plumbing, Role, Status};
use base::limits::QUEUE_WORK_MAX;
use base::{NodeId, Seqno, View};
use consensus::{Config, Driver, Member};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use crypto::{Certificate, KeyPair, MacKey, Secret};
use kv::{Store, TableError, Tables};
use ledger::{LedgerKeys, Signer};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::claim::claim;
use crate::executor::{self, Executor, replay};
use crate::genesis::{Founder, Genesis, ServiceTables};
use crate::history::{self, Archive, Keeper};
use crate::http::{self, Shown};
use crate::log::{self, Log, Recovered};
use crate::ordering::{self, Event, Heads, Orderer, last_seqno, last_txid};
use crate::peers::{Credentials, Frame, Peer, PeerEvent, Peers};
use crate::publisher::{Publication, Publisher};
use crate::route::Route;

/// Consensus messages that wait for the orderer; more are dropped, they come again.
const EVENTS_MAX: usize = 8_192;
/// Committed batches that wait for the executor.
const COMMANDS_MAX: usize = 128;
/// Committed batches that wait for the publisher.
const PUBLICATIONS_MAX: usize = 64;
/// Answers to forwarded work that wait for the publisher.
const ANSWERS_MAX: usize = 2 * QUEUE_WORK_MAX;
/// Committed batches that wait for the keeper.
const KEEPS_MAX: usize = 64;
/// What waited too long on the route is let go this often.
const EXPIRE_EVERY: Duration = Duration::from_millis(500);
/// Threads that one failure ends do so within moments.
const AFTERMATH: Duration = Duration::from_secs(1);
const INDEX_LABEL: &[u8] = b"coco history index";

/// What a node is told at start.
pub struct Settings {
    /// Its `log`, `ledger` and `index` are here.
    pub dir: PathBuf,
    /// This node's number in `nodes`.
    pub number: u64,
    /// Every node of the network, this one included.
    pub nodes: Vec<(u64, NodeId, SocketAddr)>,
    /// The node's own endpoints.
    pub http: SocketAddr,
    /// Puts the node's own signature beside the service's, for tools of CCF before 7.0.
    pub dual_signatures: bool,
    /// Keeps every version of the state in memory.
    pub archive: bool,
}

/// What only a TEE may hold, and the certificates that belong to it.
pub struct Secrets {
    pub node_key: KeyPair,
    pub service_key: KeyPair,
    pub ledger_secret: Secret,
    pub service_certificate: Certificate,
    /// Of every node.
    pub node_certificates: Vec<(NodeId, Certificate)>,
    pub members: Vec<Certificate>,
}

/// A hosted ledger and where it listens.
pub struct Hosted {
    pub kind: String,
    pub adapter: Arc<dyn Adapter>,
    /// One address for each of the adapter's listeners, in its order.
    pub listen: Vec<SocketAddr>,
}

/// The tables of the framework, registered; adapters add theirs.
pub struct Prepared {
    pub tables: Tables,
    service: ServiceTables,
}

/// The first step of composing a node.
pub fn prepare() -> Result<Prepared, TableError> {
    let mut tables = Tables::new();
    let service = ServiceTables::register(&mut tables)?;
    Ok(Prepared { tables, service })
}

/// Runs a node until `stop` is cancelled and everything has ended in good order, or until something failed that it
/// must not go on with.
pub fn run(
    settings: &Settings,
    secrets: Secrets,
    prepared: Prepared,
    hosted: Vec<Hosted>,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    claim(&settings.dir)?;
    let metrics = PrometheusBuilder::new().install_recorder().map_err(Fault::new)?;
    let (serve, peers_runtime) = (runtime("listeners", 2)?, runtime("peers", 1)?);
    let node = Assembly::new(settings, secrets, prepared, &hosted, &peers_runtime)?;
    let (ended, ends) = unbounded();
    let Running { events, plumbing, route, level, threads } = node.start(&ended)?;

    let serving = Arc::new(AtomicBool::new(false));
    let listeners = CancellationToken::new();
    let shown = Shown {
        node: plumbing.node.clone(),
        number: settings.number,
        numbers: Arc::new(settings.nodes.iter().map(|(number, id, _)| (*number, *id)).collect()),
        serving: serving.clone(),
        metrics,
    };
    let leveled = level_at(plumbing.node.watch(), level.subscribe());
    let doors = serve.spawn(open_doors(settings.http, shown, hosted, plumbing, leveled, serving, listeners.clone()));

    let outcome = serve.block_on(async {
        let mut expire = tokio::time::interval(EXPIRE_EVERY);
        let mut doors = doors;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(Some(doors)),
                _ = expire.tick() => {
                    route.expire();
                    if let Ok(end) = ends.try_recv() {
                        return Err(first_cause(end, &ends));
                    }
                }
                opened = &mut doors => {
                    opened.map_err(Fault::new)??;
                    return Err(Fault::new("every listener ended by itself"));
                }
            }
        }
    });
    let doors = outcome?;
    tracing::info!("stopping: requests under way are finished first");
    listeners.cancel();
    if let Some(doors) = doors {
        let _ = serve.block_on(doors);
    }
    let _ = events.send(Event::Stop);
    for _ in 0..threads.len() {
        if let Ok(Ended { outcome: Err(fault), name }) = ends.recv() {
            return Err(failed(Ended { outcome: Err(fault), name }));
        }
    }
    peers_runtime.shutdown_timeout(Duration::from_millis(200));
    serve.shutdown_timeout(Duration::from_millis(200));
    tracing::info!("stopped");
    Ok(())
}

/// Everything but threads.
struct Assembly {
    executor: Executor,
    commands: Receiver<executor::Command>,
    work: Receiver<crate::work::Pending>,
    orderer: Orderer,
    events: (Sender<Event>, Receiver<Event>),
    proposals: Receiver<ordering::Proposal>,
    publisher: Publisher,
    publications: Receiver<Publication>,
    answers: Receiver<Publication>,
    keeper: Keeper,
    keeps: Receiver<history::Keep>,
    plumbing: Arc<Plumbing>,
    route: Arc<Route>,
    level: watch::Sender<Option<Seqno>>,
}

impl Assembly {
    fn new(
        settings: &Settings,
        secrets: Secrets,
        Prepared { tables, service }: Prepared,
        hosted: &[Hosted],
        peers_runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, Fault> {
        let tables = Arc::new(tables);
        let keys = Arc::new(LedgerKeys::new(&secrets.ledger_secret).map_err(Fault::new)?);
        let genesis = genesis(settings, &secrets, service, hosted)?;
        let service_key = secrets.service_certificate.public_key().map_err(Fault::new)?;
        let archive = open_archive(settings, &secrets, keys.clone(), tables.clone())?;

        let mut store = Store::new(tables, archive.clone());
        if settings.archive {
            store = store.archive();
        }
        let replayed = replay(&archive, store, &service_key)?;
        tracing::info!(seqno = replayed.head.seqno().0, "the ledger is read back");
        let (orderer_log, heads, driver) = open_log(settings, &archive, replayed.head.clone())?;

        let (event_sender, event_receiver) = unbounded();
        let (command_sender, commands) = bounded(COMMANDS_MAX);
        let (work_sender, work) = bounded(QUEUE_WORK_MAX);
        // Never more than the batches in flight.
        let (proposal_sender, proposals) = unbounded();
        let (publication_sender, publications) = bounded(PUBLICATIONS_MAX);
        let (answer_sender, answers) = bounded(ANSWERS_MAX);
        let (keep_sender, keeps) = bounded(KEEPS_MAX);
        let on_disk = Arc::new(AtomicU64::new(replayed.head.seqno().0));

        let node_key = Arc::new(secrets.node_key);
        let inbox = Arc::new(Inbox::default());
        let peers = start_peers(settings, &secrets.node_certificates, &node_key, inbox.clone(), peers_runtime)?;
        let route = Arc::new(Route::new(work_sender, answer_sender, peers.clone())?);
        inbox.open(event_sender.clone(), keep_sender.clone(), route.clone());

        let signer =
            Signer { service: Arc::new(secrets.service_key), node: settings.dual_signatures.then(|| node_key.clone()) };
        let adapters: Vec<_> = hosted.iter().map(|hosted| hosted.adapter.clone()).collect();
        let tools = executor::Tools {
            adapters: adapters.clone(),
            keys,
            signer,
            genesis,
            route: route.clone(),
            peers: peers.clone(),
            proposals: proposal_sender,
            publisher: publication_sender,
            history_on_disk: on_disk.clone(),
        };
        let head = replayed.head.clone();
        let executor = Executor::new(tools, replayed)?;

        let own = settings.nodes.iter().find(|(number, ..)| *number == settings.number);
        let id = own.ok_or_else(|| Fault::new("this node is not in the list of nodes"))?.1;
        let role = Role::Backup { primary: None };
        let status =
            Status { id, role, view: View(0), committed: head.txid, transactions: 0, nodes: settings.nodes.len() };
        let submit = route.clone();
        let plumbing =
            Arc::new(Plumbing::new(executor.snapshot(), status, move |submission| submit.submit(submission)));

        let (level, _) = watch::channel(None);
        let tools = ordering::Tools {
            driver,
            log: orderer_log,
            peers: peers.clone(),
            plumbing: plumbing.clone(),
            ids: settings.nodes.iter().map(|(number, id, _)| (*number, *id)).collect(),
            service: service_key,
            executor: command_sender,
            level: level.clone(),
        };
        let orderer = Orderer::new(tools, heads, archive.files.durable());
        let publisher = Publisher { plumbing: plumbing.clone(), adapters, peers: peers.clone(), history: keep_sender };
        let keeper = Keeper { archive, events: event_sender.clone(), peers, on_disk };
        Ok(Self {
            executor,
            commands,
            work,
            orderer,
            events: (event_sender, event_receiver),
            proposals,
            publisher,
            publications,
            answers,
            keeper,
            keeps,
            plumbing,
            route,
            level,
        })
    }

    fn start(self, ended: &Sender<Ended>) -> Result<Running, Fault> {
        let Self {
            executor,
            commands,
            work,
            orderer,
            events,
            proposals,
            publisher,
            publications,
            answers,
            keeper,
            keeps,
            ..
        } = self;
        let (events, received) = events;
        let threads = vec![
            thread("keeper", ended, move || keeper.run(&keeps))?,
            thread("publisher", ended, move || {
                publisher.run(&publications, &answers);
                Ok(())
            })?,
            thread("executor", ended, move || executor.run(&commands, &work))?,
            thread("orderer", ended, move || orderer.run(&received, &proposals))?,
        ];
        Ok(Running { events, plumbing: self.plumbing, route: self.route, level: self.level, threads })
    }
}

struct Running {
    events: Sender<Event>,
    plumbing: Arc<Plumbing>,
    route: Arc<Route>,
    level: watch::Sender<Option<Seqno>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where frames from peers go. Peers may speak before the rest of the node is there; what they say then is dropped.
#[derive(Default)]
struct Inbox(std::sync::OnceLock<(Sender<Event>, Sender<history::Keep>, Arc<Route>)>);

impl Inbox {
    fn open(&self, events: Sender<Event>, keeps: Sender<history::Keep>, route: Arc<Route>) {
        let _ = self.0.set((events, keeps, route));
    }

    fn take(&self, event: PeerEvent) {
        let Some((events, keeps, route)) = self.0.get() else { return };
        let event = match event {
            PeerEvent::Received { from, frame } => match frame {
                Frame::Consensus(message) => Event::Message { from, message },
                Frame::Work { id, work } => return route.receive(from, id, work),
                Frame::Answer { id, answer } => return route.answered(from, id, answer),
                Frame::LedgerWanted { from: first, to: _ } => {
                    // A full queue is an answer too: the peer asks again.
                    let _ = keeps.try_send(history::Keep::Serve { peer: from, from: first });
                    return;
                }
                Frame::LedgerPart { batches } => Event::LedgerPart { from, batches },
                Frame::LedgerEnd { last, point } => Event::LedgerEnd { from, end: log::Mark { point, seqno: last } },
            },
            PeerEvent::Found { peer } => return route.found(peer),
            PeerEvent::Silent { peer } => return route.silent(peer),
            PeerEvent::Lost { peer } => {
                route.lost(peer);
                Event::Lost { peer }
            }
        };
        if events.len() < EVENTS_MAX {
            let _ = events.send(event);
        } else {
            metrics::counter!("coco_consensus_messages_dropped_total").increment(1);
        }
    }
}

fn open_archive(
    settings: &Settings,
    secrets: &Secrets,
    keys: Arc<LedgerKeys>,
    tables: Arc<Tables>,
) -> Result<Arc<Archive>, Fault> {
    let index_key = MacKey::new(&MacKey::new(secrets.ledger_secret.expose()).mac(INDEX_LABEL));
    let (ledger, index) = (settings.dir.join("ledger"), settings.dir.join("index"));
    std::fs::create_dir_all(&ledger).map_err(Fault::new)?;
    let (archive, recovered) = history::open(&ledger, &index, keys, tables, index_key)?;
    if recovered.cut_bytes > 0 {
        tracing::warn!(bytes = recovered.cut_bytes, "a crash had left half a batch in the ledger file; it was cut off");
    }
    Ok(Arc::new(archive))
}

fn open_log(settings: &Settings, archive: &Archive, head: ledger::Head) -> Result<(Log, Heads, Driver), Fault> {
    let seqno_of = |batch: &[u8]| last_seqno(batch).ok().flatten();
    let in_ledger = |batch: &[u8]| last_txid(batch).ok().flatten().is_some_and(|txid| archive.has(txid));
    let recovered = Log::open(&settings.dir.join("log"), seqno_of).map_err(Fault::new)?;
    let applied = log::applied(recovered.start, &recovered.entries, in_ledger);
    if recovered.start.seqno > head.seqno() {
        return Err(Fault::new(format!(
            "the ledger file ends at {}, but the consensus log only begins after {}: this disk lost what it had synced; restore the node's folder from another node",
            head.seqno(),
            recovered.start.seqno
        )));
    }
    let heads = Heads::new(recovered.start, &recovered.entries, applied.index, head).map_err(Fault::new)?;
    let members = settings.nodes.iter().map(|(number, ..)| Member(*number)).collect();
    let seed = u64::from_le_bytes(crypto::random::<8>().map_err(Fault::new)?);
    let config = Config::new(Member(settings.number), members, seed);
    let stored = recovered.stored(applied.index);
    let Recovered { log, .. } = recovered;
    let driver = Driver::new(config, stored).map_err(Fault::new)?;
    Ok((log, heads, driver))
}

fn genesis(settings: &Settings, secrets: &Secrets, tables: ServiceTables, hosted: &[Hosted]) -> Result<Genesis, Fault> {
    let mut nodes = Vec::new();
    for (_, id, address) in &settings.nodes {
        let certificate = secrets.node_certificates.iter().find(|(node, _)| node == id);
        let (_, certificate) = certificate.ok_or_else(|| Fault::new(format!("node {id} has no certificate")))?;
        let public_key = certificate.public_key().map_err(Fault::new)?.to_pem();
        let peer_address = address.to_string();
        nodes.push(Founder { id: *id, certificate: certificate.to_pem(), public_key, peer_address });
    }
    Ok(Genesis {
        tables,
        service_certificate: secrets.service_certificate.to_pem(),
        nodes,
        members: secrets.members.iter().map(|member| (member.to_pem(), member.clone())).collect(),
        ledgers: hosted.iter().map(|hosted| (hosted.kind.clone(), hosted.adapter.name().to_owned())).collect(),
    })
}

fn start_peers(
    settings: &Settings,
    certificates: &[(NodeId, Certificate)],
    key: &KeyPair,
    inbox: Arc<Inbox>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Peers, Fault> {
    let (mut own, mut peers) = (None, Vec::new());
    for (number, id, address) in &settings.nodes {
        if *number == settings.number {
            own = Some((*id, *address));
        } else {
            peers.push(Peer { number: *number, id: *id, address: *address });
        }
    }
    let (id, address) = own.ok_or_else(|| Fault::new("this node is not in the list of nodes"))?;
    let certificate = certificates.iter().find(|(node, _)| *node == id).map(|(_, certificate)| certificate.clone());
    let certificate = certificate.ok_or_else(|| Fault::new("this node has no certificate"))?;
    let credentials = Credentials { certificate, key };
    runtime.block_on(async {
        let listener = bind(address).await?;
        let handler = Arc::new(move |event| inbox.take(event));
        // Peers end with their runtime.
        Peers::start(&credentials, &peers, listener, handler, &CancellationToken::new()).map_err(Fault::new)
    })
}

/// Opens the node's own endpoints at once, and the adapters' once there is something to serve, and nothing older than was
/// served before.
async fn open_doors(
    http_address: SocketAddr,
    shown: Shown,
    hosted: Vec<Hosted>,
    plumbing: Arc<Plumbing>,
    leveled: impl Future<Output = Result<(), Fault>>,
    serving: Arc<AtomicBool>,
    stop: CancellationToken,
) -> Result<(), Fault> {
    let listener = bind(http_address).await?;
    let own = tokio::spawn(adapter::http::serve(
        listener,
        http::router(shown),
        adapter::http::Limits::default(),
        stop.clone(),
    ));
    tokio::select! {
        leveled = leveled => leveled?,
        () = stop.cancelled() => return own.await.map_err(Fault::new),
    }
    let mut doors = vec![own];
    for Hosted { adapter, listen, .. } in hosted {
        let name = adapter.name().to_owned();
        let listeners = adapter.listeners(plumbing.node.clone());
        if listeners.len() != listen.len() {
            return Err(Fault::new(format!(
                "{name} has {} listeners, but {} addresses",
                listeners.len(),
                listen.len()
            )));
        }
        for (listener, address) in listeners.into_iter().zip(listen) {
            let socket = bind(address).await?;
            tracing::info!(ledger = name, listener = listener.name, %address, "listening");
            doors.push(tokio::spawn((listener.serve)(socket, stop.clone())));
        }
    }
    serving.store(true, std::sync::atomic::Ordering::Release);
    for door in doors {
        door.await.map_err(Fault::new)?;
    }
    Ok(())
}

/// Waits until all that this node may have shown before it was started is visible again, and the first batch of all.
async fn level_at(mut status: watch::Receiver<Status>, mut level: watch::Receiver<Option<Seqno>>) -> Result<(), Fault> {
    let due = level.wait_for(Option::is_some).await.map_err(Fault::new)?.unwrap_or_default().max(Seqno(1));
    status.wait_for(|status| status.committed.seqno >= due).await.map(|_| ()).map_err(Fault::new)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Fault::new(format!("{address} cannot be listened on ({error}): is another program using it?")))
}

fn runtime(name: &str, threads: usize) -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(Fault::new)
}

/// How a thread ended.
struct Ended {
    name: &'static str,
    outcome: Result<(), Fault>,
}

fn thread(
    name: &'static str,
    ended: &Sender<Ended>,
    body: impl FnOnce() -> Result<(), Fault> + Send + 'static,
) -> Result<JoinHandle<()>, Fault> {
    let ended = ended.clone();
    let run = move || {
        let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Fault::new(message(&*panic))));
        let _ = ended.send(Ended { name, outcome });
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(Fault::new)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

/// A thread that fails takes others with it, which end in good order and may be heard of before it.
fn first_cause(mut end: Ended, ends: &Receiver<Ended>) -> Fault {
    while end.outcome.is_ok() {
        match ends.recv_timeout(AFTERMATH) {
            Ok(next) => end = next,
            Err(_) => break,
        }
    }
    failed(end)
}

fn failed(Ended { name, outcome }: Ended) -> Fault {
    match outcome {
        Ok(()) => Fault::new(format!("the {name} thread ended by itself")),
        Err(fault) => {
            let mut text = format!("the {name} thread failed: {fault}");
            let mut source = std::error::Error::source(&fault);
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            Fault::new(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_that_failed_is_named_and_not_those_it_took_along() {
        let (ended, ends) = unbounded();
        ended.send(Ended { name: "publisher", outcome: Ok(()) }).unwrap();
        ended.send(Ended { name: "orderer", outcome: Err(Fault::new("the disk is full")) }).unwrap();
        let cause = first_cause(Ended { name: "executor", outcome: Ok(()) }, &ends);
        assert_eq!(cause.to_string(), "the orderer thread failed: the disk is full");
    }
}
