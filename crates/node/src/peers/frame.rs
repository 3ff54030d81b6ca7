//! What nodes say to each other, beside consensus. Byte layout: docs/formats/peer-frames.md.
//!
//! The sender is known (mutual TLS), attested and runs the same code; bytes are parsed with bounds all the same.

use adapter::{LedgerId, Reject, Submitted, Work};
use base::{Seqno, TxId, View};
use bytes::{BufMut, Bytes, BytesMut};
use consensus::{Index, Point};

const CONSENSUS: u8 = 1;
const WORK: u8 = 2;
const COMMITTED: u8 = 3;
const WAITING: u8 = 4;
const REFUSED: u8 = 5;
const LEDGER_WANTED: u8 = 6;
const LEDGER_PART: u8 = 7;
const LEDGER_END: u8 = 8;

/// One message between two nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// For the consensus driver.
    Consensus(Bytes),
    /// From a backup to the primary: admitted work. `id` comes back in the answer.
    Work { id: u64, work: Work },
    /// From the primary to that backup.
    Answer { id: u64, answer: Result<Submitted, Reject> },
    /// From a node that was away: whole batches from `from` on, up to the place `to` in the consensus log.
    LedgerWanted { from: Seqno, to: Index },
    /// The answer: consecutive whole batches. Ask again from where it ends.
    LedgerPart { batches: Bytes },
    /// The answer when there is no more: where in the consensus log it ends.
    LedgerEnd { last: Seqno, point: Point },
}

/// The bytes are not a frame: the peer runs other code, or a defect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a peer sent a frame that cannot be read")]
pub struct BadFrame;

impl Frame {
    /// The frame's head, and its bulk if it has one: kept apart so that a batch is not copied.
    pub fn encode(&self) -> (BytesMut, Bytes) {
        let mut head = BytesMut::with_capacity(64);
        let mut bulk = Bytes::new();
        match self {
            Self::Consensus(message) => {
                head.put_u8(CONSENSUS);
                bulk = message.clone();
            }
            Self::Work { id, work } => {
                head.put_u8(WORK);
                head.put_u64_le(*id);
                head.put_u16_le(work.ledger.0);
                bulk = work.body.clone();
            }
            Self::Answer { id, answer: Ok(Submitted::Committed { txid, reply }) } => {
                head.put_u8(COMMITTED);
                head.put_u64_le(*id);
                head.put_u64_le(txid.view.0);
                head.put_u64_le(txid.seqno.0);
                bulk = reply.clone();
            }
            Self::Answer { id, answer: Ok(Submitted::Waiting) } => {
                head.put_u8(WAITING);
                head.put_u64_le(*id);
            }
            Self::Answer { id, answer: Err(reject) } => {
                head.put_u8(REFUSED);
                head.put_u64_le(*id);
                bulk = minicbor::to_vec(reject).expect("memory takes every byte").into();
            }
            Self::LedgerWanted { from, to } => {
                head.put_u8(LEDGER_WANTED);
                head.put_u64_le(from.0);
                head.put_u64_le(to.0);
            }
            Self::LedgerPart { batches } => {
                head.put_u8(LEDGER_PART);
                bulk = batches.clone();
            }
            Self::LedgerEnd { last, point } => {
                head.put_u8(LEDGER_END);
                head.put_u64_le(last.0);
                head.put_u64_le(point.index.0);
                head.put_u64_le(point.view.0);
            }
        }
        (head, bulk)
    }

    pub fn is_consensus(&self) -> bool {
        matches!(self, Self::Consensus(_))
    }

    pub fn decode(bytes: Bytes) -> Result<Self, BadFrame> {
        let mut rest = Rest(bytes);
        Ok(match rest.byte()? {
            CONSENSUS => Self::Consensus(rest.0),
            WORK => {
                let (id, ledger) = (rest.number()?, LedgerId(rest.small()?));
                Self::Work { id, work: Work { ledger, body: rest.0 } }
            }
            COMMITTED => {
                let (id, view, seqno) = (rest.number()?, View(rest.number()?), Seqno(rest.number()?));
                Self::Answer { id, answer: Ok(Submitted::Committed { txid: TxId { view, seqno }, reply: rest.0 }) }
            }
            WAITING => {
                let id = rest.number()?;
                rest.end()?;
                Self::Answer { id, answer: Ok(Submitted::Waiting) }
            }
            REFUSED => {
                let id = rest.number()?;
                let mut decoder = minicbor::Decoder::new(&rest.0);
                let reject = decoder.decode().map_err(|_| BadFrame)?;
                if decoder.position() != rest.0.len() {
                    return Err(BadFrame);
                }
                Self::Answer { id, answer: Err(reject) }
            }
            LEDGER_WANTED => {
                let (from, to) = (Seqno(rest.number()?), Index(rest.number()?));
                rest.end()?;
                Self::LedgerWanted { from, to }
            }
            LEDGER_PART => Self::LedgerPart { batches: rest.0 },
            LEDGER_END => {
                let (last, index, view) = (Seqno(rest.number()?), rest.number()?, rest.number()?);
                rest.end()?;
                Self::LedgerEnd { last, point: Point::new(index, view) }
            }
            _ => return Err(BadFrame),
        })
    }
}

/// What is left of a frame; the bulk stays shared.
struct Rest(Bytes);

impl Rest {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadFrame> {
        let taken = *self.0.first_chunk().ok_or(BadFrame)?;
        self.0 = self.0.slice(N..);
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BadFrame> {
        Ok(self.take::<1>()?[0])
    }

    fn small(&mut self) -> Result<u16, BadFrame> {
        self.take().map(u16::from_le_bytes)
    }

    fn number(&mut self) -> Result<u64, BadFrame> {
        self.take().map(u64::from_le_bytes)
    }

    fn end(&self) -> Result<(), BadFrame> {
        if self.0.is_empty() { Ok(()) } else { Err(BadFrame) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Frame> {
        let body = Bytes::from_static(b"bulk");
        vec![
            Frame::Consensus(body.clone()),
            Frame::Work { id: 7, work: Work { ledger: LedgerId(1), body: body.clone() } },
            Frame::Answer { id: 7, answer: Ok(Submitted::Committed { txid: TxId::new(2, 9), reply: body.clone() }) },
            Frame::Answer { id: 7, answer: Ok(Submitted::Waiting) },
            Frame::Answer { id: 7, answer: Err(Reject::busy().with_data([1, 2])) },
            Frame::LedgerWanted { from: Seqno(3), to: Index(4) },
            Frame::LedgerPart { batches: body },
            Frame::LedgerEnd { last: Seqno(5), point: Point::new(4, 2) },
        ]
    }

    fn bytes(frame: &Frame) -> Bytes {
        let (mut head, bulk) = frame.encode();
        head.extend_from_slice(&bulk);
        head.freeze()
    }

    #[test]
    fn a_frame_reads_what_it_writes() {
        for frame in samples() {
            assert_eq!(Frame::decode(bytes(&frame)), Ok(frame));
        }
    }

    #[test]
    fn cut_and_changed_frames_never_panic() {
        for frame in samples() {
            let bytes = bytes(&frame);
            for cut in 0..bytes.len() {
                let _ = Frame::decode(bytes.slice(..cut));
            }
            for place in 0..bytes.len() {
                let mut changed = bytes.to_vec();
                changed[place] ^= 0xff;
                let _ = Frame::decode(changed.into());
            }
        }
        assert_eq!(Frame::decode(Bytes::new()), Err(BadFrame));
    }
}
