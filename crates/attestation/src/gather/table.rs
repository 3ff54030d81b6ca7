//! The certificates that the host of an SNP guest hands over with a report.
//!
//! ```text
//! entries of 24 bytes: GUID 16 · offset u32 · length u32 (little-endian, from the table's start), up to one that is all zero;
//! then the certificates, DER or PEM
//! ```
//!
//! The GUIDs stand in the order of their text. Certificates of other names are passed over: the host may add its own.

use crate::formats::x509;
use crate::{Code, Reader, Refusal, amd, limits};

const VCEK: [u8; 16] = guid(0x63da758d_e664_4564_adc5_f4b93be8accd);
const VLEK: [u8; 16] = guid(0xa8074bc2_a25a_483e_aae6_39c045a0b8a1);
const ASK: [u8; 16] = guid(0x4ab7b379_bbac_4fe4_a02f_05aef327c782);
const ARK: [u8; 16] = guid(0xc0b406a4_a803_4952_9743_3fb6014cd0ae);
const CRL: [u8; 16] = guid(0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea);
const ENTRIES_MAX: usize = 16;

/// What it is, and its bytes.
type Entry<'a> = ([u8; 16], &'a [u8]);

const fn guid(text: u128) -> [u8; 16] {
    text.to_be_bytes()
}

/// The chain of the chip's key, or of the loaded key where there is only that one.
pub(super) fn endorsements(table: &[u8]) -> Result<amd::Endorsements, Refusal> {
    let entries = entries(table)?;
    let find = |name| entries.iter().find(|(own, _)| *own == name).map(|(_, bytes)| *bytes);
    let parts = [find(VCEK).or(find(VLEK)), find(ASK), find(ARK)];
    let mut chain = Vec::new();
    for part in parts.into_iter().flatten() {
        chain.extend(certificates(part)?);
    }
    let crls = find(CRL).map(<[u8]>::to_vec).into_iter().collect();
    Ok(amd::Endorsements { chain, crls, uvm: None })
}

fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    if bytes.starts_with(b"-----BEGIN") { x509::of_pem(bytes) } else { Ok(vec![bytes.to_vec()]) }
}

fn entries(table: &[u8]) -> Result<Vec<Entry<'_>>, Refusal> {
    let mut reader = Reader::new(table);
    let mut entries = Vec::new();
    while !reader.is_empty() {
        let name: [u8; 16] = reader.array()?;
        let (offset, length) = (reader.u32_le()?, reader.u32_le()?);
        if name == [0; 16] {
            break;
        }
        if entries.len() == ENTRIES_MAX {
            return Err(Refusal::new(Code::OversizedLength, "a host's table of too many certificates"));
        }
        let mut place = Reader::new(table);
        place.sized(offset, table.len())?;
        entries.push((name, place.sized(length, limits::CRL_BYTES)?));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(parts: &[Entry<'_>]) -> Vec<u8> {
        let mut at = 24 * (parts.len() + 1);
        let (mut head, mut body) = (vec![], vec![]);
        for (name, bytes) in parts {
            head.extend(name);
            head.extend((at as u32).to_le_bytes());
            head.extend((bytes.len() as u32).to_le_bytes());
            body.extend(*bytes);
            at += bytes.len();
        }
        [head, vec![0; 24], body].concat()
    }

    #[test]
    fn a_table_yields_the_chain_leaf_first() {
        let text = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let whole = table(&[
            (ARK, b"root"),
            ([7; 16], b"own"),
            (VLEK, b"loaded"),
            (ASK, text.as_bytes()),
            (VCEK, b"chip"),
            (CRL, b"list"),
        ]);
        let given = endorsements(&whole).unwrap();
        assert_eq!(given.chain, [b"chip".to_vec(), vec![1, 2, 3], b"root".to_vec()]);
        assert_eq!(given.crls, [b"list".to_vec()]);
        let loaded = endorsements(&table(&[(VLEK, b"loaded" as &[u8])])).unwrap();
        assert_eq!(loaded.chain, [b"loaded".to_vec()]);
        assert_eq!(endorsements(&[]).unwrap().chain, Vec::<Vec<u8>>::new());
        for length in 1..whole.len() {
            let _ = endorsements(&whole[..length]);
        }
        let code = |bytes: &[u8]| endorsements(bytes).unwrap_err().code;
        assert_eq!(code(&whole[..23]), Code::Truncated);
        assert_eq!(code(&whole[..whole.len() - 1]), Code::Truncated);
        assert_eq!(code(&table(&[([7; 16], b"x" as &[u8]); 17])), Code::OversizedLength);
    }

    #[test]
    fn guids_stand_in_the_order_of_their_text() {
        assert_eq!(VCEK[..4], [0x63, 0xda, 0x75, 0x8d]);
    }
}
