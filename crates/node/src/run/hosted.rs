//! The doors of hosted ledgers: they open once a ledger has begun and this node shows it, where the node's own configuration says, or
//! else its row. What cannot be listened on is tried again; a ledger without a door is said to be one, and stops nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use adapter::{LedgerRow, LedgerStatus, Listener, Node};
use serde::Serialize;
use tokio::sync::watch;

use super::doors::{Open, bind};
use crate::hosting::Visible;

/// An address that is taken is tried again after so long.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Where this node's own configuration says that it serves ledgers, by their names.
pub type Named = BTreeMap<String, SocketAddr>;

/// A hosted ledger on this node, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Served {
    pub name: String,
    pub number: usize,
    /// Absent where what members decided cannot be read.
    pub kind: Option<String>,
    pub status: &'static str,
    /// What it starts from is in the ledger.
    pub opened: bool,
    pub listeners: Vec<ServedListener>,
    /// Why it is not served here, or not wholly.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ServedListener {
    pub name: String,
    pub address: SocketAddr,
}

/// What this node has opened, and what it could not open.
pub(super) struct Doors {
    named: Named,
    host: IpAddr,
    node: Node,
    served: watch::Sender<Arc<Vec<Served>>>,
    /// By number.
    of: BTreeMap<usize, OfLedger>,
}

/// The doors of one ledger.
#[derive(Default)]
struct OfLedger {
    open: Vec<ServedListener>,
    closed: Vec<Closed>,
}

/// A listener that does not listen.
struct Closed {
    /// If it is known where it should.
    waiting: Option<(Listener, SocketAddr)>,
    why: String,
}

impl Doors {
    pub(super) fn new(named: Named, host: IpAddr, node: Node, served: watch::Sender<Arc<Vec<Served>>>) -> Self {
        Self { named, host, node, served, of: BTreeMap::new() }
    }

    /// Opens what is to be open, and says what is.
    pub(super) async fn follow(&mut self, ledgers: &[Visible], open: &mut Open) {
        for visible in ledgers {
            let (Some(adapter), Ok(row), true) = (visible.ledger.adapter(), &visible.row, visible.opened) else {
                continue;
            };
            if !self.of.contains_key(&visible.number) {
                let listeners = adapter.clone().listeners(self.node.clone());
                let doors = self.doors(&visible.ledger.name, row, listeners);
                self.of.insert(visible.number, doors);
            }
            if let Some(doors) = self.of.get_mut(&visible.number) {
                doors.try_to_open(visible, open).await;
            }
        }
        self.served.send_replace(Arc::new(ledgers.iter().map(|visible| self.served(visible)).collect()));
    }

    /// Where the listeners of a ledger are to listen.
    fn doors(&self, name: &str, row: &LedgerRow, listeners: Vec<Listener>) -> OfLedger {
        let mut doors = OfLedger::default();
        for (place, listener) in listeners.into_iter().enumerate() {
            let own = self.named.get(name).filter(|_| place == 0).copied();
            let port = row.listeners.as_ref().and_then(|listeners| listeners.get(&listener.name));
            doors.closed.push(match own.or_else(|| Some(SocketAddr::new(self.host, *port?))) {
                Some(address) => Closed { waiting: Some((listener, address)), why: String::new() },
                None => {
                    let why = format!(
                        "its listener {} has no door here: neither this node's node.toml nor the ledger's row says where",
                        listener.name
                    );
                    tracing::warn!(ledger = name, listener = listener.name, why, "a ledger has no door here");
                    Closed { waiting: None, why }
                }
            });
        }
        doors
    }

    fn served(&self, Visible { number, ledger, row, opened }: &Visible) -> Served {
        let doors = self.of.get(number);
        let closed = doors.into_iter().flat_map(|doors| &doors.closed).map(|closed| closed.why.as_str());
        let of_adapter = ledger.adapter.as_ref().err().map(String::as_str);
        let of_row = row.as_ref().err().map(String::as_str);
        let trouble: Vec<&str> = of_adapter.into_iter().chain(of_row).chain(closed).collect();
        Served {
            name: ledger.name.clone(),
            number: *number,
            kind: row.as_ref().ok().map(|row| row.kind.clone()),
            status: row.as_ref().map_or("unreadable", |row| match row.status {
                LedgerStatus::Open => "Open",
                LedgerStatus::Paused => "Paused",
                LedgerStatus::Closed => "Closed",
            }),
            opened: *opened,
            listeners: doors.map(|doors| doors.open.clone()).unwrap_or_default(),
            trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
        }
    }

    /// Whether there is something to try again.
    pub(super) fn waits(&self) -> bool {
        self.of.values().flat_map(|doors| &doors.closed).any(|closed| closed.waiting.is_some())
    }
}

impl OfLedger {
    async fn try_to_open(&mut self, visible: &Visible, open: &mut Open) {
        let ledger = visible.ledger.name.as_str();
        for Closed { waiting, why } in std::mem::take(&mut self.closed) {
            let Some((listener, address)) = waiting else {
                self.closed.push(Closed { waiting, why });
                continue;
            };
            match bind(address).await {
                Ok(tcp) => {
                    tracing::info!(ledger, listener = listener.name, %address, "listening");
                    self.open.push(ServedListener { name: listener.name.clone(), address });
                    let socket = open.socket(&listener, tcp).admitting(visible.ledger.admission.clone());
                    open.serve(listener, socket);
                }
                Err(fault) => {
                    // Once: it is tried again and again.
                    if why.is_empty() {
                        tracing::error!(ledger, listener = listener.name, %fault, "a ledger has no door here yet");
                    }
                    self.closed.push(Closed { waiting: Some((listener, address)), why: fault.to_string() });
                }
            }
        }
    }
}
