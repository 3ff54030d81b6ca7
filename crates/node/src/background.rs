//! Work that nobody waits for.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// What goes before a thread, and before those that it starts.
#[derive(Clone, Copy)]
pub enum Rank {
    /// All that has the usual rank. A tenth of a core that others want, too: somebody waits for it in the end.
    Behind,
    /// Everything: a hundredth of a core.
    Last,
}

/// From now on whatever else wants a core goes before this thread.
pub fn step_back(rank: Rank) {
    let nice = match rank {
        Rank::Behind => 10,
        Rank::Last => 19,
    };
    if let Err(error) = setpriority_process(Some(gettid()), nice) {
        tracing::warn!(%error, "background work has the rank of everything else");
    }
}
