//! `coco node join`: makes a node on this machine, starts it, and shows how it comes into its network.
//!
//! ```text
//! lock ── make, or go on with what was made ── start ── unlock ── asking ── pending ── trusted ── catching up ── voting
//!      ── ready file ── leave (--detach), or watch until Ctrl-C
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use development::{EndorsementServices, JoinFile, Layout, Newcomer, NodeLayout, Origin, newcomer};

use super::follow::{Ended, follow};
use super::stages::Stages;
use crate::cli;
use crate::cmd::up::{Stops, watch};
use crate::failure::Failure;
use crate::network::{self, Client, Lock, Node, Program, ReadyFile, Started};
use crate::printer::Printer;

/// What a node serves, it answers at once.
const ASK: Duration = Duration::from_secs(1);

/// Settled: paths are absolute, files that decide something are read.
pub struct Options {
    dir: PathBuf,
    network: Vec<String>,
    /// PEM.
    service_certificate: Option<String>,
    listen: Option<cli::Listen>,
    published: Option<String>,
    constitution: Option<String>,
    data: Option<String>,
    endorsements: EndorsementServices,
    detach: bool,
    ready_file: Option<PathBuf>,
    json: bool,
}

pub fn settle(args: cli::NodeJoin) -> Result<Options, Failure> {
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => match crypto::Certificate::from_pem(&text) {
            Ok(_) => Ok(text),
            Err(e) => Err(Failure::from_error(format!("{} is no service's certificate", path.display()), &e)),
        },
        Err(e) => Err(Failure::file("read", path, &e)),
    };
    Ok(Options {
        dir: network::absolute(&args.dir)?,
        service_certificate: args.service_certificate.as_ref().map(read).transpose()?,
        network: args.network,
        listen: args.listen,
        published: args.published,
        constitution: args.constitution,
        data: args.data,
        endorsements: EndorsementServices { pccs: args.pccs, kds: args.kds },
        detach: args.detach,
        ready_file: args.ready_file.as_deref().map(network::absolute).transpose()?,
        json: args.json,
    })
}

pub fn run(options: &Options, printer: &Printer) -> Result<ExitCode, Failure> {
    let program = Program::find()?;
    let stops = Stops::listen()?;
    let lock = Lock::wait(&options.dir, printer)?;
    let node = make_or_check(options, printer)?;
    let mut started: Vec<Started> = match node.process() {
        Some(_) => Vec::new(),
        None => vec![network::start(&node, &program)?],
    };
    // Members may take days: others must be able to stop the node meanwhile.
    drop(lock);

    let mut stages = Stages::new(&node, options.json, printer);
    // Whoever wants the ready file waits for it.
    let leaves = options.detach && options.ready_file.is_none();
    let reached = match follow(&node, started.first_mut(), &mut stages, leaves, &stops) {
        Ok(reached) => reached,
        Err(failure) => {
            network::abandon(&mut started);
            return Err(failure);
        }
    };
    match reached {
        Ended::Left => Ok(ExitCode::SUCCESS),
        Ended::Stopped => {
            network::abandon(&mut started);
            printer.note("stopped; the same command goes on from here");
            Ok(ExitCode::SUCCESS)
        }
        Ended::Votes(node, status) => {
            let ready = ReadyFile::joined(&node, &status, &Client::new(ASK));
            if let Some(path) = &options.ready_file {
                ready.write(path)?;
            }
            stages.summary(&node, &status, options.detach);
            if options.detach {
                return Ok(ExitCode::SUCCESS);
            }
            started.iter_mut().for_each(|started| started.number = node.number);
            watch(&[*node], started, &stops, printer)
        }
    }
}

fn make_or_check(options: &Options, printer: &Printer) -> Result<Node, Failure> {
    let dir = &options.dir;
    if let Some(node) = Node::joiner(NodeLayout::new(dir))? {
        check(options, &node)?;
        printer.note(format!("going on with the node in {}", dir.display()));
        return Ok(node);
    }
    make_room(dir)?;
    let (false, Some(service_certificate)) = (options.network.is_empty(), &options.service_certificate) else {
        return Err(Failure::new(format!("there is no node in {} yet: which network shall it join?", dir.display()))
            .hint("coco node join --network https://host:port --service-certificate FILE; whoever runs a node of the network has both"));
    };
    let listen = options.listen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |listen| listen.address);
    if development::in_use(SocketAddr::from((listen, 0))) {
        return Err(Failure::new(format!("this machine has no address {listen}"))
            .hint("--listen takes one of this machine's own addresses; --published says what others reach it by"));
    }
    let new = Newcomer {
        network: options.network.clone(),
        service_certificate: service_certificate.clone(),
        listen,
        governance_port: options.listen.and_then(|listen| listen.port),
        published: options.published.clone(),
        constitution: options.constitution.clone(),
        node_data: options.data.clone(),
        endorsements: options.endorsements.clone(),
    };
    printer.note(format!("making a node in {}", dir.display()));
    newcomer(dir, &new)?;
    let made = Node::joiner(NodeLayout::new(dir))?;
    made.ok_or_else(|| Failure::new(format!("{} holds no node after one was made", dir.display())))
}

/// A node does not change because of a flag.
fn check(options: &Options, node: &Node) -> Result<(), Failure> {
    let Origin::Joiner(told) = &node.file.origin else { return Ok(()) };
    let JoinFile { network, service_certificate: _, constitution, node_data, published } = told;
    let certificate = Layout::new(&options.dir).service_certificate();
    let service = fs::read_to_string(&certificate).map_err(|e| Failure::file("read", &certificate, &e))?;
    let listen = options.listen.is_some_and(|asked| {
        asked.address != node.file.governance.ip() || asked.port.is_some_and(|port| port != node.file.governance.port())
    });
    let other = |asked: &Option<String>, made: &Option<String>| asked.is_some() && asked != made;
    let conflicts = [
        ("--network", !options.network.is_empty() && options.network != *network),
        ("--service-certificate", options.service_certificate.as_ref().is_some_and(|asked| *asked != service)),
        ("--listen", listen),
        ("--published", other(&options.published, published)),
        ("--constitution", other(&options.constitution, constitution)),
        ("--data", other(&options.data, node_data)),
        ("--pccs", other(&options.endorsements.pccs, &node.file.endorsements.pccs)),
        ("--kds", other(&options.endorsements.kds, &node.file.endorsements.kds)),
    ];
    match conflicts.iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((flag, _)) => {
            Err(Failure::new(format!("the node in {} was made with another {flag}", options.dir.display())).hint(
                format!(
                    "leave {flag} out to go on with it, change its node.toml, or make another node with another --dir"
                ),
            ))
        }
    }
}

/// The directory may be missing or empty, or hold what an interrupted making left.
fn make_room(dir: &Path) -> Result<(), Failure> {
    let layout = Layout::new(dir);
    let known = [layout.lock(), layout.service_certificate()];
    for entry in fs::read_dir(dir).map_err(|e| Failure::file("read", dir, &e))? {
        let path = entry.map_err(|e| Failure::file("read", dir, &e))?.path();
        let unfinished = path.extension().is_some_and(|extension| extension == "new");
        if !known.contains(&path) && !unfinished {
            return Err(Failure::new(format!("{} holds other files, and no node that joins", dir.display()))
                .hint("choose an empty or a new directory with --dir"));
        }
    }
    Ok(())
}
