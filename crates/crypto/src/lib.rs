//! Every cryptographic primitive that our own formats use, in one place, from one provider (aws-lc-rs).
//!
//! | use | primitive | where |
//! |---|---|---|
//! | digests of entries, leaves, tree nodes, keys and certificates | SHA-256 | [`sha256`], [`Sha256`] |
//! | commit evidence | HMAC-SHA-256 | [`MacKey`] |
//! | private domain of an entry | AES-256-GCM, IV given by the caller | [`SealingKey`] |
//! | small secrets at rest or under another secret | AES-256-GCM, random IV, `tag ‖ IV ‖ ciphertext` | [`wrap`], [`unwrap`] |
//! | service, node and member keys | ECDSA on P-384 | [`KeyPair`], [`PublicKey`] |
//! | small secrets for the holder of a node's key | HPKE (RFC 9180) on P-384 | [`hpke`] |
//! | recovery shares, and how they go to members | Shamir over 2³¹ − 1, HKDF-SHA-256; RSA-OAEP with SHA-256 | [`shares`], [`oaep`] |
//! | signature of a ledger root by the service | COSE_Sign1, ES384 | [`cose`] |
//! | signature of a ledger root by a node | ECDSA P-384 over a SHA-256 digest, DER | [`KeyPair::sign_digest`] |
//! | certificates of service, nodes and members | X.509, ECDSA P-384 with SHA-384 | [`certificate`] |
//! | signatures by members' own keys, and what a constitution verifies | ECDSA on three curves, RSA, Ed25519 | [`ForeignKey`] |
//! | signatures with members' own keys | ECDSA on three curves | [`SigningKey`] |
//! | certificates that others issued, and chains of them | X.509 | [`bundle`], [`chain`] |
//! | secrets and identifiers | the provider's generator | [`Secret::random`], [`random`] |
//!
//! What a foreign protocol signs or hashes with (secp256k1, keccak) belongs to its adapter, and TLS to `rustls`.
//! Nothing that holds a secret implements `Debug`.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod certificate;
pub mod chain;
pub mod cose;
mod der;
mod error;
pub mod foreign_key;
mod hash;
pub mod hpke;
mod key;
pub mod oaep;
mod pem;
mod seal;
mod secret;
pub mod shares;
mod signing_key;

pub use bundle::ForeignCertificate;
pub use certificate::Certificate;
pub use error::Error;
pub use foreign_key::ForeignKey;
pub use hash::{MacKey, Sha256, sha256, sha256_pair};
pub use key::{KeyPair, PublicKey};
pub use seal::{IV_BYTES, SealingKey, TAG_BYTES};
pub use secret::{Secret, random, unwrap, wrap};
pub use signing_key::SigningKey;
