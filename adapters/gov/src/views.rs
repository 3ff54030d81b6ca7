//! In which view an entry was committed: what the status of a transaction is told by.
//!
//! Views only grow with seqnos, so the first and the last entry that are known of a view say it of all between. This node notes
//! what it publishes; what was committed before it started is read out of the ledger when somebody asks. There an entry does not
//! tell its view, but the signature that closes its batch does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::limits::BATCH_ENTRIES_MAX;
use base::{Seqno, TxId, View};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kv::{HistoryError, State, WriteSet};

/// The service's signature of a batch: one row, a COSE message in base64, in JSON.
const COSE_SIGNATURES: &str = "public:ccf.internal.cose_signatures";
/// Entries that may stand between one and the signature of its batch: those of the batch, and one of each hosted ledger.
const LOOK_MAX: u64 = BATCH_ENTRIES_MAX as u64 + 1_024;

/// The first and the last entry that are known of each view: as many as there were elections.
#[derive(Default)]
pub struct Views {
    known: Mutex<BTreeMap<View, (Seqno, Seqno)>>,
    /// Whoever reads the ledger does so alone.
    pub reading: tokio::sync::Mutex<()>,
}

impl Views {
    /// All entries from one to the other are of this view.
    pub fn note(&self, view: View, first: Seqno, last: Seqno) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let range = known.entry(view).or_insert((first, last));
        *range = (range.0.min(first), range.1.max(last));
    }

    /// The view of an entry, without reading anything.
    pub fn known(&self, seqno: Seqno) -> Option<View> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(_, (first, last))| (*first..=*last).contains(&seqno)).map(|(view, _)| *view)
    }

    /// The view of a committed entry, read out of the ledger if need be: of a whole batch at most. Absent where the
    /// ledger cannot be read back yet.
    pub fn of(&self, seqno: Seqno, state: &State) -> Result<Option<View>, HistoryError> {
        for at in seqno.0..seqno.0.saturating_add(LOOK_MAX) {
            let view = match self.known(Seqno(at)) {
                Some(view) => Some(view),
                None => match state.entry(Seqno(at))? {
                    Some(writes) => signed_in(&writes, state),
                    None => return Ok(None),
                },
            };
            if let Some(view) = view {
                self.note(view, seqno, Seqno(at));
                return Ok(Some(view));
            }
        }
        Ok(None)
    }
}

/// The view that a signature names, if this is one.
fn signed_in(writes: &WriteSet, state: &State) -> Option<View> {
    let section = writes.section(state.tables().find(COSE_SIGNATURES)?)?;
    let (_, row) = section.puts.first()?;
    let message: String = serde_json::from_slice(row).ok()?;
    let TxId { view, .. } = crypto::cose::peek(&STANDARD.decode(message).ok()?).ok()?.txid;
    Some(view)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::Digest;
    use crypto::KeyPair;
    use crypto::cose::SignedRoot;
    use kv::{Blob, Found, History, Kind, Section, TableId, Tables, Wanted};

    use super::*;

    /// Batches of three entries, each closed by a signature; the view of a batch is its number.
    struct Ledger {
        signatures: TableId,
        service: KeyPair,
        end: u64,
        read: Mutex<Vec<u64>>,
    }

    impl History for Ledger {
        fn get(&self, _: TableId, _: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
            Ok(None)
        }

        fn find(&self, _: &Wanted, _: Seqno, _: Seqno) -> Result<Found, HistoryError> {
            Ok(Found::default())
        }

        fn entry(&self, seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
            self.read.lock().unwrap().push(seqno.0);
            if seqno.0 > self.end {
                return Ok(None);
            }
            let mut writes = WriteSet::default();
            if seqno.0.is_multiple_of(3) {
                let signed = SignedRoot { txid: TxId::new(seqno.0 / 3, seqno.0), issued_at: 1 };
                let message = crypto::cose::sign_root(&self.service, &Digest::ZERO, signed).unwrap();
                let row = serde_json::to_vec(&STANDARD.encode(message)).unwrap();
                let puts = vec![(b"0"[..].into(), row.into())];
                writes.sections.push(Section { table: self.signatures, puts, removes: vec![] });
            }
            Ok(Some(writes))
        }
    }

    fn ledger(end: u64) -> (Arc<Ledger>, State) {
        let tables = Tables::new();
        let signatures = tables.add(COSE_SIGNATURES, Kind::State).unwrap();
        let service = KeyPair::generate().unwrap();
        let ledger = Arc::new(Ledger { signatures, service, end, read: Mutex::default() });
        let mut state = State::new(Arc::new(tables), ledger.clone());
        state.skip_to(Seqno(end));
        (ledger, state)
    }

    #[test]
    fn the_signature_behind_an_entry_tells_its_view() {
        let (ledger, state) = ledger(12);
        let views = Views::default();
        for (seqno, view) in [(1, 1), (3, 1), (4, 2), (9, 3), (10, 4), (12, 4)] {
            assert_eq!(views.of(Seqno(seqno), &state).unwrap(), Some(View(view)), "{seqno}");
        }
        let read = ledger.read.lock().unwrap().len();
        assert_eq!(views.of(Seqno(2), &state).unwrap(), Some(View(1)), "between two that are known");
        assert_eq!(ledger.read.lock().unwrap().len(), read, "nothing is read twice");
    }

    #[test]
    fn what_is_published_is_known_and_ends_the_reading() {
        let (ledger, state) = ledger(5);
        let views = Views::default();
        assert_eq!(views.of(Seqno(4), &state).unwrap(), None, "its signature cannot be read back yet");
        views.note(View(7), Seqno(5), Seqno(30));
        assert_eq!(views.known(Seqno(29)), Some(View(7)));
        assert_eq!(views.of(Seqno(4), &state).unwrap(), Some(View(7)), "the next entry is of the same batch");
        assert_eq!(views.of(Seqno(3), &state).unwrap(), Some(View(1)));
        assert_eq!(*ledger.read.lock().unwrap(), [4, 5, 4, 3], "and no further than to the signature");
    }
}
