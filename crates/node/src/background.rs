//! Work that nobody waits for.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// Behind all that has the usual rank, and before what members' scripts make of their time.
const NICE: i32 = 10;

/// From now on whatever else wants a core goes before this thread, and before those that it starts.
pub fn step_back() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        tracing::warn!(%error, "background work has the rank of everything else");
    }
}
