//! Asking the platform for evidence: the only part of this crate that touches a file.
//!
//! A node asks once when it joins and again when its lease runs out, so nothing here is in a hurry, and requests are made one
//! at a time: the hardware limits their rate. Every source is a path that is a setting, so that the same code runs against a
//! test's directory, and those that answer by ioctl are behind a trait.
//!
//! | source | where | evidence |
//! |---|---|---|
//! | [`Gramine`] | files of the Gramine library OS | SGX |
//! | [`Nsm`] | the device of Nitro enclaves | Nitro |
//! | [`Tsm`] | Linux 6.7 and later, configfs | SEV-SNP, TDX, Arm CCA |
//! | [`SevGuest`] | the device of older kernels, and where configfs is not mounted | SEV-SNP |
//! | [`Virtual`] | nothing | what the process says of itself |
//!
//! Windows answers by a call that only code inside the enclave can make: nothing here asks it.

mod files;
mod gramine;
#[expect(unsafe_code, reason = "ioctl is told addresses; what makes that sound stands in the module")]
mod ioctl;
mod nsm;
mod sev_guest;
mod table;
mod tsm;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub use gramine::Gramine;
pub use nsm::{Nsm, NsmDevice};
pub use sev_guest::{Refused, SevGuest, SevGuestDevice};
pub use tsm::Tsm;

use crate::{Bytes, Endorsements, Kind, Presented, Refusal, amd, virtual_tee};

/// The host's certificate table of an SNP guest: a few certificates, one or two of RSA-4096.
const AUXILIARY_BYTES: usize = 64 << 10;

/// Something that vouches for this process.
pub trait Attester: Send + Sync {
    /// Evidence that holds these bytes: the hash of what the node wants to be believed ([`crate::Statement::report_data`]).
    /// Called at each join and renewal; may take seconds. An error is for the operator: asking again may help.
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error>;
}

/// What the platform answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    pub kind: Kind,
    pub evidence: Vec<u8>,
    /// What the host added: certificates of an SNP chip, in the host's table. Empty where there is nothing.
    pub auxiliary: Vec<u8>,
    /// What firmware and loader measured (CCEL), where the platform keeps a log.
    pub event_log: Vec<u8>,
}

impl Gathered {
    /// With what was fetched for it ([`crate::fetch`]). An SNP guest may have all it needs from its host; the vendor's signature says
    /// whether that is good.
    pub fn presented(self, fetched: Option<Endorsements>) -> Result<Presented, Refusal> {
        let endorsements = match (self.kind, fetched) {
            (_, Some(fetched)) => fetched,
            (Kind::SevSnp, None) => Endorsements::Amd(self.of_host()?),
            (_, None) => Endorsements::None,
        };
        let event_log = (!self.event_log.is_empty()).then_some(Bytes(self.event_log));
        Ok(Presented { kind: self.kind, evidence: Bytes(self.evidence), endorsements, event_log })
    }

    /// Whether the host vouches for nothing.
    #[must_use]
    pub fn of_host_is_empty(&self) -> bool {
        !self.of_host().is_ok_and(|given| !given.chain.is_empty())
    }

    /// What the host of an SNP guest handed over.
    pub(crate) fn of_host(&self) -> Result<amd::Endorsements, Refusal> {
        table::endorsements(&self.auxiliary)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} has more than {limit} bytes: this is not the evidence that was asked for")]
    TooLarge { path: PathBuf, limit: usize },
    #[error("the platform's provider {0:?} is not one that is asked here")]
    Provider(String),
    #[error("another process writes to {0}: evidence could not be read undisturbed")]
    Raced(PathBuf),
    #[error("{device}: {source} (firmware error {firmware:#x}, hypervisor error {hypervisor:#x})")]
    Device { device: PathBuf, source: io::Error, firmware: u32, hypervisor: u32 },
    #[error("the answer of {device} is of no use: {what}")]
    Answer { device: PathBuf, what: String },
}

/// Whether beginning again may help: somebody interfered, or the hardware is busy.
fn passes(error: &Error) -> bool {
    match error {
        Error::Raced(_) => true,
        Error::File { source, .. } | Error::Device { source, .. } => {
            matches!(
                source.kind(),
                ErrorKind::ResourceBusy | ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            )
        }
        Error::TooLarge { .. } | Error::Provider(_) | Error::Answer { .. } => false,
    }
}

/// Asks again after a pause, so many times in all, while what failed may pass.
fn patiently<T>(attempts: u32, pause: Duration, mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut result = ask();
    for _ in 1..attempts {
        if !result.as_ref().is_err_and(passes) {
            break;
        }
        thread::sleep(pause);
        result = ask();
    }
    result
}

/// The attester of this machine, if it has one. `root` is `/`.
///
/// What is nearest to the process comes first: an enclave in a guest vouches for less code than the guest does. Of Linux's
/// two ways to the same secure processor the newer one is asked, since it keeps requests of several processes apart.
pub fn detect(root: &Path) -> Option<Box<dyn Attester>> {
    let gramine = root.join("dev/attestation");
    if gramine.join("quote").exists() {
        return Some(Box::new(Gramine::new(gramine)));
    }
    let nsm = root.join("dev/nsm");
    if nsm.exists() {
        return Some(Box::new(Nsm::new(nsm)));
    }
    let tsm = root.join("sys/kernel/config/tsm/report");
    if tsm.is_dir() {
        return Some(Box::new(Tsm::new(tsm).with_event_log(root.join("sys/firmware/acpi/tables/data/CCEL"))));
    }
    let sev_guest = root.join("dev/sev-guest");
    sev_guest.exists().then(|| Box::new(SevGuest::new(sev_guest)) as Box<dyn Attester>)
}

/// No hardware: for development.
#[derive(Debug, Clone)]
pub struct Virtual {
    /// What the process measured of itself.
    pub measurement: [u8; 32],
    pub host_data: Option<[u8; 32]>,
}

impl Attester for Virtual {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let evidence = virtual_tee::evidence(&self.measurement, report_data, self.host_data.as_ref());
        Ok(Gathered { kind: Kind::Virtual, evidence, auxiliary: vec![], event_log: vec![] })
    }
}
