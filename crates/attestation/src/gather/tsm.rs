//! SEV-SNP, TDX and Arm CCA by way of Linux's configfs: `/sys/kernel/config/tsm/report`.
//!
//! ```text
//! mkdir NAME   provider, generation                         the kernel fills the directory
//!              write inblob (64 bytes)                      generation rises by one
//!              read outblob, auxblob                        the hardware is asked here
//!              generation has risen by one and no more?     else another process wrote: begin again
//! rmdir NAME
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{AUXILIARY_BYTES, Attester, Error, Gathered, files, patiently};
use crate::formats::event_log;
use crate::{Kind, limits};

/// Directories that this process made: their names differ though requests may follow each other closely.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Asks the kernel.
#[derive(Debug)]
pub struct Tsm {
    base: PathBuf,
    event_log: Option<PathBuf>,
    attempts: u32,
    pause: Duration,
    turn: Mutex<()>,
}

impl Tsm {
    pub fn new(base: impl Into<PathBuf>) -> Self {
        // Hardware that is busy answers within a second or two.
        Self {
            base: base.into(),
            event_log: None,
            attempts: 40,
            pause: Duration::from_millis(100),
            turn: Mutex::new(()),
        }
    }

    /// Where firmware left its log (CCEL); a machine without one has no such file.
    pub fn with_event_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.event_log = Some(path.into());
        self
    }

    /// How often to begin again while the hardware is busy or another process interferes, and how long to wait before it.
    pub fn with_patience(mut self, attempts: u32, pause: Duration) -> Self {
        (self.attempts, self.pause) = (attempts.max(1), pause);
        self
    }

    /// Linux fills the directory before `mkdir` returns; what stands in for it (a file system in user space) needs a moment.
    fn filled(&self, entry: &Entry) {
        let provider = entry.file("provider");
        for _ in 1..self.attempts {
            if provider.exists() {
                break;
            }
            thread::sleep(self.pause);
        }
    }

    fn ask(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let entry = Entry::new(&self.base)?;
        self.filled(&entry);
        let provider = files::line(&entry.file("provider"))?;
        let kind = match provider.as_str() {
            "sev_guest" => Kind::SevSnp,
            "tdx_guest" => Kind::Tdx,
            "arm_cca_guest" => Kind::ArmCca,
            _ => return Err(Error::Provider(provider)),
        };
        let before = entry.generation()?;
        files::write(&entry.file("inblob"), report_data)?;
        let evidence = files::read(&entry.file("outblob"), limits::QUOTE_BYTES)?;
        let auxiliary = files::read_if_any(&entry.file("auxblob"), AUXILIARY_BYTES)?;
        if entry.generation()? != before.wrapping_add(1) {
            return Err(Error::Raced(entry.path.clone()));
        }
        let event_log = match &self.event_log {
            Some(path) => {
                event_log::without_padding(files::read_if_any(path, limits::EVENT_LOG_BYTES)?, limits::EVENT_LOG_BYTES)
            }
            None => vec![],
        };
        Ok(Gathered { kind, evidence, auxiliary, event_log })
    }
}

impl Attester for Tsm {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        patiently(self.attempts, self.pause, || self.ask(report_data))
    }
}

/// A directory of our own, removed with the request.
struct Entry {
    path: PathBuf,
}

impl Entry {
    fn new(base: &Path) -> Result<Self, Error> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("coco-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(files::fail(&path))?;
        Ok(Self { path })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn generation(&self) -> Result<u32, Error> {
        let path = self.file("generation");
        let text = files::line(&path)?;
        text.parse().map_err(|_| Error::Provider(format!("generation {text:?}")))
    }
}

impl Drop for Entry {
    /// One that cannot be removed costs the kernel a few bytes, and the evidence is good all the same.
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
