//! What the primary does with a transaction, from its bytes to a batch that can be proposed.

use adapter::{Batch, Work};
use alloy_primitives::{Address, Bytes};
use ethereum::{Envelope, transaction};
use kv::{Derived, Snapshot, WriteSet};
use ledger::Head;

use crate::parts::{Entries, Parts};
use crate::{Kind, Stage};

/// Bytes that one entry takes, about: the room that the executor reserves.
const ENTRY_BYTES: usize = 1_024;

/// Decoding, recovery of the sender, checks against the committed version. On any node.
pub struct Admit {
    parts: Parts,
    raw: Vec<Bytes>,
    snapshot: Snapshot,
}

impl Admit {
    #[must_use]
    pub fn new(mut parts: Parts) -> Self {
        let raw = parts.raw(Kind::Transfer);
        let snapshot = parts.store.snapshot();
        Self { parts, raw, snapshot }
    }
}

impl Stage for Admit {
    type Ready = Vec<Work>;
    type Done = Vec<Work>;

    fn ready(&mut self) -> Vec<Work> {
        Vec::with_capacity(self.raw.len())
    }

    fn run(&mut self, mut admitted: Vec<Work>) -> Vec<Work> {
        admitted.extend(self.raw.iter().map(|raw| self.parts.ethereum.admit(&self.snapshot, raw).unwrap()));
        admitted
    }
}

/// The costly part of it: who signed. What a second holds of these is the most that a core can admit.
pub struct Recover {
    envelopes: Vec<Envelope>,
}

impl Recover {
    #[must_use]
    pub fn new(mut parts: Parts) -> Self {
        let raw = parts.raw(Kind::Transfer);
        Self { envelopes: raw.iter().map(|raw| transaction::decode(raw).unwrap()).collect() }
    }
}

impl Stage for Recover {
    type Ready = Vec<Address>;
    type Done = Vec<Address>;

    fn ready(&mut self) -> Vec<Address> {
        Vec::with_capacity(self.envelopes.len())
    }

    fn run(&mut self, mut senders: Vec<Address>) -> Vec<Address> {
        senders.extend(self.envelopes.iter().map(|envelope| transaction::sender(envelope, true).unwrap()));
        senders
    }
}

/// Execution: the EVM, its write set, and that on the head.
pub struct Execute {
    parts: Parts,
    work: Vec<Work>,
}

impl Execute {
    #[must_use]
    pub fn new(mut parts: Parts, kind: Kind) -> Self {
        let work = parts.work(kind);
        Self { parts, work }
    }
}

impl Stage for Execute {
    type Ready = Box<dyn Batch>;
    type Done = (Box<dyn Batch>, Vec<WriteSet>);

    fn ready(&mut self) -> Box<dyn Batch> {
        self.parts.rewind();
        self.parts.begin()
    }

    fn run(&mut self, mut batch: Box<dyn Batch>) -> Self::Done {
        let kept = self.parts.execute(&mut *batch, &self.work);
        (batch, kept)
    }
}

/// The block: state, transaction and receipt roots, header.
pub struct Roots(Execute);

impl Roots {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Execute::new(parts, kind))
    }
}

impl Stage for Roots {
    type Ready = (Box<dyn Batch>, Vec<WriteSet>);
    type Done = (WriteSet, Option<Derived>, Vec<WriteSet>);

    fn ready(&mut self) -> Self::Ready {
        let batch = self.0.ready();
        self.0.run(batch)
    }

    fn run(&mut self, (batch, kept): Self::Ready) -> Self::Done {
        let (block, derived) = self.0.parts.block(batch, &kept);
        (block, derived, kept)
    }
}

/// Write sets become entries: encoded, encrypted, hashed.
pub struct Seal {
    parts: Parts,
    writes: Vec<WriteSet>,
}

impl Seal {
    #[must_use]
    pub fn new(mut parts: Parts, kind: Kind) -> Self {
        let work = parts.work(kind);
        let writes = parts.closed(&work).entries.into_iter().map(|(_, writes)| writes).collect();
        Self { parts, writes }
    }
}

impl Stage for Seal {
    type Ready = Entries;
    type Done = Entries;

    fn ready(&mut self) -> Entries {
        let count = self.writes.len();
        Entries { bytes: Vec::with_capacity(ENTRY_BYTES * (count + 1)), leaves: Vec::with_capacity(count) }
    }

    fn run(&mut self, mut entries: Entries) -> Entries {
        self.parts.seal(&self.writes, &mut entries);
        entries
    }
}

/// The Merkle tree over a batch's entries, and the service's signature over its root.
pub struct Sign(Seal);

impl Sign {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Seal::new(parts, kind))
    }
}

impl Stage for Sign {
    type Ready = Entries;
    type Done = (Head, Entries);

    fn ready(&mut self) -> Entries {
        let entries = self.0.ready();
        self.0.run(entries)
    }

    fn run(&mut self, mut entries: Entries) -> Self::Done {
        (self.0.parts.sign(&mut entries), entries)
    }
}
