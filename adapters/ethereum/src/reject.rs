//! Refusals in geth's words: clients recognise them by their texts.

use adapter::{Blame, Reject};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Typed2718;
use alloy_primitives::{Address, U256};
use revm::context::result::InvalidTransaction;

use crate::ReadError;
use crate::execute::Refused;
use crate::transaction::{Envelope, TransactionError};

/// Geth's code for everything that has no other.
pub(crate) const SERVER_ERROR: i64 = -32000;
const INTERNAL_ERROR: i64 = -32603;

impl From<TransactionError> for Reject {
    fn from(error: TransactionError) -> Self {
        Self::caller(SERVER_ERROR, error.to_string())
    }
}

/// The node failed, not the caller.
pub(crate) fn failed(error: impl ToString) -> Reject {
    Reject::new(Blame::Node, INTERNAL_ERROR, error.to_string())
}

impl From<ReadError> for Reject {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotOpen => Self::unavailable(),
            ReadError::Future { .. } | ReadError::Pruned { .. } => Self::caller(SERVER_ERROR, error.to_string()),
            ReadError::History(_) | ReadError::Corrupt(_) => failed(error),
        }
    }
}

/// What is known where a transaction is refused.
pub(crate) struct Refusal<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) sender: Address,
    pub(crate) chain_id: u64,
    pub(crate) base_fee: u64,
}

impl Refusal<'_> {
    pub(crate) fn of(&self, refused: Refused) -> Reject {
        match refused {
            Refused::Invalid(invalid) => self.invalid(&invalid),
            Refused::TooMuch => {
                Reject::caller(SERVER_ERROR, "the transaction writes or logs more than one entry of the ledger holds")
            }
            Refused::Failed(error) => failed(error),
        }
    }

    pub(crate) fn nonce_too_low(&self, state: u64) -> Reject {
        let text = format!("nonce too low: address {}, tx: {} state: {state}", self.sender, self.envelope.nonce());
        // Something else took the nonce first, which is no fault of the request as such.
        Reject::new(Blame::Conflict, SERVER_ERROR, text)
    }

    pub(crate) fn block_gas_limit(&self, limit: u64) -> Reject {
        let text = format!("exceeds block gas limit: limit {limit}, tx: {}", self.envelope.gas_limit());
        Reject::caller(SERVER_ERROR, text)
    }

    fn invalid(&self, invalid: &InvalidTransaction) -> Reject {
        use InvalidTransaction as Invalid;
        let Self { envelope, sender, chain_id, base_fee } = *self;
        let text = match invalid {
            Invalid::NonceTooLow { state, .. } => return self.nonce_too_low(*state),
            Invalid::NonceTooHigh { tx, state } => {
                format!("nonce too high: address {sender}, tx: {tx} state: {state}")
            }
            Invalid::NonceOverflowInTransaction => {
                format!("nonce has max value: address {sender}, nonce: {}", envelope.nonce())
            }
            Invalid::LackOfFundForMaxFee { fee, balance } => {
                format!("insufficient funds for gas * price + value: address {sender} have {balance} want {fee}")
            }
            Invalid::OverflowPaymentInTransaction => {
                format!(
                    "insufficient funds for gas * price + value: address {sender} required balance exceeds 256 bits"
                )
            }
            Invalid::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
                format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
            }
            Invalid::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
                format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
            }
            Invalid::CallerGasLimitMoreThanBlock => "exceeds block gas limit".to_owned(),
            Invalid::TxGasLimitGreaterThanCap { gas_limit, cap } => {
                format!("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")
            }
            Invalid::GasPriceLessThanBasefee => format!(
                "max fee per gas less than block base fee: address {sender}, maxFeePerGas: {}, baseFee: {base_fee}",
                envelope.max_fee_per_gas()
            ),
            Invalid::PriorityFeeGreaterThanMaxFee => format!(
                "max priority fee per gas higher than max fee per gas: address {sender}, maxPriorityFeePerGas: {}, maxFeePerGas: {}",
                envelope.max_priority_fee_per_gas().unwrap_or_default(),
                envelope.max_fee_per_gas()
            ),
            Invalid::BlobGasPriceGreaterThanMax { block_blob_gas_price, tx_max_fee_per_blob_gas } => format!(
                "max fee per blob gas less than block blob gas fee: address {sender} blobGasFeeCap: {tx_max_fee_per_blob_gas}, blobBaseFee: {block_blob_gas_price}"
            ),
            Invalid::RejectCallerWithCode => format!("sender not an eoa: address {sender}"),
            Invalid::CreateInitCodeSizeLimit => {
                format!("max initcode size exceeded: code size {}", envelope.input().len())
            }
            Invalid::InvalidChainId | Invalid::MissingChainId => return wrong_chain_id(envelope, chain_id),
            Invalid::EmptyBlobs => "blob transaction missing blob hashes".to_owned(),
            Invalid::TooManyBlobs { max, have } => {
                format!("blob transaction has too many blobs: have {have}, permitted {max}")
            }
            Invalid::BlobCreateTransaction => "blob transaction of type create".to_owned(),
            Invalid::BlobVersionNotSupported => "blob hash of a version that is not supported".to_owned(),
            Invalid::EmptyAuthorizationList => "EIP-7702 transaction with empty auth list".to_owned(),
            Invalid::AuthorizationListInvalidFields => {
                "EIP-7702 transaction cannot be used to create contract".to_owned()
            }
            Invalid::AccessListNotSupported
            | Invalid::MaxFeePerBlobGasNotSupported
            | Invalid::BlobVersionedHashesNotSupported
            | Invalid::AuthorizationListNotSupported
            | Invalid::Eip2930NotSupported
            | Invalid::Eip1559NotSupported
            | Invalid::Eip4844NotSupported
            | Invalid::Eip7702NotSupported
            | Invalid::Eip7873NotSupported
            | Invalid::Eip7873MissingTarget => {
                format!("transaction type not supported: type {} in this fork", envelope.ty())
            }
            Invalid::Str(text) => text.clone().into_owned(),
        };
        Reject::caller(SERVER_ERROR, text)
    }
}

pub(crate) fn wrong_chain_id(envelope: &Envelope, want: u64) -> Reject {
    let have = envelope.chain_id().map_or_else(|| "none".to_owned(), |id| id.to_string());
    Reject::caller(SERVER_ERROR, format!("invalid chain id for signer: have {have} want {want}"))
}

/// The most wei that a transaction can cost its sender.
pub(crate) fn cost(envelope: &Envelope) -> U256 {
    let gas = U256::from(envelope.gas_limit()).saturating_mul(U256::from(envelope.max_fee_per_gas()));
    let blob_gas = U256::from(envelope.blob_gas_used().unwrap_or_default());
    let blobs = blob_gas.saturating_mul(U256::from(envelope.max_fee_per_blob_gas().unwrap_or_default()));
    gas.saturating_add(blobs).saturating_add(envelope.value())
}
