//! The write set: all that one transaction changed. It is what the ledger keeps and what backups apply.

use std::collections::BTreeMap;

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

    /// Bytes of keys and values, and a few for each row: about what it takes in the ledger.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rows = self.sections.iter().flat_map(|section| {
            let puts = section.puts.iter().map(|(key, value)| key.len() + value.len() + 16);
            puts.chain(section.removes.iter().map(|key| key.len() + 8))
        });
        rows.sum()
    }

    /// These changes and then `later` ones, as one set. For small sets: it is made anew.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let mut tables: BTreeMap<TableId, BTreeMap<Blob, Option<Blob>>> = BTreeMap::new();
        for Section { table, puts, removes } in self.sections.into_iter().chain(later.sections) {
            let rows = tables.entry(table).or_default();
            rows.extend(puts.into_iter().map(|(key, value)| (key, Some(value))));
            rows.extend(removes.into_iter().map(|key| (key, None)));
        }
        let sections = tables.into_iter().map(|(table, rows)| {
            let mut section = Section { table, puts: Vec::new(), removes: Vec::new() };
            for (key, value) in rows {
                match value {
                    Some(value) => section.puts.push((key, value)),
                    None => section.removes.push(key),
                }
            }
            section
        });
        Self { sections: sections.collect() }
    }

    /// The changes of one table, if there are any.
    #[must_use]
    pub fn section(&self, table: TableId) -> Option<&Section> {
        self.sections.iter().find(|section| section.table == table)
    }
}
