//! Takes the measurements one after another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use indicatif::ProgressBar;
use load::{Assembly, Ceiling, Endpoint, Measured, Probe, ReadBack, SLICE};

use super::cost::{Cost, Look};
use super::drift::Resident;
use super::ethereum::Ethereum;
use super::governance::{self, Beside};
use super::keyvalue::KeyValue;
use super::place::Place;
use super::plan::{Ledger, Length, Options, Shape, Work};
use super::usage::Memory;
use crate::cli::Load;
use crate::failure::Failure;
use crate::printer::Printer;

/// Blocks that are read again at the end, evenly from the first to the last.
const LOOK_BACK_BLOCKS: usize = 64;
/// Long enough for a figure of two places.
const CEILING: Duration = Duration::from_secs(1);

pub struct Bench<'a> {
    place: &'a Place,
    options: &'a Options,
    printer: &'a Printer,
    seen: BTreeMap<u64, B256>,
    /// Members who are at work beside what is measured.
    assembly: Option<(Beside, Assembly)>,
}

/// Everything that was found out.
pub struct Findings {
    pub rows: Vec<Row>,
    /// Of this machine, if the nodes are on it and clients sign.
    pub ceiling: Option<Ceiling>,
    /// Of ledgers that have blocks.
    pub history: Option<ReadBack>,
}

pub struct Row {
    pub shape: Shape,
    /// Transactions a second that were due.
    pub rate: Option<f64>,
    pub connections: usize,
    pub measured: Measured,
    pub cost: Cost,
    /// At the end of every slice.
    pub memory: Vec<Resident>,
    /// What one recovery took of the CPU then: how fast the machine was. Only if nodes are on it.
    pub recovery: Vec<Duration>,
    /// What members did beside it.
    pub beside: Option<(Beside, Measured)>,
}

/// What is sent to.
enum Subject {
    Ethereum(Ethereum),
    KeyValue(KeyValue),
    Governance(Assembly),
}

/// One run against it.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    pub endpoints: &'a [Endpoint],
    pub shape: Shape,
    pub length: Length,
    pub rate: Option<f64>,
    pub connections: usize,
    pub bar: &'a ProgressBar,
}

impl Subject {
    /// Before the clock starts: what can be done ahead.
    async fn ready(&mut self, sending: &Sending<'_>) -> Result<(), load::Error> {
        match (self, sending.shape.work) {
            (Self::Ethereum(ethereum), Work::Ethereum(workload)) => ethereum.ready(workload, sending).await,
            _ => Ok(()),
        }
    }

    async fn send(&mut self, sending: Sending<'_>) -> Result<Measured, load::Error> {
        match (self, sending.shape.work) {
            (Self::Ethereum(ethereum), Work::Ethereum(workload)) => ethereum.send(workload, sending).await,
            (Self::KeyValue(keyvalue), Work::KeyValue(access)) => keyvalue.send(access, sending).await,
            (Self::Governance(assembly), Work::Governance) => governance::send(assembly, sending).await,
            _ => Err(load::Error::Load("this ledger has no such workload".into())),
        }
    }
}

impl<'a> Bench<'a> {
    pub fn new(place: &'a Place, options: &'a Options, printer: &'a Printer) -> Self {
        Self { place, options, printer, seen: BTreeMap::new(), assembly: None }
    }

    pub async fn run(mut self) -> Result<Findings, Failure> {
        if let Some(beside) = self.options.beside {
            self.assembly = Some((beside, governance::gather(self.place).await?));
        }
        let mut subject = self.prepare().await?;
        let signs = matches!(subject, Subject::Ethereum(_)) && !self.place.nodes.is_empty();
        // Between the preparation and the load: nothing else runs now.
        let ceiling = signs.then(|| Ceiling::measure(CEILING));
        let mut rows: Vec<Row> = Vec::new();
        for &shape in &self.options.shapes {
            let full = rows.iter().rev().find(|row| row.shape.load == Load::Full && !row.shape.governed);
            let rate = match shape.load {
                Load::Full => None,
                Load::Share(share) => full.map(|row| row.measured.per_second() * share),
                Load::Fixed(rate) => Some(rate),
            };
            let row = self.measure(&mut subject, shape, rate).await;
            let row = row.map_err(|e| failed("a measurement ended early", &e))?;
            self.seen.extend(&row.measured.remembered);
            rows.push(row);
        }
        let history = match subject {
            Subject::Ethereum(_) => Some(self.look_back().await.map_err(|e| failed("history is not what it was", &e))?),
            Subject::KeyValue(_) | Subject::Governance(_) => None,
        };
        Ok(Findings { rows, ceiling, history })
    }

    async fn prepare(&self) -> Result<Subject, Failure> {
        let endpoints = &self.place.endpoints;
        let unready = |e| failed("the network could not be made ready", &e);
        Ok(match &self.options.ledger {
            Ledger::Ethereum { accounts, funder, ahead } => {
                self.printer.note(format!("preparing {accounts} accounts at {}", endpoints[0]));
                let ethereum = Ethereum::prepare(endpoints, self.options, (*accounts, *ahead), funder, self.printer);
                Subject::Ethereum(ethereum.await.map_err(unready)?)
            }
            Ledger::KeyValue { keys, value_bytes } => {
                self.printer.note(format!("preparing {keys} keys at {}", endpoints[0]));
                Subject::KeyValue(KeyValue::prepare(endpoints, *keys, *value_bytes).await.map_err(unready)?)
            }
            Ledger::Governance => Subject::Governance(governance::gather(self.place).await?),
        })
    }

    async fn measure(&self, subject: &mut Subject, shape: Shape, rate: Option<f64>) -> Result<Row, load::Error> {
        let connections = self.options.connections(&shape, self.place.nodes.len());
        let beside = self.assembly.as_ref().filter(|_| shape.governed);
        self.printer.note(describe(&shape, rate, connections, beside.map(|(beside, _)| *beside)));
        let hidden = ProgressBar::hidden();
        let endpoints = &self.place.endpoints;
        if !self.options.warm_up.is_zero() {
            let length = Length::Time(self.options.warm_up);
            let warm_up = Sending { endpoints, shape, length, rate, connections, bar: &hidden };
            subject.ready(&warm_up).await?;
            send(subject, warm_up, beside).await?;
        }
        let bar = match shape.length {
            Length::Count(count) => self.printer.bar(count as u64, "{bar:40} {human_pos}/{human_len} {per_sec} {eta}"),
            Length::Time(_) => self.printer.bar(0, "{elapsed:>5} {human_pos} done, {per_sec}"),
        };
        let sending = Sending { endpoints, shape, length: shape.length, rate, connections, bar: &bar };
        subject.ready(&sending).await?;

        // How fast the machine is matters where nodes are on it.
        let probe = (!self.place.nodes.is_empty()).then(|| Arc::new(Probe::new(0)));
        let before = Look::at(self.place);
        bar.reset_elapsed();
        let (mut memory, mut recovery) = (Vec::new(), Vec::new());
        let measured = tokio::select! {
            measured = send(subject, sending, beside) => measured,
            never = self.watch(probe, &mut memory, &mut recovery) => never,
        };
        let cost = before.until(&Look::at(self.place));
        bar.finish_and_clear();
        let (measured, beside) = measured?;
        Ok(Row { shape, rate, connections, measured, cost, memory, recovery, beside })
    }

    /// Looks at the memory of every node, and how fast the machine is, at the end of every slice, for ever.
    async fn watch<T>(&self, probe: Option<Arc<Probe>>, memory: &mut Vec<Resident>, recovery: &mut Vec<Duration>) -> T {
        let mut ticks = tokio::time::interval(SLICE);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let nodes = self.place.nodes.iter();
            memory.push(nodes.filter_map(|node| Some((node.number, Memory::of(node.pid)?.resident_bytes))).collect());
            if let Some(probe) = probe.clone() {
                recovery.extend(tokio::task::spawn_blocking(move || probe.recovery()).await);
            }
        }
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

/// Sends, and lets members be at work beside it.
async fn send(
    subject: &mut Subject,
    sending: Sending<'_>,
    beside: Option<&(Beside, Assembly)>,
) -> Result<(Measured, Option<(Beside, Measured)>), load::Error> {
    let Some((beside, assembly)) = beside else { return Ok((subject.send(sending).await?, None)) };
    let (measured, done) = tokio::try_join!(subject.send(sending), beside.send(assembly, &sending))?;
    Ok((measured, Some((*beside, done))))
}

impl Sending<'_> {
    pub fn pace(&self) -> load::Pace {
        let length = match self.length {
            Length::Time(time) => Some(time),
            Length::Count(_) => None,
        };
        load::Pace { batch: self.shape.batch, rate: self.rate, length }
    }

    /// How many transactions there will be, if that is fixed.
    pub fn total(&self) -> Option<usize> {
        match self.length {
            Length::Count(count) => Some(count),
            Length::Time(_) => None,
        }
    }

    /// At least as many as there will be.
    pub fn expected(&self, per_second_max: f64) -> usize {
        match self.length {
            Length::Count(count) => count,
            Length::Time(time) => (self.rate.unwrap_or(per_second_max) * time.as_secs_f64()).ceil() as usize,
        }
    }
}

fn describe(shape: &Shape, rate: Option<f64>, connections: usize, beside: Option<Beside>) -> String {
    let workload = shape.work.name();
    let calls = if shape.batch == 1 { "single calls".into() } else { format!("batches of {}", shape.batch) };
    let load = rate.map_or_else(|| "as fast as they are answered".into(), |rate| format!("{rate:.0} a second"));
    let time = match shape.length {
        Length::Time(time) if time > Duration::from_secs(60) => format!(", for {} s", time.as_secs()),
        _ => String::new(),
    };
    let beside = match beside {
        Some(beside) => format!(", {} beside it", beside.name()),
        None => String::new(),
    };
    format!("{workload}, {calls} over {connections} connections, {load}{time}{beside}")
}

fn failed(what: &str, error: &load::Error) -> Failure {
    Failure::from_error(what, error)
}
