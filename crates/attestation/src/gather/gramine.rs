//! SGX by way of the Gramine library OS: plain files, no SDK.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{Attester, Error, Gathered, files};
use crate::{Kind, limits};

/// Asks for DCAP quotes under `/dev/attestation`.
#[derive(Debug)]
pub struct Gramine {
    base: PathBuf,
    /// The files are one state for the whole process: write, then read.
    turn: Mutex<()>,
}

impl Gramine {
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), turn: Mutex::new(()) }
    }
}

impl Attester for Gramine {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = files::line(&self.base.join("attestation_type"))?;
        if kind != "dcap" {
            return Err(Error::Provider(kind));
        }
        files::write(&self.base.join("user_report_data"), report_data)?;
        let evidence = files::read(&self.base.join("quote"), limits::QUOTE_BYTES)?;
        Ok(Gathered { kind: Kind::Sgx, evidence, auxiliary: vec![], event_log: vec![] })
    }
}
