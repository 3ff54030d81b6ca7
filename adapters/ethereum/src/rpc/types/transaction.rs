//! Transactions as clients read them.

use alloy_consensus::{Transaction as _, Typed2718};
use alloy_eips::eip2930::AccessList;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use serde::Serialize;

use super::Hex;
use crate::{Block, Envelope, Transaction};

/// Where a transaction stands.
#[derive(Clone, Copy)]
pub(in crate::rpc) struct Place {
    pub(in crate::rpc) hash: B256,
    pub(in crate::rpc) number: u64,
    pub(in crate::rpc) timestamp: u64,
    pub(in crate::rpc) base_fee: Option<u64>,
    pub(in crate::rpc) index: u64,
}

impl Place {
    pub(in crate::rpc) fn of(block: &Block, index: u32) -> Self {
        Self {
            hash: block.hash,
            number: block.header.number,
            timestamp: block.header.timestamp,
            base_fee: block.header.base_fee_per_gas,
            index: u64::from(index),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct TransactionJson<'a> {
    block_hash: Option<B256>,
    block_number: Option<Hex<u64>>,
    block_timestamp: Option<Hex<u64>>,
    from: Address,
    gas: Hex<u64>,
    gas_price: Hex<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fee_per_gas: Option<Hex<u128>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_priority_fee_per_gas: Option<Hex<u128>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fee_per_blob_gas: Option<Hex<u128>>,
    hash: B256,
    input: &'a Bytes,
    nonce: Hex<u64>,
    to: Option<Address>,
    transaction_index: Option<Hex<u64>>,
    value: Hex<U256>,
    r#type: Hex<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_list: Option<AccessListJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<Hex<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_versioned_hashes: Option<&'a [B256]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_list: Option<Vec<AuthorizationJson>>,
    v: Hex<u128>,
    r: Hex<U256>,
    s: Hex<U256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y_parity: Option<Hex<u64>>,
}

impl<'a> TransactionJson<'a> {
    pub(in crate::rpc) fn of(transaction: &'a Transaction, place: Place) -> Self {
        Self::new(&transaction.envelope, transaction.hash, transaction.sender, Some(place))
    }

    pub(in crate::rpc) fn new(envelope: &'a Envelope, hash: B256, sender: Address, place: Option<Place>) -> Self {
        let typed = envelope.ty() != 0;
        let dynamic = envelope.max_priority_fee_per_gas();
        let signature = envelope.signature();
        let parity = u64::from(signature.v());
        Self {
            block_hash: place.map(|place| place.hash),
            block_number: place.map(|place| Hex(place.number)),
            block_timestamp: place.map(|place| Hex(place.timestamp)),
            from: sender,
            gas: Hex(envelope.gas_limit()),
            gas_price: Hex(match place {
                Some(place) => envelope.effective_gas_price(place.base_fee),
                None => envelope.max_fee_per_gas(),
            }),
            max_fee_per_gas: dynamic.map(|_| Hex(envelope.max_fee_per_gas())),
            max_priority_fee_per_gas: dynamic.map(Hex),
            max_fee_per_blob_gas: envelope.max_fee_per_blob_gas().map(Hex),
            hash,
            input: envelope.input(),
            nonce: Hex(envelope.nonce()),
            to: envelope.to(),
            transaction_index: place.map(|place| Hex(place.index)),
            value: Hex(envelope.value()),
            r#type: Hex(u64::from(envelope.ty())),
            access_list: envelope.access_list().map(AccessListJson),
            chain_id: envelope.chain_id().map(Hex),
            blob_versioned_hashes: envelope.blob_versioned_hashes(),
            authorization_list: envelope
                .authorization_list()
                .map(|list| list.iter().map(AuthorizationJson::of).collect()),
            v: Hex(if typed { u128::from(parity) } else { legacy_v(signature, envelope.chain_id()) }),
            r: Hex(signature.r()),
            s: Hex(signature.s()),
            y_parity: typed.then_some(Hex(parity)),
        }
    }
}

/// EIP-155; a transaction that is not signed (in a simulation) has no parity to tell.
fn legacy_v(signature: &Signature, chain_id: Option<u64>) -> u128 {
    let parity = u128::from(signature.v());
    match chain_id {
        _ if signature.r().is_zero() && signature.s().is_zero() => 0,
        Some(chain_id) => 35 + 2 * u128::from(chain_id) + parity,
        None => 27 + parity,
    }
}

pub(in crate::rpc) struct AccessListJson<'a>(pub(in crate::rpc) &'a AccessList);

impl Serialize for AccessListJson<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Item<'a> {
            address: Address,
            storage_keys: &'a [B256],
        }
        serializer
            .collect_seq(self.0.iter().map(|item| Item { address: item.address, storage_keys: &item.storage_keys }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationJson {
    chain_id: Hex<U256>,
    address: Address,
    nonce: Hex<u64>,
    y_parity: Hex<u64>,
    r: Hex<U256>,
    s: Hex<U256>,
}

impl AuthorizationJson {
    fn of(signed: &SignedAuthorization) -> Self {
        let authorization = signed.inner();
        Self {
            chain_id: Hex(authorization.chain_id),
            address: authorization.address,
            nonce: Hex(authorization.nonce),
            y_parity: Hex(u64::from(signed.y_parity())),
            r: Hex(signed.r()),
            s: Hex(signed.s()),
        }
    }
}
