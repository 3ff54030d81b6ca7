//! What a backup does with a batch that the primary proposed.

use adapter::Adapter;
use base::Seqno;
use ethereum::World;
use kv::{Derived, Snapshot, WriteSet};
use ledger::Checked;

use crate::parts::{Closed, Parts};
use crate::{Kind, Stage};

/// A batch, and a backup that has not seen it: the same parts, taken back to the version before it.
struct Behind {
    parts: Parts,
    batch: Closed,
}

impl Behind {
    fn new(mut parts: Parts, kind: Kind) -> Self {
        // What the backup has is what the primary had; a version that is committed is never undone, so it is kept aside.
        let before = parts.store.head().clone();
        let work = parts.work(kind);
        let batch = parts.closed(&work);
        parts.store = kv::Store::on(before);
        parts.head = batch.before.clone();
        Self { parts, batch }
    }
}

/// Before it acknowledges: structure, and the root recomputed.
pub struct Check(Behind);

impl Check {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Behind::new(parts, kind))
    }
}

impl Stage for Check {
    type Ready = ();
    type Done = Checked;

    fn ready(&mut self) {}

    fn run(&mut self, (): ()) -> Checked {
        let Closed { before, bytes, .. } = &self.0.batch;
        ledger::check_batch(before, bytes, None).unwrap()
    }
}

/// Once it is committed: decrypted, authenticated, decoded.
pub struct Open(Behind);

impl Open {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Behind::new(parts, kind))
    }
}

impl Stage for Open {
    type Ready = Vec<(Seqno, WriteSet)>;
    type Done = Vec<(Seqno, WriteSet)>;

    fn ready(&mut self) -> Self::Ready {
        Vec::with_capacity(self.0.batch.entries.len())
    }

    fn run(&mut self, mut entries: Self::Ready) -> Self::Done {
        let Behind { parts, batch } = &self.0;
        for entry in ledger::split(&batch.bytes) {
            let entry = entry.unwrap();
            if !entry.is_signature() {
                entries.push((entry.txid.seqno, ledger::open(&entry, parts.tables(), &parts.keys).unwrap()));
            }
        }
        entries
    }
}

/// The writes on the head.
pub struct Apply(Behind);

impl Apply {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Behind::new(parts, kind))
    }
}

impl Stage for Apply {
    type Ready = ();
    type Done = ();

    fn ready(&mut self) {
        self.0.parts.rewind();
    }

    fn run(&mut self, (): ()) {
        let Behind { parts, batch } = &mut self.0;
        parts.store.apply_all(&batch.entries);
    }
}

/// The state trie follows, without hashing.
pub struct Derive {
    behind: Behind,
    writes: Vec<WriteSet>,
    previous: Derived,
}

impl Derive {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        let mut behind = Behind::new(parts, kind);
        let previous = behind.parts.store.head().derived(0).unwrap().clone();
        let writes = behind.batch.entries.iter().map(|(_, writes)| writes.clone()).collect();
        behind.parts.store.apply_all(&behind.batch.entries);
        Self { behind, writes, previous }
    }

    /// The trie after the batch.
    pub(crate) fn world(&mut self) -> World {
        let derived = self.run(());
        let parts = &self.behind.parts;
        let mut state = parts.store.head().clone();
        state.set_derived(0, derived);
        parts.ethereum.latest(&Snapshot::of(state)).world().unwrap()
    }
}

impl Stage for Derive {
    type Ready = ();
    type Done = Option<Derived>;

    fn ready(&mut self) {}

    fn run(&mut self, (): ()) -> Self::Done {
        let head = self.behind.parts.store.head();
        self.behind.parts.ethereum.derive(Some(&self.previous), head, &self.writes).unwrap()
    }
}
