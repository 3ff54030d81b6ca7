//! The write set: all that one transaction changed. It is what the ledger keeps and what backups apply.

use crate::{Blob, TableId};

/// Changes of one transaction, by table. Tables and keys are in ascending order, each key once, no table without a change;
/// [`crate::Tx::finish`] makes it so and a reader of foreign bytes must check it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WriteSet {
    pub sections: Vec<Section>,
}

/// Changes of one table.
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    pub table: TableId,
    pub puts: Vec<(Blob, Blob)>,
    pub removes: Vec<Blob>,
}

impl WriteSet {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The changes of one table, if there are any.
    #[must_use]
    pub fn section(&self, table: TableId) -> Option<&Section> {
        self.sections.iter().find(|section| section.table == table)
    }
}
