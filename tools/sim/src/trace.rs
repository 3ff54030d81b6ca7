//! A digest of everything that happened, to tell two runs apart.
//!
//! FNV-1a over words: two runs of one seed must agree in every bit of it. It proves nothing to anybody else.

use std::fmt;

use bytes::Bytes;
use consensus::{Effects, Input, Member, Role};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub fn word(&mut self, word: u64) {
        self.bytes(&word.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn messages(&mut self, messages: &[(Member, Bytes)]) {
        for (to, bytes) in messages {
            self.word(to.0);
            self.bytes(bytes);
        }
    }

    /// One step of one node.
    pub fn step(&mut self, now: u64, node: Member, input: &Input, effects: &Effects) {
        let Effects { write, send, committed, role, configuration, catch_up, proposed, ignored } = effects;
        self.word(now);
        self.word(node.0);
        let kind = match input {
            Input::Tick => 0,
            Input::Receive { .. } => 1,
            Input::Propose(_) => 2,
            Input::Persisted(_) => 3,
            Input::Applied(_) => 4,
            Input::Compact(_) => 5,
            Input::Transfer(_) => 6,
            Input::Installed(_) => 7,
            Input::CatchUpFailed => 8,
            Input::Unreachable(_) => 9,
            Input::Campaign => 10,
            Input::Want(_) => 11,
        };
        self.word(kind);
        self.messages(send);
        if let Some(write) = write {
            self.word(write.number.0);
            self.word(write.hard_state.map_or(0, |hard| hard.view.0 ^ hard.commit.0.rotate_left(32)));
        }
        for entry in committed {
            self.word(entry.index.0);
            self.word(entry.view.0);
        }
        match role {
            None => {}
            Some(Role::Primary { view, mark }) => self.word(view.0 ^ mark.0.rotate_left(32)),
            Some(Role::Backup { view, primary }) => self.word(view.0 ^ primary.map_or(0, |member| member.0 << 48)),
            Some(Role::Candidate { view }) => self.word(view.0.rotate_left(48)),
        }
        if let Some(configuration) = configuration {
            let mut bytes = Vec::new();
            configuration.encode(&mut bytes);
            self.bytes(&bytes);
        }
        self.word(catch_up.map_or(0, |wanted| wanted.to.index.0));
        self.word(u64::from(matches!(proposed, Some(Ok(_)))));
        self.word(u64::from(ignored.is_some()));
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
