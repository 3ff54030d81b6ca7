//! What vouches for this process: its TEE where there is one, else its own word.
//!
//! Either way the evidence holds SHA-256 of the node's public key, followed by zeros: so it is good for this key alone.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use attestation::gather::{self, Attester, Virtual};
use attestation::{Kind, Presented};
use crypto::PublicKey;
use ledger::genesis::QuoteInfo;

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
    let presented = presented(&report_data)?;
    let kind = presented.kind;
    let measurement = if kind == Kind::Virtual {
        let measurement = const_hex::encode(own_measurement()?);
        tracing::warn!(
            measurement,
            "no TEE on this machine: the evidence is this program's own word, which proves nothing"
        );
        Some(measurement)
    } else {
        tracing::info!(tee = %kind, "the TEE of this machine vouches for this node");
        None
    };
    Ok(Vouched { kind, measurement, quote: gov::quote_info(&presented) })
}

/// What governance asks when this node's lease has to be renewed.
pub fn attester() -> gov::Attester {
    Arc::new(|report_data| presented(&report_data).map_err(|error| format!("{error:#}")))
}

/// What the code is measured as where nothing measures it; a founder's network lets nodes in that run the same.
pub fn own_code() -> anyhow::Result<Option<[u8; 32]>> {
    gather::detect(Path::new("/")).is_none().then(own_measurement).transpose()
}

fn presented(report_data: &[u8; 64]) -> anyhow::Result<Presented> {
    let gathered = match gather::detect(Path::new("/")) {
        Some(attester) => attester.evidence(report_data).context("the TEE of this machine gives no evidence")?,
        None => Virtual { measurement: own_measurement()?, host_data: None }.evidence(report_data)?,
    };
    gathered.presented(None).map_err(|refusal| anyhow!("the host's certificates: {refusal}"))
}

/// SHA-256 of this program's file.
fn own_measurement() -> anyhow::Result<[u8; 32]> {
    let program = std::fs::read("/proc/self/exe").context("this program's own file cannot be read")?;
    Ok(crypto::sha256(&program).0)
}

#[cfg(test)]
mod tests {
    use attestation::virtual_tee;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
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
