//! Findings in numbers, as they are printed, drawn and written as JSON. `docs/formats/bench.md` describes the JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use load::{Ceiling, Histogram, Measured, SLICE};
use serde::Serialize;

use super::drift::Drift;
use super::governance::Beside;
use super::measure::{Findings, Row};
use super::plan::{Length, Options, Shape};
use crate::failure::Failure;

/// Changes only in that members are added.
const FORMAT: u32 = 2;

#[derive(Serialize)]
pub struct Report {
    format: u32,
    pub measurements: Vec<Measurement>,
    /// What signatures alone allow; null for a ledger whose clients sign nothing, and for nodes elsewhere.
    pub recovery: Option<Recovery>,
    /// Read again on every node at the end; of ledgers that have blocks.
    pub history: Option<History>,
    pub watts_per_core: f64,
}

/// How many senders this machine recovers from signatures if it does nothing else.
#[derive(Serialize)]
pub struct Recovery {
    pub cores: usize,
    pub per_second: f64,
}

/// Times are in milliseconds, CPU in microseconds for each transaction, bytes for each transaction.
#[derive(Serialize)]
pub struct Measurement {
    pub workload: &'static str,
    pub batch: usize,
    pub connections: usize,
    pub load: String,
    pub rate: Option<f64>,
    pub transactions: u64,
    pub failed: u64,
    pub busy_answers: u64,
    pub blocks: Option<u64>,
    pub seconds: f64,
    pub transactions_per_second: f64,
    /// What part that is of the recoveries; null where these are, and of reads.
    pub recovery_share: Option<f64>,
    pub answer_ms: Quantiles,
    pub receipt_ms: Quantiles,
    pub everywhere_ms: Option<Quantiles>,
    /// Of the last that there is: everywhere, else receipt.
    pub curve: Vec<Point>,
    pub longest_stall_ms: f64,
    pub client: Client,
    pub nodes_cpu_us: Option<f64>,
    pub peer_bytes: Option<f64>,
    pub disk_bytes: Option<f64>,
    pub disk_parts: Option<BTreeMap<String, f64>>,
    pub resident_bytes: Option<u64>,
    /// Modelled from CPU time; not measured.
    pub modelled_energy_mj: Option<f64>,
    pub nodes: Vec<Node>,
    pub slices: Vec<Slice>,
    pub drift: Option<DriftShown>,
    /// Whether this is what `--soak` asked for.
    pub soak: bool,
    /// What members did beside it; null for a measurement of its workload alone.
    pub governance: Option<Governance>,
}

/// Members at work, and what that did to the measurement beside it.
#[derive(Serialize)]
pub struct Governance {
    /// `governance`, or the attack.
    pub work: &'static str,
    pub rate: Option<f64>,
    pub requests: u64,
    pub failed: u64,
    pub busy_answers: u64,
    pub requests_per_second: f64,
    pub answer_ms: Quantiles,
    /// The measurement with members at work over the same without them.
    pub ratio: Option<Ratio>,
}

#[derive(Clone, Copy, Serialize)]
pub struct Ratio {
    pub transactions_per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

#[derive(Serialize)]
pub struct Quantiles {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// `share` of all transactions took at most `ms`.
#[derive(Clone, Copy, Serialize)]
pub struct Point {
    pub share: f64,
    pub ms: f64,
}

#[derive(Serialize)]
pub struct Client {
    pub cpu_us: Option<f64>,
    pub peak_bytes: Option<u64>,
    pub sent_bytes: f64,
    pub received_bytes: f64,
    /// How late calls were made that were due; with a rate only.
    pub lateness_ms: Option<Quantiles>,
    /// Calls that had to wait for their signature.
    pub unsigned_calls: u64,
}

#[derive(Serialize)]
pub struct Node {
    pub number: u64,
    pub cpu_us: f64,
    pub resident_bytes: u64,
    pub peak_bytes: u64,
    pub disk_parts: BTreeMap<String, f64>,
    pub peer_sent_bytes: Option<f64>,
    pub peer_received_bytes: Option<f64>,
}

#[derive(Serialize)]
pub struct Slice {
    /// Where it ends.
    pub second: u64,
    pub transactions_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub stall_ms: f64,
    pub resident_bytes: BTreeMap<u64, u64>,
    pub recovery_us: Option<f64>,
}

#[derive(Serialize)]
pub struct DriftShown {
    pub latency: bool,
    pub memory: bool,
    pub p50_ms: [f64; 2],
    pub p99_ms: [f64; 2],
    pub resident_bytes: Option<[f64; 2]>,
}

#[derive(Serialize)]
pub struct History {
    pub blocks: u64,
    pub receipts: u64,
}

impl Report {
    pub fn of(findings: &Findings, options: &Options) -> Self {
        let rows = &findings.rows;
        let measurements = rows.iter().map(|row| {
            let alone =
                rows.iter().find(|other| row.shape == Shape { governed: true, ..other.shape } && !other.shape.governed);
            let governance = row.beside.as_ref().map(|beside| governed(beside, alone.map(|alone| ratio(row, alone))));
            Measurement { governance, ..measurement(row, findings.ceiling, options) }
        });
        Self {
            format: FORMAT,
            measurements: measurements.collect(),
            recovery: findings.ceiling.map(|Ceiling { cores, per_second }| Recovery { cores, per_second }),
            history: findings.history.map(|found| History { blocks: found.blocks, receipts: found.receipts }),
            watts_per_core: options.watts_per_core,
        }
    }

    pub fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(|e| Failure::from_error("cannot write the measurements as JSON", &e))
    }
}

impl Measurement {
    /// The latency that counts: on every node, where that is seen.
    pub fn latency(&self) -> &Quantiles {
        self.everywhere_ms.as_ref().unwrap_or(&self.receipt_ms)
    }
}

fn measurement(row: &Row, ceiling: Option<Ceiling>, options: &Options) -> Measurement {
    let Row { shape, rate, connections, measured, cost, memory, recovery, beside: _ } = row;
    let count = measured.confirmed.max(1) as f64;
    let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count;
    let disk_parts = cost.disk().map(|parts| parts.into_iter().map(|(part, bytes)| (part, bytes / count)).collect());
    // What shrinks makes room for nothing else.
    let grown = |parts: &BTreeMap<String, f64>| parts.values().map(|bytes| bytes.max(0.0)).sum();
    let disk_bytes = disk_parts.as_ref().map(grown);
    let nodes = cost.nodes.iter().map(|node| Node {
        number: node.number,
        cpu_us: micros(node.cpu),
        resident_bytes: node.resident_bytes,
        peak_bytes: node.peak_bytes,
        disk_parts: node.disk.iter().map(|(part, bytes)| (part.clone(), *bytes as f64 / count)).collect(),
        peer_sent_bytes: node.peer_sent.map(|bytes| bytes as f64 / count),
        peer_received_bytes: node.peer_received.map(|bytes| bytes as f64 / count),
    });
    let seconds = measured.elapsed.as_secs_f64();
    let width = SLICE.as_secs_f64();
    let slices = measured.slices.iter().enumerate().map(|(i, slice)| Slice {
        second: (i as u64 + 1) * SLICE.as_secs(),
        // The last one is not whole.
        transactions_per_second: slice.transactions as f64 / (seconds - i as f64 * width).clamp(1e-3, width),
        p50_ms: ms(slice.p50),
        p99_ms: ms(slice.p99),
        max_ms: ms(slice.max),
        stall_ms: ms(slice.stall),
        resident_bytes: memory.get(i).into_iter().flatten().copied().collect(),
        recovery_us: recovery.get(i).map(|time| time.as_secs_f64() * 1e6),
    });
    Measurement {
        workload: shape.work.name(),
        batch: shape.batch,
        connections: *connections,
        load: shape.load.to_string(),
        rate: *rate,
        transactions: measured.confirmed,
        failed: measured.failed,
        busy_answers: measured.busy,
        blocks: (measured.blocks > 0).then_some(measured.blocks),
        seconds,
        transactions_per_second: measured.per_second(),
        recovery_share: ceiling
            .filter(|_| measured.blocks > 0)
            .map(|ceiling| measured.per_second() / ceiling.per_second),
        answer_ms: Quantiles::of(&measured.answer),
        receipt_ms: Quantiles::of(&measured.receipt),
        everywhere_ms: (measured.everywhere.count() > 0).then(|| Quantiles::of(&measured.everywhere)),
        curve: curve(last(measured)),
        longest_stall_ms: ms(measured.stall),
        client: Client {
            cpu_us: cost.client_cpu.map(micros),
            peak_bytes: cost.client_peak_bytes,
            sent_bytes: measured.wire.sent as f64 / count,
            received_bytes: measured.wire.received as f64 / count,
            lateness_ms: (measured.lateness.count() > 0).then(|| Quantiles::of(&measured.lateness)),
            unsigned_calls: measured.unsigned,
        },
        nodes_cpu_us: cost.nodes_cpu().map(micros),
        peer_bytes: cost.peer_bytes().map(|bytes| bytes as f64 / count),
        disk_bytes,
        disk_parts,
        resident_bytes: cost.resident_bytes(),
        modelled_energy_mj: cost.nodes_cpu().map(|cpu| cpu.as_secs_f64() * options.watts_per_core * 1e3 / count),
        nodes: nodes.collect(),
        slices: slices.collect(),
        drift: Drift::of(&measured.slices, memory).map(|drift| DriftShown {
            latency: drift.latency_drifted(),
            memory: drift.memory_drifted(),
            p50_ms: drift.p50.map(ms),
            p99_ms: drift.p99.map(ms),
            resident_bytes: drift.resident_bytes,
        }),
        soak: options.soak.is_some_and(|soak| shape.length == Length::Time(soak)),
        governance: None,
    }
}

/// The latency that counts.
fn last(measured: &Measured) -> &Histogram {
    if measured.everywhere.count() > 0 { &measured.everywhere } else { &measured.receipt }
}

fn governed((beside, done): &(Beside, Measured), ratio: Option<Ratio>) -> Governance {
    Governance {
        work: beside.name(),
        rate: beside.rate,
        requests: done.confirmed,
        failed: done.failed,
        busy_answers: done.busy,
        requests_per_second: done.per_second(),
        answer_ms: Quantiles::of(&done.answer),
        ratio,
    }
}

fn ratio(row: &Row, alone: &Row) -> Ratio {
    let over = |value: &dyn Fn(&Measured) -> f64| value(&row.measured) / value(&alone.measured).max(1e-9);
    Ratio {
        transactions_per_second: over(&Measured::per_second),
        p50: over(&|measured| ms(last(measured).quantile(0.5))),
        p99: over(&|measured| ms(last(measured).quantile(0.99))),
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Self {
        Self {
            mean: ms(histogram.mean()),
            p50: ms(histogram.quantile(0.5)),
            p90: ms(histogram.quantile(0.9)),
            p99: ms(histogram.quantile(0.99)),
            p999: ms(histogram.quantile(0.999)),
            max: ms(histogram.max()),
        }
    }
}

/// As many points as the number of transactions supports: half, nine of ten, 99 of 100 and so on, with steps in between.
fn curve(histogram: &Histogram) -> Vec<Point> {
    const STEPS: u32 = 8;
    let mut points = vec![Point { share: 0.0, ms: ms(histogram.quantile(0.0)) }];
    for i in 1.. {
        let left = 10_f64.powf(-f64::from(i) / f64::from(STEPS));
        if left * (histogram.count() as f64) < 1.0 {
            break;
        }
        points.push(Point { share: 1.0 - left, ms: ms(histogram.quantile(1.0 - left)) });
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_there_are_no_more_transactions() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|i| histogram.record(Duration::from_millis(i)));
        let points = curve(&histogram);
        assert!(points.windows(2).all(|pair| pair[0].share < pair[1].share && pair[0].ms <= pair[1].ms));
        let last = points.last().unwrap();
        assert!((last.share - 0.999).abs() < 1e-6 && last.ms > 990.0, "{} {}", last.share, last.ms);
        assert_eq!(curve(&Histogram::default()).len(), 1);
    }
}
