//! Accounts: balance, nonce, code, storage, proofs.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::Rpc;
use super::dispatch::Step;
use super::errors::{Error, code};
use super::framing::Json;
use super::params::Params;
use super::types::{Data, Hex, Text};

/// Slots in one request for several values.
const SLOTS_MAX: usize = 1_024;
/// Proofs cost a walk each.
const PROOF_SLOTS_MAX: usize = 1_024;

pub(super) fn balance(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    let balance = view.account(address)?.map_or(U256::ZERO, |account| account.balance);
    Step::done(&Hex(balance))
}

pub(super) fn transaction_count(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    let nonce = view.account(address)?.map_or(0, |account| account.nonce);
    Step::done(&Hex(nonce))
}

pub(super) fn code(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    Step::done(&view.code(address)?)
}

pub(super) fn storage_at(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let slot = params.required::<Slot<'_>>()?.number()?;
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    Step::done(&Word(view.storage(address, slot)?))
}

pub(super) fn storage_values(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let wanted = params.required::<Wanted>()?.0;
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    let slots: usize = wanted.iter().map(|(_, slots)| slots.len()).sum();
    if slots == 0 {
        return Err(Error::params("empty request"));
    }
    if slots > SLOTS_MAX {
        return Err(Error::new(code::CLIENT_LIMIT, format!("too many slots (max {SLOTS_MAX})")));
    }
    Step::work(move || {
        let mut values = BTreeMap::new();
        for (address, slots) in wanted {
            let words = slots.into_iter().map(|slot| view.storage(address, slot).map(Word));
            values.insert(address, words.collect::<Result<Vec<_>, _>>()?);
        }
        Json::of(&values)
    })
}

pub(super) fn proof(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let keys: Vec<Slot<'_>> = params.required()?;
    if keys.len() > PROOF_SLOTS_MAX {
        return Err(Error::params(format!("too many keys: {} (max {PROOF_SLOTS_MAX})", keys.len())));
    }
    let slots = keys.iter().map(Slot::number).collect::<Result<Vec<_>, _>>()?;
    // A key is given back in the form it came in: a whole word, or a number.
    let forms: Vec<bool> = keys.iter().map(|key| key.0.0.len() == 66).collect();
    let view = rpc.at(params.optional()?.unwrap_or_default())?;
    Step::work(move || {
        let proof = view.proof(address, &slots)?;
        let slots = proof.slots.iter().zip(forms).map(|(slot, word)| SlotJson {
            key: if word { Key::Word(Word(slot.slot)) } else { Key::Number(Hex(slot.slot)) },
            value: Hex(slot.value),
            proof: &slot.nodes,
        });
        Json::of(&ProofJson {
            address,
            account_proof: &proof.nodes,
            balance: Hex(proof.account.balance),
            code_hash: proof.account.code_hash,
            nonce: Hex(proof.account.nonce),
            storage_hash: proof.storage_root,
            storage_proof: slots.collect(),
        })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProofJson<'a> {
    address: Address,
    account_proof: &'a [Bytes],
    balance: Hex<U256>,
    code_hash: B256,
    nonce: Hex<u64>,
    storage_hash: B256,
    storage_proof: Vec<SlotJson<'a>>,
}

#[derive(Serialize)]
struct SlotJson<'a> {
    key: Key,
    value: Hex<U256>,
    proof: &'a [Bytes],
}

#[derive(Serialize)]
#[serde(untagged)]
enum Key {
    Word(Word),
    Number(Hex<U256>),
}

/// A storage value: always 32 bytes.
pub(super) struct Word(pub(super) U256);

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Data(self.0.to_be_bytes::<32>()).serialize(serializer)
    }
}

/// The name of a storage slot: at most 32 bytes of hexadecimal text, with leading zeros or without.
pub(super) struct Slot<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Slot<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self)
    }
}

impl Slot<'_> {
    pub(super) fn number(&self) -> Result<U256, Error> {
        let text = &*self.0.0;
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if digits.len() > 64 {
            let shown: String = text.chars().take(80).collect();
            return Err(Error::params(format!("storage key too long (want at most 32 bytes): {shown:?}")));
        }
        if digits.is_empty() {
            return Ok(U256::ZERO);
        }
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Error::params(format!("invalid hex in storage key: {text:?}")));
        }
        U256::from_str_radix(digits, 16).map_err(|error| Error::params(format!("invalid storage key: {error}")))
    }
}

/// Slots by address, in the order given.
struct Wanted(Vec<(Address, Vec<U256>)>);

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Wanted;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("storage keys by address")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Hex(address)) = map.next_key::<Hex<Address>>()? {
                    let slots: Vec<Hex<B256>> = map.next_value()?;
                    pairs.push((address, slots.into_iter().map(|Hex(slot)| slot.into()).collect()));
                }
                Ok(Wanted(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
