//! Blocks and transactions as rows. Written once, read for ever: these encodings only grow by a new version byte.
//!
//! ```text
//! transaction: version 1 · number · index · first log · sender (20) · outcome · gas used · gas so far · logs · raw
//!   outcome: 0 failed, 1 succeeded, 2 and the state root after it (32)
//!   log:     address (20) · topics (count, 32 each) · data (length, bytes)
//! block:       version 1 · flags · first seqno · size · total difficulty · header · transaction hashes · ommers · withdrawals
//!   flags:   1 imported, 2 no logs bloom (it is all zero and left out of the header), 4 has withdrawals
//! ```
//!
//! Numbers have variable length (`codec.rs`). What follows from the rest (contract address, price, block hash in a
//! transaction) is not stored.

use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U256, keccak256};
use alloy_rlp::{Decodable, Encodable};
use base::Seqno;

use crate::ReadError;
use crate::codec::{Reader, put_bytes, put_number};
use crate::transaction::{self, Envelope};

const VERSION: u8 = 1;
const IMPORTED: u8 = 1;
const NO_BLOOM: u8 = 2;
const WITHDRAWALS: u8 = 4;

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Status(bool),
    /// Before Byzantium a receipt says what the state was afterwards, and not whether the transaction succeeded.
    Root(B256),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    pub outcome: Outcome,
    pub gas_used: u64,
    /// Gas of the block up to and with this transaction.
    pub cumulative_gas_used: u64,
    pub logs: Vec<Log>,
    /// Index in the block of the first of its logs.
    pub first_log: u64,
}

/// A transaction that is in a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub envelope: Envelope,
    /// As it stands in the block.
    pub raw: Bytes,
    pub hash: B256,
    pub sender: Address,
    pub number: u64,
    pub index: u32,
    pub receipt: Receipt,
}

impl Transaction {
    /// The contract that it created, or tried to.
    #[must_use]
    pub fn contract(&self) -> Option<Address> {
        self.envelope.kind().is_create().then(|| self.sender.create(self.envelope.nonce()))
    }

    /// The row of a transaction.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { envelope: _, raw, hash: _, sender, number, index, receipt } = self;
        let Receipt { outcome, gas_used, cumulative_gas_used, logs, first_log } = receipt;
        let mut row = Vec::with_capacity(64 + raw.len());
        row.push(VERSION);
        put_number(&mut row, *number);
        put_number(&mut row, u64::from(*index));
        put_number(&mut row, *first_log);
        row.extend_from_slice(sender.as_slice());
        match outcome {
            Outcome::Status(success) => row.push(u8::from(*success)),
            Outcome::Root(root) => {
                row.push(2);
                row.extend_from_slice(root.as_slice());
            }
        }
        put_number(&mut row, *gas_used);
        put_number(&mut row, *cumulative_gas_used);
        put_number(&mut row, logs.len() as u64);
        for Log { address, data } in logs {
            row.extend_from_slice(address.as_slice());
            put_number(&mut row, data.topics().len() as u64);
            data.topics().iter().for_each(|topic| row.extend_from_slice(topic.as_slice()));
            put_bytes(&mut row, &data.data);
        }
        row.extend_from_slice(raw);
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(row, "a transaction");
        if reader.byte()? != VERSION {
            return Err(reader.corrupt());
        }
        let number = reader.number()?;
        let index = u32::try_from(reader.number()?).map_err(|_| reader.corrupt())?;
        let first_log = reader.number()?;
        let sender = Address::from(reader.array::<20>()?);
        let outcome = match reader.byte()? {
            0 => Outcome::Status(false),
            1 => Outcome::Status(true),
            2 => Outcome::Root(B256::from(reader.array::<32>()?)),
            _ => return Err(reader.corrupt()),
        };
        let (gas_used, cumulative_gas_used) = (reader.number()?, reader.number()?);
        let mut logs = Vec::with_capacity(reader.count(22)?);
        for _ in 0..logs.capacity() {
            let address = Address::from(reader.array::<20>()?);
            let topics = (0..reader.count(32)?).map(|_| reader.array::<32>().map(B256::from));
            let topics: Vec<B256> = topics.collect::<Result<_, _>>()?;
            let data = Bytes::copy_from_slice(reader.bytes()?);
            logs.push(Log::new(address, topics, data).ok_or(ReadError::Corrupt("a log"))?);
        }
        let raw = Bytes::copy_from_slice(reader.rest());
        let envelope = transaction::read(&raw).map_err(|_| ReadError::Corrupt("a raw transaction"))?;
        let hash = keccak256(&raw);
        let receipt = Receipt { outcome, gas_used, cumulative_gas_used, logs, first_log };
        Ok(Self { envelope, raw, hash, sender, number, index, receipt })
    }
}

/// Address and topics (32 bytes each) of every log in a transaction's row. The rest is only stepped over.
pub(crate) fn each_log(row: &[u8], mut take: impl FnMut(&[u8; 20], &[u8])) -> Result<(), ReadError> {
    let mut reader = Reader::new(row, "a transaction");
    if reader.byte()? != VERSION {
        return Err(reader.corrupt());
    }
    let _number_index_and_first_log = (reader.number()?, reader.number()?, reader.number()?);
    let _sender = reader.array::<20>()?;
    match reader.byte()? {
        0 | 1 => {}
        2 => {
            let _root = reader.array::<32>()?;
        }
        _ => return Err(reader.corrupt()),
    }
    let _gas = (reader.number()?, reader.number()?);
    for _ in 0..reader.count(22)? {
        let address = reader.array::<20>()?;
        let topics = reader.count(32)?;
        let topics = reader.take(32 * topics)?;
        let _data = reader.bytes()?;
        take(&address, topics);
    }
    Ok(())
}

/// A block, but for its transactions, of which it has the hashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    pub header: Header,
    pub hash: B256,
    pub transactions: Vec<B256>,
    pub ommers: Vec<Header>,
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// Difficulty of this block and all before it.
    pub total_difficulty: U256,
    /// The block was made elsewhere, or continues a chain that was: its base fee follows EIP-1559.
    pub imported: bool,
    /// First seqno of the batch that the block came with: the version before it holds the state of the parent.
    pub first: Seqno,
    /// Bytes of the whole block in RLP. Stored, since clients ask for it with every header.
    pub size: u64,
}

/// Where the bloom stands in the RLP of a header: after the list's head, five hashes and an address.
const BLOOM_AT: usize = 3 + 5 * 33 + 21 + 3;

impl Block {
    /// The row of a block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { header, hash: _, transactions, ommers, withdrawals, total_difficulty, imported, first, size } = self;
        let mut rlp = Vec::with_capacity(640);
        header.encode(&mut rlp);
        let mut flags = if *imported { IMPORTED } else { 0 };
        if header.logs_bloom.is_zero() {
            flags |= NO_BLOOM;
            rlp.drain(BLOOM_AT..BLOOM_AT + Bloom::len_bytes());
        }
        if withdrawals.is_some() {
            flags |= WITHDRAWALS;
        }
        let mut row = vec![VERSION, flags];
        put_number(&mut row, first.0);
        put_number(&mut row, *size);
        put_bytes(&mut row, &total_difficulty.to_be_bytes_trimmed_vec());
        put_bytes(&mut row, &rlp);
        put_number(&mut row, transactions.len() as u64);
        transactions.iter().for_each(|hash| row.extend_from_slice(hash.as_slice()));
        put_number(&mut row, ommers.len() as u64);
        for ommer in ommers {
            put_bytes(&mut row, &alloy_rlp::encode(ommer));
        }
        if let Some(withdrawals) = withdrawals {
            put_number(&mut row, withdrawals.len() as u64);
            for Withdrawal { index, validator_index, address, amount } in withdrawals {
                put_number(&mut row, *index);
                put_number(&mut row, *validator_index);
                row.extend_from_slice(address.as_slice());
                put_number(&mut row, *amount);
            }
        }
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(row, "a block");
        if reader.byte()? != VERSION {
            return Err(reader.corrupt());
        }
        let flags = reader.byte()?;
        let (first, size) = (Seqno(reader.number()?), reader.number()?);
        let total_difficulty = U256::try_from_be_slice(reader.bytes()?).ok_or(ReadError::Corrupt("a difficulty"))?;
        let mut rlp = reader.bytes()?.to_vec();
        if flags & NO_BLOOM != 0 {
            let bloom = [0; 256];
            let at = BLOOM_AT.min(rlp.len());
            rlp.splice(at..at, bloom);
        }
        let header = Header::decode(&mut &rlp[..]).map_err(|_| ReadError::Corrupt("a header"))?;
        let transactions = (0..reader.count(32)?).map(|_| reader.array::<32>().map(B256::from));
        let transactions = transactions.collect::<Result<_, _>>()?;
        let mut ommers = Vec::with_capacity(reader.count(1)?.min(2));
        for _ in 0..ommers.capacity() {
            ommers.push(Header::decode(&mut reader.bytes()?).map_err(|_| ReadError::Corrupt("an ommer"))?);
        }
        let withdrawals = (flags & WITHDRAWALS != 0).then(|| {
            let withdrawals = (0..reader.count(23)?).map(|_| {
                let (index, validator_index) = (reader.number()?, reader.number()?);
                let address = Address::from(reader.array::<20>()?);
                Ok(Withdrawal { index, validator_index, address, amount: reader.number()? })
            });
            withdrawals.collect::<Result<Vec<_>, ReadError>>()
        });
        let withdrawals = withdrawals.transpose()?;
        reader.end()?;
        let hash = keccak256(&rlp);
        let imported = flags & IMPORTED != 0;
        Ok(Self { header, hash, transactions, ommers, withdrawals, total_difficulty, imported, first, size })
    }

    /// The block with its size, given its transactions as they stand in it.
    pub(crate) fn measured<'r>(mut self, transactions: impl IntoIterator<Item = &'r Bytes>) -> Self {
        let list = |payload: usize| alloy_rlp::length_of_length(payload) + payload;
        // A typed transaction stands in a block as a string, an old one as the list it is.
        let length = |raw: &Bytes| if raw.first() < Some(&0xc0) { list(raw.len()) } else { raw.len() };
        let transactions = list(transactions.into_iter().map(length).sum());
        let ommers = list(self.ommers.iter().map(Encodable::length).sum());
        let withdrawals = self.withdrawals.as_ref().map_or(0, |all| list(all.iter().map(Encodable::length).sum()));
        self.size = list(self.header.length() + transactions + ommers + withdrawals) as u64;
        self
    }

    /// Difficulty of all blocks before this one.
    #[must_use]
    pub fn ancestors_difficulty(&self) -> U256 {
        self.total_difficulty.saturating_sub(self.header.difficulty)
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction, TxEip1559};
    use alloy_primitives::Signature;
    use proptest::prelude::*;

    use super::*;

    fn transaction(logs: Vec<Log>, outcome: Outcome) -> Transaction {
        let signature = Signature::new(U256::from(5), U256::from(6), true);
        let body = TxEip1559 { chain_id: 7, nonce: 3, gas_limit: 21_000, ..Default::default() };
        let envelope = Envelope::from(body.into_signed(signature));
        let (raw, hash) = transaction::encoded(&envelope);
        let receipt = Receipt { outcome, gas_used: 21_000, cumulative_gas_used: 1 << 40, logs, first_log: 300 };
        Transaction { envelope, raw, hash, sender: Address::repeat_byte(4), number: 1 << 33, index: 70_000, receipt }
    }

    fn block() -> Block {
        let header = Header {
            number: 9,
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::repeat_byte(3)),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(B256::repeat_byte(8)),
            ..Header::default()
        };
        Block {
            hash: header.hash_slow(),
            header,
            transactions: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
            ommers: vec![Header { number: 8, ..Header::default() }; 2],
            withdrawals: Some(vec![Withdrawal {
                index: 1,
                validator_index: 2,
                address: Address::repeat_byte(5),
                amount: 6,
            }]),
            total_difficulty: U256::from(1) << 100,
            imported: true,
            first: Seqno(77),
            size: 1_234,
        }
    }

    #[test]
    fn a_row_gives_back_the_transaction() {
        let log = |topics: u8| {
            let topics = (0..topics).map(B256::repeat_byte).collect();
            Log::new(Address::repeat_byte(9), topics, Bytes::from_static(b"data")).unwrap()
        };
        for outcome in [Outcome::Status(true), Outcome::Status(false), Outcome::Root(B256::repeat_byte(7))] {
            let transaction = transaction(vec![log(0), log(4)], outcome);
            let row = transaction.encode();
            assert_eq!(Transaction::decode(&row).unwrap(), transaction);
            let mut logs = Vec::new();
            each_log(&row, |address, topics| logs.push((Address::from(address), topics.len() / 32))).unwrap();
            assert_eq!(logs, [(Address::repeat_byte(9), 0), (Address::repeat_byte(9), 4)]);
        }
    }

    #[test]
    fn a_row_gives_back_the_block_and_a_bloom_without_logs_takes_no_room() {
        let quiet = block();
        let mut loud = block();
        loud.header.logs_bloom.0[200] = 4;
        loud.hash = loud.header.hash_slow();
        loud.withdrawals = None;
        for block in [&quiet, &loud] {
            assert_eq!(Block::decode(&block.encode()).unwrap(), *block);
        }
        // The oldest headers are the shortest.
        let first =
            Block { header: Header::default(), hash: Header::default().hash_slow(), ommers: Vec::new(), ..quiet };
        assert_eq!(Block::decode(&first.encode()).unwrap(), first);
        assert!(first.encode().len() < 400);
    }

    proptest! {
        #[test]
        fn broken_rows_are_errors_and_not_panics(at in 0usize..600, byte: u8, cut in 0usize..600) {
            for row in [block().encode(), transaction(Vec::new(), Outcome::Status(true)).encode()] {
                let mut broken = row.clone();
                let at = at % row.len();
                broken[at] = byte;
                broken.truncate(row.len() - cut % row.len());
                let _ = Block::decode(&broken);
                let _ = Transaction::decode(&broken);
                let _ = each_log(&broken, |_, _| {});
            }
        }
    }
}
