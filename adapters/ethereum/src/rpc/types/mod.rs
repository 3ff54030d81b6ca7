//! What travels: the JSON shapes of Ethereum. They are not what the ledger stores (that is `crate::record`).

mod block;
mod block_id;
mod call;
mod hex;
mod log_filter;
mod receipt;
mod transaction;

pub(super) use block::{BlockJson, HeaderJson, TransactionsJson};
pub(super) use block_id::BlockId;
pub(super) use call::CallArgs;
pub(super) use hex::{Data, FromHex, Hex, Text};
pub(super) use log_filter::LogFilter;
pub(super) use receipt::{LogJson, ReceiptJson};
pub(super) use transaction::{AccessListJson, Place, TransactionJson};
