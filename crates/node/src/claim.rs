//! One process a directory: two that write the same files would each cut off what the other had just written.

use std::fs::{File, TryLockError};
use std::path::Path;

use adapter::Fault;

/// Claims a node's directory for as long as this process lives: whatever happens, its threads may write until then.
pub fn claim(dir: &Path) -> Result<(), Fault> {
    let path = dir.join("claim");
    let failed = |error| Fault::new(format!("{} could not be opened: {error}", path.display()));
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Fault::new(format!(
                "another process is this node already, or has not ended yet: it holds {}",
                path.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    std::mem::forget(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_claimed_once() {
        let dir = tempfile::tempdir().unwrap();
        claim(dir.path()).unwrap();
        assert!(claim(dir.path()).unwrap_err().to_string().contains("another process"));
    }
}
