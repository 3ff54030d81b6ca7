//! Takes the measurements one after another.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use indicatif::ProgressBar;
use load::{Account, Endpoint, Lane, Measured, Pace, ReadBack, Rpc, Sender, Signer, Target, Workload};

use super::place::Place;
use super::plan::{Length, Load, Options, Shape};
use super::usage::{Usage, own_cpu};
use crate::cli;
use crate::failure::Failure;
use crate::printer::Printer;

const DEADLINE: Duration = Duration::from_secs(60);
/// Signed ahead for each second at full load: about twice of what two cores can take.
const PER_SECOND_MAX: f64 = 20_000.0;
/// Signed in one go: a fraction of a second.
const PIECE: usize = 10_000;
/// Blocks that are read again at the end, evenly from the first to the last.
const LOOK_BACK_BLOCKS: usize = 64;
/// The same accounts every time, so that a second run on a network finds them funded.
const PURPOSE: &str = "coco bench";

pub struct Bench<'a> {
    place: &'a Place,
    options: &'a Options,
    printer: &'a Printer,
    seen: BTreeMap<u64, B256>,
}

/// Everything that was found out.
pub struct Findings {
    pub rows: Vec<Row>,
    pub history: ReadBack,
    /// Each node's at the end; empty if the nodes are elsewhere.
    pub usage: Vec<(u64, Usage)>,
}

pub struct Row {
    pub shape: Shape,
    pub rate: Option<f64>,
    pub connections: usize,
    pub measured: Measured,
    /// Over all nodes; `None` if they are elsewhere.
    pub nodes_cpu: Option<Duration>,
    pub client_cpu: Option<Duration>,
    /// What the directory of one node grew by, on average.
    pub disk_bytes: Option<u64>,
    /// Of the node that holds most.
    pub resident_bytes: Option<u64>,
}

/// What all measurements share.
struct Ready {
    rpc: Rpc,
    signer: Signer,
    accounts: Vec<Account>,
    token: Option<Address>,
}

impl<'a> Bench<'a> {
    pub fn new(place: &'a Place, options: &'a Options, printer: &'a Printer) -> Self {
        Self { place, options, printer, seen: BTreeMap::new() }
    }

    pub async fn run(mut self) -> Result<Findings, Failure> {
        let mut ready = self.prepare().await.map_err(|e| failed("the network could not be made ready", &e))?;
        let mut rows: Vec<Row> = Vec::new();
        for &shape in &self.options.shapes {
            let rate = match shape.load {
                Load::Full => None,
                Load::Half => rows.last().map(|row| row.measured.per_second() / 2.0),
                Load::Fixed(rate) => Some(rate),
            };
            let row =
                self.measure(&mut ready, shape, rate).await.map_err(|e| failed("a measurement ended early", &e))?;
            self.seen.extend(&row.measured.blocks);
            rows.push(row);
        }
        let history = self.look_back().await.map_err(|e| failed("history is not what it was", &e))?;
        let numbers = self.place.nodes.iter().map(|node| node.number);
        Ok(Findings { rows, history, usage: numbers.zip(self.place.usage()).collect() })
    }

    fn first(&self) -> &Endpoint {
        &self.place.endpoints[0]
    }

    async fn prepare(&self) -> Result<Ready, load::Error> {
        let mut rpc = Rpc::new(self.first().clone(), DEADLINE);
        let signer = Signer::suited(&mut rpc).await?;
        let accounts = Account::derived(PURPOSE, self.options.accounts);
        self.printer.note(format!("preparing {} accounts at {}", accounts.len(), self.first()));
        let funder = std::slice::from_ref(&self.options.funder);
        let mut senders = load::senders(&mut rpc, funder).await?;
        let mut token = None;
        for funder in &mut senders {
            load::fund(&mut rpc, &signer, funder, &accounts).await?;
            if self.options.shapes.iter().any(|shape| shape.workload == cli::Workload::Erc20) {
                token = Some(load::make_token(&mut rpc, &signer, funder, &accounts).await?);
            }
        }
        Ok(Ready { rpc, signer, accounts, token })
    }

    async fn measure(&self, ready: &mut Ready, shape: Shape, rate: Option<f64>) -> Result<Row, load::Error> {
        let connections = self.options.connections(&shape).min(ready.accounts.len());
        self.printer.note(describe(&shape, rate, connections));
        let warm_up = Length::Time(self.options.warm_up);
        if !self.options.warm_up.is_zero() {
            self.send(ready, shape, rate, connections, warm_up, &ProgressBar::hidden()).await?;
        }
        let bar = match self.options.length {
            Length::Count(count) => self.printer.bar(count as u64, "{bar:40} {human_pos}/{human_len} {per_sec} {eta}"),
            Length::Time(_) => ProgressBar::hidden(),
        };
        let result = self.send(ready, shape, rate, connections, self.options.length, &bar).await;
        bar.finish_and_clear();
        result
    }

    async fn send(
        &self,
        ready: &mut Ready,
        shape: Shape,
        rate: Option<f64>,
        connections: usize,
        length: Length,
        bar: &ProgressBar,
    ) -> Result<Row, load::Error> {
        let workload = match (shape.workload, ready.token) {
            (cli::Workload::Erc20, Some(contract)) => Workload::Token { contract },
            _ => Workload::Transfer,
        };
        let (count, time) = match length {
            Length::Count(count) => (count, None),
            Length::Time(time) => (signed_ahead(rate, time, connections * shape.batch), Some(time)),
        };
        let mut senders: Vec<Sender> = load::senders(&mut ready.rpc, &ready.accounts).await?;
        let round = connections * shape.batch;
        let lanes = sign(workload, &ready.signer, &mut senders, connections, count, round).await;
        let target = Target { submit: self.place.endpoints.clone(), follow: self.first().clone() };
        let pace = Pace { batch: shape.batch, rate, length: time };

        let (before, own_before) = (self.place.usage(), own_cpu());
        let measured = load::run(&target, &lanes, pace, |confirmed| bar.set_position(confirmed)).await?;
        let (after, own_after) = (self.place.usage(), own_cpu());
        Ok(Row {
            shape,
            rate,
            connections: lanes.len(),
            measured,
            nodes_cpu: cpu(&before, &after),
            client_cpu: own_after.zip(own_before).map(|(after, before)| after.saturating_sub(before)),
            disk_bytes: disk(&before, &after),
            resident_bytes: after.iter().map(|usage| usage.resident_bytes).max(),
        })
    }

    /// Reads some blocks again on every node, those of the first seconds first.
    async fn look_back(&self) -> Result<ReadBack, load::Error> {
        let step = self.seen.len().div_ceil(LOOK_BACK_BLOCKS).max(1);
        let some: BTreeMap<u64, B256> = self.seen.iter().step_by(step).map(|(number, hash)| (*number, *hash)).collect();
        let mut found = ReadBack::default();
        for endpoint in &self.place.endpoints {
            found = load::read_back(endpoint, &some).await?;
        }
        Ok(found)
    }
}

/// Signs a piece at a time, whole requests for every connection, so that Ctrl-C is heard in between.
async fn sign(
    workload: Workload,
    signer: &Signer,
    senders: &mut [Sender],
    connections: usize,
    count: usize,
    round: usize,
) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut left = count;
    while left > 0 {
        let piece = PIECE.next_multiple_of(round).min(left);
        let more = load::sign(workload, signer, senders, connections, piece);
        lanes.resize_with(more.len(), Lane::default);
        for (lane, more) in lanes.iter_mut().zip(more) {
            lane.transactions.extend(more.transactions);
        }
        left -= piece;
        tokio::task::yield_now().await;
    }
    lanes
}

/// How many to sign for a measurement that ends by the clock: whole requests for every connection.
fn signed_ahead(rate: Option<f64>, time: Duration, round: usize) -> usize {
    let most = rate.unwrap_or(PER_SECOND_MAX) * time.as_secs_f64();
    (most.ceil() as usize).next_multiple_of(round)
}

/// `None` if there are no nodes to look at, or one of them is gone.
fn cpu(before: &[Usage], after: &[Usage]) -> Option<Duration> {
    let all = !before.is_empty() && before.len() == after.len();
    all.then(|| before.iter().zip(after).map(|(before, after)| after.cpu.saturating_sub(before.cpu)).sum())
}

fn disk(before: &[Usage], after: &[Usage]) -> Option<u64> {
    let grown: Vec<u64> =
        before.iter().zip(after).map(|(before, after)| after.disk_bytes.saturating_sub(before.disk_bytes)).collect();
    grown.iter().sum::<u64>().checked_div(grown.len() as u64)
}

fn describe(shape: &Shape, rate: Option<f64>, connections: usize) -> String {
    let workload = shape.workload.name();
    let calls = if shape.batch == 1 { "single calls".into() } else { format!("batches of {}", shape.batch) };
    let load = rate.map_or_else(|| "as fast as they are answered".into(), |rate| format!("{rate:.0} a second"));
    format!("{workload}, {calls} over {connections} connections, {load}")
}

fn failed(what: &str, error: &load::Error) -> Failure {
    Failure::from_error(what, error)
}
