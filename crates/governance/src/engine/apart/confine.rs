//! What a process for scripts is allowed, and when it runs.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::engine::Bounds;

/// The least that Linux knows.
const NICE: i32 = 19;

/// Beside what scripts hold: texts on their way, and what the engine compiles.
const BESIDE_BYTES: u64 = 256 << 20;

/// What the stack of the process' only thread may grow to: twice what members may grant, since a constitution may be checked from
/// within a call, in a runtime of its own.
const STACK_BYTES: u64 = 24 << 20;

/// Called by the process itself, before anything else: no file, no memory dump, no other program's rights.
/// What is limited here cannot be raised again.
pub(super) fn confine() -> io::Result<()> {
    // A terminal's signals are not for it. And Linux shares processors among sessions first: within that of its node it would take
    // the node's share from all other programs, whatever its own rank.
    rustix::process::setsid()?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    for resource in [Resource::Core, Resource::Fsize, Resource::Nofile, Resource::Memlock] {
        setrlimit(resource, none)?;
    }
    if getrlimit(Resource::Stack).current.is_some_and(|bytes| bytes < STACK_BYTES) {
        allow(Resource::Stack, STACK_BYTES)?;
    }
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Called by the process itself, before each call. Memory: twice the heap, since a constitution may be checked from
/// within a call. Time: should the node be gone, nobody else would end a script.
pub(super) fn bound(bounds: &Bounds, memory_before: u64) -> io::Result<()> {
    let bytes = memory_before + BESIDE_BYTES + 2 * bounds.heap_bytes as u64;
    allow(Resource::As, bytes)?;
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or_default() + bounds.time.as_secs() + 2;
    allow(Resource::Cpu, seconds)
}

/// Sets a limit that may be set anew.
fn allow(resource: Resource, most: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let current = maximum.map_or(most, |maximum| most.min(maximum));
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum })?)
}

/// What the process takes of its address space as it starts.
pub(super) fn memory() -> u64 {
    const PAGE: u64 = 4 << 10;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').next().and_then(|pages| pages.parse().ok()).map_or(BESIDE_BYTES, |pages: u64| pages * PAGE)
}

/// Lets a process that has confined itself wait for all others. Best effort: where it fails it competes like any other.
pub(super) fn step_back_session(pid: u32) {
    // As a session beside others, where there is such a thing (the kernel takes ten such wishes a second of who is not root) …
    #[cfg(target_os = "linux")]
    let _ = std::fs::write(format!("/proc/{pid}/autogroup"), NICE.to_string());
    // … and within it.
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::setpriority_pgrp(Some(group), NICE);
    }
}

/// The same for the thread that calls it, where threads have ranks of their own.
pub(super) fn step_back_thread() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}
