//! Finding entries by terms: group after group, and the rarest list first.

use base::Seqno;
use fjall::Slice;
use kv::{Found, Wanted};

use super::fresh::Fresh;
use super::names::TermKey;
use super::{Group, IndexError, Store, postings};

/// Entries that one call finds …
const ENTRIES_MAX: usize = 1_024;
/// … and rows of the index that it looks for: a few milliseconds.
const PROBES_MAX: usize = 4_096;
/// Bytes of a list that are read in the time that it takes to open an entry and see for oneself.
const ENTRY_IN_LIST_BYTES: usize = 2_048;

/// A search under way.
pub struct Search<'a> {
    store: &'a Store,
    wanted: &'a Wanted,
    from: Seqno,
    to: Seqno,
    /// Places in `wanted.groups`, those first that had least in the group before: one that has nothing saves the others.
    order: Vec<usize>,
    found: Found,
    /// Rows of the index that were looked for.
    pub probes: usize,
}

/// The entries of a term in one group.
enum List {
    Clear(Vec<u8>),
    Sealed(TermKey, Slice),
}

impl List {
    fn len(&self) -> usize {
        match self {
            Self::Clear(bytes) => bytes.len(),
            Self::Sealed(_, bytes) => bytes.len(),
        }
    }
}

impl<'a> Search<'a> {
    pub fn new(store: &'a Store, wanted: &'a Wanted, from: Seqno, to: Seqno) -> Self {
        let found = Found { entries: Vec::new(), upto: Seqno(from.0.saturating_sub(1)) };
        let order = (0..wanted.groups.len()).collect();
        Self { store, wanted, from, to, order, found, probes: 0 }
    }

    pub fn run(mut self) -> Result<(Found, usize), IndexError> {
        let (groups, in_memory) = {
            let live = self.store.read();
            let lists: Vec<_> = live.in_memory().filter_map(|fresh| self.lists(fresh)).collect();
            (live.groups.clone(), lists)
        };
        let start = groups.partition_point(|group| group.last < self.from);
        for group in &groups[start..] {
            if group.first > self.to || self.probes >= PROBES_MAX {
                return Ok((self.found, self.probes));
            }
            let lists = self.on_disk(group)?;
            if !self.take(lists, group)? {
                return Ok((self.found, self.probes));
            }
        }
        for (group, lists) in in_memory.into_iter().rev() {
            if !self.take(lists, &group)? {
                break;
            }
        }
        Ok((self.found, self.probes))
    }

    /// The lists of what is not on disk yet, if it is wanted.
    fn lists(&self, fresh: &Fresh) -> Option<(Group, Vec<Vec<List>>)> {
        let group = fresh.group();
        if group.last < self.from || group.first > self.to || group.last < group.first {
            return None;
        }
        let of = |term: &Vec<u8>| {
            let postings = fresh.postings(self.wanted.table, term)?;
            Some(List::Clear(postings.bytes().to_vec()))
        };
        Some((group, self.wanted.groups.iter().map(|terms| terms.iter().filter_map(of).collect()).collect()))
    }

    /// The lists of a group on disk; fewer if there can be no entry.
    fn on_disk(&mut self, group: &Group) -> Result<Vec<Vec<List>>, IndexError> {
        let mut sets: Vec<Vec<List>> = Vec::new();
        let mut sizes = vec![0; self.order.len()];
        for place in &self.order {
            let mut lists = Vec::new();
            for term in &self.wanted.groups[*place] {
                let key = self.store.names.term(self.wanted.table, group, term);
                self.probes += 1;
                if let Some(sealed) = self.store.terms.get(group.key(&key.name()))? {
                    sizes[*place] += sealed.len();
                    lists.push(List::Sealed(key, sealed));
                }
            }
            let nothing = lists.is_empty();
            sets.push(lists);
            if nothing {
                break;
            }
        }
        // Those that were not looked at stay behind those that were.
        let looked = sets.len();
        self.order[..looked].sort_by_key(|place| sizes[*place]);
        Ok(sets)
    }

    /// Adds what these lists have in common. Whether there is room for more.
    fn take(&mut self, mut sets: Vec<Vec<List>>, group: &Group) -> Result<bool, IndexError> {
        let bytes = |set: &Vec<List>| set.iter().map(List::len).sum::<usize>();
        sets.sort_by_cached_key(bytes);
        let mut common: Option<Vec<u64>> = None;
        for set in sets {
            common = Some(match common {
                None => self.read(set, group)?,
                Some(found) if bytes(&set) > found.len() * ENTRY_IN_LIST_BYTES => found,
                Some(mut found) => {
                    let list = self.read(set, group)?;
                    found.retain(|seqno| list.binary_search(seqno).is_ok());
                    found
                }
            });
        }
        let room = ENTRIES_MAX - self.found.entries.len();
        let common = common.unwrap_or_default();
        self.found.entries.extend(common.iter().take(room).map(|seqno| Seqno(*seqno)));
        let full = common.len() > room;
        self.found.upto = match self.found.entries.last() {
            Some(last) if full => *last,
            _ => group.last.min(self.to),
        };
        Ok(!full)
    }

    /// The entries of any of these lists, ascending.
    fn read(&self, lists: Vec<List>, group: &Group) -> Result<Vec<u64>, IndexError> {
        let mut all = Vec::new();
        let several = lists.len() > 1;
        for list in lists {
            let bytes = match list {
                List::Clear(bytes) => bytes,
                List::Sealed(key, sealed) => key.open(&sealed)?,
            };
            postings::read(&bytes, group.first.0 - 1, |seqno| {
                if (self.from.0..=self.to.0).contains(&seqno) {
                    all.push(seqno);
                }
            })?;
        }
        if several {
            all.sort_unstable();
            all.dedup();
        }
        Ok(all)
    }
}
