//! SEV-SNP by way of `/dev/sev-guest`: kernels before 6.7, and those that have no configfs mounted.
//!
//! ```text
//! SNP_GET_EXT_REPORT   request 96: report data 64 · VMPL u32 · zeros
//!                      room for the host's certificates: whole pages
//!                      ◀ response 4,000: status u32 · size u32 · zeros 24 · report 1,184
//!                      ◀ or: too little room, so many bytes are needed      ask again, once, with so much
//! SNP_GET_REPORT       the same without certificates: where the kernel gives them no room that would do
//! ```
//!
//! The report is what counts; certificates may come from elsewhere ([`super::Gathered::presented`]). The kernel waits
//! itself, for a minute, where the secure processor is busy. If a request failed halfway it may give the processor up until
//! the next boot, and says "inappropriate ioctl" from then on.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{AUXILIARY_BYTES, Attester, Error, Gathered, ioctl, patiently};
use crate::{Kind, Reader, limits};

/// What the secure processor is asked: report data, and the level (VMPL) of who asks.
pub type Request = [u8; 96];
/// What it answers with.
pub type Response = [u8; 4000];

/// The kernel wants room for certificates in pages, and knows no larger table than four of them.
const PAGE: usize = 4096;
const FIRST_ROOM: usize = 4 * PAGE;
/// The hypervisor's error that says: too little room.
const TOO_LITTLE_ROOM: u32 = 1;

/// What answers: the kernel's device, or one that is scripted.
pub trait SevGuestDevice: Send + Sync {
    /// The report alone.
    fn report(&self, request: &Request, response: &mut Response) -> Result<(), Refused>;
    /// With the host's certificates: all of `certificates` is theirs.
    fn extended_report(
        &self,
        request: &Request,
        certificates: &mut [u8],
        response: &mut Response,
    ) -> Result<(), Refused>;
    /// Its name, for people.
    fn name(&self) -> PathBuf;
}

/// A call that failed.
#[derive(Debug)]
pub struct Refused {
    pub error: io::Error,
    /// The secure processor's code; zero if it was not asked or has none.
    pub firmware: u32,
    /// The hypervisor's.
    pub hypervisor: u32,
    /// How much room certificates need, where that was the matter.
    pub room: usize,
}

/// The kernel's, under a path. Opened for each call: a node asks once in hours.
struct Kernel(PathBuf);

impl Kernel {
    fn call(&self, call: impl FnOnce(&std::fs::File) -> ioctl::Said) -> Result<(), Refused> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.0);
        let device = opened.map_err(|error| Refused { error, firmware: 0, hypervisor: 0, room: 0 })?;
        let said = call(&device);
        said.result.map_err(|error| Refused {
            error,
            firmware: (said.errors & u64::from(u32::MAX)) as u32,
            hypervisor: (said.errors >> 32) as u32,
            room: usize::try_from(said.certificates_length).unwrap_or(usize::MAX),
        })
    }
}

impl SevGuestDevice for Kernel {
    fn report(&self, request: &Request, response: &mut Response) -> Result<(), Refused> {
        self.call(|device| ioctl::report(device, request, response))
    }

    fn extended_report(
        &self,
        request: &Request,
        certificates: &mut [u8],
        response: &mut Response,
    ) -> Result<(), Refused> {
        self.call(|device| ioctl::extended_report(device, request, certificates, response))
    }

    fn name(&self) -> PathBuf {
        self.0.clone()
    }
}

/// Asks the secure processor.
pub struct SevGuest {
    device: Box<dyn SevGuestDevice>,
    attempts: u32,
    pause: Duration,
    /// The hardware limits the rate.
    turn: Mutex<()>,
}

impl SevGuest {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::on(Box::new(Kernel(path.into())))
    }

    /// On a device that is not the kernel's.
    pub fn on(device: Box<dyn SevGuestDevice>) -> Self {
        Self { device, attempts: 5, pause: Duration::from_secs(1), turn: Mutex::new(()) }
    }

    /// How often to begin again while the hardware is busy, and how long to wait before it.
    pub fn with_patience(mut self, attempts: u32, pause: Duration) -> Self {
        (self.attempts, self.pause) = (attempts.max(1), pause);
        self
    }

    fn ask(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let mut request = [0; 96];
        // Level 0 (the last 32 bytes): what policies ask for.
        request[..64].copy_from_slice(report_data);
        let mut response = [0; 4000];
        let auxiliary = self.with_certificates(&request, &mut response)?;
        let evidence = report_in(&response).map_err(|what| Error::Answer { device: self.device.name(), what })?;
        Ok(Gathered { kind: Kind::SevSnp, evidence, auxiliary, event_log: vec![] })
    }

    /// The host's table; empty where it would not fit.
    fn with_certificates(&self, request: &Request, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut table = vec![0; FIRST_ROOM];
        let first = self.device.extended_report(request, &mut table, response);
        let Some(room) = too_little_room(&first) else {
            return first.map(|()| table).map_err(|refused| self.failed(refused));
        };
        if (FIRST_ROOM + 1..=AUXILIARY_BYTES).contains(&room) {
            table = vec![0; room.next_multiple_of(PAGE)];
            let second = self.device.extended_report(request, &mut table, response);
            let still = too_little_room(&second).is_some();
            // The kernel's own limit.
            let forbidden = second.as_ref().is_err_and(|refused| refused.error.kind() == io::ErrorKind::InvalidInput);
            if !still && !forbidden {
                return second.map(|()| table).map_err(|refused| self.failed(refused));
            }
        }
        response.fill(0);
        self.device.report(request, response).map_err(|refused| self.failed(refused))?;
        Ok(Vec::new())
    }

    fn failed(&self, refused: Refused) -> Error {
        let Refused { error, firmware, hypervisor, .. } = refused;
        Error::Device { device: self.device.name(), source: error, firmware, hypervisor }
    }
}

impl Attester for SevGuest {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        patiently(self.attempts, self.pause, || self.ask(report_data))
    }
}

/// How much room the host asks for, if that is what was wrong.
fn too_little_room(answer: &Result<(), Refused>) -> Option<usize> {
    answer.as_ref().err().filter(|refused| refused.hypervisor == TOO_LITTLE_ROOM).map(|refused| refused.room)
}

/// The report inside the processor's answer.
fn report_in(response: &Response) -> Result<Vec<u8>, String> {
    let short = |_| "it ends early".to_owned();
    let mut reader = Reader::new(response);
    let (status, size) = (reader.u32_le().map_err(short)?, reader.u32_le().map_err(short)?);
    if status != 0 {
        return Err(format!("the secure processor gives no report: status {status:#x}"));
    }
    if usize::try_from(size) != Ok(limits::SNP_REPORT_BYTES) {
        return Err(format!("a report of {size} bytes, and they have {}", limits::SNP_REPORT_BYTES));
    }
    reader.take(24).map_err(short)?;
    Ok(reader.take(limits::SNP_REPORT_BYTES).map_err(short)?.to_vec())
}
