//! What a node binds into its evidence: its key, and a nonce where freshness is asked for.

use base::Digest;
use crypto::Sha256;

use crate::{Claims, Code, Kind, Refusal};

/// Opens the bytes that are hashed, so that they can be mistaken for nothing else.
const DOMAIN: &[u8] = b"coco attested key 1";

/// What a node says of itself and its evidence vouches for.
///
/// Report data = SHA-256(domain ‖ SHA-256(public key, DER) ‖ SHA-256(nonce)), then 32 zero bytes. An absent nonce is an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// SHA-256 of the node's public key (SubjectPublicKeyInfo, DER).
    pub key: Digest,
    pub nonce: Vec<u8>,
}

impl Statement {
    pub fn new(public_key: &[u8], nonce: &[u8]) -> Self {
        Self { key: crypto::sha256(public_key), nonce: nonce.to_vec() }
    }

    /// What the node asks its platform to put into the evidence.
    pub fn report_data(&self) -> [u8; 64] {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(&self.key.0);
        hash.update(&crypto::sha256(&self.nonce).0);
        padded(&hash.finish())
    }
}

fn padded(digest: &Digest) -> [u8; 64] {
    let mut data = [0; 64];
    data[..32].copy_from_slice(&digest.0);
    data
}

/// What the report data must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// These bytes, whatever they mean; zeros follow if the platform has room for more.
    Exact(Vec<u8>),
    /// The hash of a statement that came with the evidence, and what that statement must say.
    /// So evidence of another node and an old nonce are told apart from evidence for something else.
    Statement { presented: Statement, expected: Statement },
}

impl Binding {
    /// As CCF's join: SHA-256 of the public key's DER.
    pub fn public_key(der: &[u8]) -> Self {
        Self::Exact(crypto::sha256(der).0.to_vec())
    }

    /// Refuses report data that is not what was asked for, and a statement that says something else.
    pub fn check(&self, claims: &Claims) -> Result<(), Refusal> {
        match self {
            Self::Exact(wanted) => same(claims, wanted),
            Self::Statement { presented, expected } => {
                same(claims, &presented.report_data())?;
                if presented.key != expected.key {
                    let text = format!("it vouches for key {}, not {}", presented.key, expected.key);
                    return Err(Refusal::new(Code::OtherNode, text));
                }
                if presented.nonce != expected.nonce {
                    return Err(Refusal::new(Code::Nonce, "the statement has another nonce"));
                }
                Ok(())
            }
        }
    }
}

/// Report data binds only if something was asked for: all zeros are accepted only by whoever asks for a full field of zeros.
fn same(claims: &Claims, wanted: &[u8]) -> Result<(), Refusal> {
    let given = &claims.report_data.0;
    let padding = given.get(wanted.len()..);
    if wanted.is_empty() || !given.starts_with(wanted) || padding.is_none_or(|rest| rest.iter().any(|byte| *byte != 0))
    {
        let text = format!("{} instead of {}", const_hex::encode(given), const_hex::encode(wanted));
        let code = match claims.kind {
            Kind::AzureVtpm => Code::VtpmExtraData,
            Kind::Maa => Code::MaaRuntime,
            _ => Code::ReportData,
        };
        return Err(Refusal::new(code, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(report_data: &[u8]) -> Claims {
        Claims::new(Kind::Virtual, Digest::ZERO, report_data)
    }

    fn code(binding: &Binding, report_data: &[u8]) -> Option<Code> {
        binding.check(&claims(report_data)).err().map(|refusal| refusal.code)
    }

    #[test]
    fn another_node_an_old_nonce_and_other_data_are_told_apart() {
        let mine = Statement::new(b"key", b"nonce");
        let other = Statement::new(b"other key", b"nonce");
        let old = Statement::new(b"key", b"old");
        let binding =
            |presented: &Statement| Binding::Statement { presented: presented.clone(), expected: mine.clone() };
        assert_eq!(code(&binding(&mine), &mine.report_data()), None);
        assert_eq!(code(&binding(&mine), &other.report_data()), Some(Code::ReportData));
        assert_eq!(code(&binding(&other), &other.report_data()), Some(Code::OtherNode));
        assert_eq!(code(&binding(&old), &old.report_data()), Some(Code::Nonce));
    }

    #[test]
    fn a_prefix_binds_only_when_zeros_follow_and_nothing_binds_nothing() {
        let exact = Binding::Exact(vec![1; 32]);
        let mut data = [0; 64];
        data[..32].fill(1);
        assert_eq!(code(&exact, &data), None);
        data[63] = 1;
        assert_eq!(code(&exact, &data), Some(Code::ReportData));
        assert_eq!(code(&exact, &[1; 16]), Some(Code::ReportData));
        assert_eq!(code(&Binding::Exact(vec![]), &[0; 64]), Some(Code::ReportData));
        assert_eq!(code(&Binding::Exact(vec![0; 64]), &[0; 64]), None);
    }
}
