//! New ledger secrets, which nodes bring without a member's signature, made again as far as anybody can without them.

use base::Seqno;
use kv::{Section, Tx, WriteSet};

use crate::{Governance, Refusal};

/// The rows of a new ledger secret, if the entry brings one.
pub fn brought(governance: &Governance, writes: &WriteSet) -> Option<Vec<Section>> {
    let of = governance.tables();
    writes.section(of.secret_for_nodes)?;
    let rows = [of.historical_secret, of.secret_for_nodes].map(|table| writes.section(table).cloned());
    Some(rows.into_iter().flatten().collect())
}

/// Whether it was due, continues those before it, and is for nobody who must not have it.
pub fn again(
    governance: &Governance,
    tx: &mut Tx<'_>,
    rows: &[Section],
    time: u64,
    entry: Seqno,
) -> Result<(), Refusal> {
    governance.rekey(tx, rows, time, entry).map(drop)
}
