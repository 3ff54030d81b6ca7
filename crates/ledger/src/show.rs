//! Entries for people: what an entry says, as text.

use std::fmt::{self, Write as _};

use base::{Digest, TxId};
use serde::Serialize;

use crate::domain::{SectionView, Sections};
use crate::entry::RawEntry;
use crate::signature::Signature;
use crate::{Corrupt, LedgerKeys, tables, tree};

/// Characters of a value that are printed on its line.
const VALUE_CHARS: usize = 160;

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    #[serde(serialize_with = "as_text")]
    pub txid: TxId,
    /// Whether it closes a batch.
    pub signature: bool,
    pub bytes: usize,
    pub private_bytes: usize,
    /// What its hosted ledger claims about it, if anything.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub claims: Option<Digest>,
    pub tables: Vec<ShownTable>,
}

/// One table that the entry changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownTable {
    pub name: String,
    pub rows: Vec<ShownRow>,
}

/// One row, written or removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownRow {
    pub key: String,
    /// `None`: the row is removed.
    pub value: Option<String>,
}

/// Reads an entry for people. Private tables are there only with the ledger secrets.
pub fn show(entry: &RawEntry<'_>, keys: Option<&LedgerKeys>) -> Result<Shown, Corrupt> {
    let mut shown = Shown {
        txid: entry.txid,
        signature: entry.is_signature(),
        bytes: entry.bytes.len(),
        private_bytes: entry.private_bytes(),
        claims: Some(entry.claims()).filter(|claims| *claims != Digest::ZERO),
        tables: Vec::new(),
    };
    let signature = if shown.signature { Signature::read(entry).ok() } else { None };
    for section in entry.public() {
        shown.tables.push(table(&section?, signature.as_ref()));
    }
    if let Some(keys) = keys {
        for section in Sections::new(&entry.open_private(keys)?, false) {
            shown.tables.push(table(&section?, None));
        }
    }
    Ok(shown)
}

fn table(section: &SectionView<'_>, signature: Option<&Signature<'_>>) -> ShownTable {
    let puts = section.puts().map(|(key, value)| {
        let value = match signature {
            Some(signature) => of_signature(section.name, signature).unwrap_or_else(|| text(value)),
            None => text(value),
        };
        ShownRow { key: text(key), value: Some(value) }
    });
    let removes = section.removes().map(|key| ShownRow { key: text(key), value: None });
    ShownTable { name: section.name.to_owned(), rows: puts.chain(removes).collect() }
}

/// The rows of a signature, which are long and say little as they stand.
fn of_signature(name: &str, signature: &Signature<'_>) -> Option<String> {
    match name {
        tables::COSE_SIGNATURES => {
            let signed = signature.signatures.peek_service().ok()?;
            Some(format!("the service signed for {} at {} seconds after 1970", signed.txid, signed.issued_at))
        }
        tables::TREE => {
            let (flushed, leaves) = tree::deserialise(signature.tree)?;
            Some(format!("{} leaves after the first {}", leaves.len(), flushed.len()))
        }
        _ => None,
    }
}

/// Text as it is, one row's key in words, all else in hexadecimal.
fn text(bytes: &[u8]) -> String {
    if bytes == tables::SINGLETON {
        return "(only row)".to_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(|c| !c.is_control() || c == '\n') => text.to_owned(),
        _ => const_hex::encode_prefixed(bytes),
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {} bytes", self.txid, self.bytes)?;
        if self.private_bytes > 0 {
            write!(f, ", {} of them private", self.private_bytes)?;
        }
        if self.signature {
            f.write_str(", signature")?;
        }
        if let Some(claims) = self.claims {
            write!(f, ", claims {claims}")?;
        }
        for table in &self.tables {
            write!(f, "\n  {}", table.name)?;
            for row in &table.rows {
                write!(f, "\n    {}: ", Line(&row.key))?;
                match &row.value {
                    Some(value) => Line(value).fmt(f)?,
                    None => f.write_str("(removed)")?,
                }
            }
        }
        Ok(())
    }
}

/// A text on one line, cut if it is long.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(VALUE_CHARS) {
            if c == '\n' { f.write_str("\\n")? } else { f.write_char(c)? }
        }
        if self.0.chars().nth(VALUE_CHARS).is_some() {
            write!(f, "… ({} characters)", self.0.chars().count())?;
        }
        Ok(())
    }
}

fn as_text<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_optional_text<S: serde::Serializer>(value: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
