//! Wires the parts of a node to each other, reading back what is on disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use adapter::{Fault, Plumbing, Role, Status};
use base::limits::QUEUE_WORK_MAX;
use base::{Seqno, View};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use ledger::Signer;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::disks::{LEDGER, ReadBack, SNAPSHOTS, open_archive, open_log, read_back};
use super::doors::bind;
use super::inbox::Inbox;
use super::threads::{Ended, thread};
use super::{Adapters, Origin, Prepared, Secrets, Settings};
use crate::executor::{self, Executor};
use crate::genesis::{First, Genesis, ServiceTables};
use crate::history::{self, Keeper};
use crate::hosting::Visible;
use crate::nodes::Nodes;
use crate::ordering::{self, Event, Membership, Orderer};
use crate::peers::{Credentials, Peers};
use crate::publisher::{Publication, Publisher};
use crate::route::Route;
use crate::sealer::{ClosedBatch, Sealer};
use crate::secrets::LedgerSecrets;
use crate::service::Keys;
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
    nodes: watch::Receiver<Arc<Nodes>>,
    ledgers: watch::Receiver<Arc<Vec<Visible>>>,
}

impl Assembly {
    pub(super) fn new(
        settings: &Settings,
        secrets: Secrets,
        credentials: Credentials,
        prepared: Prepared,
        adapters: Adapters,
        stop: &CancellationToken,
        peers_runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, Fault> {
        let own = credentials.key.public().node_id();
        let hosting = Arc::new(prepared.hosting(adapters));
        let Prepared { tables, service } = prepared;
        let genesis = genesis(settings, &secrets, service)?;
        let Secrets { node_key, service_key: service_secret, ledger_secrets, keep, service_certificate, .. } = secrets;
        let ledger_secrets = LedgerSecrets::new(&ledger_secrets, node_key.clone(), service.secrets(), keep)?;
        let ledger_secrets = Arc::new(ledger_secrets);
        let told = Arc::new(settings.origin.nodes()?);
        let service_key = service_certificate.public_key().map_err(Fault::new)?;
        let archive = open_archive(settings, &ledger_secrets, tables, hosting.clone())?;

        let ReadBack { replayed, snapshots, last } = read_back(settings, &archive, &service_key, &ledger_secrets)?;
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

        let inbox = Arc::new(Inbox::default());
        let peers = start_peers(settings.peers, credentials, inbox.clone(), peers_runtime)?;
        let route = Arc::new(Route::new(work_sender, answer_sender, peers.clone())?);
        inbox.open(event_sender.clone(), keep_sender.clone(), route.clone());

        let service_secret = Arc::new(service_secret);
        let signer =
            Signer { service: service_secret.clone(), node: settings.dual_signatures.then(|| node_key.clone()) };
        let at_work = Keys {
            tables: service,
            service_key: service_secret,
            service_certificate,
            secrets: ledger_secrets.clone(),
            archive: archive.clone(),
            node_key: node_key.clone(),
            node_certificate: std::sync::OnceLock::new(),
        };
        let tools = executor::Tools {
            hosting: hosting.clone(),
            secrets: ledger_secrets,
            tables: service,
            genesis,
            route: route.clone(),
            peers: peers.clone(),
            sealer: closed_sender,
            publisher: publication_sender,
            history_on_disk: on_disk.clone(),
        };
        let sealer = Sealer { signer, executor: command_sender.clone(), proposals: proposal_sender };
        let head = replayed.head.clone();
        let executor = Executor::new(tools, replayed)?;

        let role = Role::Backup { primary: None };
        let status = Status {
            id: own,
            role,
            view: View(0),
            committed: head.txid,
            root: head.root(),
            transactions: 0,
            voters: Vec::new(),
            learners: Vec::new(),
        };
        let submit = route.clone();
        let submit = move |submission| submit.submit(submission);
        let plumbing = Arc::new(Plumbing::new(executor.snapshot(), status, Arc::new(at_work), submit));

        plumbing.gives(Arc::new(history::Shelf {
            archive: archive.clone(),
            ledger: settings.dir.join(LEDGER),
            snapshots: settings.dir.join(SNAPSHOTS),
        }));

        let (ledgers, seen_ledgers) = watch::channel(Arc::new(hosting.show(executor.snapshot().state())));
        let (level, _) = watch::channel(None);
        let (nodes, seen_nodes) = watch::channel(told.clone());
        let tools = ordering::Tools {
            driver,
            log: orderer_log,
            peers: peers.clone(),
            plumbing: plumbing.clone(),
            membership: Membership::new(service, own, told, nodes),
            service: service_key,
            executor: command_sender,
            stop: stop.clone(),
            level: level.clone(),
        };
        let orderer = Orderer::new(tools, heads, archive.files.durable());
        let publisher = Publisher {
            plumbing: plumbing.clone(),
            hosting,
            ledgers,
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
            nodes: seen_nodes,
            ledgers: seen_ledgers,
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
        Ok(Running {
            events,
            plumbing: self.plumbing,
            route: self.route,
            level: self.level,
            nodes: self.nodes,
            ledgers: self.ledgers,
            threads,
            snapshots,
        })
    }
}

/// A node whose threads run.
pub(super) struct Running {
    pub(super) events: Sender<Event>,
    pub(super) plumbing: Arc<Plumbing>,
    pub(super) route: Arc<Route>,
    pub(super) level: watch::Sender<Option<Seqno>>,
    pub(super) nodes: watch::Receiver<Arc<Nodes>>,
    pub(super) ledgers: watch::Receiver<Arc<Vec<Visible>>>,
    /// All but the one that takes snapshots.
    pub(super) threads: Vec<JoinHandle<()>>,
    /// If there is such a thread. Dropping this tells it that the others have ended: there is time for a last one then.
    pub(super) snapshots: Option<Sender<()>>,
}

fn genesis(settings: &Settings, secrets: &Secrets, tables: ServiceTables) -> Result<Option<Genesis>, Fault> {
    let Origin::Founded(founders) = &settings.origin else { return Ok(None) };
    let mut nodes = Vec::new();
    for founder in founders {
        nodes.push(First {
            number: founder.number,
            id: founder.id()?,
            certificate: founder.certificate.to_pem(),
            public_key: founder.certificate.public_key().map_err(Fault::new)?.to_pem(),
            peer_address: founder.address.clone(),
            governance: founder.governance.clone(),
        });
    }
    Ok(Some(Genesis { tables, service_certificate: secrets.service_certificate.to_pem(), nodes }))
}

/// Listens for other nodes. Whom it knows, the ordering thread says.
fn start_peers(
    address: SocketAddr,
    credentials: Credentials,
    inbox: Arc<Inbox>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Peers, Fault> {
    runtime.block_on(async {
        let listener = bind(address).await?;
        let handler = Arc::new(move |event| inbox.take(event));
        // Peers end with their runtime.
        Peers::start(credentials, listener, handler, CancellationToken::new()).map_err(Fault::new)
    })
}
