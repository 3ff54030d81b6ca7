//! The sections of a domain: which rows of which tables an entry writes and removes. Byte layout: docs/formats/entry.md.
//!
//! Sections stand in ascending order of their table's name and rows in ascending order of their key, each once. So one write
//! set has one encoding, and a reader refuses every other.

use base::limits::{KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX};
use kv::{Section, Tables};

use crate::bytes::{Reader, put_string, put_u64};
use crate::{Corrupt, tables};

/// One table's changes, read in place. Bounds and order were checked when it was parsed.
#[derive(Clone, Copy)]
pub struct SectionView<'a> {
    pub name: &'a str,
    puts: u64,
    put_bytes: &'a [u8],
    removes: u64,
    remove_bytes: &'a [u8],
}

impl<'a> SectionView<'a> {
    /// Rows written: key and value.
    pub fn puts(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.put_bytes);
        std::iter::from_fn(move || Some((reader.string().ok()?, reader.string().ok()?)))
    }

    /// Keys removed.
    pub fn removes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(self.remove_bytes);
        std::iter::from_fn(move || reader.string().ok())
    }

    /// The value written under a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.puts().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// The only row of a table that has one.
    pub(crate) fn only_row(&self) -> Option<&'a [u8]> {
        (self.puts == 1 && self.removes == 0).then(|| self.get(&tables::SINGLETON)).flatten()
    }

    #[must_use]
    pub fn put_count(&self) -> u64 {
        self.puts
    }

    #[must_use]
    pub fn remove_count(&self) -> u64 {
        self.removes
    }
}

/// Walks over a domain's sections; ends after the first error.
#[derive(Clone)]
pub struct Sections<'a> {
    reader: Reader<'a>,
    public: bool,
    last: Option<&'a str>,
}

impl<'a> Sections<'a> {
    pub(crate) fn new(bytes: &'a [u8], public: bool) -> Self {
        Self { reader: Reader::new(bytes), public, last: None }
    }

    fn section(&mut self) -> Result<SectionView<'a>, Corrupt> {
        let reader = &mut self.reader;
        let name = std::str::from_utf8(reader.string()?).map_err(|_| Corrupt::Content("a table's name is not text"))?;
        if name.is_empty() || name.len() > TABLE_NAME_BYTES_MAX {
            return Err(Corrupt::Content("a table's name has a wrong length"));
        }
        if self.last.is_some_and(|last| last >= name) {
            return Err(Corrupt::Content("tables are out of order"));
        }
        if name.starts_with("public:") != self.public {
            return Err(Corrupt::Content("a table stands in the wrong domain"));
        }
        self.last = Some(name);
        if reader.u64()? != 0 || reader.u64()? != 0 {
            return Err(Corrupt::Content("a table's version or reads are not empty"));
        }
        let (puts, put_bytes) = rows(reader, |reader| {
            let key = reader.string()?;
            reader.string()?;
            Ok(key)
        })?;
        let (removes, remove_bytes) = rows(reader, Reader::string)?;
        if puts == 0 && removes == 0 {
            return Err(Corrupt::Content("a table has no change"));
        }
        let section = SectionView { name, puts, put_bytes, removes, remove_bytes };
        if removes > 0 && puts > 0 && !disjoint(&section) {
            return Err(Corrupt::Content("a row is both written and removed"));
        }
        Ok(section)
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<SectionView<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let section = self.section();
        if section.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(section)
    }
}

/// A number of rows and their bytes; `step` walks over one row and gives its key.
fn rows<'a>(
    reader: &mut Reader<'a>,
    step: impl Fn(&mut Reader<'a>) -> Result<&'a [u8], Corrupt>,
) -> Result<(u64, &'a [u8]), Corrupt> {
    let count = reader.u64()?;
    let start = reader.rest();
    let mut last: Option<&[u8]> = None;
    for _ in 0..count {
        let key = step(reader)?;
        if key.len() > KEY_BYTES_MAX {
            return Err(Corrupt::Content("a key is too long"));
        }
        if last.is_some_and(|last| last >= key) {
            return Err(Corrupt::Content("keys are out of order"));
        }
        last = Some(key);
    }
    Ok((count, &start[..start.len() - reader.rest().len()]))
}

/// Both lists ascend, so one walk finds a key that is in both.
fn disjoint(section: &SectionView<'_>) -> bool {
    let mut puts = section.puts().map(|(key, _)| key).peekable();
    section.removes().all(|removed| {
        while puts.next_if(|key| *key < removed).is_some() {}
        puts.peek() != Some(&removed)
    })
}

/// Appends the sections that belong to one domain. They come by table id and are written by name.
pub(crate) fn write<'a>(sections: impl Iterator<Item = &'a Section>, tables: &Tables, out: &mut Vec<u8>) {
    let mut named: Vec<(&str, &Section)> = sections.map(|s| (tables.get(s.table).name.as_str(), s)).collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    for (name, section) in named {
        let Section { table: _, puts, removes } = section;
        put_string(out, name.as_bytes());
        put_u64(out, 0);
        put_u64(out, 0);
        put_u64(out, puts.len());
        for (key, value) in puts {
            put_string(out, key);
            put_string(out, value);
        }
        put_u64(out, removes.len());
        for key in removes {
            put_string(out, key);
        }
    }
}
