//! The network that is measured: found, or made for the purpose and taken away again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use development::{Layout, LedgerKind, Plan};
use load::Endpoint;
use tempfile::TempDir;

use super::plan::Where;
use crate::cmd::up::{Stops, serve};
use crate::failure::Failure;
use crate::network::{self, Client, Node, Program, Started, Status};
use crate::printer::Printer;

const ASK: Duration = Duration::from_secs(1);

pub struct Place {
    /// Where each node serves the ledger that is measured.
    pub endpoints: Vec<Endpoint>,
    /// The members' keys, and where each node serves members; `None` if the nodes are elsewhere.
    pub governance: Option<(Layout, Vec<SocketAddr>)>,
    /// Nodes on this machine, whose use of it can be seen.
    pub nodes: Vec<Watched>,
    own: Option<Own>,
}

/// A node's process and what it keeps.
pub struct Watched {
    pub number: u64,
    pub pid: u32,
    pub dir: PathBuf,
    /// Where it tells about itself.
    pub http: SocketAddr,
}

/// A network that exists only for this command.
struct Own {
    dir: TempDir,
    nodes: Vec<Node>,
    started: Vec<Started>,
}

impl Place {
    /// `kind`: of the ledger that is measured, if one is.
    pub fn find(place: &Where, kind: Option<LedgerKind>, stops: &Stops, printer: &Printer) -> Result<Self, Failure> {
        match place {
            Where::Url(endpoint) => {
                Ok(Self { endpoints: vec![endpoint.clone()], governance: None, nodes: Vec::new(), own: None })
            }
            Where::Dir(dir) => Self::running(dir, kind),
            Where::Temporary { nodes } => Self::make(*nodes, kind, stops, printer),
        }
    }

    fn running(dir: &Path, kind: Option<LedgerKind>) -> Result<Self, Failure> {
        let (_, nodes) = network::open(dir)?;
        let client = Client::new(ASK);
        let running: Vec<(&Node, Status)> =
            nodes.iter().filter_map(|node| Some((node, node.status(&client).ok().filter(|s| s.serving)?))).collect();
        if running.is_empty() {
            return Err(Failure::new(format!("no node of the network in {} serves", dir.display()))
                .hint(format!("`coco up --dir {} --detach` starts them", dir.display())));
        }
        Self::of(dir, &running, kind)
    }

    fn make(nodes: u64, kind: Option<LedgerKind>, stops: &Stops, printer: &Printer) -> Result<Self, Failure> {
        let program = Program::find()?;
        let dir = tempfile::Builder::new().prefix("coco-bench-").tempdir().map_err(|e| {
            Failure::from_error("cannot make a temporary directory", &e).hint("TMPDIR names another place")
        })?;
        let network = development::create(dir.path(), &Plan::new(nodes))?;
        let nodes = network::nodes(dir.path(), &network)?;
        let mut own = Own { dir, nodes, started: Vec::new() };
        let stopped = || stops.asked();
        let made = (own.dir.path(), &network, own.nodes.as_slice());
        match serve(made, &program, &mut own.started, printer, &stopped) {
            Ok(statuses) => {
                let running: Vec<(&Node, Status)> = own.nodes.iter().zip(statuses).collect();
                let place = Self::of(own.dir.path(), &running, kind)?;
                Ok(Self { own: Some(own), ..place })
            }
            Err(failure) => {
                own.keep(printer);
                Err(failure)
            }
        }
    }

    fn of(dir: &Path, nodes: &[(&Node, Status)], kind: Option<LedgerKind>) -> Result<Self, Failure> {
        let door = |(_, status): &(&Node, Status)| kind.map(|kind| Some(Endpoint::from(status.door(kind)?)));
        let endpoints: Option<Vec<Endpoint>> = nodes.iter().filter_map(door).collect();
        let doors = nodes.iter().map(|(node, _)| node.file.governance).collect();
        let watched = |(node, status): &(&Node, Status)| Watched {
            number: node.number,
            pid: status.pid,
            dir: node.layout.dir().to_owned(),
            http: node.file.http,
        };
        Ok(Self {
            endpoints: endpoints.ok_or_else(|| Failure::new("the network hosts no ledger of this kind"))?,
            governance: Some((Layout::new(dir), doors)),
            nodes: nodes.iter().map(watched).collect(),
            own: None,
        })
    }

    /// Stops the network and takes it away, if it was made here. After a failure its directory stays, with the nodes' logs.
    pub fn leave(self, well: bool, stops: &Stops, printer: &Printer) {
        let Some(mut own) = self.own else { return };
        let asked = stops.count();
        network::stop(&own.nodes, printer, || stops.count() > asked);
        for node in &mut own.started {
            // Gone already; only its exit status is still kept for us.
            let _ = node.child.wait();
        }
        if !well {
            own.keep(printer);
        }
    }
}

impl Own {
    fn keep(self, printer: &Printer) {
        let dir = self.dir.keep();
        printer.note(format!("the network's directory is kept, with the logs of its nodes: {}", dir.display()));
    }
}
