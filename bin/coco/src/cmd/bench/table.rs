//! A report for people: two tables, the time line of a long measurement, and what does not fit in a table.

use super::report::{Governance, Measurement, Recovery, Report};
use crate::printer::{Printer, Tone};

const SPEED: &str = "\
TX/S until every receipt was seen on every node. Milliseconds from when a transaction was due: ANSWER to the call's answer
(median), RECEIPT until its receipt was on the node that was asked (median), P50 to MAX until it was on every node.";
const COST: &str = "\
For each transaction: CPU in µs of all nodes together and of this client; WIRE bytes between client and node, PEERS bytes
that nodes send to each other, DISK bytes that each node's directory grew by (average). MEMORY of the largest node.
ENERGY in mJ of all nodes, modelled from CPU time";

const BESIDE: &str = "\
What members did beside a measurement: REQ/S signed requests, ANSWER median and ANSWER 99 until they were answered (ms). And the
measurement with them over the same without them: its rate, its median and its 99th percentile. 1 is no harm.";

pub fn print(report: &Report, printer: &Printer) {
    let rows = &report.measurements;
    printer.data(table(&SPEED_COLUMNS, rows.iter().map(speed)));
    printer.data(format!("\n{SPEED}\n"));
    recovery(report, printer);
    printer.data(table(&COST_COLUMNS, rows.iter().map(cost)));
    printer.data(format!("\n{COST} at {} W for a busy core; it is not measured.\n", report.watts_per_core));
    if rows.iter().any(|row| row.governance.is_some()) {
        let governed = rows.iter().filter_map(|row| row.governance.as_ref().map(|governance| beside(row, governance)));
        printer.data(table(&BESIDE_COLUMNS, governed));
        printer.data(format!("\n{BESIDE}\n"));
    }
    for row in rows {
        disk(row, printer);
    }
    if let Some(last) = rows.last() {
        for node in &last.nodes {
            let [memory, peak] = [node.resident_bytes, node.peak_bytes].map(mebibytes);
            let cpu = node.cpu_us;
            printer.data(format!("node {}: {cpu:.0} µs a transaction, {memory} resident, {peak} at most", node.number));
        }
    }
    if let Some(peak) = rows.last().and_then(|row| row.client.peak_bytes) {
        printer.data(format!("this client: {} at most", mebibytes(peak)));
    }
    if let Some(history) = &report.history {
        let (blocks, receipts) = (history.blocks, history.receipts);
        printer.data(format!("history: {blocks} blocks and their {receipts} receipts read again on every node"));
    }
    for row in rows {
        doubts(row, printer);
        if row.soak {
            soak(row, printer);
        }
    }
}

const SPEED_COLUMNS: [&str; 14] = [
    "WORKLOAD", "BATCH", "LOAD", "TX", "FAILED", "TX/BLOCK", "TX/S", "ANSWER", "RECEIPT", "P50", "P90", "P99", "P99.9",
    "MAX",
];

fn speed(row: &Measurement) -> Vec<String> {
    let latency = row.latency();
    let mut cells = named(row);
    cells.extend([
        row.transactions.to_string(),
        row.failed.to_string(),
        row.blocks.map_or_else(none, |blocks| format!("{:.0}", row.transactions as f64 / blocks as f64)),
        format!("{:.0}", row.transactions_per_second),
    ]);
    let times =
        [row.answer_ms.p50, row.receipt_ms.p50, latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
    cells.extend(times.map(|ms| format!("{ms:.1}")));
    cells
}

const COST_COLUMNS: [&str; 10] =
    ["WORKLOAD", "BATCH", "LOAD", "NODE CPU", "CLIENT CPU", "WIRE", "PEERS", "DISK", "MEMORY", "ENERGY"];

fn cost(row: &Measurement) -> Vec<String> {
    let maybe = |number: Option<f64>| number.map_or_else(none, |number| format!("{number:.0}"));
    let mut cells = named(row);
    cells.extend([
        maybe(row.nodes_cpu_us),
        maybe(row.client.cpu_us),
        maybe(Some(row.client.sent_bytes + row.client.received_bytes)),
        maybe(row.peer_bytes),
        maybe(row.disk_bytes),
        row.resident_bytes.map_or_else(none, mebibytes),
        row.modelled_energy_mj.map_or_else(none, |mj| format!("{mj:.2}")),
    ]);
    cells
}

const BESIDE_COLUMNS: [&str; 11] = [
    "WORKLOAD",
    "BATCH",
    "LOAD",
    "REQ/S",
    "FAILED",
    "BUSY",
    "ANSWER",
    "ANSWER 99",
    "TX/S RATIO",
    "P50 RATIO",
    "P99 RATIO",
];

fn beside(row: &Measurement, governance: &Governance) -> Vec<String> {
    let mut cells = named(row);
    cells.extend([
        format!("{:.1}", governance.requests_per_second),
        governance.failed.to_string(),
        governance.busy_answers.to_string(),
        format!("{:.1}", governance.answer_ms.p50),
        format!("{:.1}", governance.answer_ms.p99),
    ]);
    let ratios = governance.ratio.map(|ratio| [ratio.transactions_per_second, ratio.p50, ratio.p99]);
    cells.extend(ratios.map_or([(); 3].map(|()| none()), |ratios| ratios.map(|ratio| format!("{ratio:.2}"))));
    cells
}

fn named(row: &Measurement) -> Vec<String> {
    vec![row.workload.into(), row.batch.to_string(), load(row)]
}

/// As it was asked for, and what went on beside it.
fn load(row: &Measurement) -> String {
    match &row.governance {
        Some(Governance { work, .. }) => format!("{}, {work}", row.load),
        None => row.load.clone(),
    }
}

fn none() -> String {
    "-".into()
}

fn disk(row: &Measurement, printer: &Printer) {
    let Some(parts) = row.disk_parts.as_ref().filter(|parts| !parts.is_empty()) else { return };
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, bytes)| bytes.abs() >= 0.5)
        .map(|(part, bytes)| format!("{part} {bytes:.0}"))
        .collect();
    printer.data(format!("disk, {} {} {}: {}", row.workload, row.batch, load(row), parts.join(", ")));
}

/// Rates as parts of what signatures alone allow, so that they mean the same on another machine.
fn recovery(report: &Report, printer: &Printer) {
    let Some(Recovery { cores, per_second }) = &report.recovery else { return };
    let rows = report.measurements.iter().filter(|row| row.rate.is_none());
    let shares = rows.filter_map(|row| Some(format!("{} {}: {:.2}", row.workload, row.batch, row.recovery_share?)));
    let shares = shares.collect::<Vec<_>>().join(", ");
    if !shares.is_empty() {
        printer.data(format!(
            "This machine recovers {per_second:.0} senders a second from signatures on {cores} cores if it does nothing else.\nThe rates are of that: {shares}\n"
        ));
    }
}

/// What makes a figure worth less.
fn doubts(row: &Measurement, printer: &Printer) {
    let name = format!("{} {} {}", row.workload, row.batch, load(row));
    if let Some(governance) = row.governance.as_ref().filter(|governance| governance.failed > 0) {
        let Governance { failed, requests, .. } = governance;
        printer.warning(format!("{name}: {failed} of {requests} requests of members failed"));
    }
    if row.failed > 0 {
        printer.warning(format!("{name}: {} of {} transactions failed", row.failed, row.transactions));
    }
    if row.busy_answers > 0 {
        printer.note(format!("{name}: the nodes were too busy for {} calls, which were made again", row.busy_answers));
    }
    if row.client.unsigned_calls > 0 {
        let calls = row.client.unsigned_calls;
        printer.warning(format!("{name}: {calls} calls had to wait for this client's signature; it limits the load"));
    }
    const LATE_MS: f64 = 5.0;
    if let Some(lateness) = row.client.lateness_ms.as_ref().filter(|lateness| lateness.p99 > LATE_MS) {
        let late = lateness.p99;
        printer
            .warning(format!("{name}: this client made calls up to {late:.0} ms late (p99), which latency includes"));
    }
}

fn soak(row: &Measurement, printer: &Printer) {
    let nodes: Vec<u64> = row.nodes.iter().map(|node| node.number).collect();
    let mut columns = ["SECOND", "TX/S", "P50", "P99", "MAX", "STALL"].map(String::from).to_vec();
    columns.extend(nodes.iter().map(|number| format!("MEMORY {number}")));
    columns.push("RECOVERY".into());
    let line = |slice: &super::report::Slice| {
        let mut cells = vec![slice.second.to_string(), format!("{:.0}", slice.transactions_per_second)];
        cells.extend([slice.p50_ms, slice.p99_ms, slice.max_ms, slice.stall_ms].map(|ms| format!("{ms:.1}")));
        cells.extend(nodes.iter().map(|number| slice.resident_bytes.get(number).copied().map_or_else(none, mebibytes)));
        cells.push(slice.recovery_us.map_or_else(none, |us| format!("{us:.1}")));
        cells
    };
    let beside = if row.governance.is_some() { ", members at work" } else { "" };
    let rate = row.rate.unwrap_or_default();
    printer.data(format!("\n{}, batch {}, {rate:.0} a second{beside}:\n", row.workload, row.batch));
    printer.data(table(&columns.iter().map(String::as_str).collect::<Vec<_>>(), row.slices.iter().map(line)));
    printer.data(format!(
        "\nlongest time without a committed block while work was waiting: {:.0} ms",
        row.longest_stall_ms
    ));
    printer.data("RECOVERY: µs of CPU to recover one sender, the same work all along; more means that the machine was slower then");
    let Some(drift) = &row.drift else {
        printer.data("too short to say whether anything drifted: that takes 35 seconds");
        return;
    };
    let word = |drifted: bool| match drifted {
        true => printer.paint(Tone::Bad, "drifted"),
        false => printer.paint(Tone::Good, "did not drift"),
    };
    let [[p50, p50_last], [p99, p99_last]] = [drift.p50_ms, drift.p99_ms];
    printer.data(format!(
        "latency {}: first third p50 {p50:.1} p99 {p99:.1} ms, last third p50 {p50_last:.1} p99 {p99_last:.1} ms",
        word(drift.latency)
    ));
    if let Some([first, last]) = drift.resident_bytes.map(|ends| ends.map(|bytes| mebibytes(bytes as u64))) {
        printer.data(format!("memory {}: first third {first}, last third {last}", word(drift.memory)));
    }
}

/// Columns stand right; the first is a name.
fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|column| (*column).to_owned()).collect()];
    cells.extend(rows);
    let width = |i: usize| cells.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|i| width(i).unwrap_or_default()).collect();
    let join = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ")
    };
    cells.iter().map(join).collect::<Vec<_>>().join("\n")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".into(), "12345".into()], vec!["name".into(), "6".into()]];
        assert_eq!(table(&["N", "TX"], rows.into_iter()), "N        TX\na     12345\nname      6");
    }
}
