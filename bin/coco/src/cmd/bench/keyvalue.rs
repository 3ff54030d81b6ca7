//! A key-value ledger under load.

use load::{Endpoint, Measured, Pace, Values};

use super::measure::Sending;
use crate::cli::Access;

/// Connections over which the keys are filled.
const PREPARING: usize = 128;

pub struct KeyValue {
    keys: usize,
    value_bytes: usize,
}

impl KeyValue {
    /// Every key gets a value, so that a get finds one and a put always replaces one.
    pub async fn prepare(endpoints: &[Endpoint], keys: usize, value_bytes: usize) -> Result<Self, load::Error> {
        let values = Values { access: load::Access::Put, keys, size: value_bytes, total: Some(keys) };
        let pace = Pace { batch: 1, rate: None, length: None };
        load::run_values(endpoints, PREPARING, values, pace, |_| {}).await?;
        Ok(Self { keys, value_bytes })
    }

    pub async fn send(&mut self, access: Access, sending: Sending<'_>) -> Result<Measured, load::Error> {
        let access = match access {
            Access::Put => load::Access::Put,
            Access::Get => load::Access::Get,
        };
        let values = Values { access, keys: self.keys, size: self.value_bytes, total: sending.total() };
        let progress = |confirmed| sending.bar.set_position(confirmed);
        load::run_values(sending.endpoints, sending.connections, values, sending.pace(), progress).await
    }
}
