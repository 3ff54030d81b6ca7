//! The offline audit: a ledger directory, from its first entry to its last signature, with public information only.
//!
//! ```text
//!   reader ── chunks ──▶ this thread ── signatures ──▶ workers          read ahead │ parse, hash, tree, state │ ECDSA
//! ```
//!
//! What is checked of each:
//! 1. directory: names, no gap, nothing else in it;
//! 2. chunk: its position table, the number of entries, a signature at its end;
//! 3. entry: its frame, its transaction id after the one before, its public tables' form, no flag;
//! 4. service and nodes: the status of each changes only along the known ways, a certificate belongs to its node;
//! 5. signature: its tree is that of the entries before it; the service's signature verifies with the certificate in force, the
//!    node's, if there is one, with that of a node that was not pending;
//! 6. with the ledger secrets, if they are given: every entry opens.
//!
//! Every byte of a ledger is covered by the signature that follows it. The last signature is followed by none: all of it is
//! checked against what it must be, but its own tag and commit evidence (48 bytes) can be checked only with the ledger secret.
//! [`Report::unproven`] says so.

mod report;
mod signatures;
mod state;

use std::path::Path;
use std::thread;

use base::{Digest, TxId};

pub use report::{Broken, Progress, Reason, Report};

use crate::check::{check_no_signature_table, check_signature, first_difference};
use crate::chunk::{self, ChunkName, FIRST_OFFSET};
use crate::domain::Sections;
use crate::entry::RawEntry;
use crate::scan::{ChunkFile, list, read_ahead};
use crate::signature::{Head, Signature};
use crate::{Corrupt, LedgerKeys};
use signatures::{Pool, Task};
use state::State;

/// Audits the ledger files in `directory`. `progress` is called after every signature.
pub fn verify(
    directory: &Path,
    keys: Option<&LedgerKeys>,
    mut progress: impl FnMut(Progress),
) -> Result<Report, Broken> {
    let chunks = list(directory)?;
    let bytes_total = chunks.iter().map(|chunk| chunk.bytes).sum();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let pool = Pool::start(scope, workers);
        let ahead = read_ahead(scope, &chunks);
        let mut audit =
            Audit { keys, pool: &pool, head: Head::new(), state: State::default(), report: Report::default() };
        let walked = chunks.iter().try_for_each(|chunk| {
            let bytes = ahead.recv().map_err(|_| chunk.broken(None, Reason::Chunk("it was not read")))?;
            let bytes = bytes.map_err(|error| chunk.broken(None, Reason::Io(error.into())))?;
            audit.chunk(chunk, &bytes, |done, txid| progress(Progress { bytes_done: done, bytes_total, txid }))
        });
        let (report, state, head) = (audit.report, audit.state, audit.head);
        // Let the reader go, and wait for the signatures that are still being verified: theirs may be the earlier fault.
        drop(ahead);
        let verified = pool.finish();
        match (walked, verified) {
            (Err(walked), Err(verified)) => return Err(if walked.before(&verified) { walked } else { verified }),
            (walked, verified) => walked.and(verified)?,
        }
        Ok(report.close(head.txid, &state, keys.is_some()))
    })
}

struct Audit<'a> {
    keys: Option<&'a LedgerKeys>,
    pool: &'a Pool,
    head: Head,
    state: State,
    report: Report,
}

impl Audit<'_> {
    fn chunk(&mut self, file: &ChunkFile, bytes: &[u8], mut progress: impl FnMut(u64, TxId)) -> Result<(), Broken> {
        let broken = |reason| file.broken(None, reason);
        let corrupt = |error| broken(Reason::Corrupt(error));
        let table = usize::try_from(chunk::table_offset(bytes).map_err(corrupt)?)
            .map_err(|_| broken(Reason::Chunk("its position table lies outside it")))?;
        let end = match file.name {
            ChunkName::Open { .. } if table != 0 => {
                return Err(broken(Reason::Chunk("it is open and has a position table")));
            }
            ChunkName::Open { .. } => bytes.len(),
            ChunkName::Committed { .. } => table,
        };
        let entries = bytes
            .get(FIRST_OFFSET as usize..end)
            .ok_or_else(|| broken(Reason::Chunk("its position table lies outside it")))?;
        let mut positions = Vec::new();
        let mut rest = entries;
        let done = self.report.bytes;
        while !rest.is_empty() {
            let read = self.batch(file, rest, &mut positions, entries.len() - rest.len())?;
            rest = &rest[read..];
            progress(done + (entries.len() - rest.len()) as u64, self.head.txid);
        }
        if let ChunkName::Committed { first, last } = file.name {
            if self.head.seqno().0 != last || positions.len() as u64 != last - first + 1 {
                return Err(broken(Reason::Chunk("its name and its entries disagree")));
            }
            if chunk::table_bytes(&positions) != bytes[end..] {
                return Err(broken(Reason::Chunk("its position table does not point at its entries")));
            }
        }
        self.report.bytes += bytes.len() as u64;
        self.report.chunks += 1;
        if self.pool.failed() { Err(broken(Reason::Chunk("a signature before it does not verify"))) } else { Ok(()) }
    }

    /// Reads one batch at the start of `bytes`, which stand `before` bytes behind the chunk's first entry. Gives its length.
    fn batch(
        &mut self,
        file: &ChunkFile,
        bytes: &[u8],
        positions: &mut Vec<u32>,
        before: usize,
    ) -> Result<usize, Broken> {
        let mut leaves: Vec<Digest> = Vec::new();
        let mut last = self.head.txid;
        let mut read = 0;
        loop {
            let after = |reason| file.broken(Some(TxId { view: last.view, seqno: last.seqno.next() }), reason);
            if read == bytes.len() {
                return Err(after(Reason::Unfinished));
            }
            let entry = RawEntry::parse(&bytes[read..]).map_err(|error| after(Reason::Corrupt(error)))?;
            let broken = |reason| file.broken(Some(entry.txid), reason);
            let corrupt = |error| broken(Reason::Corrupt(error));
            self.entry(&entry, last, !leaves.is_empty()).map_err(broken)?;
            let offset = u32::try_from(before + read + FIRST_OFFSET as usize);
            positions.push(offset.map_err(|_| broken(Reason::Chunk("it is larger than 4 GiB")))?);
            read += entry.bytes.len();
            last = entry.txid;
            let leaf = entry.leaf();
            if entry.is_signature() {
                self.signature(file, &entry, &leaves, leaf)?;
                return Ok(read);
            }
            check_no_signature_table(&entry).map_err(corrupt)?;
            self.state.apply(&entry).map_err(broken)?;
            leaves.push(leaf);
        }
    }

    fn entry(&mut self, entry: &RawEntry<'_>, last: TxId, same_view: bool) -> Result<(), Reason> {
        let expected = TxId { view: last.view, seqno: last.seqno.next() };
        let follows = entry.txid.seqno == expected.seqno
            && (entry.txid.view == expected.view || (!same_view && entry.txid.view > expected.view));
        if !follows {
            return Err(Corrupt::Sequence { expected, found: entry.txid }.into());
        }
        if entry.flags != 0 {
            return Err(Corrupt::Frame("it has a flag, which no version of this ledger writes").into());
        }
        if let Some(keys) = self.keys {
            let private = entry.open_private(keys)?;
            Sections::new(&private, false).try_for_each(|section| section.map(drop))?;
        }
        self.report.entries += 1;
        Ok(())
    }

    fn signature(
        &mut self,
        file: &ChunkFile,
        entry: &RawEntry<'_>,
        leaves: &[Digest],
        leaf: Digest,
    ) -> Result<(), Broken> {
        let broken = |txid, reason| file.broken(Some(txid), reason);
        let corrupt = |error| broken(entry.txid, Reason::Corrupt(error));
        let signature = Signature::read(entry).map_err(corrupt)?;
        let head = check_signature(&self.head, entry, leaves, leaf, None).map_err(|error| {
            match first_difference(&self.head, &signature, leaves) {
                Some(seqno) => broken(TxId { view: entry.txid.view, seqno }, Reason::Changed),
                None => corrupt(error),
            }
        })?;
        let service = self.state.service_key().map_err(|reason| broken(entry.txid, reason))?;
        let node = match &signature.signatures.raw {
            Some(raw) => Some(self.state.signing_node(raw.node).map_err(|reason| broken(entry.txid, reason))?),
            None => None,
        };
        self.report.signatures += 1;
        self.report.node_signatures += u64::from(node.is_some());
        self.pool.submit(Task {
            file: file.name,
            root: head.signed_root(),
            signatures: signature.signatures,
            service,
            node,
        });
        self.head = head;
        Ok(())
    }
}
