//! Signatures over messages, by the accounts that the node signs for.

use std::sync::Arc;

use alloy_primitives::{Address, Bytes, Signature, eip191_hash_message};

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::{Answer, Json};
use super::params::Params;
use super::typed_data;
use super::types::{Data, Hex};

/// eth_sign: account, then message (EIP-191).
pub(super) fn sign(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let Hex(message) = params.required::<Hex<Bytes>>()?;
    Ok(Step::Done(sign_message(rpc, address, &message)))
}

/// personal_sign: message, then account. The password that may follow guards nothing here.
pub(super) fn personal_sign(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(message) = params.required::<Hex<Bytes>>()?;
    let Hex(address) = params.required::<Hex<Address>>()?;
    Ok(Step::Done(sign_message(rpc, address, &message)))
}

fn sign_message(rpc: &Rpc, address: Address, message: &[u8]) -> Answer {
    encode(rpc.accounts.sign(address, eip191_hash_message(message))?)
}

/// eth_signTypedData and its versions: account, then the data (EIP-712) as an object or as text of one.
pub(super) fn sign_typed_data(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(address) = params.required::<Hex<Address>>()?;
    let data = params.raw().ok_or_else(|| Error::params("missing value for required argument 1"))?.to_owned();
    // Nobody's signature is worth no work.
    rpc.accounts.check(address)?;
    let rpc = rpc.clone();
    Step::work(move || {
        let data = typed_data::read(&data)?;
        let hash = data.eip712_signing_hash().map_err(|error| Error::params(format!("invalid argument 1: {error}")))?;
        encode(rpc.accounts.sign(address, hash)?)
    })
}

/// r, s and 27 or 28.
fn encode(signature: Signature) -> Answer {
    Json::of(&Data(signature.as_bytes()))
}
