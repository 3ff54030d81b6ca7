//! Keys and signed transactions.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use ethereum::Envelope;
use secp256k1::{Message, Secp256k1, SecretKey};

pub const CHAIN_ID: u64 = 1_337;

/// A ledger with every fork from the start and some rich accounts; the system contracts are where they must be.
pub fn genesis(rich: impl IntoIterator<Item = Address>, gas_limit: u64) -> String {
    let code = |address: Address, code: &Bytes| {
        format!("\"{address}\": {{\"balance\": \"0x0\", \"nonce\": \"0x1\", \"code\": \"{code}\"}}")
    };
    let mut alloc = vec![
        code(alloy_eips::eip4788::BEACON_ROOTS_ADDRESS, &alloy_eips::eip4788::BEACON_ROOTS_CODE),
        code(alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS, &alloy_eips::eip2935::HISTORY_STORAGE_CODE),
        code(
            alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
            &alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE,
        ),
        code(
            alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            &alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE,
        ),
    ];
    alloc.extend(rich.into_iter().map(|address| format!("\"{address}\": {{\"balance\": \"0x21e19e0c9bab2400000\"}}")));
    let forks = super::forks("Osaka", CHAIN_ID);
    format!(
        "{{\"config\": {{{forks}}}, \"gasLimit\": {gas_limit}, \"baseFeePerGas\": 0, \"alloc\": {{{}}}}}",
        alloc.join(", ")
    )
}

#[derive(Clone)]
pub struct Wallet {
    key: SecretKey,
    pub address: Address,
    pub nonce: u64,
}

impl Wallet {
    pub fn new(number: u64) -> Self {
        let mut bytes = [1; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        let key = SecretKey::from_byte_array(bytes).unwrap();
        let public = key.public_key(&Secp256k1::new()).serialize_uncompressed();
        Self { key, address: Address::from_raw_public_key(&public[1..]), nonce: 0 }
    }

    fn signature(&self, hash: B256) -> Signature {
        let signed = Secp256k1::new().sign_ecdsa_recoverable(Message::from_digest(hash.0), &self.key);
        let (id, compact) = signed.serialize_compact();
        let (r, s) = (U256::from_be_slice(&compact[..32]), U256::from_be_slice(&compact[32..]));
        Signature::new(r, s, i32::from(id) == 1)
    }

    fn sign<T: SignableTransaction<Signature>>(&self, transaction: T) -> Bytes
    where
        Envelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = self.signature(transaction.signature_hash());
        Envelope::from(transaction.into_signed(signature)).encoded_2718().into()
    }

    /// The next transaction of this wallet, of type 2.
    pub fn next(&mut self, to: TxKind, value: u64, input: Bytes, gas_limit: u64) -> Bytes {
        let raw = self.at(self.nonce, to, value, input, gas_limit);
        self.nonce += 1;
        raw
    }

    pub fn at(&self, nonce: u64, to: TxKind, value: u64, input: Bytes, gas_limit: u64) -> Bytes {
        self.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit,
            to,
            value: U256::from(value),
            input,
            ..Default::default()
        })
    }

    pub fn transfer(&mut self, to: Address, value: u64) -> Bytes {
        self.next(TxKind::Call(to), value, Bytes::new(), 21_000)
    }

    /// A transaction by which this wallet delegates itself: it takes two nonces.
    pub fn delegate(&mut self, to: Address) -> Bytes {
        let nonce = self.nonce;
        self.nonce += 2;
        let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: to, nonce: nonce + 1 };
        let signature = self.signature(authorization.signature_hash());
        self.sign(TxEip7702 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 100_000,
            to,
            authorization_list: vec![authorization.into_signed(signature)],
            ..Default::default()
        })
    }

    /// A legacy transaction, with or without a chain id.
    pub fn legacy(&mut self, chain_id: Option<u64>, to: Address, gas_price: u128) -> Bytes {
        let nonce = self.nonce;
        self.nonce += 1;
        self.sign(TxLegacy {
            chain_id,
            nonce,
            gas_price,
            gas_limit: 21_000,
            to: TxKind::Call(to),
            value: U256::ONE,
            input: Bytes::new(),
        })
    }
}
