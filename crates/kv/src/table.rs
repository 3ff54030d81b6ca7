//! Tables: their names, what they promise, and the registry that gives each a small number.

use std::collections::BTreeMap;
use std::fmt;

use base::limits::TABLE_NAME_BYTES_MAX;

/// What becomes of a row after its batch is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The current value stays in memory.
    State,
    /// Written once and never changed; leaves memory for the index on disk (see [`crate::History`]).
    History,
}

/// Who may read a table's rows in the ledger file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privacy {
    /// In clear, for any auditor.
    Public,
    /// Sealed under the ledger secret.
    Private,
}

/// A table. Its name is its identity in the ledger; the prefix `public:` says that it is public.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    pub name: String,
    pub kind: Kind,
    pub privacy: Privacy,
}

/// A table's place in this process's registry. Never leaves the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableId(u16);

impl TableId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Why a table was not registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TableError {
    #[error("table {0:?} is registered twice: give each hosted ledger its own name")]
    Twice(String),
    #[error("table name {0:?} is empty or longer than {TABLE_NAME_BYTES_MAX} bytes")]
    Name(String),
    #[error("more than {} tables", u16::MAX)]
    TooMany,
}

/// All tables of a node. Built once at start, before anything is read or written.
#[derive(Clone, Default, Debug)]
pub struct Tables {
    tables: Vec<Table>,
    by_name: BTreeMap<String, TableId>,
}

impl Tables {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a table. The order of registration has no meaning outside this process.
    pub fn add(&mut self, name: impl Into<String>, kind: Kind) -> Result<TableId, TableError> {
        let name = name.into();
        if name.is_empty() || name.len() > TABLE_NAME_BYTES_MAX {
            return Err(TableError::Name(name));
        }
        if self.by_name.contains_key(&name) {
            return Err(TableError::Twice(name));
        }
        let id = TableId(u16::try_from(self.tables.len()).map_err(|_| TableError::TooMany)?);
        let privacy = if name.starts_with("public:") { Privacy::Public } else { Privacy::Private };
        self.tables.push(Table { name: name.clone(), kind, privacy });
        self.by_name.insert(name, id);
        Ok(id)
    }

    /// The table behind an id of this registry.
    #[must_use]
    pub fn get(&self, id: TableId) -> &Table {
        &self.tables[id.index()]
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<TableId> {
        self.by_name.get(name).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (TableId, &Table)> {
        (0u16..).map(TableId).zip(&self.tables)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_who_may_read() {
        let mut tables = Tables::new();
        let open = tables.add("public:a", Kind::State).unwrap();
        let sealed = tables.add("PUBLIC:a", Kind::History).unwrap();
        assert_eq!(tables.get(open).privacy, Privacy::Public);
        assert_eq!(tables.get(sealed).privacy, Privacy::Private);
        assert_eq!(tables.find("public:a"), Some(open));
        assert_eq!(tables.add("public:a", Kind::State), Err(TableError::Twice("public:a".into())));
    }
}
