//! The sealer: makes closed batches into bytes of the ledger, off the executor's thread.
//!
//! ```text
//!   executor ─ batch ─▶ adapters' last entries (roots) ║ entries of the work ─▶ sign ─┬─▶ executor  what the last entries brought
//!      │                encrypt, hash                                                 └─▶ orderer   the proposal
//!      └─ executes the next one meanwhile
//! ```

use std::time::Instant;

use adapter::{Fault, Opening, Seal};
use base::{Digest, Seqno, TxId};
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use kv::{Finished, State, Tables, Tx, WriteSet};
use ledger::{Head, LedgerKeys, Signer};
use rayon::prelude::*;

use crate::executor::Command;
use crate::ordering::Proposal;

/// Entries from which on the work is shared among threads.
const SHARED_FROM: usize = 64;
/// Entries that one thread seals in a row.
const CHUNK: usize = 128;
/// What an entry takes, about: room that is made for it.
const ENTRY_BYTES: usize = 768;

/// One entry, not yet sealed.
pub struct Draft {
    pub writes: WriteSet,
    pub claims: Digest,
    /// Whose it is: the hosted ledger's place in the list. `None`: the framework's own.
    pub slot: Option<usize>,
}

/// A batch that takes no more work.
pub struct ClosedBatch {
    pub opening: Opening,
    /// The entries: of the work, then one of each ledger in `ends`, in its order.
    pub drafts: Vec<Draft>,
    pub ends: Vec<End>,
    /// The version at the batch's end, but for what the ends still bring.
    pub state: State,
    /// Where the ledger stands before it.
    pub head: Head,
}

/// The end of a batch for one hosted ledger.
pub struct End {
    pub slot: usize,
    pub seal: Seal,
}

/// A batch as it was proposed.
pub struct SealedBatch {
    /// Of its signature.
    pub txid: TxId,
    /// What the ends brought, which is part of their entries.
    pub late: Vec<(Seqno, WriteSet)>,
    /// All of it but for the signature.
    pub entries: Vec<(Seqno, WriteSet)>,
}

/// What the thread works with.
pub struct Sealer {
    pub keys: std::sync::Arc<LedgerKeys>,
    pub signer: Signer,
    pub executor: Sender<Command>,
    pub proposals: Sender<Proposal>,
}

/// Entries in a row, sealed.
#[derive(Default)]
struct Sealed {
    bytes: Vec<u8>,
    leaves: Vec<Digest>,
}

impl Sealer {
    /// Runs until nobody sends batches any more.
    pub fn run(&self, batches: &Receiver<ClosedBatch>) -> Result<(), Fault> {
        for batch in batches {
            let started = Instant::now();
            let (sealed, proposal) = self.seal(batch)?;
            metrics::histogram!("coco_batch_seal_seconds").record(started.elapsed().as_secs_f64());
            metrics::histogram!("coco_batch_entries").record(sealed.entries.len() as f64);
            // The executor hears of it before it can be committed. Either fails only once the other end is gone, and then
            // the node is stopping.
            let _ = self.executor.send(Command::Sealed(sealed));
            let _ = self.proposals.send(proposal);
        }
        Ok(())
    }

    fn seal(&self, batch: ClosedBatch) -> Result<(SealedBatch, Proposal), Fault> {
        let ClosedBatch { opening, mut drafts, ends, state, head } = batch;
        let txid = |place: usize| TxId { view: opening.view, seqno: Seqno(opening.first.0 + place as u64) };
        let work = drafts.len() - ends.len();
        let tables = state.tables();
        let finish = || finish(ends, &drafts, &state);
        let of_work = || self.entries(&drafts[..work], txid(0), tables);
        let (late, of_work) = if work < SHARED_FROM { (finish(), of_work()) } else { rayon::join(finish, of_work) };
        let (late, Sealed { mut bytes, mut leaves }) = (late?, of_work?);
        for (Draft { writes, claims, .. }, late) in drafts[work..].iter_mut().zip(&late) {
            *writes = std::mem::take(writes).then(late.writes.clone());
            *claims = late.claims;
        }
        let ends = self.entries(&drafts[work..], txid(work), tables)?;
        bytes.extend_from_slice(&ends.bytes);
        leaves.extend(ends.leaves);
        let seconds = opening.time / 1_000;
        let head = ledger::sign(&head, opening.view, &leaves, &self.signer, &self.keys, seconds, &mut bytes);
        let head = head.map_err(Fault::new)?;
        let late = late.into_iter().enumerate().map(|(place, late)| (txid(work + place).seqno, late.writes));
        let entries = drafts.into_iter().enumerate().map(|(place, draft)| (txid(place).seqno, draft.writes));
        let sealed = SealedBatch { txid: head.txid, late: late.collect(), entries: entries.collect() };
        Ok((sealed, Proposal { batch: Bytes::from(bytes), head }))
    }

    /// Seals entries, the first of which is `first`.
    fn entries(&self, drafts: &[Draft], first: TxId, tables: &Tables) -> Result<Sealed, Fault> {
        let chunk = |(place, drafts): (usize, &[Draft])| {
            let mut sealed = Sealed::default();
            sealed.bytes.reserve((drafts.len() + 1) * ENTRY_BYTES);
            for (Draft { writes, claims, .. }, seqno) in drafts.iter().zip(first.seqno.0 + (place * CHUNK) as u64..) {
                let txid = TxId { seqno: Seqno(seqno), ..first };
                let leaf = ledger::seal(txid, writes, claims, tables, &self.keys, &mut sealed.bytes);
                sealed.leaves.push(leaf.map_err(Fault::new)?);
            }
            Ok(sealed)
        };
        if drafts.len() <= CHUNK {
            return chunk((0, drafts));
        }
        let chunks: Vec<Sealed> = drafts.par_chunks(CHUNK).enumerate().map(chunk).collect::<Result<_, Fault>>()?;
        let mut all = Sealed { bytes: Vec::with_capacity((drafts.len() + 1) * ENTRY_BYTES), leaves: Vec::new() };
        for Sealed { bytes, leaves } in chunks {
            all.bytes.extend_from_slice(&bytes);
            all.leaves.extend(leaves);
        }
        Ok(all)
    }
}

/// Lets each ledger do what it left to do when the batch closed.
fn finish(ends: Vec<End>, drafts: &[Draft], state: &State) -> Result<Vec<Finished>, Fault> {
    let finish = |End { slot, seal }: End| {
        let own: Vec<&WriteSet> =
            drafts.iter().filter(|draft| draft.slot == Some(slot)).map(|draft| &draft.writes).collect();
        let mut tx = Tx::new(state);
        seal(&mut tx, &own)?;
        Ok(tx.finish())
    };
    ends.into_iter().map(finish).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::View;
    use crossbeam_channel::unbounded;
    use crypto::{KeyPair, Secret};
    use kv::{Kind, NoHistory};

    use super::*;

    #[test]
    fn shared_among_threads_it_is_the_same_as_in_a_row() {
        let tables = Tables::new();
        let table = tables.add("rows", Kind::State).unwrap();
        let state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let drafts: Vec<Draft> = (0..3 * CHUNK as u64 + 7)
            .map(|number| {
                let mut tx = Tx::new(&state);
                tx.put(table, number.to_be_bytes(), vec![7; number as usize % 50]);
                Draft { writes: tx.finish().writes, claims: Digest::ZERO, slot: Some(0) }
            })
            .collect();
        let keys = Arc::new(LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap());
        let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
        let sealer = Sealer { keys: keys.clone(), signer, executor: unbounded().0, proposals: unbounded().0 };
        let first = TxId { view: View(2), seqno: Seqno(40) };
        let shared = sealer.entries(&drafts, first, state.tables()).unwrap();
        let (mut bytes, mut leaves) = (Vec::new(), Vec::new());
        for (Draft { writes, claims, .. }, seqno) in drafts.iter().zip(first.seqno.0..) {
            let txid = TxId { seqno: Seqno(seqno), ..first };
            leaves.push(ledger::seal(txid, writes, claims, state.tables(), &keys, &mut bytes).unwrap());
        }
        assert!(shared.bytes == bytes && shared.leaves == leaves);
    }
}
