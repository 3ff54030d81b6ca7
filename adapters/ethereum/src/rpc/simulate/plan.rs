//! Which blocks are simulated: their numbers and times, settled before anything runs.

use alloy_consensus::Header;
use alloy_primitives::U256;

use super::{BLOCKS_MAX, BlockAsked};
use crate::rpc::errors::{Error, code};
use crate::rpc::overrides::{BlockOverrides, StateOverrides};
use crate::rpc::types::{CallArgs, Hex};

/// Seconds between blocks, unless the caller says otherwise.
const BLOCK_TIME: u64 = 12;
const NUMBERS_NOT_IN_ORDER: i64 = -38020;
const TIMES_NOT_IN_ORDER: i64 = -38021;

/// A block to make.
pub(super) struct Planned {
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) overrides: BlockOverrides,
    pub(super) state: StateOverrides,
    pub(super) calls: Vec<CallArgs>,
}

/// Numbers and times must grow. A gap in the numbers is filled with empty blocks.
pub(super) fn plan(base: &Header, asked: Vec<BlockAsked>) -> Result<Vec<Planned>, Error> {
    let mut plan = Vec::with_capacity(asked.len());
    let (mut number, mut time) = (base.number, base.timestamp);
    for BlockAsked { block_overrides, state_overrides, calls } in asked {
        let overrides = block_overrides.unwrap_or_default();
        let next = overrides.number.map_or(U256::from(number) + U256::ONE, |Hex(number)| number);
        if next <= U256::from(number) {
            let message = format!("block numbers must be in order: {next} <= {number}");
            return Err(Error::new(NUMBERS_NOT_IN_ORDER, message));
        }
        if next - U256::from(base.number) > U256::from(BLOCKS_MAX) {
            return Err(Error::new(code::CLIENT_LIMIT, "too many blocks"));
        }
        while U256::from(number) + U256::ONE < next {
            (number, time) = (number + 1, later(time)?);
            let (overrides, state, calls) = Default::default();
            plan.push(Planned { number, time, overrides, state, calls });
        }
        number += 1;
        time = match overrides.time {
            None => later(time)?,
            Some(Hex(asked)) if asked > time => asked,
            Some(Hex(asked)) => {
                let message = format!("block timestamps must be in order: {asked} <= {time}");
                return Err(Error::new(TIMES_NOT_IN_ORDER, message));
            }
        };
        let (state, calls) = (state_overrides.unwrap_or_default(), calls.unwrap_or_default());
        plan.push(Planned { number, time, overrides, state, calls });
    }
    Ok(plan)
}

fn later(time: u64) -> Result<u64, Error> {
    time.checked_add(BLOCK_TIME).ok_or_else(|| Error::params("a block's time does not fit into 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<Vec<(u64, u64)>, i64> {
        let base = Header { number: 10, timestamp: 100, ..Header::default() };
        let plan = plan(&base, serde_json::from_str(json).unwrap());
        plan.map(|plan| plan.iter().map(|block| (block.number, block.time)).collect()).map_err(|error| error.code)
    }

    #[test]
    fn numbers_and_times_follow_on() {
        assert_eq!(planned("[{},{}]"), Ok(vec![(11, 112), (12, 124)]));
        assert_eq!(planned(r#"[{"blockOverrides":{"time":"0x65"}},{}]"#), Ok(vec![(11, 101), (12, 113)]));
    }

    #[test]
    fn gaps_are_filled() {
        let plan = planned(r#"[{"blockOverrides":{"number":"0xd"}},{}]"#);
        assert_eq!(plan, Ok(vec![(11, 112), (12, 124), (13, 136), (14, 148)]));
    }

    #[test]
    fn disorder_and_excess_are_refused() {
        assert_eq!(planned(r#"[{"blockOverrides":{"number":"0xa"}}]"#), Err(-38020));
        assert_eq!(planned(r#"[{"blockOverrides":{"time":"0x64"}}]"#), Err(-38021));
        assert_eq!(planned(r#"[{"blockOverrides":{"number":"0x10b"}}]"#), Err(-38026));
        assert_eq!(planned(r#"[{"blockOverrides":{"number":"0x10a"}}]"#).map(|plan| plan.len()), Ok(256));
        assert_eq!(planned(r#"[{"blockOverrides":{"time":"0xffffffffffffffff"}},{}]"#), Err(-32602));
    }
}
