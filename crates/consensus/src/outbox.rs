//! Messages on their way out, and the writes that some of them wait for.
//!
//! An acknowledgement or a vote is a promise: it leaves only when every write issued before it is synced. All other
//! messages promise nothing and leave at once, so a slow disk does not silence a node.

use std::collections::VecDeque;

use base::View;
use bytes::Bytes;

use crate::message::{Body, Message};
use crate::{Index, Member, Point, WriteNumber};

/// Promises that may wait for the disk. Past it the oldest are dropped: the protocol asks again.
const HELD_MAX: usize = 1024;

#[derive(Default)]
pub struct Outbox {
    issued: WriteNumber,
    /// Writes on their way to disk, each with the number that the library knows it by.
    writes: VecDeque<(WriteNumber, u64)>,
    held: VecDeque<(WriteNumber, Member, Bytes)>,
}

impl Outbox {
    /// Counts a new write.
    pub fn issue(&mut self, ready: u64) -> WriteNumber {
        self.issued.0 += 1;
        self.writes.push_back((self.issued, ready));
        self.issued
    }

    /// A write is on its way to disk.
    pub fn is_writing(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Writes up to `number` are synced. Returns the library's number of the last of them, if any was open.
    pub fn persisted(&mut self, number: WriteNumber) -> Option<u64> {
        let mut last = None;
        while let Some(&(write, ready)) = self.writes.front().filter(|(write, _)| *write <= number) {
            last = Some((write, ready));
            self.writes.pop_front();
        }
        last.map(|(_, ready)| ready)
    }

    /// The library started anew and knows none of the open writes.
    pub fn forget_library_numbers(&mut self) {
        for (_, ready) in &mut self.writes {
            *ready = 0;
        }
    }

    /// Moves the messages whose writes are all synced to `send`.
    pub fn release(&mut self, send: &mut Vec<(Member, Bytes)>) {
        let open = self.writes.front().map_or(WriteNumber(u64::MAX), |(write, _)| *write);
        while let Some((_, to, bytes)) = self.held.pop_front_if(|(write, _, _)| *write < open) {
            send.push((to, bytes));
        }
    }

    /// Sends or holds one message.
    pub fn post(&mut self, to: Member, promise: bool, bytes: Bytes, send: &mut Vec<(Member, Bytes)>) {
        match self.writes.back() {
            Some((write, _)) if promise => {
                if self.held.len() == HELD_MAX {
                    self.held.pop_front();
                }
                self.held.push_back((*write, to, bytes));
            }
            _ => send.push((to, bytes)),
        }
    }
}

/// Whether a message promises something that a crash must not undo.
pub const fn is_promise(message: &Message) -> bool {
    matches!(message.body, Body::Appended { .. } | Body::Vote { .. } | Body::Voted { .. })
}

/// Encodes the messages of one step. A batch mostly goes to several backups in the same words: they share the bytes.
#[derive(Default)]
pub struct Encoder {
    last: Option<(AppendKey, Bytes)>,
}

/// What tells two appends of one step apart.
#[derive(PartialEq, Eq)]
struct AppendKey {
    view: View,
    before: Point,
    commit: Index,
    entries: usize,
}

impl Encoder {
    pub fn encode(&mut self, message: &Message) -> Bytes {
        let Body::Append { before, commit, entries } = &message.body else {
            return message.encode();
        };
        let key = AppendKey { view: message.view, before: *before, commit: *commit, entries: entries.len() };
        if let Some((_, bytes)) = self.last.as_ref().filter(|(last, _)| *last == key) {
            return bytes.clone();
        }
        let bytes = message.encode();
        self.last = Some((key, bytes.clone()));
        bytes
    }
}
