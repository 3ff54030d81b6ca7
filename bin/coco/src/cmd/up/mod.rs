//! `coco up`: make a development network or go on with one, import a chain, say where everything is, and stay or leave.
//!
//! ```text
//! lock ── make, or compare with what was made ── start what does not run ── open ledgers by vote ── all serve ── import
//!      ── ready file ── unlock ── leave (--detach), or watch until Ctrl-C or until no node is left
//! ```

mod conflicts;
mod ledgers;
mod serve;
mod summary;
mod watch;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use development::{LedgerKind, Network, Plan, Signing};

pub use self::serve::serve;
pub use self::watch::{Stops, watch};
use crate::failure::Failure;
use crate::governance::Start;
use crate::network::{self, Lock, Program, ReadyFile, Status};
use crate::printer::Printer;
use crate::{cli, import};

const NODES_DEFAULT: u64 = 3;
const RPC_PORT_DEFAULT: u16 = 8545;

/// Settled: paths are absolute, files that decide something are read.
pub struct Options {
    dir: PathBuf,
    nodes: Option<u64>,
    listen: Option<IpAddr>,
    rpc_port: Option<u16>,
    genesis: Option<(PathBuf, Vec<u8>)>,
    import: Option<PathBuf>,
    ready_file: Option<PathBuf>,
    detach: bool,
    signing: Option<Signing>,
    base_fee: Option<u64>,
    blobs: bool,
    bare: bool,
}

pub fn settle(args: cli::Up) -> Result<Options, Failure> {
    let readable = |path: PathBuf| match fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(e) => Err(Failure::file("read", &path, &e)),
    };
    let genesis = args.genesis.map(|path| match fs::read(&path) {
        Ok(bytes) => Ok((path, bytes)),
        Err(e) => Err(Failure::file("read", &path, &e)),
    });
    Ok(Options {
        dir: network::absolute(&args.dir)?,
        nodes: args.nodes,
        listen: args.listen,
        rpc_port: args.rpc_port,
        genesis: genesis.transpose()?,
        import: args.import.map(readable).transpose()?,
        ready_file: args.ready_file.as_deref().map(network::absolute).transpose()?,
        detach: args.detach,
        signing: args.signing.map(|signing| match signing {
            cli::Signing::Cose => Signing::Cose,
            cli::Signing::Dual => Signing::Dual,
        }),
        base_fee: args.base_fee,
        blobs: args.blobs,
        bare: args.bare,
    })
}

pub fn run(options: &Options, printer: &Printer) -> Result<ExitCode, Failure> {
    let program = Program::find()?;
    let lock = Lock::wait(&options.dir, printer)?;
    let stops = Stops::listen()?;
    let network = make_or_check(options, printer)?;
    let nodes = network::nodes(&options.dir, &network)?;

    let mut started = Vec::new();
    let made = (options.dir.as_path(), &network, nodes.as_slice());
    let mut serve = || serve(made, &program, &mut started, printer, &|| stops.asked());
    let mut statuses = serve()?;
    if let Some(file) = &options.import {
        let address = first_ethereum(&statuses)?;
        match import::run(file, address, printer, || stops.asked()) {
            Ok(()) => statuses = serve()?,
            // What was imported is kept; but the network is not what was asked for, so what was started for it ends.
            Err(failure) => {
                network::abandon(&mut started);
                return Err(failure);
            }
        }
    }
    let ready = ReadyFile::new(&options.dir, &network, &nodes, &statuses);
    if let Some(path) = &options.ready_file {
        ready.write(path)?;
    }
    drop(lock);
    summary::print(
        &summary::Facts { options, network: &network, nodes: &nodes, statuses: &statuses, ready: &ready },
        printer,
    );
    if options.detach {
        return Ok(ExitCode::SUCCESS);
    }
    watch(&nodes, started, &stops, printer)
}

fn make_or_check(options: &Options, printer: &Printer) -> Result<Network, Failure> {
    if let Some(network) = Network::read(&options.dir)? {
        conflicts::check(options, &network)?;
        printer.note(format!("going on with the network in {}", options.dir.display()));
        return Ok(network);
    }
    let listen = options.listen.unwrap_or(Ipv4Addr::LOCALHOST.into());
    if development::in_use(SocketAddr::from((listen, 0))) {
        return Err(Failure::new(format!("this machine has no address {listen}"))
            .hint("--listen takes one of this machine's own addresses: `ip address` has them"));
    }
    let plan = Plan {
        nodes: options.nodes.unwrap_or(NODES_DEFAULT),
        listen,
        rpc_port: options.rpc_port.unwrap_or(RPC_PORT_DEFAULT),
        signing: options.signing.unwrap_or_default(),
        genesis: options.genesis.clone(),
        base_fee: options.base_fee.unwrap_or_default(),
        blobs: options.blobs,
        bare: options.bare,
    };
    conflicts::check_port(listen, plan.rpc_port)?;
    if let Some((path, genesis)) = &plan.genesis {
        // Members could not be asked for it.
        Start::ethereum(path, genesis, plan.base_fee, plan.blobs)?;
    }
    printer.note(format!("making a network of {} in {}", count(plan.nodes), options.dir.display()));
    Ok(development::create(&options.dir, &plan)?)
}

fn count(nodes: u64) -> String {
    if nodes == 1 { "one node".into() } else { format!("{nodes} nodes") }
}

fn first_ethereum(statuses: &[Status]) -> Result<SocketAddr, Failure> {
    statuses
        .first()
        .and_then(|status| status.door(LedgerKind::Ethereum))
        .ok_or_else(|| Failure::new("the network hosts no Ethereum ledger, so there is nothing to import a chain into"))
}
