//! A process for scripts, seen from the node that started it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::wire::Wire;
use super::{ORDINARY, confine};

/// One that runs. It is ended when this is dropped.
pub(super) struct Process {
    pub(super) wire: Wire,
    end: End,
    /// What the process has compiled and keeps.
    kept: Option<Arc<str>>,
    /// What the system tells of its time on the CPU.
    statistics: Option<File>,
    /// The time when the last call began; none began yet.
    before: Option<Duration>,
}

impl Process {
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let (own, theirs) = UnixStream::pair()?;
        // Nothing of this process, and nothing of whoever started it.
        command.env_clear().current_dir("/");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        let statistics = File::open(format!("/proc/{}/schedstat", child.id())).ok();
        let end = End(Arc::new(Mutex::new(child)));
        let process = Self { wire: Wire::new(own, Some(ORDINARY))?, end, kept: None, statistics, before: None };
        Ok(process)
    }

    /// Whether it has not ended.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.end.child().try_wait(), Ok(None))
    }

    /// What is to be sent of a script that is kept: nothing if it was sent before.
    pub(super) fn keep(&mut self, script: &Arc<str>) -> Option<Arc<str>> {
        if self.kept.as_ref() == Some(script) {
            return None;
        }
        self.kept = Some(script.clone());
        self.kept.clone()
    }

    /// Whether it has run no call yet, and so has everything to compile.
    pub(super) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// A call begins now.
    pub(super) fn begin(&mut self) {
        self.before = Some(self.time_on_cpu().unwrap_or_default());
    }

    /// Since the call began; all that there is if the system does not tell.
    pub(super) fn cpu_time(&self) -> Duration {
        self.time_on_cpu().map_or(Duration::MAX, |time| time.saturating_sub(self.before.unwrap_or_default()))
    }

    fn time_on_cpu(&self) -> Option<Duration> {
        let mut bytes = [0; 64];
        let read = self.statistics.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes[..read]).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    /// Lets it run when nobody else wants to, and gives what ends it.
    pub(super) fn step_back(&self) -> End {
        // Under the lock: it is not waited for meanwhile, so its number is not another's.
        let child = self.end.child();
        confine::step_back_session(child.id());
        self.end.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end.kill();
    }
}

/// Ends a process.
#[derive(Clone)]
pub(super) struct End(Arc<Mutex<Child>>);

impl End {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kill(&self) {
        let mut child = self.child();
        // Both fail only where it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
