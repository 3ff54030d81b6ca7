//! What a node begins with: the ledger files and the newest snapshot of the state, from a node that is there already.
//!
//! ```text
//!   doors in turn ─▶ chunk by chunk ─ checked ─▶ ledger/         as far as that node has it
//!                 ─▶ newest snapshot ─ checked ─▶ snapshots/     then the chunks that came meanwhile
//!   and then the node starts, as after a restart: what it lacks comes from its peers
//! ```
//!
//! All of it saves time and nothing else. What comes is believed for what it is and not for where it came from: a chunk continues
//! the ledger here and ends in a signature of the service, or nothing of it is kept; a snapshot is of this ledger and opens, or it
//! is deleted. Whoever lies, or has a bad disk, costs the time that it took. If nobody is of any help, the node starts without.
//!
//! Only a node that never ran does this, so there is nothing that could be overwritten; what a crash left of an earlier attempt is
//! gone on from.

mod doors;
mod line;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use base::limits::{BATCH_BYTES_MAX, CHUNK_BYTES};
use base::{NodeId, Seqno};
use crypto::{Certificate, PublicKey};
use development::{Door, Fetched, Identity, JoinFile, NodeFile, NodeLayout, Past};
use ledger::{Disk, Files, FilesError, Head, LedgerKeys};
use node::Arrival;
use tokio_util::sync::CancellationToken;

use super::door::Client;
use super::progress::Progress;
use line::{Line, Trouble};

/// So often every door is asked in vain before the node starts with what it has.
const ROUNDS: u32 = 3;
/// Between two rounds: a node may have to hear of this one's being trusted, or others take files from it.
const PAUSE: Duration = Duration::from_secs(1);
/// A chunk is closed by the batch that fills it; its position table has four bytes for each entry, which has many times that.
const CHUNK_FILE_BYTES_MAX: u64 = CHUNK_BYTES + 2 * BATCH_BYTES_MAX as u64;
/// Every row of a snapshot is in the ledger, in about as many bytes; what it has beside them is a name for each table.
const SNAPSHOT_SLACK_BYTES: u64 = 16 << 20;

/// Whether the node goes on: not if it was stopped meanwhile.
pub fn fetch(
    dir: &Path,
    file: &NodeFile,
    join: &JoinFile,
    identity: &Identity,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let layout = NodeLayout::new(dir);
    let Past::Joined(_) = &identity.past else { return Ok(true) };
    if layout.log().exists() {
        return Ok(true);
    }
    let service = Certificate::from_pem(&identity.service_certificate)?;
    let client = Client::new(&service, &Certificate::from_pem(&identity.node_certificate)?, &identity.node_key)?;
    let keys = LedgerKeys::holding(&identity.ledger_secrets)?
        .context("the secrets of this node do not begin with the first")?;
    let (files, recovered) = Files::open(Disk::open(layout.ledger())?, Some(&keys))?;
    let got = Fetched { seqno: recovered.head.seqno().0, ..Fetched::default() };
    let own = identity.node_key.public().node_id();
    let mut beginning = Beginning {
        dir,
        client: &client,
        keys: &keys,
        service: service.public_key()?,
        files,
        head: recovered.head,
        wants_snapshot: !file.archive && !has_snapshot(&layout.snapshots()),
        got,
        progress: Progress::of(dir, own),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let goes_on = runtime.block_on(async {
        tokio::select! {
            () = beginning.take_from_any(join, own) => true,
            () = stop.cancelled() => false,
        }
    });
    beginning.files.sync()?;
    if goes_on {
        beginning.progress.begins(beginning.got);
    }
    Ok(goes_on)
}

/// Whether an attempt that was interrupted has kept one already.
fn has_snapshot(folder: &Path) -> bool {
    let mut names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.file_name());
    names.any(|name| !name.to_string_lossy().ends_with(UNFINISHED))
}

struct Beginning<'a> {
    dir: &'a Path,
    client: &'a Client,
    keys: &'a LedgerKeys,
    service: PublicKey,
    files: Files<Disk>,
    /// Where the ledger here ends.
    head: Head,
    /// There is none yet, and it would be of use.
    wants_snapshot: bool,
    got: Fetched,
    progress: Progress,
}

impl Beginning<'_> {
    /// From the first node that has all of it; from several, if it must be.
    async fn take_from_any(&mut self, join: &JoinFile, own: NodeId) {
        let (began, mut rounds) = (Instant::now(), 0);
        let known = doors::known(self.client, join, own).await;
        while rounds < ROUNDS {
            let before = self.got;
            let (doors, of) = doors::answering(self.client, &known).await;
            self.got.of = of;
            for door in &doors {
                let from = door.authority();
                match self.take_from(door).await {
                    Ok(()) => {}
                    Err(Trouble::Theirs(why)) => {
                        tracing::warn!(from, why, "this node is of no help with ledger files; another one is asked");
                    }
                    Err(Trouble::Ours(error)) => {
                        let why = format!("{error:#}");
                        tracing::error!(why, "ledger files cannot be kept here; the node starts with what it has");
                        return;
                    }
                }
                if self.got.seqno >= of && !self.wants_snapshot {
                    break;
                }
            }
            // Without a snapshot, if nobody has a good one.
            if !doors.is_empty() && self.got.seqno >= of {
                let Fetched { seqno, bytes, snapshot, .. } = self.got;
                let seconds = began.elapsed().as_secs_f64();
                tracing::info!(seqno, bytes, snapshot, seconds, "the ledger files are here: the node begins with them");
                return;
            }
            let more = (self.got.seqno, self.got.snapshot) != (before.seqno, before.snapshot);
            rounds = if more { 0 } else { rounds + 1 };
            tokio::time::sleep(PAUSE).await;
        }
        let seqno = self.got.seqno;
        tracing::warn!(seqno, "nobody gives more ledger files: what is missing comes from peers, which takes longer");
    }

    /// All that one node has.
    async fn take_from(&mut self, door: &Door) -> Result<(), Trouble> {
        let mut line = Line::to(self.client, door);
        self.progress.fetches(door, self.got);
        self.chunks(&mut line).await?;
        if !self.wants_snapshot {
            return Ok(());
        }
        if let Some(arrival) = self.snapshot(&mut line).await? {
            // It may have been taken of more than there was when the last chunk came.
            self.chunks(&mut line).await?;
            let (seqno, bytes) = (arrival.seqno(), arrival.written());
            let kept = arrival.keep(&self.files, self.keys, &self.service);
            kept.map_err(|error| Trouble::Theirs(format!("its snapshot of {seqno} is not kept: {error}")))?;
            tracing::info!(seqno = seqno.0, bytes, "a snapshot of the state is here");
            self.got.snapshot = Some(seqno.0);
            self.wants_snapshot = false;
        }
        Ok(())
    }

    /// Chunk by chunk, up to the one that grows.
    async fn chunks(&mut self, line: &mut Line<'_>) -> Result<(), Trouble> {
        loop {
            let next = self.head.seqno().next();
            let Some(found) = line.find(&format!("/node/ledger_chunk?since={next}")).await? else { return Ok(()) };
            let mut chunk = Vec::new();
            let (before, mut got) = (self.got.bytes, self.got);
            let (door, progress) = (line.door().clone(), &mut self.progress);
            let keep = |bytes: &[u8]| {
                chunk.extend_from_slice(bytes);
                got.bytes = before + chunk.len() as u64;
                progress.fetches(&door, got);
                Ok(())
            };
            line.take(&found.path, CHUNK_FILE_BYTES_MAX, keep).await?;
            let taken = self.files.take_over(&self.head, &found.name, &chunk, self.keys, &self.service);
            let head = taken.map_err(|error| match error {
                FilesError::Corrupt { source, .. } => {
                    Trouble::Theirs(format!("its {} is not kept: {source}", found.name))
                }
                error => Trouble::Ours(error.into()),
            })?;
            if head.seqno() < next {
                return Err(Trouble::Theirs(format!("its {} has nothing of what it was found by", found.name)));
            }
            self.head = head;
            self.got.seqno = self.head.seqno().0;
            self.got.bytes += chunk.len() as u64;
            self.progress.fetches(line.door(), self.got);
            if !found.name.ends_with(CLOSED) {
                return Ok(());
            }
        }
    }

    async fn snapshot(&mut self, line: &mut Line<'_>) -> Result<Option<Arrival>, Trouble> {
        let Some(found) = line.find("/node/snapshot").await? else { return Ok(None) };
        let folder = NodeLayout::new(self.dir).snapshots();
        let begun = Arrival::begin(&folder, &found.name).map_err(|error| Trouble::Ours(error.into()))?;
        let mut arrival = begun.ok_or_else(|| Trouble::Theirs("it names a snapshot that none is called".into()))?;
        let bytes_max = 2 * self.files.bytes_behind(Seqno(0)) + SNAPSHOT_SLACK_BYTES;
        let (before, mut got) = (self.got.bytes, self.got);
        let (door, progress) = (line.door().clone(), &mut self.progress);
        let keep = |bytes: &[u8]| {
            arrival.write(bytes).map_err(|error| Trouble::Ours(error.into()))?;
            got.bytes = before + arrival.written();
            progress.fetches(&door, got);
            Ok(())
        };
        line.take(&found.path, bytes_max, keep).await?;
        self.got.bytes += arrival.written();
        Ok(Some(arrival))
    }
}

/// How the name of a chunk ends that grows no more.
const CLOSED: &str = ".committed";
/// And that of a snapshot that is not whole.
const UNFINISHED: &str = ".writing";

#[cfg(test)]
mod tests;
