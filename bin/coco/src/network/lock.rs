//! One `up` or `down` at a time in a directory.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use development::Layout;

use crate::failure::Failure;
use crate::printer::Printer;

/// Held while nodes are being started or stopped. The system gives it back when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for whoever holds the directory now.
    pub fn wait(dir: &Path, printer: &Printer) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
        let path = Layout::new(dir).lock();
        let file = File::create(&path).map_err(|e| {
            Failure::file("write", &path, &e).hint("choose a directory that you may write to, with --dir")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                printer.note(format!("waiting for another coco that starts or stops nodes in {}", dir.display()));
                file.lock().map_err(|e| Failure::file("lock", &path, &e))?;
            }
            Err(TryLockError::Error(e)) => return Err(Failure::file("lock", &path, &e)),
        }
        Ok(Self { _file: file })
    }
}
