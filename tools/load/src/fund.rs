//! Getting accounts ready: nonces, money, contracts, tokens.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::contracts::{self, Contract, Function, Word, number};
use crate::pace::Pace;
use crate::supply::{AHEAD, Amount, Supply};
use crate::transaction::{Signed, Signer};
use crate::workload::{Plan, Sender, Workload};
use crate::{Account, Endpoint, Error, Rpc, run};

/// Questions in one request.
const QUESTIONS: usize = 500;
/// Accounts that one transaction gives something to; what that takes stays below 2^24 gas, which a transaction may use.
const RECEIVERS: usize = 250;
/// Such transactions in one request.
const GIFTS: usize = 8;
const POLL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// What an account with less than half of it is given: 1 ETH, or less if the funder has not that much for all.
const ALLOWANCE: u128 = 1_000_000_000_000_000_000;
/// What each account is given of a token: more than any run sends.
const TOKENS: u128 = 1_000_000_000_000_000;
/// What a pair holds of each of its tokens.
const LIQUIDITY: u128 = 1_000_000_000_000_000_000_000_000;
/// Of each token there is enough for ten million accounts and a pair.
const SUPPLY: u128 = LIQUIDITY + 10_000_000 * TOKENS;

/// Hears what is being done, and how many of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, usize, usize);

/// The accounts with their next nonces.
pub async fn senders(rpc: &mut Rpc, accounts: &[Account]) -> Result<Vec<Sender>, Error> {
    let nonces: Vec<U64> = ask(rpc, "eth_getTransactionCount", accounts, &mut |_, _, _| {}).await?;
    Ok(accounts.iter().cloned().zip(nonces).map(|(account, nonce)| Sender { account, nonce: nonce.to() }).collect())
}

/// Sees to it that every account can pay.
pub async fn fund(rpc: &mut Rpc, signer: &Signer, funder: &mut Sender, accounts: &[Account]) -> Result<(), Error> {
    Preparing { rpc, signer: *signer, funder, progress: &mut |_, _, _| {} }.fund(accounts).await
}

/// Everything that a load stands on, made and paid for by one account.
pub struct Preparing<'a> {
    pub rpc: &'a mut Rpc,
    pub signer: Signer,
    pub funder: &'a mut Sender,
    pub progress: Progress<'a>,
}

impl Preparing<'_> {
    /// Sees to it that every account can pay.
    pub async fn fund(&mut self, accounts: &[Account]) -> Result<(), Error> {
        let own: U256 = self.rpc.call("eth_getBalance", (self.funder.account.address(), "latest")).await?;
        // Some is left for gas, and for others.
        let affordable: u128 = (own / U256::from(accounts.len().max(1) * 10 / 9 + 1)).saturating_to();
        let share = ALLOWANCE.min(affordable);
        let balances: Vec<U256> = ask(self.rpc, "eth_getBalance", accounts, self.progress).await?;
        let poor = accounts.iter().zip(balances).filter(|(_, balance)| *balance < U256::from(share / 2).max(U256::ONE));
        let poor: Vec<Address> = poor.map(|(account, _)| account.address()).collect();
        if poor.is_empty() {
            return Ok(());
        }
        if share == 0 {
            let who = self.funder.account.address();
            return Err(Error::Load(format!("{who} has no money to give to the accounts: name another with its key")));
        }
        let distributor = self.create(&contracts::DISTRIBUTOR, &[]).await?;
        self.give("accounts funded", &poor, |some| Gift {
            to: distributor,
            function: &contracts::DISTRIBUTE,
            arguments: contracts::distribution(some),
            value: share * some.len() as u128,
        })
        .await
    }

    /// Puts up a token and gives every account some of it.
    pub async fn token(&mut self, accounts: &[Account]) -> Result<Address, Error> {
        let token = self.create(&contracts::TOKEN, &contracts::token_arguments("Benchmark", "BENCH", SUPPLY)).await?;
        let distributor = self.create(&contracts::DISTRIBUTOR, &[]).await?;
        self.call(token, &contracts::APPROVE, &[distributor.into_word(), B256::repeat_byte(0xff)]).await?;
        let all: Vec<Address> = accounts.iter().map(Account::address).collect();
        self.give("accounts given tokens", &all, |some| Gift {
            to: distributor,
            function: &contracts::GIVE,
            arguments: contracts::gift(token, some, TOKENS),
            value: 0,
        })
        .await?;
        Ok(token)
    }

    /// Puts up a pair of two tokens, with so much of both that no run changes their price much, and lets it take the tokens
    /// of every account. `nodes` and `lanes` say where and over how many connections the accounts' own part is sent.
    pub async fn pair(
        &mut self,
        accounts: &[Account],
        senders: Vec<Sender>,
        nodes: &[Endpoint],
        lanes: usize,
    ) -> Result<(Address, Vec<Sender>), Error> {
        let mut senders = senders;
        let tokens = [self.token(accounts).await?, self.token(accounts).await?];
        let pair = self.create(&contracts::PAIR, &tokens.map(|token| token.into_word())).await?;
        for token in tokens {
            self.call(token, &contracts::APPROVE, &[pair.into_word(), B256::repeat_byte(0xff)]).await?;
        }
        self.call(pair, &contracts::PROVIDE, &[number(LIQUIDITY), number(LIQUIDITY)]).await?;
        let addresses = Arc::new(accounts.iter().map(Account::address).collect::<Vec<_>>());
        for token in tokens {
            let workload = Workload::Approve { token, spender: pair };
            let plan = Plan { workload, signer: self.signer, addresses: addresses.clone() };
            let total = senders.len();
            // The accounts of one lane take turns, so as many transactions as accounts are one of each.
            let pace = Pace { batch: 50, rate: None, length: None };
            let amount = Amount { batch: pace.batch, expected: total, ahead: AHEAD, total: Some(total) };
            let (supply, mut feeds) = Supply::begin(plan, senders, lanes, amount).await?;
            let progress = |done| (self.progress)("accounts ready to swap", done as usize, total);
            let measured = run(nodes, &mut feeds, pace, progress).await?;
            if measured.failed > 0 {
                return Err(Error::Load(format!("{} accounts could not get ready to swap", measured.failed)));
            }
            senders = supply.end(feeds).await?;
        }
        Ok((pair, senders))
    }

    pub async fn purchase_orders(&mut self) -> Result<Address, Error> {
        self.create(&contracts::PURCHASE_ORDERS, &[]).await
    }

    async fn create(&mut self, contract: &Contract, arguments: &[Word]) -> Result<Address, Error> {
        let address = self.funder.account.address().create(self.funder.nonce);
        let transaction = self.sign(TxKind::Create, contract.creation_gas, contract.creation(arguments), 0);
        self.in_order(&[transaction]).await?;
        Ok(address)
    }

    async fn call(&mut self, to: Address, function: &Function, arguments: &[Word]) -> Result<(), Error> {
        let transaction = self.sign(TxKind::Call(to), function.gas, function.call(arguments), 0);
        self.in_order(&[transaction]).await
    }

    async fn give(
        &mut self,
        what: &'static str,
        to: &[Address],
        gift: impl Fn(&[Address]) -> Gift,
    ) -> Result<(), Error> {
        let mut done = 0;
        for some in to.chunks(RECEIVERS * GIFTS) {
            let gifts = some.chunks(RECEIVERS).map(|some| {
                let Gift { to, function, arguments, value } = gift(some);
                self.sign(TxKind::Call(to), function.gas, function.call(&arguments), value)
            });
            let gifts: Vec<Signed> = gifts.collect();
            self.in_order(&gifts).await?;
            done += some.len();
            (self.progress)(what, done, to.len());
        }
        Ok(())
    }

    fn sign(&mut self, to: TxKind, gas: u64, input: Bytes, value: u128) -> Signed {
        let Sender { account, nonce } = &mut *self.funder;
        *nonce += 1;
        self.signer.sign(account, *nonce - 1, to, U256::from(value), gas, input)
    }

    /// Sends transactions of the funder, and waits until all are done.
    async fn in_order(&mut self, transactions: &[Signed]) -> Result<(), Error> {
        let raws: Vec<&[u8]> = transactions.iter().map(|signed| &*signed.raw).collect();
        for answer in self.rpc.send(&raws).await? {
            answer.map_err(|refusal| refused(self.rpc, "a transaction that prepares the load", refusal))?;
        }
        for transaction in transactions {
            done(self.rpc, transaction.hash).await?;
        }
        Ok(())
    }
}

/// One transaction of the distributor.
struct Gift {
    to: Address,
    function: &'static Function,
    arguments: Vec<Word>,
    value: u128,
}

/// One answer for each account, as of now.
async fn ask<T: serde::de::DeserializeOwned>(
    rpc: &mut Rpc,
    method: &str,
    accounts: &[Account],
    progress: Progress<'_>,
) -> Result<Vec<T>, Error> {
    let mut answers = Vec::with_capacity(accounts.len());
    for some in accounts.chunks(QUESTIONS) {
        let params = some.iter().map(|account| (account.address(), "latest"));
        for answer in rpc.batch::<T>(method, params).await? {
            answers.push(answer.map_err(|refusal| refused(rpc, method, refusal))?);
        }
        progress("accounts looked up", answers.len(), accounts.len());
    }
    Ok(answers)
}

#[derive(Deserialize)]
struct Receipt {
    status: U64,
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
