//! What a process takes of the machine, as Linux tells it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A look at one process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Of all its threads since its start, in and out of the kernel.
    pub cpu: Duration,
    pub memory: Memory,
    /// Of each part of its directory: the name of a directory in it, or of a file.
    pub disk: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    pub resident_bytes: u64,
    /// The most that was resident since its start.
    pub peak_bytes: u64,
}

impl Usage {
    /// `None` where the system does not tell, or the process is gone.
    pub fn of(pid: u32, dir: &Path) -> Option<Self> {
        Some(Self { cpu: cpu(&pid.to_string())?, memory: Memory::of(pid)?, disk: parts(dir).ok()? })
    }
}

impl Memory {
    pub fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let bytes = |name: &str| {
            let kib = text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?;
            Some(kib.trim().parse::<u64>().ok()? * 1024)
        };
        Some(Self { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
    }
}

/// CPU time of this process.
pub fn own_cpu() -> Option<Duration> {
    cpu("self")
}

fn cpu(process: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    ticks(&text).map(|ticks| Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// User and system time in a line of `/proc/PID/stat`. The program's name stands in brackets and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn parts(dir: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut parts = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Messages of the node's program are no part of what it keeps.
        if name.ends_with(".log") {
            continue;
        }
        parts.insert(name, size(&entry)?);
    }
    Ok(parts)
}

fn size(entry: &fs::DirEntry) -> io::Result<u64> {
    match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let inner = match fs::read_dir(entry.path()) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
                inner => inner?,
            };
            inner.map(|entry| size(&entry?)).sum()
        }
        Ok(metadata) => Ok(metadata.len()),
        // Files come and go while a node works.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 1234 1 2";
        assert_eq!(ticks(line), Some(300));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn this_process_uses_memory_and_a_directory_has_the_size_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("log/more")).unwrap();
        fs::write(dir.path().join("log/a"), [0; 300]).unwrap();
        fs::write(dir.path().join("log/more/a"), [0; 1]).unwrap();
        fs::write(dir.path().join("b"), [0; 44]).unwrap();
        fs::write(dir.path().join("node.log"), [0; 44]).unwrap();
        let usage = Usage::of(std::process::id(), dir.path()).unwrap();
        assert_eq!(usage.disk, BTreeMap::from([("b".into(), 44), ("log".into(), 301)]));
        assert!(usage.memory.resident_bytes > 100_000 && usage.memory.peak_bytes >= usage.memory.resident_bytes);
        assert!(own_cpu().is_some());
        assert_eq!(Usage::of(u32::MAX, dir.path()), None);
    }
}
