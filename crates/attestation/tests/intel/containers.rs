//! The containers that recorded collateral stands in.

use attestation::Bytes;
use attestation::intel::Collateral;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mock::vectors::read;

pub fn collateral(path: &str) -> Collateral {
    Collateral::parse(&read(path)).unwrap()
}

/// A quote, also from hexadecimal text.
pub fn quote(path: &str) -> Vec<u8> {
    let bytes = read(path);
    if path.ends_with(".hex") { const_hex::decode(bytes.trim_ascii()).unwrap() } else { bytes }
}

/// A document as Intel's service answers with it: the exact text of the value, and r ‖ s.
pub fn document(answer: &[u8]) -> (String, Bytes) {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "tcbInfo", alias = "enclaveIdentity")]
        document: Box<RawValue>,
        signature: Bytes,
    }
    let answer: Answer = serde_json::from_slice(answer).unwrap();
    (answer.document.get().to_owned(), answer.signature)
}

fn der(pem: &[u8]) -> Bytes {
    let pem = x509_parser::pem::parse_x509_pem(pem).unwrap().1;
    Bytes(pem.contents)
}

/// An evidence file of the ravl project: the quote and its endorsements.
pub fn ravl(path: &str) -> (Vec<u8>, Collateral) {
    #[derive(Deserialize)]
    struct File {
        source: String,
        evidence: String,
        endorsements: String,
    }
    let file: File = serde_json::from_slice(&read(path)).unwrap();
    let endorsements = STANDARD.decode(file.endorsements).unwrap();
    let elements = if file.source == "openenclave" { by_offsets(&endorsements) } else { by_lengths(&endorsements) };
    (STANDARD.decode(file.evidence).unwrap(), joined(&elements))
}

/// CRL chain, root CRL, PCK CRL, TCB chain, TCB info, QE chain, QE identity.
fn joined(elements: &[Vec<u8>]) -> Collateral {
    let text = |index: usize| String::from_utf8(elements[index].clone()).unwrap();
    let (tcb_info, tcb_info_signature) = document(&elements[4]);
    let (qe_identity, qe_identity_signature) = document(&elements[6]);
    Collateral {
        pck_crl_issuer_chain: text(0),
        root_ca_crl: der(&elements[1]),
        pck_crl: der(&elements[2]),
        tcb_info_issuer_chain: text(3),
        tcb_info,
        tcb_info_signature,
        qe_identity_issuer_chain: text(5),
        qe_identity,
        qe_identity_signature,
        pck_certificate_chain: None,
    }
}

fn by_lengths(endorsements: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &endorsements[8..];
    let mut elements = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (element, tail) = tail.split_at(u64::from_be_bytes(*length).try_into().unwrap());
        elements.push(element.strip_suffix(&[0]).unwrap_or(element).to_vec());
        rest = tail;
    }
    elements
}

fn by_offsets(endorsements: &[u8]) -> Vec<Vec<u8>> {
    let number = |at: usize| u32::from_le_bytes(endorsements[at..at + 4].try_into().unwrap()) as usize;
    let starts: Vec<usize> = (0..9).map(|index| 52 + number(16 + 4 * index)).collect();
    let element = |index: usize| endorsements[starts[index]..starts[index + 1] - 1].to_vec();
    [5, 4, 3, 2, 1, 7, 6].map(element).to_vec()
}

/// A file of Fortanix's: raw text, a signature in DER (or none), and the chain's certificates.
pub fn fortanix(path: &str) -> (String, Vec<u8>, String) {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "raw_tcb_info", alias = "raw_enclave_identity")]
        text: String,
        signature: Vec<u8>,
        ca_chain: Vec<String>,
    }
    let file: File = serde_json::from_slice(&read(path)).unwrap();
    (file.text, fixed(&file.signature), file.ca_chain.concat())
}

/// r ‖ s of a signature in DER.
fn fixed(signature: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = signature.get(2..).unwrap_or_default();
    while let [2, length, tail @ ..] = rest {
        let (number, tail) = tail.split_at((*length).into());
        let number = &number[number.len().saturating_sub(32)..];
        bytes.extend(std::iter::repeat_n(0, 32 - number.len()));
        bytes.extend(number);
        rest = tail;
    }
    bytes
}
