//! `coco status`: the nodes of a network, once or again and again.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use development::{LedgerKind, Origin};
use serde::Serialize;

use crate::failure::Failure;
use crate::network::{self, Client, Node, Role, Status};
use crate::printer::{Printer, Tone};

const ASK: Duration = Duration::from_secs(1);
/// Between the two looks that give the first speed.
const GLANCE: Duration = Duration::from_millis(400);
const WATCH: Duration = Duration::from_secs(1);

/// What is shown of a network.
#[derive(Serialize)]
struct Shown {
    /// Whether a majority serves under one primary.
    serving: bool,
    primary: Option<u64>,
    transactions_per_second: Option<f64>,
    nodes: Vec<ShownNode>,
}

#[derive(Serialize)]
struct ShownNode {
    number: u64,
    id: String,
    running: bool,
    /// It is on its way into its network.
    joining: bool,
    http: SocketAddr,
    ethereum: Option<SocketAddr>,
    /// Nothing if it does not answer.
    #[serde(flatten)]
    status: Option<Status>,
    transactions_per_second: Option<f64>,
}

/// What the nodes said, and when.
struct Look {
    at: Instant,
    statuses: Vec<Option<Status>>,
}

impl Look {
    fn take(nodes: &[Node], client: &Client) -> Self {
        let statuses = nodes.iter().map(|node| node.status(client).ok()).collect();
        Self { at: Instant::now(), statuses }
    }
}

pub fn run(dir: &Path, watch: bool, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let (_, nodes) = network::open(dir)?;
    let client = Client::new(ASK);
    let mut before = Look::take(&nodes, &client);
    thread::sleep(GLANCE);
    loop {
        let now = Look::take(&nodes, &client);
        let shown = compare(&nodes, &before, &now);
        print(&shown, json, watch, printer)?;
        if !watch {
            return Ok(if shown.serving { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        before = now;
        thread::sleep(WATCH);
    }
}

fn compare(nodes: &[Node], before: &Look, now: &Look) -> Shown {
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let speed = |i: usize| {
        let (before, now) = (before.statuses[i].as_ref()?, now.statuses[i].as_ref()?);
        // A process that was started in between counts from zero.
        let before = before.transactions.filter(|_| before.pid == now.pid)?;
        Some(now.transactions?.saturating_sub(before) as f64 / seconds)
    };
    let shown: Vec<ShownNode> = nodes
        .iter()
        .enumerate()
        .map(|(i, node)| ShownNode {
            number: node.number,
            id: node.id.clone(),
            running: node.process().is_some() || now.statuses[i].is_some(),
            joining: node.is_joining(),
            http: node.file.http,
            ethereum: now.statuses[i].as_ref().and_then(|status| status.door(LedgerKind::Ethereum)),
            status: now.statuses[i].clone(),
            transactions_per_second: speed(i),
        })
        .collect();
    let serving = |node: &&ShownNode| node.status.as_ref().is_some_and(|status| status.serving);
    let primary = shown
        .iter()
        .filter(|node| node.status.as_ref().is_some_and(|status| status.role == Role::Primary))
        // An old primary may not have heard yet that there is a new one.
        .max_by_key(|node| node.status.as_ref().map(|status| status.view))
        .map(|node| node.number);
    // One that joined a network elsewhere knows it from there.
    let elsewhere = || shown.iter().find_map(|node| node.status.as_ref().filter(|status| status.serving)?.primary);
    let joined = nodes.iter().any(|node| matches!(node.file.origin, Origin::Joiner(_)));
    let primary = primary.or_else(|| elsewhere().filter(|_| joined));
    Shown {
        serving: primary.is_some() && 2 * shown.iter().filter(serving).count() > shown.len(),
        primary,
        transactions_per_second: shown.iter().filter_map(|node| node.transactions_per_second).reduce(f64::max),
        nodes: shown,
    }
}

fn print(shown: &Shown, json: bool, again: bool, printer: &Printer) -> Result<(), Failure> {
    if json {
        let written = if again { serde_json::to_string(shown) } else { serde_json::to_string_pretty(shown) };
        printer.data(written.map_err(|e| Failure::from_error("cannot write the status as JSON", &e))?);
        return Ok(());
    }
    if again {
        printer.next_screen();
    }
    printer.data(table(shown));
    let speed = shown.transactions_per_second.map(|speed| format!(", {speed:.0} tx/s")).unwrap_or_default();
    printer.data(match (shown.serving, shown.primary) {
        (true, Some(primary)) => {
            let word = printer.paint(Tone::Good, "serving");
            format!("{word}, node {primary} is primary{speed}")
        }
        _ => {
            let up = shown.nodes.iter().filter(|node| node.running).count();
            let word = printer.paint(Tone::Bad, "not serving");
            format!("{word}: {up} of {} nodes run", shown.nodes.len())
        }
    });
    Ok(())
}

const COLUMNS: [(&str, Align); 10] = [
    ("NODE", Align::Right),
    ("ID", Align::Left),
    ("ROLE", Align::Left),
    ("VIEW", Align::Right),
    ("SEQNO", Align::Right),
    ("COMMITTED", Align::Right),
    ("TX/S", Align::Right),
    ("PID", Align::Right),
    ("STATUS", Align::Left),
    ("ETHEREUM", Align::Left),
];

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

fn table(shown: &Shown) -> String {
    let mut rows = vec![COLUMNS.map(|(name, _)| name.to_owned())];
    rows.extend(shown.nodes.iter().map(row));
    let widths: [usize; COLUMNS.len()] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or_default());
    let line = |row: &[String; COLUMNS.len()]| {
        let cells = row.iter().zip(COLUMNS).zip(widths).map(|((cell, (_, align)), width)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(node: &ShownNode) -> [String; COLUMNS.len()] {
    let short: String = node.id.chars().take(8).collect();
    let of = |field: fn(&Status) -> String| node.status.as_ref().map_or_else(|| "-".to_owned(), field);
    let role = match (&node.status, node.running) {
        (Some(status), _) => status.role.name(),
        (None, true) if node.joining => "joining",
        (None, true) => "no answer",
        (None, false) => "stopped",
    };
    [
        if node.joining { "-".to_owned() } else { node.number.to_string() },
        short,
        role.to_owned(),
        of(|status| status.view.to_string()),
        of(|status| status.seqno.to_string()),
        of(|status| status.committed.clone()),
        node.transactions_per_second.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}")),
        of(|status| status.pid.to_string()),
        format!("http://{}/node/status", node.http),
        node.ethereum.map(|address| format!("http://{address}")).unwrap_or_default(),
    ]
}
