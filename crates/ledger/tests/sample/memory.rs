//! A directory in memory that loses what was not synced, and that can be full.
#![expect(clippy::unwrap_used, reason = "a test double stops at the first failure")]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use ledger::Directory;

#[derive(Clone, Default)]
pub struct Memory {
    files: Arc<Mutex<Files>>,
}

#[derive(Clone, Default)]
struct Files {
    /// What a process sees.
    now: BTreeMap<String, Vec<u8>>,
    /// What survives a crash.
    durable: BTreeMap<String, Vec<u8>>,
    /// Bytes that can still be written, if there is an end to them.
    space: Option<usize>,
}

impl Memory {
    /// What is left after a crash that kept everything written.
    pub fn copy(&self) -> Self {
        let files = self.files.lock().unwrap().clone();
        Self { files: Arc::new(Mutex::new(files)) }
    }

    /// What is left after a crash that kept only what was synced.
    pub fn crashed(&self) -> Self {
        let durable = self.files.lock().unwrap().durable.clone();
        Self { files: Arc::new(Mutex::new(Files { now: durable.clone(), durable, space: None })) }
    }

    pub fn content(&self, name: &str) -> Vec<u8> {
        self.files.lock().unwrap().now[name].clone()
    }

    pub fn set(&self, name: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().now.insert(name.to_owned(), bytes);
    }

    /// From now on only so many bytes can be written.
    pub fn fill(&self, space: usize) {
        self.files.lock().unwrap().space = Some(space);
    }

    pub fn names(&self) -> Vec<String> {
        self.list().unwrap()
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Directory for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().unwrap().now.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.files.lock().unwrap().now.get(name).ok_or_else(missing)?.len() as u64)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let files = self.files.lock().unwrap();
        let file = files.now.get(name).ok_or_else(missing)?;
        let start = usize::try_from(offset).unwrap();
        let bytes = file.get(start..start + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let fits = files.space.map_or(bytes.len(), |space| space.min(bytes.len()));
        if let Some(space) = &mut files.space {
            *space -= fits;
        }
        let file = files.now.entry(name.to_owned()).or_default();
        let start = usize::try_from(offset).unwrap();
        assert!(start <= file.len(), "a hole in {name}");
        file.resize(file.len().max(start + fits), 0);
        file[start..start + fits].copy_from_slice(&bytes[..fits]);
        if fits == bytes.len() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::StorageFull)) }
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        files.now.get_mut(name).ok_or_else(missing)?.truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let content = files.now.get(name).ok_or_else(missing)?.clone();
        // A file whose name is not durable is lost with its content.
        if let Some(durable) = files.durable.get_mut(name) {
            *durable = content;
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let content = files.now.remove(from).ok_or_else(missing)?;
        files.now.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().unwrap().now.remove(name).map(drop).ok_or_else(missing)
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let old = std::mem::take(&mut files.durable);
        // A renamed file keeps the content that was durable under its old name; a new one has none yet.
        let mut unnamed: Vec<Vec<u8>> =
            old.iter().filter(|(name, _)| !files.now.contains_key(*name)).map(|(_, content)| content.clone()).collect();
        files.durable = files
            .now
            .keys()
            .map(|name| (name.clone(), old.get(name).cloned().or_else(|| unnamed.pop()).unwrap_or_default()))
            .collect();
        Ok(())
    }
}
