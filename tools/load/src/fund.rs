//! Getting accounts ready: nonces, money, tokens.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::lanes::Sender;
use crate::token::{self, DEPLOY_TOKEN_GAS, TRANSFER_TOKEN_GAS};
use crate::transaction::{Signed, Signer};
use crate::{Account, Error, Rpc};

/// Calls in one request.
const BATCH: usize = 100;
const POLL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// What an account with less than half of it is given: 1 ETH.
const ALLOWANCE: u128 = 1_000_000_000_000_000_000;
/// What each account is given of a token: more than any run sends.
const TOKENS: u128 = 1_000_000_000_000;

/// The accounts with their next nonces.
pub async fn senders(rpc: &mut Rpc, accounts: &[Account]) -> Result<Vec<Sender>, Error> {
    let nonces: Vec<U64> = ask(rpc, "eth_getTransactionCount", accounts).await?;
    Ok(accounts.iter().cloned().zip(nonces).map(|(account, nonce)| Sender { account, nonce: nonce.to() }).collect())
}

/// Sees to it that every account can pay.
pub async fn fund(rpc: &mut Rpc, signer: &Signer, funder: &mut Sender, accounts: &[Account]) -> Result<(), Error> {
    let balances: Vec<U256> = ask(rpc, "eth_getBalance", accounts).await?;
    let poor = accounts.iter().zip(balances).filter(|(_, balance)| *balance < U256::from(ALLOWANCE / 2));
    let transfers: Vec<Signed> = poor
        .map(|(account, _)| {
            funder.nonce += 1;
            signer.transfer(&funder.account, funder.nonce - 1, account.address(), U256::from(ALLOWANCE))
        })
        .collect();
    in_order(rpc, &transfers).await
}

/// Puts up a token and gives every account some of it.
pub async fn make_token(
    rpc: &mut Rpc,
    signer: &Signer,
    owner: &mut Sender,
    accounts: &[Account],
) -> Result<Address, Error> {
    let contract = owner.account.address().create(owner.nonce);
    let mut call = |to, gas, input: Vec<u8>| {
        owner.nonce += 1;
        signer.sign(&owner.account, owner.nonce - 1, to, U256::ZERO, gas, Bytes::from(input))
    };
    let mut transactions = vec![call(TxKind::Create, DEPLOY_TOKEN_GAS, token::creation_code())];
    transactions.extend(accounts.iter().map(|account| {
        let input = token::transfer_input(account.address(), U256::from(TOKENS));
        call(TxKind::Call(contract), TRANSFER_TOKEN_GAS, input)
    }));
    in_order(rpc, &transactions).await?;
    Ok(contract)
}

/// One answer for each account, as of now.
async fn ask<T: serde::de::DeserializeOwned>(
    rpc: &mut Rpc,
    method: &str,
    accounts: &[Account],
) -> Result<Vec<T>, Error> {
    let mut answers = Vec::with_capacity(accounts.len());
    for accounts in accounts.chunks(BATCH) {
        let params = accounts.iter().map(|account| (account.address(), "latest"));
        for answer in rpc.batch::<T>(method, params).await? {
            answers.push(answer.map_err(|refusal| refused(rpc, method, refusal))?);
        }
    }
    Ok(answers)
}

#[derive(Deserialize)]
struct Receipt {
    status: U64,
}

/// Sends transactions of one sender, and waits until the last is done. A sender's transactions are done in order.
async fn in_order(rpc: &mut Rpc, transactions: &[Signed]) -> Result<(), Error> {
    for chunk in transactions.chunks(BATCH) {
        let raws: Vec<&[u8]> = chunk.iter().map(|signed| &*signed.raw).collect();
        for answer in rpc.send(&raws).await? {
            answer.map_err(|refusal| refused(rpc, "a transaction that prepares the load", refusal))?;
        }
    }
    match transactions.last() {
        Some(last) => done(rpc, last.hash).await,
        None => Ok(()),
    }
}

async fn done(rpc: &mut Rpc, hash: B256) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        match rpc.call::<Option<Receipt>>("eth_getTransactionReceipt", [hash]).await? {
            Some(receipt) if receipt.status == U64::from(1) => return Ok(()),
            Some(_) => return Err(Error::Load(format!("transaction {hash}, which prepares the load, failed"))),
            None if begun.elapsed() > PATIENCE => {
                return Err(Error::Load(format!("transaction {hash}, which prepares the load, got no receipt")));
            }
            None => sleep(POLL).await,
        }
    }
}

fn refused(rpc: &Rpc, what: &str, refusal: crate::Refusal) -> Error {
    Error::Refused { at: rpc.endpoint().to_string(), what: what.into(), refusal }
}
