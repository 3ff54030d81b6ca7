//! Runs a node: puts it together, starts its threads, opens its doors, and takes it apart again.
//!
//! | file | what |
//! |---|---|
//! | `settings.rs` | what a node is made from |
//! | `disks.rs` | its ledger file, index and log are opened and read back |
//! | `assemble.rs` | the parts, wired to each other |
//! | `inbox.rs` | where frames from peers go |
//! | `threads.rs` | how threads start and end |
//! | `doors.rs` | what listens, and from when on |
//! | `hosted.rs` | the same for hosted ledgers, which come while the node runs |

mod assemble;
mod disks;
mod doors;
mod hosted;
mod inbox;
mod settings;
mod threads;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use adapter::{Adapter, Fault, Host};
use crossbeam_channel::unbounded;
use kv::{TableError, Tables};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::genesis::ServiceTables;
use crate::hosting::Hosting;
use crate::http::Shown;
use crate::ordering::Event;
use crate::peers::{Credentials, tls};

pub use hosted::Served;
pub use settings::{Founder, Origin, Secrets, Settings};

use assemble::{Assembly, Running};
use doors::{Doors, level_at, open_doors};
use threads::{cause_or, ended_well, first_cause};

/// How long tasks that are still at work are waited for.
const AT_THE_END: Duration = Duration::from_millis(200);
/// What waited too long on the route is let go this often.
const EXPIRE_EVERY: Duration = Duration::from_millis(500);

/// The tables of the framework, registered; governance adds its own, and each hosted ledger when it opens.
pub struct Prepared {
    pub tables: Arc<Tables>,
    service: ServiceTables,
}

/// What the node serves: governance, which is its own, and whatever members open that this program can host.
pub struct Adapters {
    pub governance: Arc<dyn Adapter>,
    pub host: Arc<dyn Host>,
}

impl Prepared {
    /// The adapters on these tables. No ledger is hosted before a row says so.
    #[must_use]
    pub fn hosting(&self, Adapters { governance, host }: Adapters) -> Hosting {
        Hosting::new(governance, host, self.tables.clone(), self.service)
    }
}

/// The first step of composing a node.
pub fn prepare() -> Result<Prepared, TableError> {
    let tables = Tables::new();
    let service = ServiceTables::register(&tables)?;
    Ok(Prepared { tables: Arc::new(tables), service })
}

/// Runs a node, whose directory this process has claimed, until `stop` is cancelled and everything has ended in good order, or until something failed that it
/// must not go on with.
pub fn run(
    settings: &Settings,
    secrets: Secrets,
    prepared: Prepared,
    adapters: Adapters,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let metrics = PrometheusBuilder::new().install_recorder().map_err(Fault::new)?;
    let (serve, peers_runtime) = (runtime("listeners", listeners())?, runtime("peers", 1)?);
    let credentials = Credentials { certificate: secrets.node_certificate.clone(), key: secrets.node_key.clone() };
    let tls = TlsAcceptor::from(Arc::new(tls::public(&credentials).map_err(Fault::new)?));
    let governance = adapters.governance.clone();
    let node = Assembly::new(settings, secrets, credentials, prepared, adapters, stop, &peers_runtime)?;
    let (ended, ends) = unbounded();
    let Running { events, plumbing, route, level, nodes, ledgers, threads, snapshots } = node.start(&ended)?;

    let serving = Arc::new(AtomicBool::new(false));
    let listeners = CancellationToken::new();
    let (served, seen) = watch::channel(Arc::default());
    let node = plumbing.node.clone();
    let shown = Shown { node, number: settings.number, nodes, ledgers: seen, serving: serving.clone(), metrics };
    let leveled = level_at(plumbing.node.watch(), level.subscribe());
    let doors = Doors {
        http: settings.http,
        governance: settings.governance,
        named: settings.ledgers.clone(),
        tls,
        node: plumbing.node.clone(),
        served,
        stop: listeners.clone(),
    };
    let doors = serve.spawn(open_doors(doors, shown, governance, ledgers, leveled, serving));

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
                    let said = match opened {
                        Ok(Ok(())) => Fault::new("every listener ended by itself"),
                        Ok(Err(fault)) => fault,
                        Err(error) => Fault::new(error),
                    };
                    return Err(cause_or(said, &ends));
                }
            }
        }
    });
    let doors = match outcome {
        Ok(doors) => doors,
        Err(fault) => {
            // What still runs is told to end, and what hangs is not waited for.
            let _ = events.send(Event::Stop);
            peers_runtime.shutdown_timeout(AT_THE_END);
            serve.shutdown_timeout(AT_THE_END);
            return Err(fault);
        }
    };
    tracing::info!("stopping: requests under way are finished first");
    listeners.cancel();
    if let Some(doors) = doors {
        let _ = serve.block_on(doors);
    }
    let _ = events.send(Event::Stop);
    ended_well(threads.len(), &ends)?;
    if let Some(ledger_complete) = snapshots {
        drop(ledger_complete);
        ended_well(1, &ends)?;
    }
    peers_runtime.shutdown_timeout(AT_THE_END);
    serve.shutdown_timeout(AT_THE_END);
    tracing::info!("stopped");
    Ok(())
}

/// How many threads read, admit and answer single calls: half of the cores, so that the road has the other half at any load.
/// Batches, and calls that take long, are worked on by threads of their own, on all cores.
fn listeners() -> usize {
    available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

fn runtime(name: &str, threads: usize) -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(Fault::new)
}
