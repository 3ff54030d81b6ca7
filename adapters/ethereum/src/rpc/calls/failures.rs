//! Why code failed, in geth's words: clients match on them.

use alloy_primitives::{Bytes, U256};
use revm::context::TxEnv;
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};

use super::Refused;
use crate::rpc::errors::{Error, code};

/// What a contract said when it gave up. Clients decode `data`; people read the reason.
pub(in crate::rpc) fn reverted(output: &Bytes) -> Error {
    let message = match reason(output) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".to_owned(),
    };
    Error::new(code::REVERTED, message).with_data(output)
}

const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];

/// Reads `Error(string)` and `Panic(uint256)`.
pub(in crate::rpc) fn reason(output: &[u8]) -> Option<String> {
    let (selector, words) = output.split_first_chunk::<4>()?;
    let word = |at: usize| words.get(at..at.checked_add(32)?).map(U256::from_be_slice);
    match *selector {
        ERROR => {
            let start = usize::try_from(word(0)?).ok()?;
            let length = usize::try_from(word(start)?).ok()?;
            let text = words.get(start.checked_add(32)?..)?.get(..length)?;
            Some(String::from_utf8_lossy(text).into_owned())
        }
        PANIC => Some(panic(word(0)?)),
        _ => None,
    }
}

/// Solidity's panic codes.
fn panic(number: U256) -> String {
    let known = match u8::try_from(number) {
        Ok(0x00) => "generic panic",
        Ok(0x01) => "assert(false)",
        Ok(0x11) => "arithmetic underflow or overflow",
        Ok(0x12) => "division or modulo by zero",
        Ok(0x21) => "enum overflow",
        Ok(0x22) => "invalid encoded storage byte array accessed",
        Ok(0x31) => "out-of-bounds array access; popping on an empty array",
        Ok(0x32) => "out-of-bounds access of an array or bytesN",
        Ok(0x41) => "out of memory",
        Ok(0x51) => "uninitialized function",
        _ => return format!("unknown panic code: {number:#x}"),
    };
    known.to_owned()
}

pub(in crate::rpc) fn halted(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".into(),
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode".into(),
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".into(),
        HaltReason::InvalidJump => "invalid jump destination".into(),
        HaltReason::StackUnderflow => "stack underflow".into(),
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)".into(),
        HaltReason::OutOfOffset => "return data out of bounds".into(),
        HaltReason::CreateCollision => "contract address collision".into(),
        HaltReason::NonceOverflow => "nonce uint64 overflow".into(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".into(),
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef".into(),
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded".into(),
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "write protection".into(),
        HaltReason::OutOfFunds => "insufficient balance for transfer".into(),
        HaltReason::CallTooDeep => "max call depth exceeded".into(),
        other => other.to_string(),
    }
}

/// A call that the machine did not even begin.
pub(in crate::rpc) fn refusal(refused: Refused, call: &TxEnv) -> Error {
    match refused {
        EVMError::Transaction(invalid) => {
            Error::server(format!("err: {} (supplied gas {})", invalid_text(&invalid, call), call.gas_limit))
        }
        other => broken(other),
    }
}

/// The call went over a bound of this node, or the node is at fault.
pub(in crate::rpc) fn broken(refused: Refused) -> Error {
    match refused {
        EVMError::Database(error) => error.into(),
        // Only what bounds a run stops it in words of its own: its time, or how much a trace may record.
        EVMError::Custom(bound) => Error::server(bound),
        other => {
            tracing::error!(error = %other, "the machine stopped");
            Error::internal("the machine stopped: tell the node's operator")
        }
    }
}

pub(in crate::rpc) fn invalid_text(invalid: &InvalidTransaction, call: &TxEnv) -> String {
    let caller = call.caller;
    match invalid {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: address {caller} have {balance} want {fee}")
        }
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: address {caller}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {caller}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceOverflowInTransaction => format!("nonce has max value: address {caller}"),
        InvalidTransaction::GasPriceLessThanBasefee => {
            format!("max fee per gas less than block base fee: address {caller}, maxFeePerGas: {}", call.gas_price)
        }
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => format!(
            "max priority fee per gas higher than max fee per gas: address {caller}, maxFeePerGas: {}, maxPriorityFeePerGas: {}",
            call.gas_price,
            call.gas_priority_fee.unwrap_or_default()
        ),
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
        }
        InvalidTransaction::RejectCallerWithCode => format!("sender not an eoa: address {caller}"),
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".into(),
        InvalidTransaction::CallerGasLimitMoreThanBlock => "gas limit reached".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        let mut output = ERROR.to_vec();
        output.extend_from_slice(&U256::from(32).to_be_bytes::<32>());
        output.extend_from_slice(&U256::from(text.len()).to_be_bytes::<32>());
        output.extend_from_slice(text.as_bytes());
        output
    }

    #[test]
    fn reasons_are_read() {
        assert_eq!(reason(&encoded("user error")).as_deref(), Some("user error"));
        let mut panicked = PANIC.to_vec();
        panicked.extend_from_slice(&U256::from(0x11).to_be_bytes::<32>());
        assert_eq!(reason(&panicked).as_deref(), Some("arithmetic underflow or overflow"));
        let error = reverted(&Bytes::from(encoded("no")));
        assert_eq!((error.code, error.message.as_str()), (3, "execution reverted: no"));
    }

    #[test]
    fn torn_reasons_are_none() {
        let whole = encoded("a reason of some length");
        for length in 0..whole.len() {
            assert_eq!(reason(&whole[..length]), None);
        }
        let mut huge = ERROR.to_vec();
        huge.extend_from_slice(&U256::MAX.to_be_bytes::<32>());
        assert_eq!(reason(&huge), None);
        assert_eq!(reverted(&Bytes::new()).message, "execution reverted");
    }
}
