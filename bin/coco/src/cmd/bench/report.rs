//! What was measured, as a table or as JSON.

use std::time::Duration;

use serde::Serialize;

use super::measure::{Findings, Row};
use super::plan::Load;
use crate::failure::Failure;
use crate::printer::Printer;

/// A row in numbers. Times are in milliseconds, CPU in microseconds for each transaction.
#[derive(Serialize)]
struct Shown {
    workload: &'static str,
    batch: usize,
    connections: usize,
    load: &'static str,
    /// What was asked for, transactions a second.
    rate: Option<f64>,
    transactions: u64,
    failed: u64,
    busy_answers: u64,
    blocks: usize,
    seconds: f64,
    transactions_per_second: f64,
    receipt_ms: Quantiles,
    answer_ms: Quantiles,
    nodes_cpu_us: Option<f64>,
    client_cpu_us: Option<f64>,
    disk_bytes: Option<f64>,
    resident_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Quantiles {
    mean: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Report {
    measurements: Vec<Shown>,
    /// Read again on every node at the end.
    history: History,
    nodes: Vec<NodeUsage>,
}

#[derive(Serialize)]
struct History {
    blocks: u64,
    receipts: u64,
}

#[derive(Serialize)]
struct NodeUsage {
    number: u64,
    resident_bytes: u64,
    peak_bytes: u64,
    disk_bytes: u64,
    cpu_seconds: f64,
}

const LEGEND: &str = "\
TX/S until every receipt was seen; P50, P99, MAX in ms from when a transaction was due to its receipt, ANSWER to the
call's answer (median); CPU in µs for each transaction, over all nodes and in this client; DISK in bytes for each
transaction and node; MEMORY of the largest node.";

pub fn print(findings: &Findings, json: bool, printer: &Printer) -> Result<(), Failure> {
    let report = Report {
        measurements: findings.rows.iter().map(show).collect(),
        history: History { blocks: findings.history.blocks, receipts: findings.history.receipts },
        nodes: findings
            .usage
            .iter()
            .map(|(number, usage)| NodeUsage {
                number: *number,
                resident_bytes: usage.resident_bytes,
                peak_bytes: usage.peak_bytes,
                disk_bytes: usage.disk_bytes,
                cpu_seconds: usage.cpu.as_secs_f64(),
            })
            .collect(),
    };
    if json {
        let text = serde_json::to_string_pretty(&report);
        printer.data(text.map_err(|e| Failure::from_error("cannot write the measurements as JSON", &e))?);
        return Ok(());
    }
    printer.data(table(&report.measurements));
    printer.data("");
    printer.data(LEGEND);
    for node in &report.nodes {
        let [memory, peak, disk] = [node.resident_bytes, node.peak_bytes, node.disk_bytes].map(mebibytes);
        printer.data(format!("node {}: {memory} resident, {peak} at most, {disk} on disk", node.number));
    }
    let History { blocks, receipts } = report.history;
    printer.data(format!(
        "history: {blocks} blocks from the first to the last and their {receipts} receipts read again on every node"
    ));
    Ok(())
}

fn show(row: &Row) -> Shown {
    let measured = &row.measured;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / measured.confirmed.max(1) as f64;
    Shown {
        workload: row.shape.workload.name(),
        batch: row.shape.batch,
        connections: row.connections,
        load: match row.shape.load {
            Load::Full => "full",
            Load::Half => "half",
            Load::Fixed(_) => "fixed",
        },
        rate: row.rate,
        transactions: measured.confirmed,
        failed: measured.failed,
        busy_answers: measured.busy,
        blocks: measured.blocks.len(),
        seconds: measured.elapsed.as_secs_f64(),
        transactions_per_second: measured.per_second(),
        receipt_ms: quantiles(&measured.receipt),
        answer_ms: quantiles(&measured.answer),
        nodes_cpu_us: row.nodes_cpu.map(each),
        client_cpu_us: row.client_cpu.map(each),
        disk_bytes: row.disk_bytes.map(|bytes| bytes as f64 / measured.confirmed.max(1) as f64),
        resident_bytes: row.resident_bytes,
    }
}

fn quantiles(histogram: &load::Histogram) -> Quantiles {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    Quantiles {
        mean: ms(histogram.mean()),
        p50: ms(histogram.quantile(0.5)),
        p99: ms(histogram.quantile(0.99)),
        max: ms(histogram.max()),
    }
}

const COLUMNS: [&str; 15] = [
    "WORKLOAD",
    "BATCH",
    "LOAD",
    "TX",
    "FAILED",
    "TX/BLOCK",
    "TX/S",
    "P50",
    "P99",
    "MAX",
    "ANSWER",
    "NODE CPU",
    "CLIENT CPU",
    "DISK",
    "MEMORY",
];

fn table(rows: &[Shown]) -> String {
    let mut cells = vec![COLUMNS.map(String::from)];
    cells.extend(rows.iter().map(line));
    let widths: [usize; COLUMNS.len()] =
        std::array::from_fn(|i| cells.iter().map(|row| row[i].chars().count()).max().unwrap_or_default());
    let join = |row: &[String; COLUMNS.len()]| {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        padded.collect::<Vec<_>>().join("  ")
    };
    cells.iter().map(join).collect::<Vec<_>>().join("\n")
}

fn line(row: &Shown) -> [String; COLUMNS.len()] {
    let maybe = |number: Option<f64>| number.map_or_else(|| "-".into(), |number| format!("{number:.0}"));
    [
        row.workload.into(),
        row.batch.to_string(),
        row.load.into(),
        row.transactions.to_string(),
        row.failed.to_string(),
        format!("{:.0}", row.transactions as f64 / row.blocks.max(1) as f64),
        format!("{:.0}", row.transactions_per_second),
        format!("{:.1}", row.receipt_ms.p50),
        format!("{:.1}", row.receipt_ms.p99),
        format!("{:.1}", row.receipt_ms.max),
        format!("{:.1}", row.answer_ms.p50),
        maybe(row.nodes_cpu_us),
        maybe(row.client_cpu_us),
        maybe(row.disk_bytes),
        row.resident_bytes.map_or_else(|| "-".into(), mebibytes),
    ]
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}
