//! The measurements as a picture: how many, how long, and over a long run whether it stayed so.
//!
//! ```text
//! bars      transactions a second of every measurement
//! curves    for each workload: latency over the share of transactions that took at most so long
//! lines     for each soak: rate, latency and memory over time
//! ```
//!
//! One SVG without scripts or fonts of its own; its colours follow the reader's light or dark mode.

mod axis;
mod bars;
mod chart;
mod svg;

use self::axis::{Axis, Scale};
use self::chart::{Chart, Series};
use self::svg::Svg;
use super::report::{Measurement, Report, Slice};

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
const PANEL_HEIGHT: f64 = 300.0;

pub fn draw(report: &Report) -> String {
    let rows = &report.measurements;
    let mut svg = Svg::new(WIDTH);
    let mut top = MARGIN;
    top += bars::draw(&mut svg, rows, top) + MARGIN;

    let mut charts: Vec<Chart> = workloads(rows).into_iter().map(|workload| latency(workload, rows)).collect();
    for row in rows.iter().filter(|row| row.soak && row.slices.len() > 1) {
        charts.extend(time_lines(row));
    }
    for pair in charts.chunks(2) {
        // One that is alone has the room of two.
        let width = (WIDTH - (pair.len() + 1) as f64 * MARGIN) / pair.len() as f64;
        for (i, chart) in pair.iter().enumerate() {
            chart.draw(&mut svg, MARGIN + i as f64 * (width + MARGIN), top, width, PANEL_HEIGHT);
        }
        top += PANEL_HEIGHT + MARGIN;
    }
    svg.finish(top)
}

/// How a measurement is called where its workload is clear.
fn short_name(row: &Measurement) -> String {
    let calls = if row.batch == 1 { "single calls".into() } else { format!("batches of {}", row.batch) };
    let load = match (row.rate, row.load.as_str()) {
        (None, load) => format!("{load} load"),
        (Some(rate), _) => format!("{rate:.0}/s"),
    };
    match &row.governance {
        Some(governance) => format!("{calls}, {load}, {}", governance.work),
        None => format!("{calls}, {load}"),
    }
}

/// In the order of their measurements, each once.
fn workloads(rows: &[Measurement]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = rows.iter().map(|row| row.workload).collect();
    names.dedup();
    names
}

fn latency(workload: &str, rows: &[Measurement]) -> Chart {
    let rows = rows.iter().filter(|row| row.workload == workload);
    let series: Vec<Series> = rows
        .map(|row| Series {
            name: short_name(row),
            points: row.curve.iter().map(|point| (rarity(point.share), point.ms)).collect(),
        })
        .collect();
    let shares = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
    let names = ["0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999"];
    let ticks = shares.map(rarity).into_iter().zip(names.map(String::from)).collect();
    Chart {
        title: format!("Latency of {workload}"),
        x: Axis {
            title: "transactions that took at most so long (%)".into(),
            scale: Scale::Linear,
            ticks: Some(ticks),
        },
        y: Axis { title: "ms".into(), scale: Scale::Logarithmic, ticks: None },
        series,
    }
}

/// Each further nine of a share is as wide as the one before.
fn rarity(share: f64) -> f64 {
    -(1.0 - share).log10()
}

fn time_lines(row: &Measurement) -> Vec<Chart> {
    let line = |name: &str, value: &dyn Fn(&Slice) -> f64| Series {
        name: name.into(),
        points: row.slices.iter().map(|slice| (slice.second as f64, value(slice))).collect(),
    };
    let chart = |what: &str, unit: &str, scale, series| Chart {
        title: format!("{what}, {} {}", row.workload, short_name(row)),
        x: Axis { title: "seconds".into(), scale: Scale::Linear, ticks: None },
        y: Axis { title: unit.into(), scale, ticks: None },
        series,
    };
    let latencies = vec![
        line("p50", &|slice| slice.p50_ms),
        line("p99", &|slice| slice.p99_ms),
        line("longest", &|slice| slice.max_ms),
        line("longest without a block", &|slice| slice.stall_ms),
    ];
    let rate = vec![line("transactions", &|slice| slice.transactions_per_second)];
    let memory: Vec<Series> = row
        .nodes
        .iter()
        .map(|node| Series {
            name: format!("node {}", node.number),
            points: row
                .slices
                .iter()
                .filter_map(|slice| {
                    Some((slice.second as f64, *slice.resident_bytes.get(&node.number)? as f64 / f64::from(1 << 20)))
                })
                .collect(),
        })
        .collect();
    let mut charts = vec![
        chart("Rate", "transactions a second", Scale::Linear, rate),
        chart("Latency", "ms", Scale::Logarithmic, latencies),
    ];
    if !memory.is_empty() {
        charts.push(chart("Resident memory", "MiB", Scale::Linear, memory));
    }
    let recovery: Vec<_> =
        row.slices.iter().filter_map(|slice| Some((slice.second as f64, slice.recovery_us?))).collect();
    if !recovery.is_empty() {
        let series = vec![Series { name: "one recovery".into(), points: recovery }];
        charts.push(chart("How fast the machine was", "CPU in µs", Scale::Linear, series));
    }
    charts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_nine_is_as_wide_as_the_one_before() {
        let widths = [0.0, 0.9, 0.99, 0.999].map(rarity);
        assert!(widths.iter().enumerate().all(|(i, width)| (width - i as f64).abs() < 1e-9), "{widths:?}");
    }
}
