//! Wires the parts of a node to each other, reading back what is on disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use adapter::{Fault, Plumbing, Role, Status};
use base::limits::QUEUE_WORK_MAX;
use base::{Seqno, View};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use crypto::{Certificate, KeyPair};
use ledger::{LedgerKeys, Signer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::disks::{ReadBack, open_archive, open_log, read_back};
use super::doors::bind;
use super::inbox::Inbox;
use super::threads::{Ended, thread};
use super::{Hosted, Prepared, Secrets, Settings};
use crate::executor::{self, Executor};
use crate::genesis::{Founder, Genesis, ServiceTables};
use crate::history::{self, Keeper};
use crate::ordering::{self, Event, Orderer};
use crate::peers::{Credentials, Peer, Peers};
use crate::publisher::{Publication, Publisher};
use crate::route::Route;
use crate::sealer::{ClosedBatch, Sealer};
use crate::snapshot::Taker;

/// Committed batches that wait for the executor.
const COMMANDS_MAX: usize = 128;
/// Committed batches that wait for the publisher.
const PUBLICATIONS_MAX: usize = 64;
/// Answers to forwarded work that wait for the publisher.
const ANSWERS_MAX: usize = 2 * QUEUE_WORK_MAX;
/// Committed batches that wait for the keeper.
const KEEPS_MAX: usize = 64;

/// Everything but threads.
pub(super) struct Assembly {
    executor: Executor,
    commands: Receiver<executor::Command>,
    work: Receiver<crate::work::Pending>,
    sealer: Sealer,
    closed: Receiver<ClosedBatch>,
    orderer: Orderer,
    events: (Sender<Event>, Receiver<Event>),
    proposals: Receiver<ordering::Proposal>,
    publisher: Publisher,
    publications: Receiver<Publication>,
    answers: Receiver<Publication>,
    keeper: Keeper,
    keeps: Receiver<history::Keep>,
    /// None is needed where every version is kept.
    snapshots: Option<Taker>,
    plumbing: Arc<Plumbing>,
    route: Arc<Route>,
    level: watch::Sender<Option<Seqno>>,
}

impl Assembly {
    pub(super) fn new(
        settings: &Settings,
        secrets: Secrets,
        Prepared { tables, service }: Prepared,
        hosted: &[Hosted],
        peers_runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, Fault> {
        let own = settings.own()?;
        let tables = Arc::new(tables);
        let keys = Arc::new(LedgerKeys::new(&secrets.ledger_secret).map_err(Fault::new)?);
        let genesis = genesis(settings, &secrets, service, hosted)?;
        let service_key = secrets.service_certificate.public_key().map_err(Fault::new)?;
        let adapters: Vec<_> = hosted.iter().map(|hosted| hosted.adapter.clone()).collect();
        let archive = open_archive(settings, &secrets, keys.clone(), tables.clone(), adapters.clone())?;

        let ReadBack { replayed, snapshots, last } = read_back(settings, &archive, &service_key)?;
        let (orderer_log, heads, driver) = open_log(settings, &archive, replayed.head.clone())?;

        let (event_sender, event_receiver) = unbounded();
        let (command_sender, commands) = bounded(COMMANDS_MAX);
        let (work_sender, work) = bounded(QUEUE_WORK_MAX);
        // Of both never more than the batches in flight.
        let (proposal_sender, proposals) = unbounded();
        let (closed_sender, closed) = unbounded();
        let (publication_sender, publications) = bounded(PUBLICATIONS_MAX);
        let (answer_sender, answers) = bounded(ANSWERS_MAX);
        let (keep_sender, keeps) = bounded(KEEPS_MAX);
        let on_disk = Arc::new(AtomicU64::new(replayed.head.seqno().0));

        let certificate = secrets.certificate_of(own.0)?;
        let node_key = Arc::new(secrets.node_key);
        let inbox = Arc::new(Inbox::default());
        let peers = start_peers(settings, own.1, certificate, &node_key, inbox.clone(), peers_runtime)?;
        let route = Arc::new(Route::new(work_sender, answer_sender, peers.clone())?);
        inbox.open(event_sender.clone(), keep_sender.clone(), route.clone());

        let signer =
            Signer { service: Arc::new(secrets.service_key), node: settings.dual_signatures.then(|| node_key.clone()) };
        let tools = executor::Tools {
            adapters: adapters.clone(),
            keys: keys.clone(),
            genesis,
            route: route.clone(),
            peers: peers.clone(),
            sealer: closed_sender,
            publisher: publication_sender,
            history_on_disk: on_disk.clone(),
        };
        let sealer = Sealer { keys, signer, executor: command_sender.clone(), proposals: proposal_sender };
        let head = replayed.head.clone();
        let executor = Executor::new(tools, replayed)?;

        let role = Role::Backup { primary: None };
        let status = Status {
            id: own.0,
            role,
            view: View(0),
            committed: head.txid,
            root: head.root(),
            transactions: 0,
            nodes: settings.nodes.len(),
        };
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
        let publisher = Publisher {
            plumbing: plumbing.clone(),
            adapters,
            peers: peers.clone(),
            history: keep_sender,
            room: Arc::default(),
        };
        let node = plumbing.node.clone();
        let snapshots = (!settings.archive).then(|| Taker { folder: snapshots, archive: archive.clone(), node, last });
        let keeper = Keeper { archive, events: event_sender.clone(), peers, on_disk };
        Ok(Self {
            executor,
            commands,
            work,
            sealer,
            closed,
            orderer,
            events: (event_sender, event_receiver),
            proposals,
            publisher,
            publications,
            answers,
            keeper,
            keeps,
            snapshots,
            plumbing,
            route,
            level,
        })
    }

    /// Starts the threads.
    pub(super) fn start(self, ended: &Sender<Ended>) -> Result<Running, Fault> {
        let Self {
            executor,
            commands,
            work,
            sealer,
            closed,
            orderer,
            events,
            proposals,
            publisher,
            publications,
            answers,
            keeper,
            keeps,
            snapshots,
            ..
        } = self;
        let (events, received) = events;
        let threads = vec![
            thread("keeper", ended, move || keeper.run(&keeps))?,
            thread("publisher", ended, move || {
                publisher.run(&publications, &answers);
                Ok(())
            })?,
            thread("sealer", ended, move || sealer.run(&closed))?,
            thread("executor", ended, move || executor.run(&commands, &work))?,
            thread("orderer", ended, move || orderer.run(&received, &proposals))?,
        ];
        let snapshots = match snapshots {
            Some(taker) => {
                let (ledger_complete, completed) = bounded(0);
                thread("snapshots", ended, move || taker.run(&completed))?;
                Some(ledger_complete)
            }
            None => None,
        };
        Ok(Running { events, plumbing: self.plumbing, route: self.route, level: self.level, threads, snapshots })
    }
}

/// A node whose threads run.
pub(super) struct Running {
    pub(super) events: Sender<Event>,
    pub(super) plumbing: Arc<Plumbing>,
    pub(super) route: Arc<Route>,
    pub(super) level: watch::Sender<Option<Seqno>>,
    /// All but the one that takes snapshots.
    pub(super) threads: Vec<JoinHandle<()>>,
    /// If there is such a thread. Dropping this tells it that the others have ended: there is time for a last one then.
    pub(super) snapshots: Option<Sender<()>>,
}

fn genesis(settings: &Settings, secrets: &Secrets, tables: ServiceTables, hosted: &[Hosted]) -> Result<Genesis, Fault> {
    let mut nodes = Vec::new();
    for (_, id, address) in &settings.nodes {
        let certificate = secrets.certificate_of(*id)?;
        let public_key = certificate.public_key().map_err(Fault::new)?.to_pem();
        let peer_address = address.to_string();
        nodes.push(Founder { id: *id, certificate: certificate.to_pem(), public_key, peer_address });
    }
    Ok(Genesis {
        tables,
        service_certificate: secrets.service_certificate.to_pem(),
        nodes,
        ledgers: hosted
            .iter()
            .filter_map(|hosted| Some((hosted.kind.clone()?, hosted.adapter.name().to_owned())))
            .collect(),
    })
}

fn start_peers(
    settings: &Settings,
    address: SocketAddr,
    certificate: Certificate,
    key: &KeyPair,
    inbox: Arc<Inbox>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Peers, Fault> {
    let others = settings.nodes.iter().filter(|(number, ..)| *number != settings.number);
    let peers: Vec<_> =
        others.map(|(number, id, address)| Peer { number: *number, id: *id, address: *address }).collect();
    let credentials = Credentials { certificate, key };
    runtime.block_on(async {
        let listener = bind(address).await?;
        let handler = Arc::new(move |event| inbox.take(event));
        // Peers end with their runtime.
        Peers::start(&credentials, &peers, listener, handler, &CancellationToken::new()).map_err(Fault::new)
    })
}
