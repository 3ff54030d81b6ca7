//! What will be measured, and where.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use load::{Account, Attack, Ballots, Endpoint};

use super::governance::{self, Beside};
use crate::cli::{self, Access, Load, Workload};
use crate::failure::Failure;
use crate::network;

const NODES_DEFAULT: u64 = 3;
const SECONDS_DEFAULT: u64 = 10;
const BATCH_DEFAULT: usize = 100;
/// Below the peak, so that a stall can be made up for.
const SOAK_DEFAULT: Load = Load::Share(0.8);
/// Enough for the next batch to fill up while one is on its way.
const CONNECTIONS_SINGLE: usize = 128;
const CONNECTIONS_BATCHES: usize = 8;

/// Settled.
pub struct Options {
    pub place: Where,
    pub ledger: Ledger,
    pub shapes: Vec<Shape>,
    /// What members do while each measurement is taken a second time.
    pub beside: Option<Beside>,
    pub warm_up: Duration,
    pub connections: Option<usize>,
    /// How long the measurements are that are looked at closely.
    pub soak: Option<Duration>,
    pub watts_per_core: f64,
    pub plot: Option<PathBuf>,
    pub json: bool,
}

/// What is loaded, and with how much of what.
pub enum Ledger {
    /// The funder pays for what the accounts need.
    Ethereum {
        accounts: usize,
        funder: Account,
        /// Transactions that are signed before the clock, at most.
        ahead: usize,
    },
    KeyValue {
        keys: usize,
        value_bytes: usize,
    },
    /// None: members are at work.
    Governance,
}

pub enum Where {
    /// A new network, gone afterwards.
    Temporary {
        nodes: u64,
    },
    Dir(PathBuf),
    Url(Endpoint),
}

/// When a measurement is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    Time(Duration),
    Count(usize),
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shape {
    pub work: Work,
    /// Transactions in a request.
    pub batch: usize,
    pub load: Load,
    pub length: Length,
    /// Whether members are at work beside it.
    pub governed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Ethereum(Workload),
    KeyValue(Access),
    Governance,
}

impl Work {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethereum(Workload::Transfer) => "transfer",
            Self::Ethereum(Workload::Erc20) => "erc20",
            Self::Ethereum(Workload::Swap) => "swap",
            Self::Ethereum(Workload::PurchaseOrder) => "purchase-order",
            Self::Ethereum(Workload::Balance) => "balance",
            Self::Ethereum(Workload::Call) => "call",
            Self::Ethereum(Workload::Logs) => "logs",
            Self::KeyValue(Access::Put) => "put",
            Self::KeyValue(Access::Get) => "get",
            Self::Governance => "governance",
        }
    }
}

/// As it is typed.
impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.pad("full"),
            Self::Share(share) if *share == 0.5 => f.pad("half"),
            Self::Share(share) => f.pad(&format!("{}%", share * 100.0)),
            Self::Fixed(rate) => f.pad(&rate.to_string()),
        }
    }
}

impl Options {
    /// How many, to so many nodes.
    pub fn connections(&self, shape: &Shape, nodes: usize) -> usize {
        let default = match shape {
            Shape { work: Work::Governance, .. } => governance::CONNECTIONS_A_NODE * nodes,
            Shape { batch: 1, .. } => CONNECTIONS_SINGLE,
            Shape { .. } => CONNECTIONS_BATCHES,
        };
        let connections = self.connections.unwrap_or(default);
        match self.ledger {
            // Each has an account of its own at least.
            Ledger::Ethereum { accounts, .. } => connections.min(accounts),
            Ledger::KeyValue { .. } | Ledger::Governance => connections,
        }
    }

    /// Whether any measurement is of this kind.
    pub fn measures(&self, workload: Workload) -> bool {
        self.shapes.iter().any(|shape| shape.work == Work::Ethereum(workload))
    }
}

pub fn settle_ethereum(args: cli::BenchEthereum) -> Result<Options, Failure> {
    let funder = match &args.key {
        Some(key) => Account::parse(key).ok_or_else(|| Failure::new("--key: this is no private key")),
        None => Account::parse(development::ACCOUNTS[0].private_key)
            .ok_or_else(|| Failure::new("the key of the first development account cannot be read")),
    };
    let soak = args.common.soak.is_some();
    let all = [Workload::Transfer, Workload::Erc20, Workload::Swap, Workload::PurchaseOrder];
    let work = named_or(args.workload, if soak { &all[..1] } else { &all }).into_iter().map(Work::Ethereum).collect();
    let batches = named_or(args.batch, if soak { &[BATCH_DEFAULT] } else { &[BATCH_DEFAULT, 1] });
    let ledger = Ledger::Ethereum { accounts: args.accounts, funder: funder?, ahead: args.ahead };
    settle(args.common, args.rpc, ledger, work, &batches, beside(args.beside))
}

pub fn settle_keyvalue(args: cli::BenchKeyvalue) -> Result<Options, Failure> {
    let all = [Access::Put, Access::Get];
    let default = if args.common.soak.is_some() { &all[..1] } else { &all };
    let work = named_or(args.workload, default).into_iter().map(Work::KeyValue).collect();
    let ledger = Ledger::KeyValue { keys: args.keys, value_bytes: args.value_bytes };
    settle(args.common, None, ledger, work, &[1], beside(args.beside))
}

pub fn settle_governance(args: cli::BenchGovernance) -> Result<Options, Failure> {
    settle(args.common, None, Ledger::Governance, vec![Work::Governance], &[1], None)
}

fn beside(args: cli::BenchBeside) -> Option<Beside> {
    let cli::BenchBeside { governance_rate: rate, governance_attack: attack } = args;
    let ballots = match attack {
        Some(cli::Attack::Bounds) => Ballots::Hostile(Attack::Bounds),
        Some(cli::Attack::Strays) => Ballots::Hostile(Attack::Strays),
        None => Ballots::Honest,
    };
    (attack.is_some() || rate.is_some()).then_some(Beside { rate, ballots })
}

fn settle(
    args: cli::BenchCommon,
    url: Option<String>,
    ledger: Ledger,
    work: Vec<Work>,
    batches: &[usize],
    beside: Option<Beside>,
) -> Result<Options, Failure> {
    let place = match (args.dir, url) {
        (Some(dir), _) => Where::Dir(network::absolute(&dir)?),
        (None, Some(url)) => {
            Where::Url(url.parse().map_err(|why: String| Failure::new(format!("--rpc {url}: {why}")))?)
        }
        (None, None) => Where::Temporary { nodes: args.nodes.unwrap_or(NODES_DEFAULT) },
    };
    let length = match (args.count, args.soak) {
        (Some(count), _) => Length::Count(count),
        (None, Some(soak)) => Length::Time(soak),
        (None, None) => Length::Time(Duration::from_secs(args.seconds.unwrap_or(SECONDS_DEFAULT))),
    };
    // Half load is only told apart from full load if the number of transactions is not fixed.
    let default: &[Load] = match length {
        _ if args.soak.is_some() => &[SOAK_DEFAULT],
        Length::Count(_) => &[Load::Full],
        Length::Time(_) => &[Load::Full, Load::Share(0.5)],
    };
    let loads = named_or(args.load, default);
    Ok(Options {
        place,
        ledger,
        shapes: shapes(&work, batches, &loads, length, beside.is_some()),
        beside,
        warm_up: Duration::from_secs(args.warm_up),
        connections: args.connections,
        soak: args.soak,
        watts_per_core: args.watts_per_core,
        plot: args.plot.as_deref().map(network::absolute).transpose()?,
        json: args.json,
    })
}

fn named_or<T: Clone>(named: Vec<T>, default: &[T]) -> Vec<T> {
    if named.is_empty() { default.to_vec() } else { named }
}

/// Each kind of work, each size of a batch, each load; before a share of full load stands full load. Each that was asked for
/// once more, if members are to be at work beside it.
fn shapes(work: &[Work], batches: &[usize], loads: &[Load], length: Length, governed: bool) -> Vec<Shape> {
    let peak_length = match length {
        Length::Time(time) => Length::Time(time.min(Duration::from_secs(SECONDS_DEFAULT))),
        Length::Count(_) => length,
    };
    let mut shapes = Vec::new();
    for &work in work {
        let batches = if matches!(work, Work::Ethereum(workload) if workload.reads()) { &[1] } else { batches };
        for &batch in batches {
            let full = loads.iter().position(|load| *load == Load::Full);
            let share = loads.iter().position(|load| matches!(load, Load::Share(_)));
            if share.is_some_and(|share| full.is_none_or(|full| full > share)) {
                shapes.push(Shape { work, batch, load: Load::Full, length: peak_length, governed: false });
            }
            for &load in loads {
                let alone = Shape { work, batch, load, length, governed: false };
                shapes.push(alone);
                shapes.extend(governed.then_some(Shape { governed, ..alone }));
            }
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn settled(args: &[&str]) -> Options {
        let cli = cli::Cli::try_parse_from([&["coco", "bench"], args].concat()).unwrap_or_else(|e| panic!("{e}"));
        match cli.command {
            cli::Command::Bench(cli::Bench::Ethereum(args)) => settle_ethereum(args).unwrap(),
            cli::Command::Bench(cli::Bench::Keyvalue(args)) => settle_keyvalue(args).unwrap(),
            cli::Command::Bench(cli::Bench::Governance(args)) => settle_governance(args).unwrap(),
            _ => panic!("no benchmark"),
        }
    }

    fn plan(args: &[&str]) -> Vec<String> {
        let beside = |shape: &Shape| if shape.governed { " governed" } else { "" };
        let describe = |shape: &Shape| {
            let Shape { work, batch, load, .. } = shape;
            format!("{} {batch} {load}{}", work.name(), beside(shape))
        };
        settled(args).shapes.iter().map(describe).collect()
    }

    #[test]
    fn everything_is_measured_unless_one_thing_is_named() {
        let all = plan(&["ethereum"]);
        assert_eq!(all.len(), 16);
        assert_eq!(all[..3], ["transfer 100 full", "transfer 100 half", "transfer 1 full"]);
        assert_eq!(plan(&["keyvalue"]), ["put 1 full", "put 1 half", "get 1 full", "get 1 half"]);
        let one = ["ethereum", "--workload", "erc20", "--batch", "1", "--rate", "9"];
        assert_eq!(plan(&one), ["erc20 1 9"]);
        let counted = ["ethereum", "--workload=transfer", "--batch=50", "--count=7"];
        assert_eq!(plan(&counted), ["transfer 50 full"]);
        assert_eq!(plan(&["ethereum", "--workload=logs", "--load=full"]), ["logs 1 full"]);
        let some = ["ethereum", "--workload=swap,purchase-order", "--batch=1", "--load=full,2000"];
        assert_eq!(plan(&some), ["swap 1 full", "swap 1 2000", "purchase-order 1 full", "purchase-order 1 2000"]);
    }

    #[test]
    fn a_share_of_full_load_needs_full_load_before_it() {
        assert_eq!(plan(&["keyvalue", "--workload=put", "--load=80%"]), ["put 1 full", "put 1 80%"]);
        assert_eq!(plan(&["keyvalue", "--workload=put", "--load=full,half"]), ["put 1 full", "put 1 half"]);
        let soak = settled(&["ethereum", "--soak", "10m"]);
        let lengths: Vec<Length> = soak.shapes.iter().map(|shape| shape.length).collect();
        assert_eq!(lengths, [10, 600].map(|seconds| Length::Time(Duration::from_secs(seconds))));
        assert_eq!(plan(&["ethereum", "--soak", "10m"]), ["transfer 100 full", "transfer 100 80%"]);
    }

    #[test]
    fn beside_members_each_measurement_is_taken_twice() {
        let rate = ["keyvalue", "--workload=put", "--load=80%", "--governance-rate=50"];
        assert_eq!(plan(&rate), ["put 1 full", "put 1 80%", "put 1 80% governed"]);
        assert_eq!(settled(&rate).beside, Some(Beside { rate: Some(50.0), ballots: Ballots::Honest }));
        let attack = ["ethereum", "--workload=transfer", "--batch=1", "--load=full", "--governance-attack"];
        assert_eq!(plan(&attack), ["transfer 1 full", "transfer 1 full governed"]);
        let ballots = Ballots::Hostile(Attack::Bounds);
        assert_eq!(settled(&attack).beside, Some(Beside { rate: None, ballots }));
        assert_eq!(plan(&["governance"]), ["governance 1 full", "governance 1 half"]);
        assert_eq!(settled(&["governance"]).beside, None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in [
            &["ethereum", "--load", "0"][..],
            &["ethereum", "--load", "fast"],
            &["ethereum", "--load", "-5%"],
            &["ethereum", "--soak", "10"],
            &["ethereum", "--soak", "10m", "--seconds", "5"],
            &["ethereum", "--rpc", "http://127.0.0.1:1", "--nodes", "3"],
            &["ethereum", "--rpc", "http://127.0.0.1:1", "--dir", "x"],
            &["keyvalue", "--batch", "100"],
            &["keyvalue", "--watts-per-core", "0"],
            &["keyvalue", "--governance-rate", "0"],
            &["keyvalue", "--governance-attack", "--count", "5"],
            &["governance", "--governance-rate", "5"],
        ] {
            assert!(cli::Cli::try_parse_from([&["coco", "bench"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
