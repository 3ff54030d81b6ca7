//! The last decision: what puts decisions in a row, and their time.

use kv::{TableId, Tx};

use crate::Refusal;
use crate::tables::SINGLETON;

/// A decision's place among all. As a row: both numbers, 8 bytes each, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    pub number: u64,
    /// Milliseconds since 1970, by the clock of the node that judged it, and never before the one before it.
    pub time: u64,
}

impl Decision {
    /// The last one; before the first, number 0.
    pub fn last(decisions: TableId, tx: &Tx<'_>) -> Result<Self, Refusal> {
        let Some(row) = tx.get(decisions, &SINGLETON)? else { return Ok(Self::default()) };
        Self::read(&row)
            .ok_or_else(|| Refusal::InternalError("The row of the last decision cannot be read.".to_owned()))
    }

    /// The one after this, by a clock that says `now`.
    #[must_use]
    pub fn next(self, now: u64) -> Self {
        Self { number: self.number + 1, time: self.time.max(now) }
    }

    #[must_use]
    pub fn read(row: &[u8]) -> Option<Self> {
        let (number, rest) = row.split_first_chunk()?;
        Some(Self { number: u64::from_be_bytes(*number), time: u64::from_be_bytes(rest.try_into().ok()?) })
    }

    pub fn write(self, decisions: TableId, tx: &mut Tx<'_>) {
        tx.put(decisions, &SINGLETON[..], &[self.number.to_be_bytes(), self.time.to_be_bytes()].concat()[..]);
    }

    /// Where scripts' random numbers start from. Not secret: whoever audits the decision must come to the same end.
    #[must_use]
    pub fn seed(self) -> u64 {
        // An odd factor spreads what differs in the low bits.
        (self.time ^ self.number.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
