//! What stands on disk in place of keys and terms: keyed hashes, and lists under a pad. Byte layout: docs/formats/index.md.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use crypto::{MacKey, SealingKey, Secret, TAG_BYTES};
use kv::{TableId, Tables};

use super::{Group, IndexError, VERSION};

/// Enough that no two rows meet by chance, with a key that nobody outside knows.
pub const NAME_BYTES: usize = 12;
/// A list up to this length is hidden under what its hash has left; a longer one is sealed.
const PAD_BYTES: usize = 32 - NAME_BYTES;
const OF_ROWS: u8 = b'r';
const OF_TERMS: u8 = b't';
/// The key that derives these is used once.
const IV: [u8; crypto::IV_BYTES] = [0; crypto::IV_BYTES];

/// A keyed hash of a row's key or of a term.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name(pub [u8; NAME_BYTES]);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (first, _) = self.0.split_first_chunk::<8>().expect("a name is longer than that");
        state.write_u64(u64::from_le_bytes(*first));
    }
}

/// For maps by [`Name`], which is as good as random already.
#[derive(Clone, Copy, Default)]
pub struct ByName(u64);

impl Hasher for ByName {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The keys of every table, each made when its table is first asked for.
pub struct Names {
    key: MacKey,
    tables: Arc<Tables>,
    known: ArcSwap<BTreeMap<TableId, Arc<Keys>>>,
}

/// The keys of one table.
struct Keys {
    rows: MacKey,
    terms: MacKey,
}

impl Names {
    pub fn new(key: MacKey, tables: Arc<Tables>) -> Self {
        Self { key, tables, known: ArcSwap::default() }
    }

    fn of(&self, id: TableId) -> Arc<Keys> {
        if let Some(keys) = self.known.load().get(&id) {
            return keys.clone();
        }
        let table = &self.tables.get(id).name;
        let derive = |label: u8| MacKey::new(&self.key.mac(&[VERSION, &[label], table.as_bytes()].concat()));
        let keys = Arc::new(Keys { rows: derive(OF_ROWS), terms: derive(OF_TERMS) });
        self.known.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            known.insert(id, keys.clone());
            known
        });
        keys
    }

    pub fn row(&self, table: TableId, key: &[u8]) -> Name {
        name(&self.of(table).rows.mac(key))
    }

    /// A term has another name in every group, so that nobody sees it twice.
    pub fn term(&self, table: TableId, group: &Group, term: &[u8]) -> TermKey {
        let mut message = Vec::with_capacity(16 + term.len());
        message.extend_from_slice(&group.first.0.to_be_bytes());
        message.extend_from_slice(&group.last.0.to_be_bytes());
        message.extend_from_slice(term);
        TermKey(self.of(table).terms.mac(&message))
    }
}

fn name(mac: &[u8; 32]) -> Name {
    Name(*mac.first_chunk().expect("a name is shorter than that"))
}

/// What hides the entries of one term in one group. It hides the same list whenever it is used, for ledger, group,
/// term and version make the list; so nothing is learned from two uses.
pub struct TermKey([u8; 32]);

impl TermKey {
    pub fn name(&self) -> Name {
        name(&self.0)
    }

    pub fn seal(&self, list: &[u8]) -> Result<Vec<u8>, IndexError> {
        let mut sealed = list.to_vec();
        if list.len() <= PAD_BYTES {
            self.pad(&mut sealed);
        } else {
            let tag = self.long()?.seal(IV, &[], &mut sealed)?;
            sealed.extend_from_slice(&tag);
        }
        Ok(sealed)
    }

    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, IndexError> {
        if sealed.len() <= PAD_BYTES {
            let mut list = sealed.to_vec();
            self.pad(&mut list);
            return Ok(list);
        }
        let (list, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(IndexError::Damaged)?;
        let mut out = vec![0; list.len()];
        self.long()?.open(IV, &[], list, tag, &mut out).map_err(|_| IndexError::Damaged)?;
        Ok(out)
    }

    fn pad(&self, list: &mut [u8]) {
        list.iter_mut().zip(&self.0[NAME_BYTES..]).for_each(|(byte, pad)| *byte ^= pad);
    }

    fn long(&self) -> Result<SealingKey, IndexError> {
        let key = MacKey::new(&self.0[NAME_BYTES..]).mac(b"list");
        Ok(SealingKey::new(&Secret::from_slice(&key)?)?)
    }
}

#[cfg(test)]
mod tests {
    use base::Seqno;
    use kv::Kind;

    use super::*;

    #[test]
    fn lists_of_any_length_come_back_and_stand_nowhere_in_clear() {
        let tables = Tables::new();
        let table = tables.add("a.rows", Kind::History).unwrap();
        let names = Names::new(MacKey::new(b"key"), Arc::new(tables));
        let group = Group { first: Seqno(1), last: Seqno(9) };
        for length in [0, 1, PAD_BYTES, PAD_BYTES + 1, 1_000] {
            let key = names.term(table, &group, b"term");
            let list = vec![1; length];
            let sealed = key.seal(&list).unwrap();
            assert_eq!(key.open(&sealed).unwrap(), list);
            assert!(length == 0 || sealed[..length] != list[..]);
        }
        let key = names.term(table, &group, b"term");
        assert!(matches!(key.open(&[0; 100]), Err(IndexError::Damaged)));
    }

    #[test]
    fn a_name_is_of_one_table_and_one_group() {
        let tables = Tables::new();
        let (a, b) = (tables.add("a", Kind::History).unwrap(), tables.add("b", Kind::History).unwrap());
        let names = Names::new(MacKey::new(b"key"), Arc::new(tables));
        let group = |first, last| Group { first: Seqno(first), last: Seqno(last) };
        let mut all = vec![
            names.row(a, b"x"),
            names.row(b, b"x"),
            names.term(a, &group(1, 2), b"x").name(),
            names.term(b, &group(1, 2), b"x").name(),
            names.term(a, &group(1, 3), b"x").name(),
            names.term(a, &group(2, 3), b"x").name(),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}
