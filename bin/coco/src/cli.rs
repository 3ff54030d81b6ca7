//! What can be typed: every command, its flags, defaults and examples. Nothing but `main` and the settling of a command sees it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::printer::Color;

/// Consortium ledgers at database speed: a development network, its state, its ledgers.
#[derive(Parser)]
#[command(name = "coco", version, propagate_version = true, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done; 1 it failed, or the answer is no; 2 the command line is wrong.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub struct Global {
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: Color,
}

#[derive(Subcommand)]
pub enum Command {
    Up(Up),
    Down(Down),
    Status(Status),
    /// Read and check ledger files, offline
    #[command(subcommand)]
    Ledger(Ledger),
    /// Measure how fast a ledger is
    #[command(subcommand)]
    Bench(Bench),
    /// Become the node that a network's directory describes, in a session of its own
    #[command(hide = true)]
    LaunchNode {
        program: PathBuf,
        dir: PathBuf,
    },
}

/// Start a development network on this machine, or go on with one
///
/// Starts the nodes of the network in DIR that do not run yet, and makes the network first if there is none. The TEE is virtual:
/// whoever can read DIR can read everything, so use it for development only.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco up                                    three nodes, Ethereum on http://127.0.0.1:8545, Ctrl-C stops them
  coco up --nodes 1 --rpc-port 0             the smallest network, on any free port
  coco up --genesis g.json --import c.rlp    another first state, and a chain on top of it
  coco up --detach --ready-file net.json     for scripts: returns when the network serves, and says where")]
pub struct Up {
    /// The network's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-network")]
    pub dir: PathBuf,
    /// How many nodes a new network gets; odd, so that a majority is clear [default: 3]
    #[arg(long, value_name = "N", value_parser = odd)]
    pub nodes: Option<u64>,
    /// Where node 1 serves Ethereum; 0 = any free port [default of a new network: 8545]
    #[arg(long, value_name = "PORT")]
    pub rpc_port: Option<u16>,
    /// First state of a new network's Ethereum ledger, in geth's format [default: chain id 1337, Osaka, ten accounts]
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// A chain to execute once the network serves: RLP blocks, one after another, as geth exports them
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Where to describe the running network as JSON, once it serves and the import is done
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Return when the network serves; the nodes go on, `coco down` stops them
    #[arg(long)]
    pub detach: bool,
    /// How a new network signs its ledger: `dual` adds the node's signature for older verifiers [default: cose]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub signing: Option<Signing>,
    /// Base fee of every block of a new network, in wei [default: 0]
    #[arg(long, value_name = "WEI")]
    pub base_fee: Option<u64>,
    /// Let a new network take blob transactions; the blobs themselves are not kept
    #[arg(long)]
    pub blobs: bool,
}

/// Stop the nodes of a development network
///
/// Returns when they are gone. It is no error if none runs.
#[derive(Args)]
#[command(after_help = "Example:\n  coco down --dir ./coco-network")]
pub struct Down {
    /// The network's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-network")]
    pub dir: PathBuf,
}

/// Show the nodes of a development network: who is primary, what is committed, how fast it goes
///
/// Exits with 1 if the network has no majority that serves under one primary.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  coco status --watch\n  coco status --json | jq '.nodes[] | select(.role == \"primary\")'"
)]
pub struct Status {
    /// The network's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-network")]
    pub dir: PathBuf,
    /// Show it again every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print JSON (one line each time with --watch)
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Ledger {
    Verify(LedgerVerify),
    Show(LedgerShow),
}

/// Check a whole ledger: every digest, every root, every signature
///
/// Needs no node and no key: the ledger brings the service's certificate along. Exits with 1, and says where and why, if
/// anything does not fit.
#[derive(Args)]
#[command(after_help = "Example:\n  coco ledger verify coco-network/node1/ledger")]
pub struct LedgerVerify {
    /// A node's ledger directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The service certificate (PEM) that the ledger must belong to [default: the one it names itself]
    #[arg(long, value_name = "FILE")]
    pub service: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Print the entries of a ledger in a form that people can read
///
/// Private tables are sealed and shown by their size.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  coco ledger show coco-network/node1/ledger --to 10\n  coco ledger show DIR --from 100 --json | jq .txid"
)]
pub struct LedgerShow {
    /// A node's ledger directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The first entry
    #[arg(long, value_name = "SEQNO", default_value_t = 1)]
    pub from: u64,
    /// The last entry [default: the newest]
    #[arg(long, value_name = "SEQNO")]
    pub to: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Bench {
    Ethereum(BenchEthereum),
}

/// Send signed transactions to an Ethereum ledger and time them until their receipts
///
/// Without --dir or --rpc a network of its own is started and taken away afterwards. Measured are plain transfers and token
/// transfers, in batches and in single calls, as fast as they are answered and at half of that speed; the options pick some
/// of these. The load is made on this machine and takes its share of it, which is shown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco bench ethereum                                          everything, about two minutes
  coco bench ethereum --workload transfer --batch 1 --rate 1000
  coco bench ethereum --workload transfer --batch 100 --count 1000000
  coco bench ethereum --rpc http://127.0.0.1:8545 --json       a node that runs already")]
pub struct BenchEthereum {
    /// What the transactions do [default: both, one after the other]
    #[arg(long, value_name = "WHAT")]
    pub workload: Option<Workload>,
    /// Transactions in a request; 1 = single calls [default: 100, then 1]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub batch: Option<usize>,
    /// Connections, each with one request at a time [default: 8 with batches, 128 with single calls]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub connections: Option<usize>,
    /// Transactions a second, due at fixed times [default: as fast as they are answered, then half of that]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long each measurement sends [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: Option<u64>,
    /// How many transactions each measurement sends, instead of how long
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    pub count: Option<usize>,
    /// Seconds of the same load before each measurement that do not count
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub warm_up: u64,
    /// Accounts that send to each other
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=9_000))]
    pub accounts: usize,
    /// Nodes of the network that is started [default: 3]
    #[arg(long, value_name = "N", value_parser = odd, conflicts_with_all = ["dir", "rpc"])]
    pub nodes: Option<u64>,
    /// Measure the network in this directory, which runs
    #[arg(long, value_name = "DIR", conflicts_with = "rpc")]
    pub dir: Option<PathBuf>,
    /// Measure whatever answers at this address, with WebSocket at the same place; what it takes of its machine is not seen
    #[arg(long, value_name = "URL")]
    pub rpc: Option<String>,
    /// The private key of an account that pays for the others [default: the first development account]
    #[arg(long, value_name = "KEY", env = "COCO_BENCH_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Workload {
    Transfer,
    Erc20,
}

impl Workload {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Erc20 => "erc20",
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err("the rate is a number of transactions a second, above 0 and at most 1000000".into()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Signing {
    Cose,
    Dual,
}

/// More nodes than this on one machine show nothing that fewer do not.
const NODES_MAX: u64 = 31;

fn odd(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(n) if n % 2 == 1 && n <= NODES_MAX => Ok(n),
        _ => Err(format!("the number of nodes is odd, from 1 to {NODES_MAX}")),
    }
}
