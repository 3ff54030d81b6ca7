//! Processes that outlive the `coco` that started them: found again by process id and start time, so that an id which the
//! system gave to somebody else is not taken for a node.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};

use crate::failure::Failure;

/// A process on this machine, which may have ended since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    pub pid: u32,
    /// When it started, in the kernel's ticks since boot; `None` where the system does not tell.
    started: Option<u64>,
}

impl Process {
    pub fn of(pid: u32) -> Self {
        Self { pid, started: proc_stat(pid).map(|stat| stat.started) }
    }

    /// Whether it still runs. One that ended, and that its parent has not asked after, does not.
    pub fn alive(self) -> bool {
        match (self.started, proc_stat(self.pid)) {
            (Some(started), Some(stat)) => stat.started == started && !stat.ended,
            (Some(_), None) => false,
            (None, _) => self.id().is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()),
        }
    }

    /// Asks it to end in good order.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Ends it on the spot.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if let Some(pid) = self.id().filter(|_| self.alive()) {
            // It may end between the question and the signal; then all is as it should be.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    fn id(self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    /// What [`Process::write`] left, if it can be read.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        Some(Self { pid, started: words.next().and_then(|word| word.parse().ok()) })
    }

    /// Leaves a note for the next `coco`.
    pub fn write(self, path: &Path) -> io::Result<()> {
        let started = self.started.map(|ticks| ticks.to_string()).unwrap_or_default();
        fs::write(path, format!("{} {started}\n", self.pid))
    }
}

struct Stat {
    ended: bool,
    started: u64,
}

/// `/proc/PID/stat`: the program's name stands in brackets and may hold anything, so fields are counted from the last one.
fn proc_stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let threads: u64 = fields.nth(16)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    // While other threads of a killed process are still going down, its first one is a zombie, and its ports are not free yet.
    Some(Stat { ended: matches!(state, "Z" | "X") && threads <= 1, started })
}

/// Starts `PROGRAM DIR` with its output going to a file, away from this terminal's Ctrl-C.
pub fn spawn_node(program: &Path, node_dir: &Path, output: &Path) -> Result<Child, Failure> {
    let log =
        OpenOptions::new().create(true).append(true).open(output).map_err(|e| Failure::file("write", output, &e))?;
    let also = |log: &File| log.try_clone().map_err(|e| Failure::file("write", output, &e));
    let coco = std::env::current_exe().map_err(|e| Failure::from_error("cannot find this program's own file", &e))?;
    Command::new(coco)
        .arg("launch-node")
        .arg(program)
        .arg(node_dir)
        .stdin(Stdio::null())
        .stdout(also(&log)?)
        .stderr(log)
        .spawn()
        .map_err(|e| Failure::from_error("cannot start a node", &e))
}

/// The other end of [`spawn_node`]: leaves the terminal's session, and becomes the node under the same process id.
pub fn become_node(program: &Path, node_dir: &Path) -> Failure {
    if let Err(e) = rustix::process::setsid() {
        return Failure::from_error("cannot begin a session for a node", &io::Error::from(e));
    }
    Failure::file("run", program, &Command::new(program).arg(node_dir).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_with_its_id_from_another_time_is_not() {
        let me = Process::of(std::process::id());
        assert!(me.alive());
        assert!(!Process { started: me.started.map(|ticks| ticks + 1), ..me }.alive());
    }

    #[test]
    fn a_process_that_ended_unnoticed_is_not_alive() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process::of(child.id());
        assert!(process.alive());
        process.kill();
        while process.alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!process.alive());
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.pid");
        let me = Process::of(std::process::id());
        me.write(&path).unwrap();
        assert_eq!(Process::read(&path), Some(me));
        fs::write(&path, "garbage").unwrap();
        assert_eq!(Process::read(&path), None);
    }
}
