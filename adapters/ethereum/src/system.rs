//! What happens in a block beside its transactions: beacon roots and block hashes before them, requests after.

use std::sync::LazyLock;

use alloy_consensus::Header;
use alloy_eips::eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE};
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_eips::eip6110::DEPOSIT_REQUEST_TYPE;
use alloy_eips::eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_TYPE};
use alloy_eips::eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_TYPE};
use alloy_eips::eip7685::Requests;
use alloy_primitives::{Address, B256, Bytes, Log, b256, keccak256};
use kv::{State, Tx};
use revm::context::result::ExecutionResult;
use revm::primitives::hardfork::SpecId;

use crate::ReadError;
use crate::execute::{Context, Refused};
use crate::ledger::Ledger;

/// Why a block's requests could not be gathered. Fatal for a foreign block; a block made here does without.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("there is no code at the system contract {0}: the genesis must have it")]
    NoContract(Address),
    #[error("the call of the system contract {0} failed")]
    Contract(Address),
    #[error("a log of the deposit contract does not have the form of a deposit")]
    Deposit,
    #[error("{0}")]
    Failed(String),
}

impl From<Refused> for RequestError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(invalid) => Self::Failed(invalid.to_string()),
            Refused::TooMuch => Self::Failed("it writes more than one entry of the ledger holds".into()),
            Refused::Failed(error) => Self::Failed(error),
        }
    }
}

/// Topic of `DepositEvent(bytes,bytes,bytes,bytes,bytes)`.
const DEPOSIT_EVENT: B256 = b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

static HISTORY_STORAGE_CODE_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(&HISTORY_STORAGE_CODE));

impl Ledger {
    /// Runs what comes before the first transaction.
    pub(crate) fn before_transactions(
        &self,
        context: &Context,
        header: &Header,
        tx: &mut Tx<'_>,
    ) -> Result<(), Refused> {
        self.note_beacon_root(context, header, tx)?;
        self.note_parent(context, header, tx)
    }

    /// Gives the beacon block's root to its contract (EIP-4788).
    pub(crate) fn note_beacon_root(&self, context: &Context, header: &Header, tx: &mut Tx<'_>) -> Result<(), Refused> {
        if header.number > 0 && context.spec.is_enabled_in(SpecId::CANCUN) {
            let root = header.parent_beacon_block_root.unwrap_or_default();
            self.system_call(context, tx, BEACON_ROOTS_ADDRESS, root.into())?;
        }
        Ok(())
    }

    /// Gives the parent's hash to the history contract (EIP-2935).
    pub(crate) fn note_parent(&self, context: &Context, header: &Header, tx: &mut Tx<'_>) -> Result<(), Refused> {
        if header.number > 0 && context.spec.is_enabled_in(SpecId::PRAGUE) {
            self.system_call(context, tx, HISTORY_STORAGE_ADDRESS, header.parent_hash.into())?;
        }
        Ok(())
    }

    /// Whether the history contract is the one that the specification deploys. What it is given can then be given at the
    /// end of a block as well: nothing but the call of a block writes its slots, and [`crate::tip::Tip::history`] answers for
    /// the one that is not written yet.
    pub(crate) fn has_history_contract(&self, state: &State) -> Result<bool, ReadError> {
        let account = self.rows_of(state).account(HISTORY_STORAGE_ADDRESS)?;
        Ok(account.is_some_and(|account| account.code_hash == *HISTORY_STORAGE_CODE_HASH))
    }

    /// Gathers the block's requests after its last transaction: deposits from its logs, then what the two contracts have
    /// in their queues. Empty before Prague.
    pub(crate) fn after_transactions<'l>(
        &self,
        context: &Context,
        tx: &mut Tx<'_>,
        logs: impl Iterator<Item = &'l Log>,
        strict: bool,
    ) -> Result<Requests, RequestError> {
        let mut requests = Vec::new();
        if !context.spec.is_enabled_in(SpecId::PRAGUE) {
            return Ok(Requests::default());
        }
        let mut deposits = vec![DEPOSIT_REQUEST_TYPE];
        for log in logs.filter(|log| log.address == self.config.genesis.forks.deposit_contract) {
            if log.data.topics().first() != Some(&DEPOSIT_EVENT) {
                continue;
            }
            match deposit(&log.data.data) {
                Some(deposit) => deposits.extend_from_slice(&deposit),
                None if strict => return Err(RequestError::Deposit),
                None => {}
            }
        }
        requests.push(deposits);
        for (kind, contract) in [
            (WITHDRAWAL_REQUEST_TYPE, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
            (CONSOLIDATION_REQUEST_TYPE, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
        ] {
            match self.queue(context, tx, contract) {
                Ok(queued) => requests.push([&[kind], &queued[..]].concat()),
                // A genesis without the contract is a ledger without such requests.
                Err(RequestError::NoContract(_)) if !strict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Requests::from(
            requests.into_iter().filter(|request| request.len() > 1).map(Bytes::from).collect::<Vec<_>>(),
        ))
    }

    /// Takes what is due out of a contract's queue.
    fn queue(&self, context: &Context, tx: &mut Tx<'_>, contract: Address) -> Result<Bytes, RequestError> {
        let account = self.rows(tx).account(contract).map_err(Refused::from)?;
        if !account.is_some_and(|account| account.has_code()) {
            return Err(RequestError::NoContract(contract));
        }
        match self.system_call(context, tx, contract, Bytes::new())? {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => Err(RequestError::Contract(contract)),
        }
    }
}

/// The request that a deposit's log stands for: its five members end to end. `None`: not in the one form that the
/// contract writes (five offsets, then each member behind its length, padded to words).
fn deposit(data: &[u8]) -> Option<[u8; 192]> {
    const MEMBERS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];
    if data.len() != 576 {
        return None;
    }
    let word = |at: usize| {
        let (high, low) = data[at..at + 32].split_at(24);
        high.iter().all(|byte| *byte == 0).then(|| low.iter().fold(0, |word, byte| word << 8 | usize::from(*byte)))
    };
    let mut request = [0; 192];
    let mut filled = 0;
    for (place, (offset, length)) in MEMBERS.into_iter().enumerate() {
        if word(place * 32)? != offset || word(offset)? != length {
            return None;
        }
        request[filled..filled + length].copy_from_slice(&data[offset + 32..offset + 32 + length]);
        filled += length;
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<u8> {
        let mut data = vec![0; 576];
        for (place, (offset, length)) in
            [(160u16, 48u8), (256, 32), (320, 8), (384, 96), (512, 8)].into_iter().enumerate()
        {
            data[place * 32 + 30..place * 32 + 32].copy_from_slice(&offset.to_be_bytes());
            let at = usize::from(offset);
            data[at + 31] = length;
            data[at + 32..at + 32 + usize::from(length)].fill(u8::try_from(place).unwrap() + 1);
        }
        data
    }

    #[test]
    fn a_deposit_is_its_members_end_to_end() {
        let request = deposit(&log()).unwrap();
        let lengths = [48, 32, 8, 96, 8].into_iter().zip(1u8..).flat_map(|(length, byte)| vec![byte; length]);
        assert!(request.into_iter().eq(lengths));
    }

    #[test]
    fn a_deposit_in_any_other_form_is_none() {
        assert!(deposit(&log()[1..]).is_none());
        for at in [0, 31, 160, 191, 512] {
            let mut data = log();
            data[at] ^= 1;
            assert!(deposit(&data).is_none(), "byte {at}");
        }
    }
}
