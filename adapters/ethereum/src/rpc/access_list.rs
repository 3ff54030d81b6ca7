//! eth_createAccessList: the addresses and slots that a call touches.
//!
//! The list changes what a call costs and so may change what it does: it is run again with the list it gave, until the
//! list no longer changes.

use std::sync::Arc;

use alloy_eips::eip2930::AccessList;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm_inspectors::access_list::AccessListInspector;
use serde::Serialize;

use super::Rpc;
use super::calls::{Asked, failures};
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::params::Params;
use super::types::{AccessListJson, Hex};

/// A list that still changes then is given as it is.
const ROUNDS_MAX: usize = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    access_list: AccessListJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    gas_used: Hex<u64>,
}

pub(super) fn create(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let asked = Asked::read(rpc, &mut params)?;
    let cap = rpc.ethereum.config().call_gas_cap;
    Step::work(move || {
        let (list, result) = settle(&asked, cap)?;
        let error = match &result {
            ExecutionResult::Success { .. } => None,
            ExecutionResult::Revert { .. } => Some("execution reverted".to_owned()),
            ExecutionResult::Halt { reason, .. } => Some(failures::halted(reason)),
        };
        Json::of(&Created { access_list: AccessListJson(&list), error, gas_used: Hex(result.tx_gas_used()) })
    })
}

fn settle(asked: &Asked, cap: u64) -> Result<(AccessList, ExecutionResult), Error> {
    let mut scratch = asked.scratch()?;
    let gas = asked.args.gas.map_or(cap, |gas| gas.0.min(cap));
    let call = scratch.environment(&asked.args, gas)?;
    let mut list = call.access_list.clone();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut call = TxEnv { access_list: list.clone(), ..call.clone() };
        if !list.is_empty() && call.tx_type == 0 {
            call.tx_type = 1;
        }
        let inspector = AccessListInspector::new(list.clone());
        let ran = scratch.inspect(call.clone(), inspector);
        let (done, inspector) = ran.map_err(|refused| failures::refusal(refused, &call))?;
        let touched = inspector.into_access_list();
        if touched == list || rounds == ROUNDS_MAX {
            return Ok((touched, done.result));
        }
        list = touched;
    }
}
