//! Every benchmark, tiny, on a real network of one node. Needs `coco-node` beside `coco` (`cargo build --release -p coco-node`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The measurements of a benchmark; `None`, loudly, if there is no node's program.
fn bench(args: &[&str]) -> Option<Value> {
    let coco = Path::new(env!("CARGO_BIN_EXE_coco"));
    if std::env::var_os("COCO_NODE").is_none() && !coco.with_file_name("coco-node").is_file() {
        eprintln!("SKIPPED: coco-node is not beside {}; build it first", coco.display());
        return None;
    }
    let tiny = ["--nodes=1", "--warm-up=0", "--connections=4", "--json"];
    let output = Command::new(coco).arg("bench").args(args).args(tiny).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What members did, and how the measurement beside it compares with the one alone.
fn members(row: &Value, work: &str) {
    let governance = &row["governance"];
    assert_eq!(governance["work"], work, "{row:#}");
    assert!(governance["requests"].as_u64().unwrap() > 0, "{row:#}");
    assert!(governance["answer_ms"]["p99"].as_f64().unwrap() > 0.0, "{row:#}");
    for what in ["transactions_per_second", "p50", "p99"] {
        assert!(governance["ratio"][what].as_f64().unwrap() > 0.0, "{row:#}");
    }
}

/// Each was measured, and every transaction did what it was meant to.
fn check(report: &Value, names: &[(&str, u64, &str)]) {
    let rows = report["measurements"].as_array().unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row["workload"].as_str().unwrap(), row["batch"].as_u64().unwrap(), row["load"].as_str().unwrap()))
        .collect();
    assert_eq!(found, names);
    for row in rows {
        assert!(row["transactions"].as_u64().unwrap() > 0, "{row:#}");
        assert_eq!(row["failed"], 0, "{row:#}");
        assert!(row["receipt_ms"]["p50"].as_f64().unwrap() > 0.0, "{row:#}");
        assert!(row["client"]["sent_bytes"].as_f64().unwrap() > 50.0, "{row:#}");
        assert!(row["disk_parts"].is_object() && row["nodes"][0]["number"] == 1, "{row:#}");
        assert!(!row["slices"].as_array().unwrap().is_empty(), "{row:#}");
    }
}

#[test]
fn every_workload_of_ethereum_succeeds_in_batches_and_in_single_calls() {
    let dir = tempfile::tempdir().unwrap();
    let plot = dir.path().join("plot.svg");
    let args = ["ethereum", "--batch=20,1", "--accounts=50", "--seconds=1", "--load=full,200"];
    let Some(report) = bench(&[&args[..], &["--plot", plot.to_str().unwrap()]].concat()) else { return };
    let all = ["transfer", "erc20", "swap", "purchase-order"].into_iter().flat_map(|workload| {
        [(workload, 20, "full"), (workload, 20, "200"), (workload, 1, "full"), (workload, 1, "200")]
    });
    check(&report, &all.collect::<Vec<_>>());
    assert!(report["history"]["blocks"].as_u64().unwrap() > 0);
    assert!(report["recovery"]["per_second"].as_f64().unwrap() > 0.0);
    for row in report["measurements"].as_array().unwrap() {
        assert!(row["everywhere_ms"]["max"].as_f64().unwrap() > 0.0, "{row:#}");
        let share = row["recovery_share"].as_f64().unwrap();
        assert!(share > 0.0 && share < 1.0, "{row:#}");
    }
    let drawn = std::fs::read_to_string(plot).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("Latency of purchase-order"), "{drawn}");
}

#[test]
fn every_account_is_found_by_every_read() {
    let args = ["ethereum", "--workload=balance,call,logs", "--accounts=50", "--seconds=1", "--load=full,200"];
    let Some(report) = bench(&args) else { return };
    let all =
        ["balance", "call", "logs"].into_iter().flat_map(|workload| [(workload, 1, "full"), (workload, 1, "200")]);
    check(&report, &all.collect::<Vec<_>>());
    for row in report["measurements"].as_array().unwrap() {
        assert!(row["everywhere_ms"].is_null() && row["blocks"].is_null(), "{row:#}");
    }
}

#[test]
fn a_counted_load_sends_as_many_as_it_says() {
    let args = ["ethereum", "--workload=purchase-order", "--batch=7", "--accounts=9", "--count=100"];
    let Some(report) = bench(&args) else { return };
    check(&report, &[("purchase-order", 7, "full")]);
    assert_eq!(report["measurements"][0]["transactions"], 100);
}

#[test]
fn keys_are_put_and_read() {
    let args = ["keyvalue", "--keys=100", "--seconds=1", "--load=full,200"];
    let Some(report) = bench(&args) else { return };
    check(&report, &[("put", 1, "full"), ("put", 1, "200"), ("get", 1, "full"), ("get", 1, "200")]);
    assert!(report["measurements"][0]["everywhere_ms"].is_null() && report["history"].is_null());
    assert!(report["recovery"].is_null());
}

#[test]
fn members_govern() {
    let Some(report) = bench(&["governance", "--seconds=2", "--load=full,20"]) else { return };
    check(&report, &[("governance", 1, "full"), ("governance", 1, "20")]);
    assert!(report["history"].is_null() && report["recovery"].is_null());
    assert!(report["measurements"][0]["governance"].is_null());
}

#[test]
fn members_govern_beside_a_ledger_that_is_measured() {
    let args = ["keyvalue", "--workload=put", "--keys=100", "--seconds=2", "--load=200", "--governance-rate=20"];
    let Some(report) = bench(&args) else { return };
    check(&report, &[("put", 1, "200"), ("put", 1, "200")]);
    let rows = report["measurements"].as_array().unwrap();
    assert!(rows[0]["governance"].is_null());
    members(&rows[1], "governance");
    assert_eq!(rows[1]["governance"]["failed"], 0, "{:#}", rows[1]);
}

#[test]
fn a_ledger_is_measured_while_members_attack() {
    let args = ["keyvalue", "--workload=put", "--keys=100", "--seconds=1", "--load=50", "--governance-attack"];
    let Some(report) = bench(&args) else { return };
    check(&report, &[("put", 1, "50"), ("put", 1, "50")]);
    members(&report["measurements"][1], "attack");
}
