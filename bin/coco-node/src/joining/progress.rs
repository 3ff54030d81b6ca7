//! How far the node is: a line in its log whenever that changes or has lasted a while, and a file for whoever runs it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base::{Digest, NodeId};
use development::{Door, Fetched, Joining, JoiningState};

use super::evidence::Vouched;

/// How often the same state is said again.
const AGAIN: Duration = Duration::from_secs(30);
/// What others say is cut to this many characters.
const SENTENCE_CHARS_MAX: usize = 500;
/// How often the file is written while ledger files come.
const WRITE_AGAIN: Duration = Duration::from_millis(200);

pub struct Progress {
    dir: PathBuf,
    now: Joining,
    said: Option<Instant>,
    written: Instant,
}

impl Progress {
    pub fn new(dir: &Path, id: NodeId) -> Self {
        let now = Joining {
            state: JoiningState::Asking,
            id,
            door: String::new(),
            constitution: None,
            evidence: None,
            measurement: None,
            fetched: None,
            trouble: None,
        };
        Self { dir: dir.to_owned(), now, said: None, written: Instant::now() }
    }

    /// Of a node that goes on from where it was.
    pub fn of(dir: &Path, id: NodeId) -> Self {
        let new = Self::new(dir, id);
        match Joining::read(dir) {
            Ok(Some(before)) if before.id == id => Self { now: before, ..new },
            _ => new,
        }
    }

    pub fn asks(&mut self, door: &Door) {
        self.change(|now| now.door = format!("https://{}", door.authority()));
    }

    pub fn read(&mut self, constitution: Digest) {
        self.change(|now| now.constitution = Some(constitution.to_string()));
    }

    pub fn vouched(&mut self, evidence: &Vouched) {
        self.change(|now| {
            now.evidence = Some(evidence.kind.to_string());
            now.measurement.clone_from(&evidence.measurement);
        });
    }

    /// Nobody could say yes or no.
    pub fn waits(&mut self, why: &str) {
        let why: String = why.chars().take(SENTENCE_CHARS_MAX).collect();
        let new = self.now.trouble.as_deref() != Some(&why);
        if new || self.is_time() {
            tracing::warn!(door = self.now.door, why, "no answer that helps; asking again");
        }
        self.change(|now| now.trouble = Some(why));
    }

    pub fn reached(&mut self, state: JoiningState) {
        let new = self.now.state != state;
        let due = new || self.is_time();
        let (node, door) = (self.now.id.to_string(), &self.now.door);
        match state {
            JoiningState::Pending if due => tracing::info!(
                node,
                door,
                "pending: the evidence was accepted, and the members, or their rules, must trust this node (transition_node_to_trusted)"
            ),
            JoiningState::Trusted => tracing::info!(node, door, "trusted: this is a node of the network from now on"),
            _ => {}
        }
        self.change(|now| {
            now.state = state;
            now.trouble = None;
        });
    }

    /// Ledger files come.
    pub fn fetches(&mut self, door: &Door, fetched: Fetched) {
        if self.is_time() {
            let (from, Fetched { bytes, seqno, of, .. }) = (door.authority(), fetched);
            tracing::info!(from, bytes, seqno, of, "taking the ledger files");
        }
        if self.now.state == JoiningState::Fetching && self.written.elapsed() < WRITE_AGAIN {
            return;
        }
        self.written = Instant::now();
        self.change(|now| {
            now.state = JoiningState::Fetching;
            now.door = format!("https://{}", door.authority());
            now.fetched = Some(fetched);
            now.trouble = None;
        });
    }

    /// No more ledger files are waited for.
    pub fn begins(&mut self, fetched: Fetched) {
        self.change(|now| {
            now.state = JoiningState::Trusted;
            now.fetched = Some(fetched);
        });
    }

    /// It is over; the caller says it in the log.
    pub fn ended(&mut self, why: &str) {
        let why: String = why.chars().take(SENTENCE_CHARS_MAX).collect();
        self.change(|now| {
            now.state = JoiningState::Refused;
            now.trouble = Some(why);
        });
    }

    fn is_time(&mut self) -> bool {
        let due = self.said.is_none_or(|said| said.elapsed() >= AGAIN);
        if due {
            self.said = Some(Instant::now());
        }
        due
    }

    fn change(&mut self, with: impl FnOnce(&mut Joining)) {
        let before = self.now.clone();
        with(&mut self.now);
        if self.now == before && self.said.is_some() {
            return;
        }
        self.said.get_or_insert_with(Instant::now);
        if let Err(error) = self.now.write(&self.dir) {
            tracing::warn!(%error, "how far the node is cannot be written down");
        }
    }
}
