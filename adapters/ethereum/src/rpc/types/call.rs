//! A transaction that is not signed: what eth_call, eth_estimateGas, eth_sendTransaction and their kin are given.

use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::Deserialize;

use super::super::errors::Error;
use super::Hex;

/// Everything is optional; a member that is `null` is absent, and unknown ones are ignored, as in geth.
#[derive(Clone, Default, Deserialize, Debug)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::rpc) struct CallArgs {
    pub(in crate::rpc) from: Option<Hex<Address>>,
    pub(in crate::rpc) to: Option<Hex<Address>>,
    pub(in crate::rpc) gas: Option<Hex<u64>>,
    pub(in crate::rpc) gas_price: Option<Hex<u128>>,
    pub(in crate::rpc) max_fee_per_gas: Option<Hex<u128>>,
    pub(in crate::rpc) max_priority_fee_per_gas: Option<Hex<u128>>,
    pub(in crate::rpc) max_fee_per_blob_gas: Option<Hex<u128>>,
    pub(in crate::rpc) value: Option<Hex<U256>>,
    pub(in crate::rpc) nonce: Option<Hex<u64>>,
    /// The older name of `input`.
    data: Option<Hex<Bytes>>,
    input: Option<Hex<Bytes>>,
    pub(in crate::rpc) access_list: Option<Vec<AccessItem>>,
    pub(in crate::rpc) chain_id: Option<Hex<U256>>,
    pub(in crate::rpc) blob_versioned_hashes: Option<Vec<Hex<B256>>>,
    pub(in crate::rpc) authorization_list: Option<Vec<Authorization>>,
}

#[derive(Clone, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct AccessItem {
    address: Hex<Address>,
    #[serde(default)]
    storage_keys: Vec<Hex<B256>>,
}

#[derive(Clone, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct Authorization {
    chain_id: Hex<U256>,
    address: Hex<Address>,
    nonce: Hex<u64>,
    #[serde(alias = "v")]
    y_parity: Hex<u64>,
    r: Hex<U256>,
    s: Hex<U256>,
}

impl CallArgs {
    pub(in crate::rpc) fn sender(&self) -> Address {
        self.from.unwrap_or_default().0
    }

    pub(in crate::rpc) fn input(&self) -> Result<Bytes, Error> {
        match (&self.input, &self.data) {
            (Some(input), Some(data)) if input != data => Err(Error::server(
                "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data",
            )),
            (Some(Hex(input)), _) | (None, Some(Hex(input))) => Ok(input.clone()),
            (None, None) => Ok(Bytes::new()),
        }
    }

    /// Refuses fees of two kinds at once, and another chain's transactions.
    pub(in crate::rpc) fn check(&self, chain_id: u64) -> Result<(), Error> {
        let dynamic = self.max_fee_per_gas.is_some() || self.max_priority_fee_per_gas.is_some();
        if self.gas_price.is_some() && dynamic {
            return Err(Error::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
        }
        if let Some(Hex(have)) = self.chain_id
            && have != U256::from(chain_id)
        {
            return Err(Error::server(format!("chainId does not match node's (have={have}, want={chain_id})")));
        }
        if let (Some(Hex(fee)), Some(Hex(tip))) = (self.max_fee_per_gas, self.max_priority_fee_per_gas)
            && fee < tip
        {
            return Err(Error::server(format!("maxFeePerGas ({fee}) < maxPriorityFeePerGas ({tip})")));
        }
        if self.to.is_none() && self.blob_versioned_hashes.is_some() {
            return Err(Error::server("missing \"to\" in blob transaction"));
        }
        Ok(())
    }

    pub(in crate::rpc) fn access_list(&self) -> AccessList {
        let item = |item: &AccessItem| AccessListItem {
            address: item.address.0,
            storage_keys: item.storage_keys.iter().map(|key| key.0).collect(),
        };
        AccessList(self.access_list.iter().flatten().map(item).collect())
    }

    pub(in crate::rpc) fn blob_hashes(&self) -> Vec<B256> {
        self.blob_versioned_hashes.iter().flatten().map(|hash| hash.0).collect()
    }

    pub(in crate::rpc) fn authorizations(&self) -> Vec<eip7702::SignedAuthorization> {
        let signed = |given: &Authorization| {
            let inner =
                eip7702::Authorization { chain_id: given.chain_id.0, address: given.address.0, nonce: given.nonce.0 };
            // A parity that is none is a signature that recovers to nobody, and so it stays.
            let parity = u8::try_from(given.y_parity.0).unwrap_or(u8::MAX);
            eip7702::SignedAuthorization::new_unchecked(inner, parity, given.r.0, given.s.0)
        };
        self.authorization_list.iter().flatten().map(signed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> CallArgs {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn absent_and_null_are_equal_and_unknown_members_are_ignored() {
        let args = read(r#"{"from":null,"gas":null,"data":null,"whatever":[1]}"#);
        assert_eq!((args.sender(), args.input()), (Address::ZERO, Ok(Bytes::new())));
    }

    #[test]
    fn data_and_input_may_both_be_there_if_they_agree() {
        let input = |json| read(json).input().ok();
        assert_eq!(input(r#"{"data":"0x01"}"#), Some(Bytes::from_static(&[1])));
        assert_eq!(input(r#"{"data":"0x01","input":"0x01"}"#), Some(Bytes::from_static(&[1])));
        assert_eq!(input(r#"{"data":"0x01","input":"0x02"}"#), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let ok = |json| read(json).check(7).is_ok();
        assert!(ok(r#"{"chainId":"0x7","gasPrice":"0x1"}"#));
        assert!(!ok(r#"{"chainId":"0x8"}"#));
        assert!(!ok(r#"{"gasPrice":"0x1","maxFeePerGas":"0x1"}"#));
        assert!(!ok(r#"{"maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x2"}"#));
    }
}
