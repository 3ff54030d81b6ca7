//! The seam to the disk: a directory of files that mostly grow.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A directory of ledger files. Names are plain, without a path. Nothing is durable before it is synced: a crash may keep any
/// part of what was not, in any order.
pub trait Directory: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A file's length.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// Fills `into` from `offset` on; an error if the file ends before.
    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes at `offset`, which is at most the file's length; creates the file if there is none.
    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to `len` bytes.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;
    /// Makes a file's content durable.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the directory itself durable: files made, renamed, removed.
    fn sync_names(&self) -> io::Result<()>;
}

/// Files that stay open between calls.
const HANDLES_MAX: usize = 64;

/// The real thing. Files are readable by their owner only.
pub struct Disk {
    path: PathBuf,
    handles: Mutex<BTreeMap<String, Arc<File>>>,
}

impl Disk {
    /// Opens a directory, and makes it if there is none.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, handles: Mutex::default() })
    }

    fn handle(&self, name: &str, create: bool) -> io::Result<Arc<File>> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = handles.get(name) {
            return Ok(Arc::clone(file));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).mode(0o600);
        let file = Arc::new(options.open(self.path.join(name))?);
        if handles.len() >= HANDLES_MAX {
            handles.clear();
        }
        handles.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn forget(&self, name: &str) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl Directory for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.handle(name, false)?.metadata()?.len())
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.handle(name, false)?.read_exact_at(into, offset)
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.handle(name, true)?.write_all_at(bytes, offset)
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.handle(name, false)?.set_len(len)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.handle(name, false)?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))?;
        self.forget(from);
        self.forget(to);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))?;
        self.forget(name);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}
