//! What is indexed and not on disk yet. It is lost with the process and comes again from the ledger file.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use base::Seqno;
use kv::TableId;

use super::Group;
use super::names::{ByName, Name};
use super::postings::Postings;

/// About what a row and a term take here, beside their bytes.
const ROW_BYTES: usize = 40;
const TERM_BYTES: usize = 128;

/// Rows and terms of the entries after `base`, up to and with `last`.
pub struct Fresh {
    pub base: Seqno,
    pub last: Seqno,
    pub rows: HashMap<Name, u64, BuildHasherDefault<ByName>>,
    /// In clear: a term has a name only in a group, and the group is not known before it ends.
    pub terms: BTreeMap<TableId, HashMap<Box<[u8]>, Postings>>,
    bytes: usize,
}

impl Fresh {
    pub fn after(base: Seqno) -> Self {
        Self { base, last: base, rows: HashMap::default(), terms: BTreeMap::new(), bytes: 0 }
    }

    pub fn add_row(&mut self, name: Name, seqno: Seqno) {
        self.rows.insert(name, seqno.0);
        self.bytes += ROW_BYTES;
    }

    pub fn add_term(&mut self, table: TableId, term: &[u8], seqno: Seqno) {
        let terms = self.terms.entry(table).or_default();
        let before;
        let postings = match terms.get_mut(term) {
            Some(postings) => {
                before = postings.bytes().len();
                postings
            }
            None => {
                before = 0;
                self.bytes += TERM_BYTES + term.len();
                terms.entry(term.into()).or_default()
            }
        };
        postings.push(self.base.0, seqno.0);
        self.bytes += postings.bytes().len() - before;
    }

    /// What it is once it is on disk. Without entries it ends before it begins.
    pub fn group(&self) -> Group {
        Group { first: self.base.next(), last: self.last }
    }

    /// The entries that carry a term.
    pub fn postings(&self, table: TableId, term: &[u8]) -> Option<&Postings> {
        self.terms.get(&table)?.get(term)
    }

    /// About how much memory this takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Terms of several entries on their way into [`Fresh`]: gathered before anybody has to wait.
#[derive(Default)]
pub struct Gathered {
    bytes: Vec<u8>,
    terms: Vec<(Seqno, TableId, usize)>,
}

impl Gathered {
    pub fn add(&mut self, seqno: Seqno, table: TableId, term: &[u8]) {
        self.bytes.extend_from_slice(term);
        self.terms.push((seqno, table, self.bytes.len()));
    }

    pub fn each(&self, mut take: impl FnMut(Seqno, TableId, &[u8])) {
        let mut start = 0;
        for (seqno, table, end) in &self.terms {
            take(*seqno, *table, &self.bytes[start..*end]);
            start = *end;
        }
    }
}
