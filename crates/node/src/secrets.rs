//! The ledger secrets that this node holds, and how a new one comes to it.
//!
//! A new secret comes in an entry like any other: sealed, in public rows, for each node that may have it (`ledger::secrets`). So the
//! order of the ledger is the order of the secrets, and a node in good standing needs no other way for them.
//!
//! ```text
//!   backup, restart, catch-up:  committed batch ─▶ entry k opened with the old ─▶ learn ─▶ entry k+1 opened with the new
//!   primary:                    entry k executed ─▶ Speculative ─▶ k+1 … sealed with the new ─┬ committed ─▶ kept
//!                                                                                             └ rolled back ─▶ dropped
//! ```
//!
//! A node whose lease had run out at entry k finds nothing for it there, and ends with [`MissingSecret`]. Once it has proved itself anew and
//! was handed all secrets that there are, as a node that joins is, it can go on from its files.
//!
//! What is kept is sealed on this node's disk before the batch that brought it goes to the ledger file: so whatever the file has opens
//! at the next start. What a primary only hopes for is in a value of its own, which goes with the batch and is dropped with it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use adapter::{Blame, Fault, Recovery, Reject};
use base::{NodeId, Seqno};
use crypto::{ForeignKey, KeyPair, PublicKey, Secret};
use kv::{Blob, Kind, Section, State, TableError, TableId, Tables, WriteSet};
use ledger::LedgerKeys;
use ledger::genesis::{NodeInfo, node_key};
use ledger::secrets::{self, FOR_NODES, HISTORICAL, Rekeyed, SHARES, SecretError};
use ledger::tables::SINGLETON;

use crate::genesis::ServiceTables;
use crate::nodes::Nodes;

/// Seals all secrets where the node finds them at its next start, and returns when they are there for good.
pub type KeepSecrets = Box<dyn Fn(&[(Seqno, Secret)]) -> Result<(), Fault> + Send + Sync>;

/// The rows that bring a secret: the one before under it, and itself for each node.
type Bringing<'w> = (&'w [u8], &'w [u8]);

/// The tables that bring them.
#[derive(Clone, Copy, Debug)]
pub struct SecretTables {
    historical: TableId,
    for_nodes: TableId,
    shares: TableId,
}

impl SecretTables {
    pub fn register(tables: &Tables) -> Result<Self, TableError> {
        let historical = tables.add(HISTORICAL, Kind::State)?;
        let for_nodes = tables.add(FOR_NODES, Kind::State)?;
        let shares = tables.add(SHARES, Kind::State)?;
        Ok(Self { historical, for_nodes, shares })
    }

    /// What a service begins with.
    pub fn first(&self) -> (TableId, Vec<(Blob, Blob)>) {
        (self.historical, vec![(Blob::from(SINGLETON), Blob::from(secrets::first()))])
    }

    /// The rows of an entry that brings a secret.
    fn rows<'w>(&self, writes: &'w WriteSet) -> Result<Option<Bringing<'w>>, SecretError> {
        let row = |table| -> Option<&'w [u8]> {
            let puts = &writes.section(table)?.puts;
            puts.iter().find(|(key, _)| **key == SINGLETON[..]).map(|(_, row)| &**row)
        };
        match (row(self.historical), row(self.for_nodes)) {
            (_, None) => Ok(None),
            (None, Some(_)) => Err(SecretError::Row(HISTORICAL)),
            (Some(historical), Some(for_nodes)) => Ok(Some((historical, for_nodes))),
        }
    }
}

/// What this node holds, as of what is committed.
pub struct LedgerSecrets {
    /// Shared with everybody who opens what is committed.
    keys: Arc<LedgerKeys>,
    node: Arc<KeyPair>,
    tables: SecretTables,
    keep: KeepSecrets,
}

impl LedgerSecrets {
    /// `held` is what was kept, ascending, the first one from the first entry on.
    pub fn new(
        held: &[(Seqno, Secret)],
        node: Arc<KeyPair>,
        tables: SecretTables,
        keep: KeepSecrets,
    ) -> Result<Self, Fault> {
        let keys = LedgerKeys::holding(held)
            .map_err(Fault::new)?
            .ok_or_else(|| Fault::new("this node does not hold the ledger secret that the service began with"))?;
        show(&keys);
        Ok(Self { keys: Arc::new(keys), node, tables, keep })
    }

    pub fn keys(&self) -> &Arc<LedgerKeys> {
        &self.keys
    }

    /// An entry is committed and was opened: if it brings a secret, that is in force from here on.
    pub fn learn(&self, entry: Seqno, writes: &WriteSet) -> Result<(), Fault> {
        let next = entry.next();
        let learned = match self.tables.rows(writes) {
            Ok(None) => return Ok(()),
            // Known already at a start, and to a node that was handed all of them.
            Ok(Some((historical, _))) if self.keys.begins_at(next) => self.check_known(historical, next).map(|()| None),
            Ok(Some(_)) => self.brought(&self.keys, writes),
            Err(error) => Err(error),
        };
        match learned {
            Ok(None) => Ok(()),
            Ok(Some(secret)) => {
                let fork = self.keys.fork();
                fork.add(next, &secret).map_err(Fault::new)?;
                self.commit(&fork)
            }
            Err(SecretError::NotForThisNode) => {
                let historical = self.tables.rows(writes).ok().flatten().map(|(historical, _)| historical.to_vec());
                let historical = historical.unwrap_or_default();
                Err(Fault::new(MissingSecret { begins: next, historical, doors: Vec::new() }))
            }
            Err(error) => Err(Fault::new(format!("the ledger secret that entry {entry} brings is of no use: {error}"))),
        }
    }

    /// The secret that begins there opens the one before it, by its own row.
    fn check_known(&self, historical: &[u8], begins: Seqno) -> Result<(), SecretError> {
        let secrets = self.keys.secrets();
        let known = secrets.windows(2).find(|pair| pair[1].0 == begins);
        let Some([(first, old), (_, new)]) = known else { return Ok(()) };
        secrets::check_follows(historical, new, (*first, old))
    }

    /// Rows that bring a new secret to every node that is trusted and whose lease lasts, and shares of it. Nobody keeps the secret: this
    /// node, too, has it from the rows once they are an entry, and if they never are it is gone.
    pub fn rekey(
        &self,
        service: &ServiceTables,
        state: &State,
        recovery: Option<&Recovery>,
    ) -> Result<Vec<Section>, Reject> {
        let nodes = entitled(service, state)?;
        let new = Secret::random().map_err(at_fault)?;
        let (first, old) = self.keys.newest();
        let Rekeyed { historical, for_nodes } =
            secrets::rekey(&new, (first, &old), self.stored(state)?, &nodes).map_err(at_fault)?;
        let mut rows = vec![only_row(self.tables.historical, historical), only_row(self.tables.for_nodes, for_nodes)];
        // The entry that has the secret before is this one.
        rows.extend(recovery.map(|recovery| self.shares(&new, None, recovery)).transpose()?);
        Ok(rows)
    }

    /// New shares of the newest secret, in place of those before.
    pub fn deal_shares(&self, state: &State, recovery: &Recovery) -> Result<Section, Reject> {
        let (first, newest) = self.keys.newest();
        let stored = if first > Seqno(1) { self.stored(state)? } else { None };
        self.shares(&newest, stored, recovery)
    }

    fn shares(&self, secret: &Secret, stored: Option<Seqno>, recovery: &Recovery) -> Result<Section, Reject> {
        let holders = recovery.holders.iter();
        let holders: Vec<_> = holders.map(|it| secrets::Holder { id: &it.id, key: &it.key, alone: it.alone }).collect();
        let row = secrets::deal(secret, stored, recovery.threshold, &holders).map_err(at_fault)?;
        Ok(only_row(self.tables.shares, row))
    }

    /// The entry that has the secret before the newest.
    fn stored(&self, state: &State) -> Result<Option<Seqno>, Reject> {
        state.version(self.tables.historical, &SINGLETON).map_err(at_fault)
    }

    /// The secret that an entry brings, opened with this node's key and compared with the one before.
    fn brought(&self, keys: &LedgerKeys, writes: &WriteSet) -> Result<Option<Secret>, SecretError> {
        let Some((historical, for_nodes)) = self.tables.rows(writes)? else { return Ok(None) };
        let (first, old) = keys.newest();
        secrets::receive(historical, for_nodes, &self.node, (first, &old)).map(Some)
    }

    /// Keeps what a fork has, then lets everybody see it.
    fn commit(&self, fork: &LedgerKeys) -> Result<(), Fault> {
        (self.keep)(&fork.secrets())?;
        self.keys.adopt(fork);
        show(fork);
        tracing::info!(first = fork.newest_begins().0, "a new ledger secret is in force");
        Ok(())
    }
}

fn show(keys: &LedgerKeys) {
    metrics::gauge!("coco_ledger_secret_seqno").set(keys.newest_begins().0 as f64);
}

/// The ledger goes on under a secret that this node was not given.
#[derive(Debug, thiserror::Error)]
#[error(
    "from entry {begins} on the ledger is under a secret that this node was not given: it was not trusted then, or its lease had run out"
)]
pub struct MissingSecret {
    pub begins: Seqno,
    /// Of the entry before: the secret that is in force there, sealed under the missing one (`ledger::secrets::check_follows`).
    pub historical: Vec<u8>,
    /// Where members reach the nodes that this one last knew of, itself among them: `host:port`.
    pub doors: Vec<String>,
}

/// The secrets as of a primary's head: what is committed, and what its own batches will have brought.
pub struct Speculative {
    secrets: Arc<LedgerSecrets>,
    keys: Arc<LedgerKeys>,
}

impl Speculative {
    pub fn new(secrets: Arc<LedgerSecrets>) -> Self {
        let keys = Arc::new(secrets.keys.fork());
        Self { secrets, keys }
    }

    /// To seal a batch that ends at the head. They stay as they are, whatever comes later.
    pub fn keys(&self) -> Arc<LedgerKeys> {
        self.keys.clone()
    }

    /// An entry was executed and takes this place, unless what it brings cannot be.
    pub fn executed(&mut self, entry: Seqno, writes: &WriteSet) -> Result<(), Reject> {
        if let Some(secret) = self.secrets.brought(&self.keys, writes).map_err(at_fault)? {
            let fork = self.keys.fork();
            fork.add(entry.next(), &secret).map_err(at_fault)?;
            self.keys = Arc::new(fork);
        }
        Ok(())
    }

    /// A batch that was sealed with `keys` is committed.
    pub fn committed(&mut self, keys: &Arc<LedgerKeys>) -> Result<(), Fault> {
        if keys.newest_begins() > self.secrets.keys.newest_begins() {
            self.secrets.commit(keys)?;
        }
        Ok(())
    }

    /// Nothing that is not committed counts: its secrets are dropped here, and with the batches that have them. What others committed
    /// counts from here on.
    pub fn reset(&mut self) {
        self.keys = Arc::new(self.secrets.keys.fork());
    }
}

/// The nodes that may have a new secret, with the keys that they proved to have.
fn entitled(tables: &ServiceTables, state: &State) -> Result<Vec<(NodeId, PublicKey)>, Reject> {
    let nodes = Nodes::read(tables, state);
    let entitled = nodes.trusted().filter(|node| !node.lapsed).map(|node| {
        let row = state.get(tables.nodes(), &node_key(node.id)).map_err(at_fault)?;
        let key = row.and_then(|row| key_of(&row)).filter(|key| key.node_id() == node.id);
        let key = key.ok_or_else(|| at_fault(format!("the row of node {} has not the node's key", node.id)))?;
        Ok((node.id, key))
    });
    entitled.collect()
}

fn only_row(table: TableId, row: Vec<u8>) -> Section {
    Section { table, puts: vec![(Blob::from(SINGLETON), Blob::from(row))], removes: Vec::new() }
}

fn key_of(row: &[u8]) -> Option<PublicKey> {
    let pem = NodeInfo::read(row).ok()?.public_key?;
    PublicKey::from_spki_der(ForeignKey::from_pem(&pem).ok()?.spki_der()).ok()
}

fn at_fault(error: impl std::fmt::Display) -> Reject {
    Reject::new(Blame::Node, 0, error.to_string())
}
