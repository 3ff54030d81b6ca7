//! Accounts that the node signs for: a convenience of development networks. Elsewhere there are none.
//!
//! Calls for one account take turns only as long as it takes to pick a nonce and put the transaction on the road; then
//! they wait side by side. So many transactions of one account can go into one block.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use alloy_consensus::SignableTransaction;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use revm::primitives::hardfork::SpecId;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey, SignOnly};
use serde::Serialize;
use tokio::sync::Mutex;

use super::Rpc;
use super::calls::{Asked, Scratch};
use super::dispatch::Step;
use super::errors::Error;
use super::estimate;
use super::framing::{Answer, Json};
use super::params::Params;
use super::transactions;
use super::types::{BlockId, CallArgs, Hex, TransactionJson};
use super::unsigned::{self, Unsigned};
use super::workers::Lane;
use crate::Envelope;

pub(super) struct Accounts {
    secp256k1: Secp256k1<SignOnly>,
    /// In the order of the configuration, which clients rely on.
    addresses: Vec<Address>,
    keys: BTreeMap<Address, Account>,
}

struct Account {
    key: SecretKey,
    /// The nonce after the last one that was put on the road, if it went well.
    next: Mutex<Option<u64>>,
}

impl Accounts {
    pub(super) fn new(keys: &[SecretKey]) -> Self {
        let secp256k1 = Secp256k1::signing_only();
        let address = |key: &SecretKey| {
            let public = PublicKey::from_secret_key(&secp256k1, key).serialize_uncompressed();
            Address::from_raw_public_key(&public[1..])
        };
        let addresses: Vec<Address> = keys.iter().map(address).collect();
        let account = |key: &SecretKey| Account { key: *key, next: Mutex::new(None) };
        let keys = addresses.iter().copied().zip(keys.iter().map(account)).collect();
        Self { secp256k1, addresses, keys }
    }

    /// Whether the node signs for an account.
    pub(super) fn check(&self, address: Address) -> Result<(), Error> {
        self.account(address).map(drop)
    }

    fn account(&self, address: Address) -> Result<&Account, Error> {
        self.keys.get(&address).ok_or_else(|| Error::server("unknown account"))
    }

    pub(super) fn sign(&self, address: Address, hash: B256) -> Result<Signature, Error> {
        let key = &self.account(address)?.key;
        let signed = self.secp256k1.sign_ecdsa_recoverable(Message::from_digest(hash.0), key);
        let (id, compact) = signed.serialize_compact();
        Ok(Signature::from_bytes_and_parity(&compact, i32::from(id) & 1 == 1))
    }
}

pub(super) fn list(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&rpc.accounts.addresses)
}

pub(super) fn send(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let args: CallArgs = params.required()?;
    rpc.accounts.account(args.sender())?;
    args.check(rpc.ethereum.chain_id())?;
    let rpc = rpc.clone();
    Step::wait(async move { send_one(&rpc, args).await })
}

async fn send_one(rpc: &Arc<Rpc>, mut args: CallArgs) -> Answer {
    let account = rpc.accounts.account(args.sender())?;
    args.gas = Some(Hex(gas(rpc, &args).await?));
    let mut next = account.next.lock().await;
    let known = rpc.latest().account(args.sender())?.map_or(0, |account| account.nonce);
    let expected = next.unwrap_or(0).max(known);
    let nonce = args.nonce.map_or(expected, |nonce| nonce.0);
    args.nonce = Some(Hex(nonce));
    let envelope = sign(rpc, fill(rpc, &args)?, args.sender())?;
    let (hash, work) = transactions::admit(rpc, &envelope.encoded_2718())?;
    let mut sent = pin!(transactions::submit(rpc.clone(), hash, work));
    // On the road before the next call of this account picks its nonce.
    let first = poll_fn(|context| Poll::Ready(sent.as_mut().poll(context))).await;
    // One that leaves a gap waits, and so would all after it.
    if nonce == expected {
        *next = Some(nonce + 1);
    }
    drop(next);
    let answer = match first {
        Poll::Ready(answer) => answer,
        Poll::Pending => sent.await,
    };
    if answer.is_err() {
        // Its nonce is free again, as far as is known: start over from what is committed.
        *account.next.lock().await = None;
    }
    answer
}

/// The gas that the call asks for, or what it is estimated to need.
async fn gas(rpc: &Arc<Rpc>, args: &CallArgs) -> Result<u64, Error> {
    if let Some(Hex(gas)) = args.gas {
        return Ok(gas);
    }
    let (view, context) = super::calls::ground(rpc, BlockId::Head)?;
    let (state, block) = Default::default();
    let asked = Asked { args: args.clone(), view, context, state, block }.in_next_block()?;
    let cap = rpc.ethereum.config().call_gas_cap;
    rpc.workers.of(Lane::Calls).run(move || estimate::search(&asked, cap)).await?
}

/// Fills in what a transaction needs and its sender did not say. Gas and nonce are there already.
fn fill(rpc: &Rpc, args: &CallArgs) -> Result<Unsigned, Error> {
    let view = rpc.latest();
    let context = view.next_context(0)?;
    let (spec, base_fee) = (context.spec, u128::from(context.block.basefee));
    let mut call = Scratch::new(&view, context).transaction(args, args.gas.unwrap_or_default().0)?;
    if args.gas_price.is_some() || !spec.is_enabled_in(SpecId::LONDON) {
        call.gas_priority_fee = None;
    } else {
        let tip = args.max_priority_fee_per_gas.map_or(0, |tip| tip.0);
        // Twice the base fee: enough for several full blocks to come between.
        let most = args.max_fee_per_gas.map_or_else(|| base_fee.saturating_mul(2).saturating_add(tip), |fee| fee.0);
        call.gas_price = most;
        call.gas_priority_fee = Some(tip);
        call.tx_type = call.tx_type.max(2);
    }
    Ok(unsigned::transaction(&call, args.authorizations()))
}

fn sign(rpc: &Rpc, unsigned: Unsigned, sender: Address) -> Result<Envelope, Error> {
    let signature = rpc.accounts.sign(sender, unsigned.signature_hash())?;
    Ok(Envelope::new_unhashed(unsigned, signature))
}

#[derive(Serialize)]
struct Made<'a> {
    raw: Bytes,
    tx: TransactionJson<'a>,
}

fn made(envelope: &Envelope, sender: Address) -> Answer {
    let raw = envelope.encoded_2718().into();
    let tx = TransactionJson::new(envelope, *envelope.tx_hash(), sender, None);
    Json::of(&Made { raw, tx })
}

/// Signs and does not send.
pub(super) fn sign_transaction(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let args: CallArgs = params.required()?;
    rpc.accounts.account(args.sender())?;
    args.check(rpc.ethereum.chain_id())?;
    let rpc = rpc.clone();
    Step::wait(async move {
        let args = with_gas_and_nonce(&rpc, args).await?;
        made(&sign(&rpc, fill(&rpc, &args)?, args.sender())?, args.sender())
    })
}

/// Fills in and does not sign: any account may be asked for.
pub(super) fn fill_transaction(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let args: CallArgs = params.required()?;
    args.check(rpc.ethereum.chain_id())?;
    let rpc = rpc.clone();
    Step::wait(async move {
        let args = with_gas_and_nonce(&rpc, args).await?;
        let nobody = Signature::new(U256::ZERO, U256::ZERO, false);
        made(&Envelope::new_unhashed(fill(&rpc, &args)?, nobody), args.sender())
    })
}

async fn with_gas_and_nonce(rpc: &Arc<Rpc>, mut args: CallArgs) -> Result<CallArgs, Error> {
    args.gas = Some(Hex(gas(rpc, &args).await?));
    let known = rpc.latest().account(args.sender())?.map_or(0, |account| account.nonce);
    args.nonce.get_or_insert(Hex(known));
    Ok(args)
}
