//! Tables: their names, what they promise, and the registry that gives each a small number.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use base::limits::TABLE_NAME_BYTES_MAX;

/// What becomes of a row after its batch is committed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
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
pub struct TableId {
    place: u16,
    /// Of the table: whoever has the id need not look it up.
    kind: Kind,
}

impl TableId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.place)
    }

    pub(crate) fn kind(self) -> Kind {
        self.kind
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

/// Tables of the first part of a registry; each part after it has twice as many as the one before.
const FIRST_PART: usize = 64;
/// So many parts have room for every [`TableId`].
const PARTS: usize = 11;

/// All tables of a node. It only grows: a table that is added stays, and those who read meanwhile wait for nobody.
pub struct Tables {
    parts: [OnceLock<Box<[OnceLock<Table>]>>; PARTS],
    by_name: ArcSwap<BTreeMap<String, TableId>>,
    /// How many there are. Held by whoever adds.
    adding: Mutex<u16>,
}

impl Tables {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a table. The order of registration has no meaning outside this process.
    pub fn add(&self, name: impl Into<String>, kind: Kind) -> Result<TableId, TableError> {
        let name = name.into();
        if name.is_empty() || name.len() > TABLE_NAME_BYTES_MAX {
            return Err(TableError::Name(name));
        }
        // A panic while it was held left nothing half done: what counts is the last step, the name.
        let mut count = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_name = BTreeMap::clone(&self.by_name.load());
        if by_name.contains_key(&name) {
            return Err(TableError::Twice(name));
        }
        let id = TableId { place: *count, kind };
        let next = count.checked_add(1).ok_or(TableError::TooMany)?;
        let (part, place) = place_of(id);
        let part = self.parts[part].get_or_init(|| (0..FIRST_PART << part).map(|_| OnceLock::new()).collect());
        let privacy = if name.starts_with("public:") { Privacy::Public } else { Privacy::Private };
        part[place].get_or_init(|| Table { name: name.clone(), kind, privacy });
        by_name.insert(name, id);
        self.by_name.store(Arc::new(by_name));
        *count = next;
        Ok(id)
    }

    /// The table behind an id of this registry.
    #[must_use]
    pub fn get(&self, id: TableId) -> &Table {
        let (part, place) = place_of(id);
        let table = self.parts[part].get().and_then(|part| part[place].get());
        table.expect("an id is of the registry that gave it")
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<TableId> {
        self.by_name.load().get(name).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.load().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that there are now, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (TableId, &Table)> {
        let tables = self.parts.iter().map_while(OnceLock::get).flatten().map_while(OnceLock::get);
        (0..).zip(tables).map(|(place, table)| (TableId { place, kind: table.kind }, table))
    }
}

/// The part of a registry that a table is in, and its place there.
fn place_of(id: TableId) -> (usize, usize) {
    let place = id.index() + FIRST_PART;
    let part = (place / FIRST_PART).ilog2() as usize;
    (part, place - (FIRST_PART << part))
}

impl Default for Tables {
    fn default() -> Self {
        Self { parts: [const { OnceLock::new() }; PARTS], by_name: ArcSwap::default(), adding: Mutex::new(0) }
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(id, table)| (id.place, table))).finish()
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
        let tables = Tables::new();
        let open = tables.add("public:a", Kind::State).unwrap();
        let sealed = tables.add("PUBLIC:a", Kind::History).unwrap();
        assert_eq!(tables.get(open).privacy, Privacy::Public);
        assert_eq!(tables.get(sealed).privacy, Privacy::Private);
        assert_eq!(tables.find("public:a"), Some(open));
        assert_eq!(tables.add("public:a", Kind::State), Err(TableError::Twice("public:a".into())));
    }

    #[test]
    fn every_table_stays_where_it_is_while_others_are_added() {
        let tables = Tables::new();
        let first = tables.add("t0", Kind::State).unwrap();
        let seen: *const Table = tables.get(first);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..5_000 {
                    tables.add(format!("t{n}"), Kind::State).unwrap();
                }
            });
            for _ in 0..200 {
                // Whoever finds a name finds the table behind it.
                let known = tables.len();
                let last = tables.find(&format!("t{}", known - 1)).unwrap();
                assert_eq!(tables.get(last).name, format!("t{}", known - 1));
                assert!(tables.iter().count() >= known);
            }
        });
        assert!(std::ptr::eq(seen, tables.get(first)));
        assert!(tables.iter().enumerate().all(|(n, (id, table))| id.index() == n && table.name == format!("t{n}")));
    }

    #[test]
    fn there_is_room_for_every_id_and_for_no_more() {
        let place = |place| place_of(TableId { place, kind: Kind::State });
        assert_eq!([place(0), place(63), place(64)], [(0, 0), (0, 63), (1, 0)]);
        let (part, place) = place(u16::MAX);
        assert!(part == PARTS - 1 && place < FIRST_PART << part);
        let tables = Tables { adding: Mutex::new(u16::MAX), ..Tables::new() };
        assert_eq!(tables.add("one more", Kind::State), Err(TableError::TooMany));
    }
}
