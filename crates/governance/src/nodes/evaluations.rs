//! How new a vendor's word on a platform must be: at least as new as any that a node of the service has shown.
//!
//! A vendor that mends a weakness says so in what it signs from then on; what it signed before still holds for weeks. Whoever shows that
//! older word, of a platform that the newer one would not let pass, is refused. Only nodes that members trusted count: a stranger cannot
//! raise what is asked of others.

use std::collections::BTreeMap;

use kv::Tx;
use ledger::genesis::{Evaluation, NodeStatus};

use crate::state::{read, write};
use crate::{Governance, Refusal};

impl Governance {
    /// The highest evaluation by kind of TEE: of nodes that are trusted, and of those that ever were.
    pub fn evaluations(&self, tx: &Tx<'_>) -> Result<BTreeMap<String, u32>, Refusal> {
        let mut highest = BTreeMap::new();
        for (tee, _) in tx.range(self.tables.nodes_evaluations, ..) {
            let tee = String::from_utf8_lossy(tee).into_owned();
            let kept = self.kept_evaluation(tx, &tee)?;
            highest.insert(tee, kept);
        }
        let trusted = self.node_infos(tx).into_iter().filter(|(_, info)| info.status == NodeStatus::Trusted);
        for Evaluation { tee, number } in trusted.filter_map(|(_, info)| info.evaluation) {
            let highest = highest.entry(tee).or_default();
            *highest = number.max(*highest);
        }
        Ok(highest)
    }

    /// Of a node that is, or was, trusted.
    pub(super) fn keep_evaluation(&self, tx: &mut Tx<'_>, shown: Option<&Evaluation>) -> Result<(), Refusal> {
        let Some(Evaluation { tee, number }) = shown else { return Ok(()) };
        if *number > self.kept_evaluation(tx, tee)? {
            write(tx, self.tables.nodes_evaluations, tee.as_bytes(), number);
        }
        Ok(())
    }

    fn kept_evaluation(&self, tx: &Tx<'_>, tee: &str) -> Result<u32, Refusal> {
        Ok(read(tx, self.tables.nodes_evaluations, tee.as_bytes())?.unwrap_or(0))
    }
}
