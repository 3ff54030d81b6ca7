//! One transaction as bytes. Byte layout: docs/formats/entry.md.
//!
//! ```text
//!   version flags size │ tag IV │ P │ type seqno claims evidence 0 │ public sections │ private sections (sealed)
//!   ─────── header ────┴─ GCM ──┴───┴──────── public domain (P bytes, in clear) ─────┴──────────────────────────
//! ```
//!
//! The IV holds the transaction id. It is used once with a key because a view has one primary, and a primary seals a seqno once.
//! The entry's leaf in the tree covers every byte of it.

use base::limits::ENTRY_BYTES_MAX;
use base::{Digest, TxId};
use crypto::{IV_BYTES, TAG_BYTES, sha256};
use kv::{Blob, Privacy, Section, Tables, WriteSet};

use crate::bytes::Reader;
use crate::domain::{self, Sections};
use crate::{Corrupt, LedgerKeys, SealError, tables};

/// Version, flags and size.
pub(crate) const HEADER_BYTES: usize = 8;
const FORMAT_VERSION: u8 = 1;
/// Close the chunk after this entry, and before it. CCF knows both; we read them and write neither.
const FLAGS_KNOWN: u8 = 0b11;
/// Everything before the public domain.
const PREFIX_BYTES: usize = HEADER_BYTES + TAG_BYTES + IV_BYTES + 8;
/// Type, seqno, claims, evidence, placeholder.
const PUBLIC_HEADER_BYTES: usize = 1 + 8 + 32 + 32 + 8;
const TYPE_WITH_EVIDENCE_AND_CLAIMS: u8 = 4;
const VIEW_BITS: u32 = 0x7fff_ffff;

/// Seals one transaction: appends its raw entry to `out` and gives its leaf. Pure: the same arguments give the same bytes.
/// On failure `out` is as it was.
pub fn seal(
    txid: TxId,
    writes: &WriteSet,
    claims: &Digest,
    tables: &Tables,
    keys: &LedgerKeys,
    out: &mut Vec<u8>,
) -> Result<Digest, SealError> {
    if writes.is_empty() {
        return Err(SealError::Empty);
    }
    let of = |privacy| writes.sections.iter().filter(move |s| tables.get(s.table).privacy == privacy);
    seal_domains(
        txid,
        claims,
        keys,
        out,
        |out| domain::write(of(Privacy::Public), tables, out),
        |out| domain::write(of(Privacy::Private), tables, out),
    )
}

/// Seals what two writers append for the public and the private domain.
pub(crate) fn seal_domains(
    txid: TxId,
    claims: &Digest,
    keys: &LedgerKeys,
    out: &mut Vec<u8>,
    public: impl FnOnce(&mut Vec<u8>),
    private: impl FnOnce(&mut Vec<u8>),
) -> Result<Digest, SealError> {
    let epoch = keys.at(txid.seqno).ok_or(SealError::NoKey(txid.seqno))?;
    let evidence = epoch.evidence_digest(txid);
    let iv = iv(txid).ok_or(SealError::TxId(txid))?;
    let start = out.len();
    out.resize(start + PREFIX_BYTES, 0);
    out.push(TYPE_WITH_EVIDENCE_AND_CLAIMS);
    out.extend_from_slice(&txid.seqno.0.to_le_bytes());
    out.extend_from_slice(&claims.0);
    out.extend_from_slice(&evidence.0);
    out.extend_from_slice(&[0; 8]);
    public(out);
    let public_end = out.len();
    private(out);
    let bytes = out.len() - start;
    if bytes > ENTRY_BYTES_MAX {
        out.truncate(start);
        return Err(SealError::TooLarge { bytes });
    }
    let (public, private) = out.split_at_mut(public_end);
    let tag = match epoch.sealing.seal(iv, &public[start + PREFIX_BYTES..], private) {
        Ok(tag) => tag,
        Err(error) => {
            out.truncate(start);
            return Err(error.into());
        }
    };
    let size = (bytes - HEADER_BYTES) as u64;
    let entry = &mut out[start..];
    entry[0] = FORMAT_VERSION;
    entry[1] = 0;
    entry[2..8].copy_from_slice(&size.to_le_bytes()[..6]);
    entry[8..24].copy_from_slice(&tag);
    entry[24..36].copy_from_slice(&iv);
    entry[36..44].copy_from_slice(&((public_end - start - PREFIX_BYTES) as u64).to_le_bytes());
    Ok(leaf_digest(&sha256(entry), &evidence, claims))
}

/// The IV of a transaction; `None` if its id does not fit.
fn iv(txid: TxId) -> Option<[u8; IV_BYTES]> {
    let view = u32::try_from(txid.view.0).ok().filter(|view| *view <= VIEW_BITS)?;
    if txid.seqno.0 == 0 {
        return None;
    }
    let mut iv = [0; IV_BYTES];
    iv[..8].copy_from_slice(&txid.seqno.0.to_le_bytes());
    iv[8..].copy_from_slice(&view.to_le_bytes());
    Some(iv)
}

/// The leaf of an entry in the tree.
pub(crate) fn leaf_digest(raw: &Digest, evidence: &Digest, claims: &Digest) -> Digest {
    let mut parts = [0; 96];
    parts[..32].copy_from_slice(&raw.0);
    parts[32..64].copy_from_slice(&evidence.0);
    parts[64..].copy_from_slice(&claims.0);
    sha256(&parts)
}

/// One raw entry, parsed and checked as far as that goes without a key: its frame and its fixed fields.
#[derive(Clone, Copy)]
pub struct RawEntry<'a> {
    pub txid: TxId,
    /// The whole entry, header included.
    pub bytes: &'a [u8],
    pub flags: u8,
    claims: Digest,
    evidence: Digest,
    public_end: usize,
}

impl<'a> RawEntry<'a> {
    /// Parses the entry at the start of `bytes`, which may go on after it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let bytes = frame(bytes)?;
        let mut reader = Reader::new(&bytes[HEADER_BYTES + TAG_BYTES..]);
        let seqno = reader.u64()?;
        let view = u32::from_le_bytes(*reader.array()?);
        let public_bytes = usize::try_from(reader.u64()?).map_err(|_| Corrupt::Frame("public length out of range"))?;
        let mut public = Reader::new(
            reader.rest().get(..public_bytes).ok_or(Corrupt::Frame("the public part is longer than the entry"))?,
        );
        if view > VIEW_BITS {
            return Err(Corrupt::Frame("it is a snapshot, not an entry"));
        }
        if public.array::<1>()? != &[TYPE_WITH_EVIDENCE_AND_CLAIMS] {
            return Err(Corrupt::Frame("its type is not known"));
        }
        if public.u64()? != seqno || seqno == 0 {
            return Err(Corrupt::Frame("its seqno stands in it twice, and differs"));
        }
        let claims = Digest(*public.array()?);
        let evidence = Digest(*public.array()?);
        if public.u64()? != 0 {
            return Err(Corrupt::Frame("a field that must be zero is not"));
        }
        let txid = TxId::new(u64::from(view), seqno);
        Ok(Self { txid, bytes, flags: bytes[1], claims, evidence, public_end: PREFIX_BYTES + public_bytes })
    }

    /// The digest of the application's claims; zero if it made none.
    #[must_use]
    pub fn claims(&self) -> Digest {
        self.claims
    }

    /// The digest of the commit evidence.
    #[must_use]
    pub fn evidence_digest(&self) -> Digest {
        self.evidence
    }

    /// SHA-256 of the raw entry: the first component of its leaf.
    #[must_use]
    pub fn write_set_digest(&self) -> Digest {
        sha256(self.bytes)
    }

    /// The entry's leaf in the tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        leaf_digest(&self.write_set_digest(), &self.evidence, &self.claims)
    }

    /// The public tables, in clear.
    #[must_use]
    pub fn public(&self) -> Sections<'a> {
        Sections::new(&self.bytes[PREFIX_BYTES + PUBLIC_HEADER_BYTES..self.public_end], true)
    }

    /// Bytes of the sealed part.
    #[must_use]
    pub fn private_bytes(&self) -> usize {
        self.bytes.len() - self.public_end
    }

    /// Whether this is a signature, by the table it writes first. Only a look: [`crate::check_batch`] reads it in full.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        match self.public().next() {
            Some(Ok(first)) => tables::OF_SIGNATURES.contains(&first.name),
            _ => false,
        }
    }

    /// Opens the private domain. Authenticates the public one with it, and the commit evidence.
    pub(crate) fn open_private(&self, keys: &LedgerKeys) -> Result<Vec<u8>, Corrupt> {
        let epoch = keys.at(self.txid.seqno).ok_or(Corrupt::NoKey(self.txid.seqno))?;
        if epoch.evidence_digest(self.txid) != self.evidence {
            return Err(Corrupt::Sealed);
        }
        let mut gcm = Reader::new(&self.bytes[HEADER_BYTES..PREFIX_BYTES]);
        let (tag, iv) = (gcm.array()?, gcm.array()?);
        let mut private = vec![0; self.private_bytes()];
        epoch
            .sealing
            .open(*iv, &self.bytes[PREFIX_BYTES..self.public_end], &self.bytes[self.public_end..], tag, &mut private)
            .map_err(|_| Corrupt::Sealed)?;
        Ok(private)
    }
}

/// Cuts the first entry out of `bytes` by its header.
fn frame(bytes: &[u8]) -> Result<&[u8], Corrupt> {
    let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Corrupt::Frame("the header is cut off"))?;
    if header[0] != FORMAT_VERSION {
        return Err(Corrupt::Frame("its format version is not known"));
    }
    if header[1] & !FLAGS_KNOWN != 0 {
        return Err(Corrupt::Frame("it has unknown flags"));
    }
    let mut size = [0; 8];
    size[..6].copy_from_slice(&header[2..]);
    let size = usize::try_from(u64::from_le_bytes(size)).map_err(|_| Corrupt::Frame("its size is out of range"))?;
    if !(PREFIX_BYTES - HEADER_BYTES + PUBLIC_HEADER_BYTES..=ENTRY_BYTES_MAX - HEADER_BYTES).contains(&size) {
        return Err(Corrupt::Frame("its size is out of range"));
    }
    bytes.get(..HEADER_BYTES + size).ok_or(Corrupt::Frame("it is cut off"))
}

/// Walks over the entries of a batch or a chunk; ends after the first error.
pub fn split(batch: &[u8]) -> impl Iterator<Item = Result<RawEntry<'_>, Corrupt>> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = RawEntry::parse(rest);
        rest = entry.as_ref().map_or(&[], |entry| &rest[entry.bytes.len()..]);
        Some(entry)
    })
}

/// Opens an entry: checks every byte of it but the header against its tag, and gives what the transaction wrote.
pub fn open(entry: &RawEntry<'_>, tables: &Tables, keys: &LedgerKeys) -> Result<WriteSet, Corrupt> {
    let private = entry.open_private(keys)?;
    let mut sections = Vec::new();
    for view in entry.public().chain(Sections::new(&private, false)) {
        let view = view?;
        let table = tables.find(view.name).ok_or_else(|| Corrupt::UnknownTable(view.name.to_owned()))?;
        let puts = view.puts().map(|(key, value)| (Blob::from(key), Blob::from(value))).collect();
        let removes = view.removes().map(Blob::from).collect();
        sections.push(Section { table, puts, removes });
    }
    sections.sort_unstable_by_key(|section| section.table);
    Ok(WriteSet { sections })
}

/// One row out of an entry, without building the others. `None` if the entry does not write it.
pub fn find_row(entry: &RawEntry<'_>, table: &str, key: &[u8], keys: &LedgerKeys) -> Result<Option<Blob>, Corrupt> {
    let private = entry.open_private(keys)?;
    let sections = if table.starts_with("public:") { entry.public() } else { Sections::new(&private, false) };
    for view in sections {
        let view = view?;
        if view.name == table {
            return Ok(view.get(key).map(Blob::from));
        }
    }
    Ok(None)
}
