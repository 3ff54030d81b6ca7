//! Epochs: when the ledger's secret is replaced, and what its rows must be.
//!
//! ```text
//!   members decide (rekey, a member or a node leaves) ─▶ wanted ─┐
//!   the epoch is over: so long, or so many entries ──────────────┴▶ due ─▶ a node makes the rows ─▶ a decision of its own, entry k
//! ```
//!
//! A decision of members has rows that an audit can make again; a secret has none. So the two are apart: members' decision says that a new
//! secret is wanted, and the primary makes it as soon as consensus counts nobody who must not have it. An audit
//! looks whether it was due, and for whom it is; that it is a good one, whoever ran approved code is believed.

use base::{NodeId, Seqno};
use kv::{Section, TableId, Tx};
use ledger::secrets::{ForNodes, Historical, Previous};
use serde::{Deserialize, Serialize};

use crate::state::{read, write};
use crate::tables::SINGLETON;
use crate::{Governance, Outcome, Refusal};

/// What members decided: the row of `epoch`. Either bound ends it; without any it does not end by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Epoch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

/// The row of `ledger_secret`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InUse {
    /// When it came, in milliseconds since 1970 by the ledger's clock. Absent for the one that the service began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
    /// Members have decided that another takes its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replace: bool,
    /// Shares of it have to be dealt anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deal: bool,
}

impl Governance {
    /// Whether the ledger has to have a new secret: at a time (milliseconds since 1970), with so many entries.
    pub fn rekey_due(&self, tx: &Tx<'_>, time: u64, entries: Seqno) -> Result<bool, Refusal> {
        let in_use: InUse = read(tx, self.tables.ledger_secret, &SINGLETON)?.unwrap_or_default();
        let epoch: Epoch = read(tx, self.tables.epoch, &SINGLETON)?.unwrap_or_default();
        // Nobody knows how old the first one is: the first epoch begins at once.
        let old =
            |seconds: u64| in_use.since.is_none_or(|since| time >= since.saturating_add(seconds.saturating_mul(1_000)));
        let begun = self.begun_after(tx)?;
        let long = |most: u64| entries.0.saturating_sub(begun.map_or(0, |begun| begun.0)) >= most;
        Ok(in_use.replace || epoch.seconds.is_some_and(old) || epoch.entries.is_some_and(long))
    }

    /// A new secret is in force from the next entry on. `rows` are what a node made, shares among them if somebody is to hold them; they are
    /// looked at as far as anybody can.
    pub fn rekey(&self, tx: &mut Tx<'_>, rows: &[Section], time: u64, entries: Seqno) -> Result<Outcome<()>, Refusal> {
        if !self.rekey_due(tx, time, entries)? {
            return Err(Refusal::InvalidNodeState("Nothing asks for a new ledger secret.".to_owned()));
        }
        let [historical, for_nodes, shares @ ..] = rows else { return Err(strange("has not its rows")) };
        if shares.len() > 1 {
            return Err(strange("has more than its rows"));
        }
        let [historical, for_nodes] =
            [only_row(historical, self.tables.historical_secret)?, only_row(for_nodes, self.tables.secret_for_nodes)?];
        self.check_chain(tx, historical)?;
        self.check_nodes(tx, for_nodes)?;
        self.set_shares(tx, shares.first())?;
        tx.put(self.tables.historical_secret, SINGLETON, historical);
        tx.put(self.tables.secret_for_nodes, SINGLETON, for_nodes);
        let in_use = InUse { since: Some(time), replace: false, deal: false };
        write(tx, self.tables.ledger_secret, &SINGLETON, &in_use);
        Ok(Outcome::plain(()))
    }

    /// Members want a new secret.
    pub(crate) fn want_rekey(&self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let in_use: InUse = read(tx, self.tables.ledger_secret, &SINGLETON)?.unwrap_or_default();
        write(tx, self.tables.ledger_secret, &SINGLETON, &InUse { replace: true, ..in_use });
        Ok(())
    }

    /// The entry that brought the secret in use, or that the service began with.
    fn begun_after(&self, tx: &Tx<'_>) -> Result<Option<Seqno>, Refusal> {
        Ok(tx.base().version(self.tables.historical_secret, &SINGLETON)?)
    }

    /// The secret before goes on from the one before that, without a gap.
    fn check_chain(&self, tx: &Tx<'_>, row: &[u8]) -> Result<(), Refusal> {
        let stored = self.begun_after(tx)?;
        let before: Option<Historical> = read(tx, self.tables.historical_secret, &SINGLETON)?;
        let began = before.and_then(|before| before.next_version).or(stored.map(|stored| stored.next().0)).unwrap_or(1);
        let row: Historical = serde_json::from_slice(row).map_err(|_| strange("cannot be read"))?;
        match row.previous_ledger_secret {
            Some(Previous { version, previous_secret_stored_version, .. })
                if version == began
                    && previous_secret_stored_version == stored.map(|stored| stored.0)
                    && row.next_version.is_none() =>
            {
                Ok(())
            }
            _ => Err(strange("does not continue the one before it")),
        }
    }

    /// It is for nobody who may not have it.
    fn check_nodes(&self, tx: &Tx<'_>, row: &[u8]) -> Result<(), Refusal> {
        let row: ForNodes = serde_json::from_slice(row).map_err(|_| strange("cannot be read"))?;
        if row.is_empty() {
            return Err(strange("is for nobody"));
        }
        for node in row.keys() {
            let id = NodeId::parse(node).map_err(|_| strange("is for what is no node"))?;
            if !self.in_good_standing(tx, id)? {
                return Err(Refusal::InvalidNodeState(format!(
                    "Node {id} is not in good standing: no secret is for it."
                )));
            }
        }
        Ok(())
    }
}

pub(crate) fn only_row(section: &Section, table: TableId) -> Result<&[u8], Refusal> {
    match (&section.puts[..], &section.removes[..]) {
        ([(key, row)], []) if section.table == table && **key == SINGLETON => Ok(row),
        _ => Err(strange("has another row than its own")),
    }
}

pub(crate) fn strange(what: &str) -> Refusal {
    Refusal::InternalError(format!("A new ledger secret {what}."))
}
