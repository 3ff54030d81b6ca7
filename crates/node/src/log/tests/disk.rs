//! A disk that forgets what was not synced, tears what was being written, and fails when told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use ledger::Directory;

/// A clone is another handle on the same disk: it outlives the log that wrote to it.
#[derive(Clone, Default)]
pub struct ForgetfulDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, File>,
    /// Removed, but a crash may bring them back.
    removed: BTreeMap<String, File>,
    /// Writing calls until one fails.
    fails_in: Option<u32>,
}

#[derive(Clone, Default)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Its name survives a crash.
    named: bool,
}

impl ForgetfulDisk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// The n-th writing call from now on fails; 0 is the next one.
    pub fn fail_in(&self, calls: Option<u32>) {
        self.lock().fails_in = calls;
    }

    /// The power goes. `luck` decides what of the unsynced is there afterwards.
    pub fn crash(&self, luck: &mut Luck) {
        let mut inner = self.lock();
        inner.fails_in = None;
        let removed = std::mem::take(&mut inner.removed);
        inner.files.extend(removed.into_iter().filter(|_| luck.coin()));
        inner.files.retain(|_, file| file.named || luck.coin());
        for file in inner.files.values_mut() {
            file.crash(luck);
        }
    }

    /// The segments of a log as they are, in order of their numbers.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.lock().files.keys().filter(|name| *name != "spare").cloned().collect();
        names.sort_by_key(|name| name["segment_".len()..].parse::<u64>().unwrap());
        names
    }

    pub fn content(&self, name: &str) -> Vec<u8> {
        self.lock().files[name].now.clone()
    }

    /// A disk with other content in one file.
    pub fn with(&self, name: &str, content: Vec<u8>) -> Self {
        let mut files = self.lock().files.clone();
        files.insert(name.into(), File { synced: content.clone(), now: content, named: true });
        Self(Arc::new(Mutex::new(Inner { files, ..Inner::default() })))
    }

    pub fn without(&self, name: &str) -> Self {
        let mut files = self.lock().files.clone();
        files.remove(name);
        Self(Arc::new(Mutex::new(Inner { files, ..Inner::default() })))
    }
}

impl File {
    fn crash(&mut self, luck: &mut Luck) {
        self.named = true;
        if luck.coin() || self.now.len() < self.synced.len() {
            self.now = if luck.coin() { self.synced.clone() } else { std::mem::take(&mut self.now) };
        } else {
            // What was written over is there in parts.
            if luck.coin() {
                let from = luck.below(self.synced.len());
                let to = from + luck.below(self.synced.len() - from + 1);
                self.now[from..to].copy_from_slice(&self.synced[from..to]);
            }
            let fresh = self.now.len() - self.synced.len();
            self.now.truncate(self.synced.len() + luck.below(fresh + 1));
            // Pages reach the disk in any order.
            let fresh = self.now.len() - self.synced.len();
            if fresh > 0 && luck.coin() {
                let from = luck.below(fresh);
                let to = from + luck.below(fresh - from + 1);
                let start = self.synced.len();
                self.now[start + from..start + to].fill(0);
            }
        }
        self.synced = self.now.clone();
    }
}

impl Inner {
    fn call(&mut self) -> io::Result<()> {
        match &mut self.fails_in {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(calls) => {
                *calls -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        self.files.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Directory for ForgetfulDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.lock().file(name).map(|file| file.now.len() as u64)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let file = inner.file(name)?;
        let from = offset as usize;
        into.copy_from_slice(file.now.get(from..from + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let failed = inner.call();
        // A full disk takes what still fits.
        let bytes = if failed.is_err() { &bytes[..bytes.len() / 2] } else { bytes };
        let file = inner.files.entry(name.into()).or_default();
        let from = offset as usize;
        assert!(from <= file.now.len(), "a hole is never left");
        let end = from + bytes.len();
        if file.now.len() < end {
            file.now.resize(end, 0);
        }
        file.now[from..end].copy_from_slice(bytes);
        failed
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        inner.file(name)?.now.truncate(len as usize);
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        let file = inner.file(name)?;
        file.synced = file.now.clone();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        let file = inner.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = inner.files.insert(to.into(), File { named: false, ..file.clone() });
        // Before the names are synced a crash may undo it.
        inner.removed.insert(from.into(), file);
        inner.removed.extend(replaced.map(|replaced| (to.into(), replaced)));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        let file = inner.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        inner.removed.insert(name.into(), file);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        inner.removed.clear();
        inner.files.values_mut().for_each(|file| file.named = true);
        Ok(())
    }
}

/// Decides, the same way for the same seed.
pub struct Luck(pub u64);

impl Luck {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
    }

    pub fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}
