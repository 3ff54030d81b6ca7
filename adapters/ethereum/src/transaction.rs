//! Transactions as they arrive: bytes in, a checked form and a sender out.
//!
//! Only one encoding of a transaction is accepted, so that its hash names it. A price of 2^128 wei or more for a unit of
//! gas is refused as unreadable: nobody could pay it. Signatures are recovered with libsecp256k1,
//! which takes a fifth of the time of a pure-Rust curve.

use std::sync::LazyLock;

use alloy_consensus::{EthereumTxEnvelope, Transaction as _, TxEip4844, TxEip4844Variant, TxEip4844WithSidecar};
use alloy_eips::eip2718::{Decodable2718, Encodable2718, Typed2718};
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{Address, B256, Bytes, Signature, keccak256};
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::context_interface::transaction::{RecoveredAuthority, RecoveredAuthorization, SignedAuthorization};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly};

/// A signed transaction, without the blobs that may have come with it.
pub type Envelope = EthereumTxEnvelope<TxEip4844>;

/// Bytes of one submitted transaction, without blobs. Geth's pool refuses larger ones too.
pub const TRANSACTION_BYTES_MAX: usize = 128 << 10;

/// Bytes of one submitted transaction with blobs: as many as a transaction may carry, with commitments and cell proofs.
pub const BLOB_TRANSACTION_BYTES_MAX: usize = TRANSACTION_BYTES_MAX + 9 * (131_072 + 128 * 48 + 1_024);

const BLOB_TYPE: u8 = 3;

/// Why bytes are no transaction. The texts are geth's where it has one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransactionError {
    #[error("empty transaction: send the signed transaction as RLP or as a typed envelope")]
    Empty,
    #[error("oversized data: transaction size {size}, limit {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error("transaction type not supported")]
    Type,
    #[error("the transaction cannot be decoded: {0}")]
    Encoding(String),
    #[error("invalid sender: the signature is not one of secp256k1")]
    Signature,
    #[error("nonce has max value: no transaction may follow it (EIP-2681)")]
    Nonce,
    #[error("invalid sender: s is in the upper half of its range (EIP-2)")]
    HighS,
    #[error("the blobs of the transaction do not belong to it: {0}")]
    Sidecar(&'static str),
}

/// Reads one transaction from outside: all bytes, in the one right form. Blobs are checked against the transaction and
/// left behind.
pub fn decode(raw: &[u8]) -> Result<Envelope, TransactionError> {
    let first = *raw.first().ok_or(TransactionError::Empty)?;
    let limit = if first == BLOB_TYPE { BLOB_TRANSACTION_BYTES_MAX } else { TRANSACTION_BYTES_MAX };
    if raw.len() > limit {
        return Err(TransactionError::TooLarge { size: raw.len(), limit });
    }
    if first == BLOB_TYPE { decode_with_blobs(raw) } else { decode_in_block(raw) }
}

/// Reads a transaction that was found canonical before.
pub(crate) fn read(raw: &[u8]) -> Result<Envelope, TransactionError> {
    Envelope::decode_2718_exact(raw).map_err(|error| TransactionError::Encoding(error.to_string()))
}

/// Reads one transaction as it stands in a block.
pub fn decode_in_block(raw: &[u8]) -> Result<Envelope, TransactionError> {
    // A type is a byte below 0x80; what is between there and a list's first byte is neither.
    match raw.first() {
        None => return Err(TransactionError::Empty),
        Some(0 | 5..=0xbf) => return Err(TransactionError::Type),
        Some(_) => {}
    }
    let envelope = read(raw)?;
    if envelope.encoded_2718() != raw {
        return Err(TransactionError::Encoding("it is not in canonical form".into()));
    }
    if envelope.nonce() == u64::MAX {
        return Err(TransactionError::Nonce);
    }
    Ok(envelope)
}

fn decode_with_blobs(raw: &[u8]) -> Result<Envelope, TransactionError> {
    type Variants = EthereumTxEnvelope<TxEip4844Variant<BlobTransactionSidecarVariant>>;
    let envelope = Variants::decode_2718_exact(raw).map_err(|error| TransactionError::Encoding(error.to_string()))?;
    if envelope.encoded_2718() != raw {
        return Err(TransactionError::Encoding("it is not in canonical form".into()));
    }
    let EthereumTxEnvelope::Eip4844(signed) = &envelope else { return Err(TransactionError::Type) };
    let TxEip4844Variant::TxEip4844WithSidecar(TxEip4844WithSidecar { sidecar, .. }) = signed.tx() else {
        return Err(TransactionError::Sidecar("missing sidecar in blob transaction"));
    };
    let hashes = envelope.blob_versioned_hashes().unwrap_or_default();
    let (blobs, commitments, proofs, proofs_wanted) = match sidecar {
        BlobTransactionSidecarVariant::Eip4844(bare) => {
            (bare.blobs.len(), &bare.commitments, bare.proofs.len(), hashes.len())
        }
        BlobTransactionSidecarVariant::Eip7594(cells) => {
            (cells.blobs.len(), &cells.commitments, cells.cell_proofs.len(), hashes.len() * 128)
        }
    };
    if blobs != hashes.len() || commitments.len() != hashes.len() || proofs != proofs_wanted {
        return Err(TransactionError::Sidecar("there must be a blob, a commitment and its proofs for each hash"));
    }
    let named = commitments.iter().map(|commitment| alloy_eips::eip4844::kzg_to_versioned_hash(commitment.as_slice()));
    if !named.eq(hashes.iter().copied()) {
        return Err(TransactionError::Sidecar("a commitment does not have the hash that the transaction names"));
    }
    Ok(envelope.into())
}

/// Who signed. `low_s`: refuse the second of the two forms a signature has (EIP-2, from Homestead on).
pub fn sender(envelope: &Envelope, low_s: bool) -> Result<Address, TransactionError> {
    let signature = envelope.signature();
    if low_s && signature.normalize_s().is_some() {
        return Err(TransactionError::HighS);
    }
    recover(signature, envelope.signature_hash()).ok_or(TransactionError::Signature)
}

/// The address whose key made `signature` over `hash`.
pub fn recover(signature: &Signature, hash: B256) -> Option<Address> {
    static SECP256K1: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let id = RecoveryId::try_from(i32::from(signature.v())).ok()?;
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
    compact[32..].copy_from_slice(&signature.s().to_be_bytes::<32>());
    let signature = RecoverableSignature::from_compact(&compact, id).ok()?;
    let key = SECP256K1.recover_ecdsa(Message::from_digest(hash.0), &signature).ok()?;
    Some(Address::from_raw_public_key(&key.serialize_uncompressed()[1..]))
}

/// The transaction as the EVM wants it.
pub fn tx_env(envelope: &Envelope, sender: Address) -> TxEnv {
    env(envelope, sender, |signed| Either::Right(authority(signed)))
}

/// The same, but for who signed its authorizations: enough to see whether it could run. There can be more than a thousand
/// signatures, to be looked at when they are paid for.
pub(crate) fn unread_env(envelope: &Envelope, sender: Address) -> TxEnv {
    env(envelope, sender, |signed| Either::Left(signed.clone()))
}

type Authorization = Either<SignedAuthorization, RecoveredAuthorization>;

fn env(envelope: &Envelope, sender: Address, authorization: impl Fn(&SignedAuthorization) -> Authorization) -> TxEnv {
    let dynamic = envelope.is_dynamic_fee();
    TxEnv {
        tx_type: envelope.ty(),
        caller: sender,
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: if dynamic { envelope.max_priority_fee_per_gas() } else { None },
        blob_hashes: envelope.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: envelope.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: envelope.authorization_list().unwrap_or_default().iter().map(authorization).collect(),
    }
}

/// An EIP-7702 authorization with the account that signed it, if one did.
pub fn authority(signed: &SignedAuthorization) -> RecoveredAuthorization {
    let signature = signed.signature().ok().filter(|signature| signature.normalize_s().is_none());
    let address = signature.and_then(|signature| recover(&signature, signed.signature_hash()));
    let authority = address.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
    RecoveredAuthorization::new_unchecked(signed.inner().clone(), authority)
}

/// The canonical bytes, and the hash that names them.
pub(crate) fn encoded(envelope: &Envelope) -> (Bytes, B256) {
    let raw = envelope.encoded_2718();
    let hash = keccak256(&raw);
    (raw.into(), hash)
}
