//! New ledger secrets and shares, which nodes bring without a member's signature, made again as far as anybody can without them.

use base::Seqno;
use kv::{Section, Tx, WriteSet};

use crate::{Governance, Refusal};

/// What an entry brings.
pub enum Brought {
    /// Its rows.
    Secret(Vec<Section>),
    /// Its row.
    Shares(Section),
}

/// What an entry can only bring, by the rows that it wrote.
pub fn brought(governance: &Governance, writes: &WriteSet) -> Option<Brought> {
    let of = governance.tables();
    let dealt = || writes.section(of.shares).cloned();
    if writes.section(of.secret_for_nodes).is_none() {
        return dealt().map(Brought::Shares);
    }
    let rows = [of.historical_secret, of.secret_for_nodes].map(|table| writes.section(table).cloned());
    // Without holders, those of before are removed.
    let dealt = dealt().filter(|section| !section.puts.is_empty());
    Some(Brought::Secret(rows.into_iter().flatten().chain(dealt).collect()))
}

/// Whether it was due, continues those before it, and is for nobody who must not have it.
pub fn again(
    governance: &Governance,
    tx: &mut Tx<'_>,
    brought: &Brought,
    time: u64,
    entry: Seqno,
) -> Result<(), Refusal> {
    match brought {
        Brought::Secret(rows) => governance.rekey(tx, rows, time, entry).map(drop),
        Brought::Shares(row) => governance.deal_shares(tx, row).map(drop),
    }
}
