//! What is checked of a batch before anyone believes it, without a key.

use base::{Digest, Seqno, TxId};
use crypto::PublicKey;

use crate::entry::RawEntry;
use crate::signature::{Head, Signature};
use crate::{Corrupt, tables, tree};

/// A batch that was found whole.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Where the ledger stands after it.
    pub head: Head,
    /// Its entries in order, the signature last.
    pub entries: Vec<CheckedEntry>,
}

impl Checked {
    /// The batch's length.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.last().map_or(0, |last| last.end)
    }
}

/// An entry's place in its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckedEntry {
    pub txid: TxId,
    pub start: usize,
    pub end: usize,
    pub leaf: Digest,
}

/// What a backup does before it acknowledges a batch: every entry is whole, transaction ids follow `head` in one view, the
/// last entry and no other is a signature, and it covers exactly the entries before it. The service's signature itself is
/// checked only if `service` is given: a batch from the primary comes over a channel that is authenticated already.
pub fn check_batch(head: &Head, batch: &[u8], service: Option<&PublicKey>) -> Result<Checked, Corrupt> {
    let checked = check_prefix(head, batch, service)?;
    // What follows a signature is another batch.
    if checked.bytes() == batch.len() { Ok(checked) } else { Err(Corrupt::Unsigned) }
}

/// As [`check_batch`], for the first of the batches in `batches`.
pub(crate) fn check_prefix(head: &Head, batches: &[u8], service: Option<&PublicKey>) -> Result<Checked, Corrupt> {
    let mut entries: Vec<CheckedEntry> = Vec::new();
    let mut leaves = Vec::new();
    let mut expected = TxId { view: head.txid.view, seqno: head.txid.seqno.next() };
    let mut rest = batches;
    loop {
        let entry = match RawEntry::parse(rest) {
            Err(_) if rest.is_empty() => return Err(Corrupt::Unsigned),
            entry => entry?,
        };
        rest = &rest[entry.bytes.len()..];
        // The first entry may begin a later view; the others stay in it.
        let follows = entry.txid == expected
            || (entries.is_empty() && entry.txid.seqno == expected.seqno && entry.txid.view > expected.view);
        if !follows {
            return Err(Corrupt::Sequence { expected, found: entry.txid });
        }
        expected = TxId { view: entry.txid.view, seqno: entry.txid.seqno.next() };
        let start = entries.last().map_or(0, |last| last.end);
        let leaf = entry.leaf();
        entries.push(CheckedEntry { txid: entry.txid, start, end: start + entry.bytes.len(), leaf });
        if entry.is_signature() {
            let head = check_signature(head, &entry, &leaves, leaf, service)?;
            return Ok(Checked { head, entries });
        }
        check_no_signature_table(&entry)?;
        leaves.push(leaf);
    }
}

/// Checks a signature entry against the entries since `head`, and gives the head that it makes.
pub(crate) fn check_signature(
    head: &Head,
    entry: &RawEntry<'_>,
    leaves: &[Digest],
    leaf: Digest,
    service: Option<&PublicKey>,
) -> Result<Head, Corrupt> {
    let signature = Signature::read(entry)?;
    let flushed = head.extend(leaves);
    if signature.tree != head.tree_row(leaves) {
        return Err(Corrupt::Root(entry.txid));
    }
    let root = flushed.root();
    signature.signatures.check_raw_root(&root)?;
    if let Some(key) = service {
        signature.signatures.verify_service(key, &root)?;
    }
    Ok(Head { txid: entry.txid, flushed, leaf })
}

/// The first entry that is another one than a broken signature's tree says, if that is what is wrong with it.
pub(crate) fn first_difference(head: &Head, signature: &Signature<'_>, leaves: &[Digest]) -> Option<Seqno> {
    let (_, signed) = tree::deserialise(signature.tree)?;
    let found = std::iter::once(&head.leaf).chain(leaves);
    let at = signed.iter().zip(found).position(|(signed, found)| signed != found)?;
    Some(Seqno(head.txid.seqno.0 + at as u64))
}

/// Only a signature writes the tables of signatures.
pub(crate) fn check_no_signature_table(entry: &RawEntry<'_>) -> Result<(), Corrupt> {
    for section in entry.public() {
        if tables::OF_SIGNATURES.contains(&section?.name) {
            return Err(Corrupt::Content("it writes a signature's table beside others"));
        }
    }
    Ok(())
}
