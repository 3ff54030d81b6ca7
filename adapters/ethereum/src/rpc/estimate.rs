//! eth_estimateGas: the least gas with which a call succeeds.
//!
//! The call runs once with all the gas it may have; if that fails no amount helps, and the caller learns why. Then the
//! answer is searched for between what the call used and what it was given. It is more than what was used, since 63/64
//! of the gas go into an inner call and refunds come at the end. A plain transfer takes no search.

use std::sync::Arc;

use alloy_primitives::U256;
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context_interface::Cfg;

use super::Rpc;
use super::calls::{Asked, Fees, Scratch, failures};
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::params::Params;
use super::types::Hex;

const TRANSFER: u64 = 21_000;
/// The search ends when the bounds are this close, as geth's does: 1.5 % of the answer.
const CLOSE_ENOUGH: f64 = 0.015;

pub(super) fn estimate(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let asked = Asked::read(rpc, &mut params)?.in_next_block()?;
    let cap = rpc.ethereum.config().call_gas_cap;
    Step::work(move || Json::of(&Hex(search(&asked, cap)?)))
}

pub(super) fn search(asked: &Asked, cap: u64) -> Result<u64, Error> {
    let mut scratch = asked.scratch()?;
    let mut most = bound(asked, &scratch, cap)?;
    let call = scratch.environment(&asked.args, most)?;

    // Nothing runs where there is no code: the price of a transfer is known.
    if is_transfer(&call, &scratch)? && succeeds(&scratch, &call, TRANSFER)?.is_ok() {
        return Ok(TRANSFER);
    }
    let used = match succeeds(&scratch, &call, most)? {
        Ok(used) => used,
        Err(Short::Reverted(error)) => return Err(error),
        Err(Short::Gas) => return Err(Error::server(format!("gas required exceeds allowance ({most})"))),
    };
    let mut least = used.total.saturating_sub(1);
    // What was in use before refunds, and what an inner call must be able to leave behind.
    let likely = (used.before_refund + 2_300) * 64 / 63;
    if likely < most {
        match succeeds(&scratch, &call, likely)? {
            Ok(_) => most = likely,
            Err(_) => least = likely,
        }
    }
    while least + 1 < most {
        #[expect(clippy::cast_precision_loss, reason = "a ratio of gas amounts, which need no more than 53 bits here")]
        if (most - least) as f64 / (most as f64) < CLOSE_ENOUGH {
            break;
        }
        // Most answers are near the lower bound.
        let middle = (least + (most - least) / 2).min(least.saturating_mul(2));
        match succeeds(&scratch, &call, middle)? {
            Ok(_) => most = middle,
            Err(_) => least = middle,
        }
    }
    Ok(most)
}

/// The most gas that the call may have: by its own word, by the block, by the node, by what its sender can pay.
fn bound(asked: &Asked, scratch: &Scratch<'_>, cap: u64) -> Result<u64, Error> {
    let block = scratch.context.block.gas_limit;
    let mut most = match asked.args.gas {
        Some(Hex(gas)) if gas >= TRANSFER => gas,
        _ => block,
    };
    // One transaction may not have more than its fork allows, whatever the block has.
    most = most.min(Cfg::tx_gas_limit_cap(&scratch.context.cfg));
    let price = Fees::of(&asked.args).most;
    if price > 0 {
        let balance = scratch.account(asked.args.sender())?.balance;
        let value = asked.args.value.unwrap_or_default().0;
        let Some(left) = balance.checked_sub(value) else {
            return Err(Error::server("insufficient funds for transfer"));
        };
        most = most.min(u64::try_from(left / U256::from(price)).unwrap_or(u64::MAX));
    }
    Ok(most.min(cap))
}

fn is_transfer(call: &TxEnv, scratch: &Scratch<'_>) -> Result<bool, Error> {
    let Some(to) = call.kind.into_to() else { return Ok(false) };
    if !call.data.is_empty() || !call.access_list.is_empty() || !call.authorization_list.is_empty() {
        return Ok(false);
    }
    Ok(!scratch.account(to)?.has_code() && !scratch.precompiles.contains(to))
}

struct Used {
    total: u64,
    before_refund: u64,
}

/// Why so much gas does not do.
enum Short {
    Gas,
    Reverted(Error),
}

/// Runs the call with so much gas. The outer error is one that no gas would mend.
fn succeeds(scratch: &Scratch<'_>, call: &TxEnv, gas: u64) -> Result<Result<Used, Short>, Error> {
    let call = TxEnv { gas_limit: gas, ..call.clone() };
    match scratch.run(call.clone()) {
        Ok(done) => Ok(match done.result {
            ExecutionResult::Success { gas, .. } => {
                Ok(Used { total: gas.tx_gas_used(), before_refund: gas.total_gas_spent() })
            }
            ExecutionResult::Revert { output, .. } => Err(Short::Reverted(failures::reverted(&output))),
            ExecutionResult::Halt { reason, .. } => match failures::halted(&reason) {
                text if text == "out of gas" => Err(Short::Gas),
                text => Err(Short::Reverted(Error::server(text))),
            },
        }),
        Err(EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        )) => Ok(Err(Short::Gas)),
        Err(refused) => Err(failures::refusal(refused, &call)),
    }
}
