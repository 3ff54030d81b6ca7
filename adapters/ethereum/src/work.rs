//! Admitted requests on their way to the primary.
//!
//! ```text
//! transaction: 0 · sender (20) · raw
//! block:       1 · senders (count, 20 each) · RLP of the block
//! ```

use alloy_primitives::Address;
use bytes::Bytes;

use crate::ReadError;
use crate::codec::{Reader, put_number};

const TRANSACTION: u8 = 0;
const BLOCK: u8 = 1;

/// What was admitted. The signatures have been checked.
pub(crate) enum Admitted<'a> {
    Transaction { sender: Address, raw: &'a [u8] },
    Block { senders: Vec<Address>, rlp: &'a [u8] },
}

impl<'a> Admitted<'a> {
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = Vec::new();
        match self {
            Self::Transaction { sender, raw } => {
                body.reserve_exact(21 + raw.len());
                body.push(TRANSACTION);
                body.extend_from_slice(sender.as_slice());
                body.extend_from_slice(raw);
            }
            Self::Block { senders, rlp } => {
                body.push(BLOCK);
                put_number(&mut body, senders.len() as u64);
                senders.iter().for_each(|sender| body.extend_from_slice(sender.as_slice()));
                body.extend_from_slice(rlp);
            }
        }
        body.into()
    }

    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body, "admitted work");
        match reader.byte()? {
            TRANSACTION => {
                let sender = Address::from(reader.array::<20>()?);
                Ok(Self::Transaction { sender, raw: reader.rest() })
            }
            BLOCK => {
                let senders = (0..reader.count(20)?).map(|_| reader.array::<20>().map(Address::from));
                let senders = senders.collect::<Result<_, _>>()?;
                Ok(Self::Block { senders, rlp: reader.rest() })
            }
            _ => Err(reader.corrupt()),
        }
    }
}
