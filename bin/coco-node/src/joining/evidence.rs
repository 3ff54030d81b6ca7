//! What vouches for this process: its TEE where there is one, else its own word.
//!
//! Either way the evidence holds SHA-256 of the node's public key, followed by zeros: so it is good for this key alone.

use std::path::Path;

use anyhow::{Context, anyhow};
use attestation::gather::{self, Attester, Virtual};
use attestation::{Endorsements, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::PublicKey;
use ledger::genesis::{QuoteInfo, VIRTUAL};

/// Evidence as the network wants it.
pub struct Vouched {
    pub kind: Kind,
    /// In hexadecimal, if the process measured itself.
    pub measurement: Option<String>,
    pub quote: QuoteInfo,
}

pub fn gather(key: &PublicKey) -> anyhow::Result<Vouched> {
    let mut report_data = [0; 64];
    report_data[..32].copy_from_slice(&crypto::sha256(key.spki_der()).0);
    let (gathered, measurement) = match gather::detect(Path::new("/")) {
        Some(attester) => (attester.evidence(&report_data).context("the TEE of this machine gives no evidence")?, None),
        None => {
            let measurement = own_measurement()?;
            tracing::warn!(
                measurement = const_hex::encode(measurement),
                "no TEE on this machine: the evidence is this program's own word, which proves nothing"
            );
            let attester = Virtual { measurement, host_data: None };
            (attester.evidence(&report_data)?, Some(const_hex::encode(measurement)))
        }
    };
    let kind = gathered.kind;
    let presented = gathered.presented(None).map_err(|refusal| anyhow!("the host's certificates: {refusal}"))?;
    let (endorsements, uvm) = match &presented.endorsements {
        Endorsements::Amd(given) => (pem_chain(&given.chain), given.uvm.as_ref().map(|uvm| STANDARD.encode(uvm))),
        _ => (String::new(), None),
    };
    tracing::info!(tee = %kind, "evidence gathered");
    let quote = QuoteInfo {
        format: format(kind).into(),
        quote: STANDARD.encode(&presented.evidence.0),
        endorsements,
        uvm_endorsements: uvm,
    };
    Ok(Vouched { kind, measurement, quote })
}

/// SHA-256 of this program's file.
fn own_measurement() -> anyhow::Result<[u8; 32]> {
    let program = std::fs::read("/proc/self/exe").context("this program's own file cannot be read")?;
    Ok(crypto::sha256(&program).0)
}

/// CCF's name of the format, where it has one; else ours.
fn format(kind: Kind) -> &'static str {
    match kind {
        Kind::Virtual => VIRTUAL,
        Kind::SevSnp => "AMD_SEV_SNP_v1",
        Kind::Sgx => "OE_SGX_v1",
        other => other.name(),
    }
}

/// Certificates in PEM, one after another, the whole in base64.
fn pem_chain(chain: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for certificate in chain {
        let encoded = STANDARD.encode(certificate);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in encoded.as_bytes().chunks(64) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use attestation::virtual_tee;
    use crypto::KeyPair;

    use super::*;

    #[test]
    fn virtual_evidence_names_the_key_and_the_program() {
        let key = KeyPair::generate().unwrap();
        if gather::detect(Path::new("/")).is_some() {
            return;
        }
        let vouched = gather(key.public()).unwrap();
        assert_eq!((vouched.kind, vouched.quote.format.as_str()), (Kind::Virtual, "Insecure_Virtual"));
        let claims = virtual_tee::verify(&STANDARD.decode(&vouched.quote.quote).unwrap()).unwrap();
        assert_eq!(claims.report_data.0[..32], crypto::sha256(key.public().spki_der()).0);
        assert_eq!(claims.report_data.0[32..], [0; 32]);
        assert_eq!(Some(const_hex::encode(&claims.measurements["code"].0)), vouched.measurement);
    }
}
