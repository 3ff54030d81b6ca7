//! How new a vendor's word on a platform must be: as new as what most nodes of the service on such platforms have shown.
//!
//! A vendor that mends a weakness says so in what it signs from then on; what it signed before still holds for long. Whoever shows that
//! older word, of a platform that the newer one would not let pass, is refused. Each trusted node counts by the newest that it has
//! shown since its lease began, or when it joined. A vendor signs several at once for a while, so no single node, nor the host that
//! fetches for it, may set what the others need.

use std::collections::BTreeMap;

use kv::Tx;
use ledger::genesis::{Evaluation, NodeStatus, VIRTUAL};

use super::leases::newest;
use crate::{Governance, Refusal};

impl Governance {
    /// By kind of TEE, what more than half of its trusted nodes have shown.
    pub fn evaluations(&self, tx: &Tx<'_>) -> Result<BTreeMap<String, u32>, Refusal> {
        let mut shown: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut unknown = 0;
        for (id, info) in self.node_infos(tx).into_iter().filter(|(_, info)| info.status == NodeStatus::Trusted) {
            match newest(info.evaluation, self.lease(tx, id)?.and_then(|lease| lease.evaluation)) {
                Some(Evaluation { tee, number }) => shown.entry(tee).or_default().push(number),
                None if info.quote_info.format == VIRTUAL => unknown += 1,
                None => {}
            }
        }
        let of_most = |(tee, mut numbers): (String, Vec<u32>)| {
            // Founders showed nothing when they came: they may be of any kind, with any word.
            numbers.extend(std::iter::repeat_n(0, unknown));
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            (tee, numbers[numbers.len() / 2])
        };
        Ok(shown.into_iter().map(of_most).collect())
    }
}
