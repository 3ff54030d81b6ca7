//! What can be typed: every command, its flags, defaults and examples. Nothing but `main` and the settling of a command sees it.

mod attest;
mod bench;
mod governance;
mod ledger;
mod node;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::attest::{Attest, AttestVerify};
pub use self::bench::{Attack, BenchBeside, BenchGovernance};
pub use self::governance::{At, Constitution, Governance, Member, Proposal, Request, Signer};
pub use self::ledger::{ANYWHERE, Ledger, LedgerChange, LedgerKind, LedgerOpen};
pub use self::node::{Listen, Node, NodeJoin};
use crate::printer::Color;

/// Consortium ledgers at database speed: a development network, its state, its ledgers, its members.
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
    /// The nodes of a network, and this machine's way into one
    #[command(subcommand)]
    Node(Node),
    /// Who governs a network
    #[command(subcommand)]
    Member(Member),
    /// Changes of a network that members vote on
    #[command(subcommand)]
    Proposal(Proposal),
    /// Requests whose signature is made somewhere else: prepared with --prepare, signed where the key is, sent from here
    #[command(subcommand)]
    Request(Request),
    /// The script that decides what members may do, and when they agree
    #[command(subcommand)]
    Constitution(Constitution),
    /// How a network came to be as it is
    #[command(subcommand)]
    Governance(Governance),
    /// Evidence of trusted execution environments, offline
    #[command(subcommand)]
    Attest(Attest),
    /// Hosted ledgers, and their files
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
/// Starts the nodes of the network in DIR that do not run yet, and makes the network first if there is none: its three members sign
/// the state, and vote for an Ethereum ledger and a key-value ledger. The TEE is virtual: whoever can read DIR can read everything,
/// so use it for development only.
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
    /// The address of this machine that every door of a new network is on, for nodes and clients elsewhere. Hosted ledgers have
    /// NO TLS YET: on another address than 127.0.0.1, whoever is on the way reads and changes what their clients say
    /// [default: 127.0.0.1]
    #[arg(long, value_name = "IP", value_parser = address)]
    pub listen: Option<IpAddr>,
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
    /// Let a new network begin without a ledger and without a vote: its members sign the state and open ledgers themselves
    #[arg(long, conflicts_with_all = ["genesis", "import", "base_fee", "blobs"])]
    pub bare: bool,
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
pub enum Bench {
    Ethereum(BenchEthereum),
    Keyvalue(BenchKeyvalue),
    Governance(BenchGovernance),
}

/// Send signed transactions to an Ethereum ledger and time them until their receipts are on every node
///
/// Without --dir or --rpc a network of its own is started and taken away afterwards. Latency counts from when a transaction
/// was due, so a pause of the ledger is not left out. The load is made on this machine and takes its share of it, which is shown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco bench ethereum                                          everything, about five minutes
  coco bench ethereum --workload swap,erc20 --batch 1 --load full,80%,2000
  coco bench ethereum --workload transfer --batch 100 --count 1000000 --accounts 100000
  coco bench ethereum --workload balance,call,logs             reads, of every node in turns
  coco bench ethereum --soak 10m --plot soak.svg               ten minutes at 80 % of the peak: does it drift, does it stall?
  coco bench ethereum --workload transfer --load half --governance-rate 50    does it harm that members vote?
  coco bench ethereum --rpc http://127.0.0.1:8545 --json       a node that runs already; docs/formats/bench.md explains the JSON")]
pub struct BenchEthereum {
    /// What the transactions do, or what is read [default: all transactions, one after the other; with --soak: transfer]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub workload: Vec<Workload>,
    /// Transactions in a request; 1 = single calls [default: 100, then 1; with --soak: 100]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub batch: Vec<usize>,
    /// Accounts that send to each other
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=2_000_000))]
    pub accounts: usize,
    /// Transactions that are signed and held before the clock starts, 270 bytes each; what a longer run needs more is signed
    /// while it is measured, and takes CPU from the nodes
    #[arg(long, value_name = "N", default_value_t = load::AHEAD, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=20_000_000))]
    pub ahead: usize,
    /// Measure whatever answers at this address, with WebSocket at the same place; what it takes of its machine is not seen
    #[arg(long, value_name = "URL", conflicts_with_all = ["dir", "nodes"])]
    pub rpc: Option<String>,
    /// The private key of an account that pays for the others [default: the first development account]
    #[arg(long, value_name = "KEY", env = "COCO_BENCH_KEY", hide_env_values = true)]
    pub key: Option<String>,
    #[command(flatten)]
    pub beside: BenchBeside,
    #[command(flatten)]
    pub common: BenchCommon,
}

/// Put values into a key-value ledger and read them, over its REST interface
///
/// A put is answered once it is committed and visible on the node that was asked. The interface has no batches and announces
/// nothing, so there are single calls only, and when a put is visible on the other nodes is not measured.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco bench keyvalue                                          puts, then gets
  coco bench keyvalue --workload put --value-bytes 1000 --load 5000")]
pub struct BenchKeyvalue {
    /// What the calls do [default: put, then get; with --soak: put]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub workload: Vec<Access>,
    /// Different keys
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    pub keys: usize,
    /// Bytes in each value
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    pub value_bytes: usize,
    #[command(flatten)]
    pub beside: BenchBeside,
    #[command(flatten)]
    pub common: BenchCommon,
}

/// What every benchmark can be told.
#[derive(Args)]
pub struct BenchCommon {
    /// How fast: full (as fast as calls are answered), half, N (a second, due at fixed times), N% of full; full is measured first if it is
    /// needed [default: full, then half; with --soak: 80%]
    #[arg(long, visible_alias = "rate", value_name = "LOAD", value_delimiter = ',', value_parser = load)]
    pub load: Vec<Load>,
    /// Connections, each with one request at a time [default: 8 with batches, 128 with single calls]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub connections: Option<usize>,
    /// How long each measurement sends [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// How many transactions each measurement sends, instead of how long
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000_000))]
    pub count: Option<usize>,
    /// Send for so long (90s, 10m, 2h), show every five seconds of it, and say whether latency or memory drifted
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["seconds", "count"])]
    pub soak: Option<Duration>,
    /// Seconds of the same load before each measurement that do not count
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub warm_up: u64,
    /// Nodes of the network that is started [default: 3]
    #[arg(long, value_name = "N", value_parser = odd, conflicts_with = "dir")]
    pub nodes: Option<u64>,
    /// Measure the network in this directory, which runs
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// What a core that is busy takes, for the energy that is modelled from CPU time; nothing is measured
    #[arg(long, value_name = "WATTS", default_value_t = 6.0, value_parser = positive)]
    pub watts_per_core: f64,
    /// Draw the measurements into this file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Workload {
    Transfer,
    Erc20,
    Swap,
    PurchaseOrder,
    /// Read: eth_getBalance
    Balance,
    /// Read: eth_call of a token's balanceOf
    Call,
    /// Read: eth_getLogs, the tokens that an account ever got
    Logs,
}

impl Workload {
    /// Nothing is written: single calls, and no receipts.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Balance | Self::Call | Self::Logs)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Access {
    Put,
    Get,
}

/// How fast to send.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Load {
    /// The next call follows the answer to the last.
    Full,
    /// This share of what full load reached, at a fixed rate.
    Share(f64),
    /// Transactions a second.
    Fixed(f64),
}

fn load(text: &str) -> Result<Load, String> {
    let number = |text: &str| text.parse().ok().filter(|n| (0.0..=1e6).contains(n) && *n > 0.0);
    let load = match (text, text.strip_suffix('%')) {
        ("full", _) => Some(Load::Full),
        ("half", _) => Some(Load::Share(0.5)),
        (_, Some(percent)) => number(percent).filter(|percent| *percent <= 1_000.0).map(|n| Load::Share(n / 100.0)),
        _ => number(text).map(Load::Fixed),
    };
    load.ok_or_else(|| {
        "full, half, a number of transactions a second (above 0, at most 1000000), or a percentage".into()
    })
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => 0,
    };
    let time = number.parse().ok().and_then(|n: u64| n.checked_mul(seconds)).filter(|n| (1..=604_800).contains(n));
    time.map(Duration::from_secs).ok_or_else(|| "a time is like 90s, 10m or 2h, and at most a week".into())
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| *n > 0.0 && n.is_finite()).ok_or_else(|| "a number above zero".into())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Signing {
    Cose,
    Dual,
}

/// Others are told it.
fn address(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => {
            Err("it is the address that others are told: one of this machine's own".into())
        }
        Ok(address) => Ok(address),
        Err(_) => Err("an address is like 10.0.0.1 or fd00::1".into()),
    }
}

/// More nodes than this on one machine show nothing that fewer do not.
const NODES_MAX: u64 = 31;

fn odd(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(n) if n % 2 == 1 && n <= NODES_MAX => Ok(n),
        _ => Err(format!("the number of nodes is odd, from 1 to {NODES_MAX}")),
    }
}
