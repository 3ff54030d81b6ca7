//! What a process takes of the machine, as Linux tells it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A look at one process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Of all its threads since its start, in and out of the kernel.
    pub cpu: Duration,
    pub resident_bytes: u64,
    /// The most that was resident since its start.
    pub peak_bytes: u64,
    /// Of its directory.
    pub disk_bytes: u64,
}

impl Usage {
    /// `None` where the system does not tell, or the process is gone.
    pub fn of(pid: u32, dir: &Path) -> Option<Self> {
        let (resident_bytes, peak_bytes) = memory(pid)?;
        Some(Self { cpu: cpu(&pid.to_string())?, resident_bytes, peak_bytes, disk_bytes: size(dir).ok()? })
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

/// Resident now, and at most.
fn memory(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |name: &str| {
        let kib = text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?;
        Some(kib.trim().parse::<u64>().ok()? * 1024)
    };
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

fn size(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path())?,
            Ok(metadata) => metadata.len(),
            // Files come and go while a node works.
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
    }
    Ok(bytes)
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
        fs::create_dir(dir.path().join("log")).unwrap();
        fs::write(dir.path().join("log/a"), [0; 300]).unwrap();
        fs::write(dir.path().join("b"), [0; 44]).unwrap();
        let usage = Usage::of(std::process::id(), dir.path()).unwrap();
        assert_eq!(usage.disk_bytes, 344);
        assert!(usage.resident_bytes > 100_000 && usage.peak_bytes >= usage.resident_bytes);
        assert!(own_cpu().is_some());
        assert_eq!(Usage::of(u32::MAX, dir.path()), None);
    }
}
