//! A node that was away for so long that the primary's log no longer reaches back: it takes the ledger from a peer.
//!
//! The ledger is asked for in parts. Each batch is checked like one from the primary, its service signature too, and
//! goes down the same road. When the peer has no more and the ledger file here is durable, the log starts anew there.

use adapter::Fault;
use base::Seqno;
use bytes::Bytes;
use consensus::{CatchUp, Input};

use super::Orderer;
use super::heads::first_batch;
use crate::executor::Command;
use crate::log::Mark;
use crate::peers::Frame;

/// Ticks without an answer after which another attempt is made.
const PATIENCE_TICKS: u32 = 60;

pub struct CatchingUp {
    wanted: CatchUp,
    /// Where the peer's ledger ended.
    end: Option<Mark>,
    silent_ticks: u32,
}

impl Orderer {
    pub(super) fn begin_catch_up(&mut self, wanted: CatchUp) {
        tracing::info!(from = wanted.from.0, to = %wanted.to, "this node was away: it takes the ledger from a peer");
        self.catching_up = Some(CatchingUp { wanted, end: None, silent_ticks: 0 });
        self.ask();
    }

    fn ask(&mut self) {
        let Some(CatchingUp { wanted, .. }) = &self.catching_up else { return };
        let from = self.heads.head().seqno().next();
        // Not sent is as good as not answered.
        let _ = self.tools.peers.send(wanted.from.0, Frame::LedgerWanted { from, to: wanted.to.index });
    }

    pub(super) fn ledger_part(&mut self, from: u64, batches: Bytes) -> Result<(), Fault> {
        // Past the end, the log is about to start anew there: the rest comes with its entries.
        let wants = |catching_up: &CatchingUp| catching_up.wanted.from.0 == from && catching_up.end.is_none();
        if !self.catching_up.as_ref().is_some_and(wants) {
            return Ok(());
        }
        let mut rest = self.heads.beyond(batches);
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            let length = match first_batch(&rest) {
                Some((length, _)) => length,
                None => return self.fail_catch_up("the peer sent half a batch"),
            };
            let batch = rest.split_to(length);
            match ledger::check_batch(self.heads.head(), &batch, Some(&self.tools.service)) {
                Ok(checked) => {
                    self.heads.advance(checked.head.clone());
                    self.command(Command::Committed { batch, head: checked.head });
                }
                Err(error) => {
                    tracing::error!(peer = from, %error, "a peer's ledger does not continue this node's");
                    return self.fail_catch_up("the peer's ledger does not continue this node's");
                }
            }
        }
        if let Some(catching_up) = &mut self.catching_up {
            catching_up.silent_ticks = 0;
        }
        self.ask();
        Ok(())
    }

    pub(super) fn ledger_end(&mut self, from: u64, end: Mark) -> Result<(), Fault> {
        let here = self.heads.head().seqno();
        let Some(catching_up) = &mut self.catching_up else { return Ok(()) };
        if catching_up.wanted.from.0 != from || end.seqno != here {
            return Ok(());
        }
        if end.point.index < catching_up.wanted.to.index {
            // The peer has yet to write what it promised.
            return Ok(());
        }
        catching_up.end = Some(end);
        self.finish_catch_up()
    }

    /// The ledger file must have it all before the log may forget that it had nothing.
    pub(super) fn finish_catch_up(&mut self) -> Result<(), Fault> {
        let durable = self.ledger_durable;
        let end = self.catching_up.as_ref().and_then(|catching_up| catching_up.end);
        let Some(end) = end.filter(|end| end.seqno <= durable) else { return Ok(()) };
        tracing::info!(seqno = end.seqno.0, "this node has caught up");
        self.catching_up = None;
        self.step(Input::Installed(end.point))
    }

    pub(super) fn tick_catch_up(&mut self) -> Result<(), Fault> {
        let Some(catching_up) = &mut self.catching_up else { return Ok(()) };
        catching_up.silent_ticks += 1;
        match catching_up.silent_ticks {
            ticks if ticks > PATIENCE_TICKS => self.fail_catch_up("the peer does not answer"),
            // What was said may have been lost, or the peer had nothing to say yet.
            ticks if ticks % 10 == 0 && catching_up.end.is_none() => {
                self.ask();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn lost_while_catching_up(&mut self, peer: u64) -> Result<(), Fault> {
        match &self.catching_up {
            Some(catching_up) if catching_up.wanted.from.0 == peer && catching_up.end.is_none() => {
                self.fail_catch_up("the connection to the peer broke")
            }
            _ => Ok(()),
        }
    }

    fn fail_catch_up(&mut self, why: &str) -> Result<(), Fault> {
        tracing::warn!(why, "catching up failed; it is tried again");
        self.catching_up = None;
        self.step(Input::CatchUpFailed)
    }

    /// A peer that takes the ledger from this node has all of the file.
    pub(super) fn serve_end(&self, peer: u64, last: Seqno) {
        if let Some(mark) = self.heads.find(last) {
            let _ = self.tools.peers.send(peer, Frame::LedgerEnd { last, point: mark.point });
        }
    }
}
