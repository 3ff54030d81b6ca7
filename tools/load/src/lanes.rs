//! What will be sent, signed before the clock starts.

use alloy_primitives::{Address, Bytes, TxKind, U256};
use rayon::prelude::*;

use crate::token::{self, TRANSFER_TOKEN_GAS};
use crate::transaction::{Signed, Signer};
use crate::{Account, Error, Fees, Kind, Rpc};

/// An account and the nonce that is next.
pub struct Sender {
    pub account: Account,
    pub nonce: u64,
}

/// What each transaction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// One wei to another of the accounts.
    Transfer,
    /// One unit of a token to another of the accounts.
    Token { contract: Address },
}

/// What one connection sends, in this order.
#[derive(Default)]
pub struct Lane {
    pub transactions: Vec<Signed>,
}

impl Signer {
    /// Fees that the node at hand takes: twice the base fee leaves room for it to rise.
    pub async fn suited(rpc: &mut Rpc) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Block {
            base_fee_per_gas: Option<U256>,
        }
        let chain_id: U256 = rpc.call("eth_chainId", [(); 0]).await?;
        let block: Block = rpc.call("eth_getBlockByNumber", ("latest", false)).await?;
        let max = block.base_fee_per_gas.unwrap_or_default().saturating_mul(U256::from(2)).saturating_to();
        let kind = if block.base_fee_per_gas.is_some() { Kind::Eip1559 } else { Kind::Legacy };
        Ok(Self { chain_id: chain_id.saturating_to(), fees: Fees { max, tip: 0 }, kind })
    }
}

/// Signs `count` transactions for `lanes` connections on all cores. Each sender belongs to one lane; its nonce moves on.
pub fn sign(workload: Workload, signer: &Signer, senders: &mut [Sender], lanes: usize, count: usize) -> Vec<Lane> {
    let addresses: Vec<Address> = senders.iter().map(|sender| sender.account.address()).collect();
    let lanes = lanes.clamp(1, senders.len().max(1));
    let mut owned: Vec<Vec<&mut Sender>> = (0..lanes).map(|_| Vec::new()).collect();
    for (i, sender) in senders.iter_mut().enumerate() {
        owned[i % lanes].push(sender);
    }
    let sign_lane = |(lane, mut senders): (usize, Vec<&mut Sender>)| {
        let transactions = (0..count / lanes + usize::from(lane < count % lanes)).map(|i| {
            let round = senders.len();
            let to = receiver(&addresses, i * lanes + lane);
            one(workload, signer, senders[i % round], to)
        });
        Lane { transactions: transactions.collect() }
    };
    owned.into_par_iter().enumerate().filter(|(_, senders)| !senders.is_empty()).map(sign_lane).collect()
}

fn one(workload: Workload, signer: &Signer, sender: &mut Sender, to: Address) -> Signed {
    let nonce = sender.nonce;
    sender.nonce += 1;
    match workload {
        Workload::Transfer => signer.transfer(&sender.account, nonce, to, U256::ONE),
        Workload::Token { contract } => {
            let input = Bytes::from(token::transfer_input(to, U256::ONE));
            signer.sign(&sender.account, nonce, TxKind::Call(contract), U256::ZERO, TRANSFER_TOKEN_GAS, input)
        }
    }
}

/// Spreads receivers evenly and without a pattern that a cache could like (multiplication by the golden ratio).
fn receiver(addresses: &[Address], i: usize) -> Address {
    let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    addresses[(mixed % addresses.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_consensus::{Transaction as _, TxEnvelope};
    use alloy_eips::eip2718::Decodable2718;

    use super::*;

    #[test]
    fn each_sender_stays_in_one_lane_and_its_nonces_are_in_order() {
        let accounts = Account::derived("test", 7);
        let mut senders: Vec<Sender> = accounts.into_iter().map(|account| Sender { account, nonce: 40 }).collect();
        let signer = Signer { chain_id: 1, fees: Fees::default(), kind: Kind::Eip1559 };
        let lanes = sign(Workload::Transfer, &signer, &mut senders, 3, 50);
        assert_eq!(lanes.iter().map(|lane| lane.transactions.len()).collect::<Vec<_>>(), [17, 17, 16]);
        let mut next: BTreeMap<Address, (usize, u64)> = BTreeMap::new();
        for (number, lane) in lanes.iter().enumerate() {
            for signed in &lane.transactions {
                let transaction = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
                let sender = transaction.recover_signer().unwrap();
                let (lane, nonce) = next.entry(sender).or_insert((number, 40));
                assert_eq!((*lane, *nonce), (number, transaction.nonce()));
                *nonce += 1;
            }
        }
        for sender in &senders {
            assert_eq!(next[&sender.account.address()].1, sender.nonce);
        }
    }

    #[test]
    fn more_lanes_than_senders_are_not_opened_and_receivers_vary() {
        let mut senders: Vec<Sender> =
            Account::derived("test", 2).into_iter().map(|account| Sender { account, nonce: 0 }).collect();
        let signer = Signer { chain_id: 1, fees: Fees::default(), kind: Kind::Legacy };
        assert_eq!(sign(Workload::Transfer, &signer, &mut senders, 9, 4).len(), 2);
        assert!(sign(Workload::Transfer, &signer, &mut [], 9, 4).is_empty());
        let addresses: Vec<Address> = (0..50).map(Address::repeat_byte).collect();
        let receivers: HashSet<Address> = (0..500).map(|i| receiver(&addresses, i)).collect();
        assert_eq!(receivers.len(), 50);
    }
}
