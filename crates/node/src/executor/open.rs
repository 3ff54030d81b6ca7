//! How a hosted ledger begins: once members' decision is committed, the primary writes what the ledger starts from as an entry of its
//! own, together with a mark that it did. A primary that finds a ledger without the mark does it, whoever led when members decided.

use std::sync::Arc;

use adapter::{Adapter, Fault, OPENING_BYTES_MAX};
use kv::Finished;
use serde_json::json;

use super::Executor;
use super::batch::Open;
use crate::hosting::Ledger;
use crate::sealer::Draft;

impl Executor {
    /// Of the ledgers from this number on, those that have not begun are to. This node has just become the primary, or they have just
    /// come.
    pub(super) fn note_ledgers(&mut self, from: usize) {
        let Some(leading) = &mut self.leading else { return };
        let (hosting, head) = (&self.tools.hosting, self.store.head());
        let unopened =
            self.ledgers.iter().enumerate().skip(from.max(1)).filter(|(_, ledger)| !hosting.is_open(ledger, head));
        leading.unopened.extend(unopened.map(|(slot, _)| slot));
    }

    /// Begins ledgers in the open batch, or in one that is begun for them, as far as there is room: their entries may be large.
    pub(super) fn open_ledgers(&mut self) -> Result<(), Fault> {
        if self.leading.as_ref().is_none_or(|leading| leading.unopened.is_empty()) {
            return Ok(());
        }
        let stale = self.leading.as_ref().is_some_and(|leading| leading.needs_opening());
        let open = self.leading.as_mut().and_then(|leading| leading.open.take()).filter(|_| !stale);
        let mut open = match open {
            Some(open) => open,
            None => Open::new(self.opening()?, self.refusals()?),
        };
        while !open.is_full() {
            let Some(slot) = self.leading.as_mut().and_then(|leading| leading.unopened.pop_front()) else { break };
            let ledger = self.ledgers[slot].clone();
            match self.begin(slot, &ledger, &mut open)? {
                Ok(()) => tracing::info!(ledger = ledger.name, number = slot, "the ledger begins"),
                // Another primary, of another version perhaps, may be able to.
                Err(why) => tracing::error!(ledger = ledger.name, number = slot, why, "the ledger cannot begin"),
            }
        }
        if let Some(leading) = &mut self.leading {
            leading.open = Some(open);
        }
        Ok(())
    }

    /// Writes the beginning of one ledger, or says why not: nothing is written then.
    fn begin(&mut self, slot: usize, ledger: &Arc<Ledger>, open: &mut Open) -> Result<Result<(), String>, Fault> {
        let adapter: &Arc<dyn Adapter> = match &ledger.adapter {
            Ok(adapter) => adapter,
            Err(why) => return Ok(Err(why.clone())),
        };
        let mut tx = self.store.tx();
        if let Err(fault) = adapter.open(&mut tx) {
            return Ok(Err(fault.to_string()));
        }
        tx.put(self.tools.tables.opened(), ledger.name.as_bytes(), json!({ "number": slot }).to_string().into_bytes());
        let Finished { writes, claims, .. } = tx.finish();
        if writes.bytes() > OPENING_BYTES_MAX {
            return Ok(Err(format!("what it starts from has more than {OPENING_BYTES_MAX} bytes")));
        }
        open.keep(&mut self.store, Draft { writes, claims, slot: None });
        let derived = adapter.derive(None, self.store.head(), &[])?;
        self.store.set_derived(slot, derived);
        Ok(Ok(()))
    }
}
