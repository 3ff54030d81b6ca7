//! The rows of governance, typed. One file a family of tables; each reads what stands there and writes it back whole.
//!
//! A field that is not known here is kept: constitutions put their own into these rows.

pub mod acks;
pub mod decisions;
pub mod members;
pub mod proposals;
pub mod replay;
pub mod service;

use kv::{TableId, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Refusal;

/// A row of JSON.
pub(crate) fn read<T: DeserializeOwned>(tx: &Tx<'_>, table: TableId, key: &[u8]) -> Result<Option<T>, Refusal> {
    let Some(row) = tx.get(table, key)? else { return Ok(None) };
    match serde_json::from_slice(&row) {
        Ok(row) => Ok(Some(row)),
        Err(error) => {
            let name = &tx.base().tables().get(table).name;
            Err(Refusal::InternalError(format!("A row of {name} cannot be read: {error}")))
        }
    }
}

pub(crate) fn write(tx: &mut Tx<'_>, table: TableId, key: &[u8], row: &impl Serialize) {
    let row = serde_json::to_vec(row).expect("rows are structs, texts and numbers, which always serialise");
    tx.put(table, key, row);
}
