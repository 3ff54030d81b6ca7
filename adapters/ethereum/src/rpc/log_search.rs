//! The logs of a range of blocks that match.
//!
//! ```text
//!   blocks from ─────────────────────────────────────────── to
//!          ├── entries that the index names, and no others ──┤── the newest blocks, each of them ──┤
//! ```
//!
//! The index says where to look and not what is there: every log is compared again. What it does not reach yet (mostly
//! nothing, or the last few blocks) is looked through block by block, and so is everything if any log at all is wanted.

use base::Seqno;
use kv::Found;

use super::deadline::Deadline;
use super::errors::{Error, code};
use super::framing::{Answer, Json};
use super::logs::Criteria;
use super::types::LogJson;
use crate::{Block, ReadError, View};

/// Bytes of one answer.
const ANSWER_MAX: usize = 25_000_000;

impl Criteria {
    /// Writes the matching logs of a range of blocks.
    pub(super) fn collect(&self, view: &View, from: u64, to: u64) -> Answer {
        let to = to.min(view.head_number()?);
        let mut search =
            Search { criteria: self, view, from, to, deadline: Deadline::of_a_read(), list: List::default() };
        let rest = search.entries()?;
        search.blocks(rest)?;
        Ok(search.list.finish())
    }
}

struct Search<'a> {
    criteria: &'a Criteria,
    view: &'a View,
    from: u64,
    to: u64,
    deadline: Deadline,
    list: List,
}

impl Search<'_> {
    /// Looks through the entries that the index names, and returns the first block that it does not cover.
    fn entries(&mut self) -> Result<u64, Error> {
        let wanted = self.view.wanted(self.criteria.terms());
        if wanted.groups.is_empty() || self.from > self.to {
            return Ok(self.from);
        }
        let mut next = self.first(self.from)?;
        let last = if self.view.block(self.to + 1)?.is_some() {
            Seqno(self.first(self.to + 1)?.0 - 1)
        } else {
            self.view.state().seqno()
        };
        let mut block = None;
        while next <= last {
            self.deadline.check()?;
            let Found { entries, upto } =
                self.view.state().entries_with(&wanted, next, last).map_err(ReadError::from)?;
            if upto < next {
                return self.first_block_from(next);
            }
            for entry in entries {
                self.deadline.check()?;
                self.entry(entry, &mut block)?;
            }
            next = upto.next();
        }
        Ok(self.to + 1)
    }

    /// Takes the matching logs of one entry. `block` is that of the entry before.
    fn entry(&mut self, entry: Seqno, block: &mut Option<Block>) -> Result<(), Error> {
        let missing = ReadError::Corrupt("an entry that the index names is missing");
        let transactions = self.view.transactions_of(entry)?.ok_or(missing)?;
        for transaction in transactions {
            let number = transaction.number;
            let matches = |log: &alloy_primitives::Log| self.criteria.matches(log.address, log.data.topics());
            if !(self.from..=self.to).contains(&number) || !transaction.receipt.logs.iter().any(matches) {
                continue;
            }
            if block.as_ref().is_none_or(|block| block.header.number != number) {
                *block = Some(self.block(number)?);
            }
            for log in block.iter().flat_map(|block| LogJson::of(&transaction, block)) {
                if self.criteria.matches(log.address, log.topics) {
                    self.list.push(&log)?;
                }
            }
        }
        Ok(())
    }

    /// Looks through all blocks from `rest` on.
    fn blocks(&mut self, rest: u64) -> Result<(), Error> {
        for number in rest..=self.to {
            self.deadline.check()?;
            let block = self.block(number)?;
            if !self.criteria.may_match(&block) {
                continue;
            }
            let transactions = self.view.transactions(&block)?;
            let mut written = Ok(());
            self.criteria.each(&block, &transactions, |log| {
                if written.is_ok() {
                    written = self.list.push(&log);
                }
            });
            written?;
        }
        Ok(())
    }

    /// The first block whose batch begins at `entry` or later. An index ends where a batch does, so those before are
    /// covered. It is near the end: steps grow from there.
    fn first_block_from(&self, entry: Seqno) -> Result<u64, Error> {
        let (mut new, mut step) = (self.to + 1, 1);
        let mut old = loop {
            if new == self.from {
                return Ok(new);
            }
            let number = new.saturating_sub(step).max(self.from);
            if self.first(number)? < entry {
                break number;
            }
            new = number;
            step *= 2;
        };
        while new - old > 1 {
            let middle = old + (new - old) / 2;
            if self.first(middle)? < entry { old = middle } else { new = middle }
        }
        Ok(new)
    }

    fn block(&self, number: u64) -> Result<Block, Error> {
        Ok(self.view.block(number)?.ok_or(ReadError::Corrupt("a block is missing"))?)
    }

    /// Where the batch begins that a block came with.
    fn first(&self, number: u64) -> Result<Seqno, Error> {
        Ok(self.block(number)?.first)
    }
}

/// A JSON list in the making, with a bound.
#[derive(Default)]
struct List(Vec<u8>);

impl List {
    fn push(&mut self, log: &LogJson<'_>) -> Result<(), Error> {
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.0, log).map_err(|error| Error::internal(error.to_string()))?;
        if self.0.len() > ANSWER_MAX {
            return Err(Error::new(
                code::LIMIT_EXCEEDED,
                "too many logs for one answer: ask for fewer blocks at a time",
            ));
        }
        Ok(())
    }

    fn finish(mut self) -> Json {
        if self.0.is_empty() {
            self.0.push(b'[');
        }
        self.0.push(b']');
        Json(self.0)
    }
}
