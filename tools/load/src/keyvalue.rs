//! One measurement of a key-value ledger over its REST door: values are written, or read.
//!
//! An answer to a write comes once it is committed and visible on the node that was asked, so it is the receipt too. The door
//! has no batches and announces nothing: there are single calls only, and when a write is visible on the other nodes is not seen.

use std::time::Duration;

use tokio::time::timeout;

use crate::book::Measured;
use crate::calls::{Caller, run_calls};
use crate::http::{Connection, Wire};
use crate::pace::Pace;
use crate::{Endpoint, Error};

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Values are put over older ones.
    Put,
    /// Values are read that were put before.
    Get,
}

/// What is accessed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    pub access: Access,
    /// Different keys.
    pub keys: usize,
    /// Bytes in each value.
    pub size: usize,
    /// Stop after so many calls.
    pub total: Option<usize>,
}

/// Connections take turns with the nodes. `progress` hears how many calls were answered.
pub async fn run_values(
    nodes: &[Endpoint],
    connections: usize,
    values: Values,
    pace: Pace,
    progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    if values.keys == 0 {
        return Err(Error::Load("a run needs a key".into()));
    }
    let mut doors = Vec::new();
    for node in nodes.iter().cycle().take(connections) {
        doors.push(Door { node, connection: Connection::open(node).await?, values, value: vec![0; values.size] });
    }
    run_calls(doors, values.total, pace, progress).await
}

struct Door<'a> {
    node: &'a Endpoint,
    connection: Connection,
    values: Values,
    /// The next to be put.
    value: Vec<u8>,
}

impl Caller for Door<'_> {
    async fn call(&mut self, number: usize) -> Result<Option<bool>, Error> {
        const OK: u16 = 200;
        const NOT_FOUND: u16 = 404;
        const UNAVAILABLE: u16 = 503;
        let Values { access, keys, size, .. } = self.values;
        let place = format!("kv/bench/{}", number % keys);
        let (method, body) = match access {
            Access::Put => {
                fill(&mut self.value, number as u64);
                ("PUT", &self.value[..])
            }
            Access::Get => ("GET", &[][..]),
        };
        let asked = timeout(PATIENCE, self.connection.request(method, &place, body)).await;
        let (status, answer) = asked.map_err(|_| Error::Late { at: self.node.to_string(), what: place.clone() })??;
        match status {
            OK => Ok(Some(access == Access::Put || answer.len() == size)),
            NOT_FOUND => Ok(Some(false)),
            UNAVAILABLE => Ok(None),
            _ => {
                let what = format!("status {status} to {method} {place}");
                Err(Error::Foreign { at: self.node.to_string(), what })
            }
        }
    }

    fn wire(&self) -> Wire {
        self.connection.wire()
    }
}

/// Bytes that differ from call to call and do not compress (xorshift).
fn fill(value: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in value.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_from_call_to_call() {
        let value = |seed| {
            let mut value = [0; 20];
            fill(&mut value, seed);
            value
        };
        assert_ne!(value(1), value(2));
        assert_eq!(value(7), value(7));
        assert!(value(0)[16..].iter().any(|byte| *byte != 0));
    }
}
