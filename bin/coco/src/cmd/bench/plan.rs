//! What will be measured, and where.

use std::path::PathBuf;
use std::time::Duration;

use load::{Account, Endpoint};

use crate::failure::Failure;
use crate::{cli, network};

const NODES_DEFAULT: u64 = 3;
const SECONDS_DEFAULT: u64 = 10;
const BATCH_DEFAULT: usize = 100;
/// Enough for the next batch to fill up while one is on its way.
const CONNECTIONS_SINGLE: usize = 128;
const CONNECTIONS_BATCHES: usize = 8;

/// Settled.
pub struct Options {
    pub place: Where,
    pub shapes: Vec<Shape>,
    pub length: Length,
    pub warm_up: Duration,
    pub accounts: usize,
    pub connections: Option<usize>,
    /// Who pays for what the accounts need.
    pub funder: Account,
    pub json: bool,
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
    pub workload: cli::Workload,
    /// Transactions in a request.
    pub batch: usize,
    pub load: Load,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Load {
    /// The next call follows the answer to the last.
    Full,
    /// Half of what the measurement before it reached, at a fixed rate.
    Half,
    /// Transactions a second.
    Fixed(f64),
}

impl Options {
    pub fn connections(&self, shape: &Shape) -> usize {
        let default = if shape.batch == 1 { CONNECTIONS_SINGLE } else { CONNECTIONS_BATCHES };
        self.connections.unwrap_or(default)
    }
}

pub fn settle(args: cli::BenchEthereum) -> Result<Options, Failure> {
    let place = match (args.dir, args.rpc) {
        (Some(dir), _) => Where::Dir(network::absolute(&dir)?),
        (None, Some(url)) => {
            Where::Url(url.parse().map_err(|why: String| Failure::new(format!("--rpc {url}: {why}")))?)
        }
        (None, None) => Where::Temporary { nodes: args.nodes.unwrap_or(NODES_DEFAULT) },
    };
    let funder = match &args.key {
        Some(key) => Account::parse(key).ok_or_else(|| Failure::new("--key: this is no private key")),
        None => Account::parse(development::ACCOUNTS[0].private_key)
            .ok_or_else(|| Failure::new("the key of the first development account cannot be read")),
    };
    Ok(Options {
        place,
        shapes: shapes(args.workload, args.batch, args.rate, args.count.is_some()),
        length: match args.count {
            Some(count) => Length::Count(count),
            None => Length::Time(Duration::from_secs(args.seconds.unwrap_or(SECONDS_DEFAULT))),
        },
        warm_up: Duration::from_secs(args.warm_up),
        accounts: args.accounts,
        connections: args.connections,
        funder: funder?,
        json: args.json,
    })
}

/// What was named, and all of what was not. Half load is only told apart from full load if neither rate nor count is fixed.
fn shapes(workload: Option<cli::Workload>, batch: Option<usize>, rate: Option<f64>, counted: bool) -> Vec<Shape> {
    let workloads = workload.map_or_else(|| vec![cli::Workload::Transfer, cli::Workload::Erc20], |one| vec![one]);
    let batches = batch.map_or_else(|| vec![BATCH_DEFAULT, 1], |one| vec![one]);
    let loads = match rate {
        Some(rate) => vec![Load::Fixed(rate)],
        None if counted => vec![Load::Full],
        None => vec![Load::Full, Load::Half],
    };
    let mut shapes = Vec::new();
    for workload in workloads {
        for &batch in &batches {
            shapes.extend(loads.iter().map(|&load| Shape { workload, batch, load }));
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Workload;

    #[test]
    fn everything_is_measured_unless_one_thing_is_named() {
        let all = shapes(None, None, None, false);
        assert_eq!(all.len(), 8);
        assert_eq!(all[1], Shape { workload: Workload::Transfer, batch: BATCH_DEFAULT, load: Load::Half });
        let one = shapes(Some(Workload::Erc20), Some(1), Some(9.0), false);
        assert_eq!(one, [Shape { workload: Workload::Erc20, batch: 1, load: Load::Fixed(9.0) }]);
        let counted = shapes(Some(Workload::Transfer), Some(50), None, true);
        assert_eq!(counted, [Shape { workload: Workload::Transfer, batch: 50, load: Load::Full }]);
    }
}
