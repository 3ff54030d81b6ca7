//! Accounts whose keys anyone can derive: for load, never for value.

use alloy_primitives::{Address, B256, Signature, keccak256};
use rayon::prelude::*;
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use std::sync::LazyLock;

static CURVE: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// A key and its address.
#[derive(Clone)]
pub struct Account {
    key: SecretKey,
    address: Address,
}

impl Account {
    /// `None` if these 32 bytes are no key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Option<Self> {
        let key = SecretKey::from_byte_array(key).ok()?;
        let public = PublicKey::from_secret_key(&CURVE, &key).serialize_uncompressed();
        Some(Self { key, address: Address::from_raw_public_key(&public[1..]) })
    }

    /// From hexadecimal text, as tools print keys.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::new(const_hex::decode_to_array(key).ok()?)
    }

    /// The same accounts for the same purpose every time.
    pub fn derived(purpose: &str, count: usize) -> Vec<Self> {
        (0..count)
            .into_par_iter()
            // A digest that is no key is as likely as a collision; it is passed over all the same.
            .map(|i| (0..).find_map(|again| Self::new(keccak256(name(purpose, i, again)).0)))
            .flatten()
            .collect()
    }

    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    pub(crate) fn sign(&self, digest: B256) -> Signature {
        let signed = CURVE.sign_ecdsa_recoverable(Message::from_digest(digest.0), &self.key);
        let (recovery, bytes) = signed.serialize_compact();
        // The library gives the lower of the two values of s, as Ethereum wants it.
        Signature::from_bytes_and_parity(&bytes, i32::from(recovery) & 1 == 1)
    }
}

fn name(purpose: &str, i: usize, again: u64) -> String {
    if again == 0 { format!("{purpose} {i}") } else { format!("{purpose} {i} {again}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_account_of_every_development_tool_has_its_address() {
        let account = Account::parse("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
        assert_eq!(account.address().to_checksum(None), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert!(Account::parse("0x00").is_none());
        assert!(Account::new([0; 32]).is_none());
    }

    #[test]
    fn derived_accounts_are_the_same_every_time() {
        let addresses = |n| Account::derived("test", n).iter().map(Account::address).collect::<Vec<_>>();
        assert_eq!(addresses(5)[..3], addresses(3));
        assert_ne!(Account::derived("test", 1)[0].address(), Account::derived("other", 1)[0].address());
    }
}
