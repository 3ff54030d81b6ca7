//! One call of a simulated block: what it lacks is filled in, and it becomes a transaction that nobody signed.

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_consensus::{Signed, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, Signature, U256, keccak256};
use alloy_rlp::{Encodable, Header as RlpHeader};
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};

use crate::Envelope;
use crate::rpc::calls::{Refused, failures};
use crate::rpc::errors::{Error, code};
use crate::rpc::types::CallArgs;
use crate::rpc::unsigned::{self, Unsigned};

/// What became of a call.
pub(super) struct Called {
    pub(super) envelope: Envelope,
    pub(super) raw: Bytes,
    pub(super) hash: B256,
    pub(super) sender: Address,
    pub(super) output: Bytes,
    /// With those that stand for transfers of value, if they were asked for.
    pub(super) logs: Vec<Log>,
    pub(super) gas_used: u64,
    pub(super) gas_before_refund: u64,
    pub(super) error: Option<Error>,
}

/// The call as the transaction it would be. An unsigned one has a signature of zeros.
pub(super) fn transaction(args: &CallArgs, call: &TxEnv) -> (Envelope, Bytes, B256) {
    let zeros = Signature::new(U256::ZERO, U256::ZERO, false);
    match unsigned::transaction(call, args.authorizations()) {
        Unsigned::Legacy(mut bare) => {
            bare.chain_id = None;
            let raw = unsigned_legacy(&bare);
            let hash = keccak256(&raw);
            (Envelope::Legacy(Signed::new_unchecked(bare, zeros, hash)), raw, hash)
        }
        typed => {
            let envelope = Envelope::new_unhashed(typed, zeros);
            let (raw, hash) = (envelope.encoded_2718().into(), *envelope.tx_hash());
            (envelope, raw, hash)
        }
    }
}

/// A legacy transaction whose signature is three zeros, which no signer could make.
fn unsigned_legacy(bare: &TxLegacy) -> Bytes {
    let zeros = [0u8; 3].map(|zero| zero.length());
    let payload_length = bare.rlp_encoded_fields_length() + zeros.iter().sum::<usize>();
    let mut raw = Vec::with_capacity(payload_length + 9);
    RlpHeader { list: true, payload_length }.encode(&mut raw);
    bare.rlp_encode_fields(&mut raw);
    for zero in [0u8; 3] {
        zero.encode(&mut raw);
    }
    raw.into()
}

/// The type of a call's transaction: dynamic, unless a price of the old kind was given.
pub(super) fn kind(args: &CallArgs, has_base_fee: bool) -> u8 {
    if args.gas_price.is_some() || !has_base_fee {
        0
    } else if !args.authorizations().is_empty() {
        4
    } else if !args.blob_hashes().is_empty() {
        3
    } else {
        2
    }
}

/// What the call returned, and the error that stands beside it.
pub(super) fn outcome(result: &ExecutionResult) -> (Bytes, Option<Error>) {
    match result {
        ExecutionResult::Success { output, .. } => (output.data().clone(), None),
        // What it reverted with is in the error alone.
        ExecutionResult::Revert { output, .. } => (Bytes::new(), Some(failures::reverted(output))),
        ExecutionResult::Halt { reason, .. } => (Bytes::new(), Some(Error::new(code::VM, failures::halted(reason)))),
    }
}

/// A call that could not be in a block.
pub(super) fn refusal(refused: Refused, call: &TxEnv) -> Error {
    let EVMError::Transaction(invalid) = &refused else { return failures::broken(refused) };
    let code = match invalid {
        InvalidTransaction::NonceTooLow { .. } => -38010,
        InvalidTransaction::NonceTooHigh { .. } => -38011,
        InvalidTransaction::GasPriceLessThanBasefee => -38012,
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
        | InvalidTransaction::GasFloorMoreThanGasLimit { .. } => -38013,
        InvalidTransaction::LackOfFundForMaxFee { .. } => -38014,
        InvalidTransaction::RejectCallerWithCode => -38024,
        InvalidTransaction::CreateInitCodeSizeLimit => -38025,
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => code::INVALID_PARAMS,
        _ => code::INTERNAL,
    };
    Error::new(code, failures::refusal(refused, call).message)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::TxKind;

    use super::*;

    #[test]
    fn an_unsigned_legacy_transaction_ends_in_three_zeros() {
        let bare = TxLegacy { to: TxKind::Call(Address::ZERO), ..TxLegacy::default() };
        let raw = unsigned_legacy(&bare);
        let zeros = |count| vec![0x80u8; count];
        let expected = [vec![0xc0 + 29], zeros(3), vec![0x94], vec![0; 20], zeros(2), zeros(3)].concat();
        assert_eq!(raw.to_vec(), expected);
    }
}
