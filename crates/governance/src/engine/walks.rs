//! Walks through tables on the script's side: the first rows come with the question, and most tables have no more.

use std::collections::BTreeMap;

use kv::Blob;
use rquickjs::{Ctx, Result};

use super::ask::{Ask, Told};
use super::binding::{Border, misunderstood, plain};
use super::host::WALKS_MAX;

/// Walks that are under way, one within the other.
#[derive(Default)]
pub(crate) struct Walks {
    begun: u32,
    under_way: BTreeMap<u32, Walk>,
}

struct Walk {
    /// Rows that the script was not given yet: keys and values in turn.
    rows: Vec<Blob>,
    /// What the host calls it, unless it has no more rows.
    further: Option<u32>,
}

impl Walks {
    pub(crate) fn open(&mut self, ctx: &Ctx<'_>, border: &Border, table: String) -> Result<u32> {
        if self.under_way.len() == WALKS_MAX {
            return plain(ctx, Err(format!("more than {WALKS_MAX} walks through tables, one within the other")));
        }
        let walk = Walk::ask(ctx, border, Ask::Walk(table))?;
        self.begun = self.begun.wrapping_add(1);
        self.under_way.insert(self.begun, walk);
        Ok(self.begun)
    }

    /// The next rows of a walk; none at its end.
    pub(crate) fn page(&mut self, ctx: &Ctx<'_>, border: &Border, number: u32) -> Result<Vec<Blob>> {
        let Some(walk) = self.under_way.get_mut(&number) else { return plain(ctx, Err("no such walk".to_owned())) };
        if walk.rows.is_empty()
            && let Some(further) = walk.further.take()
        {
            *walk = Walk::ask(ctx, border, Ask::Further(further))?;
        }
        Ok(std::mem::take(&mut walk.rows))
    }

    pub(crate) fn close(&mut self, ctx: &Ctx<'_>, border: &Border, number: u32) -> Result<()> {
        match self.under_way.remove(&number).and_then(|walk| walk.further) {
            Some(further) => border.ask(ctx, Ask::Leave(further)).map(drop),
            None => Ok(()),
        }
    }
}

impl Walk {
    fn ask(ctx: &Ctx<'_>, border: &Border, ask: Ask) -> Result<Self> {
        match border.ask(ctx, ask)? {
            Told::Rows(rows, further) => Ok(Self { rows, further }),
            other => Err(misunderstood(ctx, &other)),
        }
    }
}
