//! What vouches for this process: its TEE where there is one, else its own word.
//!
//! Either way the evidence holds what it is asked to hold; to join, that is SHA-256 of the node's public key, followed by zeros: so it is good
//! for this key alone.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use attestation::gather::{self, Attester, Virtual};
use attestation::{Kind, Presented};
use crypto::PublicKey;
use development::EndorsementServices;
use ledger::genesis::QuoteInfo;

use super::endorsements::Services;

/// Evidence as the network wants it.
pub struct Vouched {
    pub kind: Kind,
    /// In hexadecimal, if the process measured itself.
    pub measurement: Option<String>,
    pub quote: QuoteInfo,
}

/// The machine that this process runs on.
#[derive(Clone)]
pub struct Platform {
    /// `/`, but for tests.
    root: PathBuf,
    services: Arc<Services>,
}

impl Platform {
    pub fn new(services: EndorsementServices) -> Self {
        Self { root: PathBuf::from("/"), services: Arc::new(Services::new(services)) }
    }

    #[cfg(test)]
    fn at(root: &std::path::Path, services: EndorsementServices) -> Self {
        Self { root: root.to_owned(), services: Arc::new(Services::impatient(services)) }
    }

    /// Evidence for a node's key, to join.
    pub async fn vouch_for(&self, key: &PublicKey) -> anyhow::Result<Vouched> {
        let mut report_data = [0; 64];
        report_data[..32].copy_from_slice(&crypto::sha256(key.spki_der()).0);
        let presented = self.evidence(&report_data).await?;
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

    /// Evidence that holds these bytes, with what vouches for it. Takes seconds.
    pub async fn evidence(&self, report_data: &[u8; 64]) -> anyhow::Result<Presented> {
        let gathered = match gather::detect(&self.root) {
            Some(attester) => attester.evidence(report_data).context("the TEE of this machine gives no evidence")?,
            None => Virtual { measurement: own_measurement()?, host_data: None }.evidence(report_data)?,
        };
        let fetched = self.services.endorsements(&gathered).await?;
        gathered.presented(fetched).map_err(|refusal| anyhow!("the host's certificates: {refusal}"))
    }

    /// What governance asks when this node's lease has to be renewed, on a thread that may wait.
    pub fn attester(&self) -> gov::Attester {
        let platform = self.clone();
        Arc::new(move |report_data| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(platform.evidence(&report_data)).map_err(|error| format!("{error:#}"))
        })
    }

    /// What the code is measured as where nothing measures it; a founder's network lets nodes in that run the same.
    pub fn own_code(&self) -> anyhow::Result<Option<[u8; 32]>> {
        gather::detect(&self.root).is_none().then(own_measurement).transpose()
    }
}

/// SHA-256 of this program's file.
fn own_measurement() -> anyhow::Result<[u8; 32]> {
    let program = std::fs::read("/proc/self/exe").context("this program's own file cannot be read")?;
    Ok(crypto::sha256(&program).0)
}

#[cfg(test)]
mod tests;
