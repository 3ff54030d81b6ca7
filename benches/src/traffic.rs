//! Signed transactions.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use secp256k1::{All, Message, Secp256k1, SecretKey};

use crate::contract;

/// Of the default genesis.
const CHAIN_ID: u64 = 1_337;

/// What each transaction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One wei to another account.
    Transfer,
    /// One token to another account.
    Token,
}

/// Accounts, some of which sign.
pub struct Traffic {
    curve: Secp256k1<All>,
    senders: Vec<SecretKey>,
    pub(crate) addresses: Vec<Address>,
    /// Of all senders: each sends one transaction a batch.
    nonce: u64,
    sent: usize,
}

impl Traffic {
    /// So many accounts; so many transactions in a batch, each from another account.
    pub(crate) fn new(accounts: usize, batch: usize) -> Self {
        let curve = Secp256k1::new();
        let key = |number| SecretKey::from_byte_array(keccak256(format!("sender {number}")).0).unwrap();
        let senders: Vec<SecretKey> = (0..batch).map(key).collect();
        let address =
            |key: &SecretKey| Address::from_raw_public_key(&key.public_key(&curve).serialize_uncompressed()[1..]);
        let others = (batch..accounts).map(|number| Address::from_slice(&keccak256(format!("other {number}"))[12..]));
        let addresses = senders.iter().map(address).chain(others).collect();
        Self { curve, senders, addresses, nonce: 0, sent: 0 }
    }

    /// The next batch.
    pub(crate) fn batch(&mut self, kind: Kind) -> Vec<Bytes> {
        let batch = (0..self.senders.len()).map(|sender| self.one(kind, sender, self.sent + sender)).collect();
        self.nonce += 1;
        self.sent += self.senders.len();
        batch
    }

    fn one(&self, kind: Kind, sender: usize, place: usize) -> Bytes {
        let to = self.receiver(sender, place);
        let transaction = TxEip1559 { chain_id: CHAIN_ID, nonce: self.nonce, ..TxEip1559::default() };
        let transaction = match kind {
            Kind::Transfer => TxEip1559 { to: TxKind::Call(to), value: U256::ONE, gas_limit: 21_000, ..transaction },
            Kind::Token => {
                let (to, input) = (TxKind::Call(contract::ADDRESS), contract::transfer(to, U256::ONE));
                TxEip1559 { to, input, gas_limit: contract::GAS, ..transaction }
            }
        };
        let message = Message::from_digest(transaction.signature_hash().0);
        let (id, bytes) = self.curve.sign_ecdsa_recoverable(message, &self.senders[sender]).serialize_compact();
        let signature = Signature::from_bytes_and_parity(&bytes, i32::from(id) == 1);
        transaction.into_signed(signature).encoded_2718().into()
    }

    /// Spread evenly over all other accounts, without a pattern that a cache could like (multiplication by the golden ratio).
    fn receiver(&self, sender: usize, place: usize) -> Address {
        let mixed = (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let others = self.addresses.len() as u64 - 1;
        self.addresses[(sender + 1 + (mixed % others) as usize) % self.addresses.len()]
    }
}
