//! Signed transactions as they go over the wire.

use alloy_consensus::{SignableTransaction, TxEip1559, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, TxKind, U256};

use crate::{Account, Error, Rpc};

/// What a transaction offers for its gas, in wei.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fees {
    pub max: u128,
    pub tip: u128,
}

/// The envelope of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    Legacy,
    #[default]
    Eip1559,
}

/// A transaction, signed and encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    pub hash: B256,
    pub raw: Box<[u8]>,
}

/// What stays the same for all transactions of a run.
#[derive(Clone, Copy, Debug)]
pub struct Signer {
    pub chain_id: u64,
    pub fees: Fees,
    pub kind: Kind,
}

/// The gas of a plain transfer.
pub const TRANSFER_GAS: u64 = 21_000;

impl Signer {
    /// Fees that the node at hand takes: eight times the base fee leaves room for it to rise while blocks are full.
    pub async fn suited(rpc: &mut Rpc) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Block {
            base_fee_per_gas: Option<U256>,
        }
        let chain_id: U256 = rpc.call("eth_chainId", [(); 0]).await?;
        let block: Block = rpc.call("eth_getBlockByNumber", ("latest", false)).await?;
        let max = block.base_fee_per_gas.unwrap_or_default().saturating_mul(U256::from(8)).saturating_to();
        let kind = if block.base_fee_per_gas.is_some() { Kind::Eip1559 } else { Kind::Legacy };
        Ok(Self { chain_id: chain_id.saturating_to(), fees: Fees { max, tip: 0 }, kind })
    }

    pub fn transfer(&self, from: &Account, nonce: u64, to: alloy_primitives::Address, value: U256) -> Signed {
        self.sign(from, nonce, TxKind::Call(to), value, TRANSFER_GAS, Bytes::new())
    }

    pub fn sign(&self, from: &Account, nonce: u64, to: TxKind, value: U256, gas_limit: u64, input: Bytes) -> Signed {
        let Self { chain_id, fees, kind } = *self;
        match kind {
            Kind::Eip1559 => finish(
                from,
                TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fees.max,
                    max_priority_fee_per_gas: fees.tip,
                    to,
                    value,
                    access_list: alloy_eips::eip2930::AccessList::default(),
                    input,
                },
            ),
            Kind::Legacy => finish(
                from,
                TxLegacy { chain_id: Some(chain_id), nonce, gas_price: fees.max, gas_limit, to, value, input },
            ),
        }
    }
}

fn finish<T>(from: &Account, transaction: T) -> Signed
where
    T: SignableTransaction<alloy_primitives::Signature>,
    alloy_consensus::Signed<T>: Encodable2718,
{
    let signature = from.sign(transaction.signature_hash());
    let signed = transaction.into_signed(signature);
    Signed { hash: signed.trie_hash(), raw: signed.encoded_2718().into_boxed_slice() }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_consensus::{Transaction as _, TxEnvelope};
    use alloy_eips::eip2718::Decodable2718;
    use alloy_primitives::{Address, keccak256};

    use super::*;

    #[test]
    fn what_is_signed_decodes_to_its_sender_and_hash() {
        let account = &Account::derived("test", 1)[0];
        for kind in [Kind::Legacy, Kind::Eip1559] {
            let signer = Signer { chain_id: 1337, fees: Fees { max: 7, tip: 2 }, kind };
            let signed = signer.transfer(account, 5, Address::repeat_byte(9), U256::from(3));
            let decoded = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
            assert_eq!(decoded.recover_signer().unwrap(), account.address());
            assert_eq!((decoded.chain_id(), decoded.nonce(), decoded.max_fee_per_gas()), (Some(1337), 5, 7));
            assert_eq!(signed.hash, *decoded.tx_hash());
            assert_eq!(signed.hash, keccak256(&signed.raw));
        }
    }
}
