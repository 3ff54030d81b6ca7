//! An account, and its bytes in a row.
//!
//! ```text
//! first byte   bits 0-3: bytes of the nonce   bit 4: a code hash follows
//! nonce        big-endian, no leading zeros
//! code hash    32 bytes, only if there is code
//! balance      big-endian, no leading zeros, to the end
//! ```

use alloy_primitives::{B256, KECCAK256_EMPTY, U256};

use crate::ReadError;

/// What Ethereum keeps of an account, but for its storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    pub nonce: u64,
    pub balance: U256,
    /// Keccak of the code; of nothing where there is none.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY }
    }
}

const HAS_CODE: u8 = 1 << 4;
const NONCE_BYTES: u8 = 0x0f;

impl Account {
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code_hash != KECCAK256_EMPTY
    }

    /// Whether EIP-161 lets it vanish when touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && !self.has_code()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let nonce = self.nonce.to_be_bytes();
        let nonce = &nonce[self.nonce.leading_zeros() as usize / 8..];
        let balance = self.balance.to_be_bytes_trimmed_vec();
        let mut row = Vec::with_capacity(1 + nonce.len() + 32 + balance.len());
        let length = u8::try_from(nonce.len()).expect("a nonce has at most eight bytes");
        row.push(if self.has_code() { length | HAS_CODE } else { length });
        row.extend_from_slice(nonce);
        if self.has_code() {
            row.extend_from_slice(self.code_hash.as_slice());
        }
        row.extend_from_slice(&balance);
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, ReadError> {
        const CORRUPT: ReadError = ReadError::Corrupt("an account");
        let (first, rest) = row.split_first().ok_or(CORRUPT)?;
        let length = usize::from(first & NONCE_BYTES);
        let (nonce, rest) = rest.split_at_checked(length).filter(|_| length <= 8).ok_or(CORRUPT)?;
        let nonce = nonce.iter().fold(0, |nonce, byte| nonce << 8 | u64::from(*byte));
        let (code_hash, balance) = if first & HAS_CODE == 0 {
            (KECCAK256_EMPTY, rest)
        } else {
            let (hash, rest) = rest.split_first_chunk::<32>().ok_or(CORRUPT)?;
            (B256::from(hash), rest)
        };
        Ok(Self { nonce, balance: U256::try_from_be_slice(balance).ok_or(CORRUPT)?, code_hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_gives_back_the_account(nonce: u64, balance: [u8; 32], code: Option<[u8; 32]>, shift in 0usize..256) {
            let balance = U256::from_be_bytes(balance) >> shift;
            let account = Account { nonce, balance, code_hash: code.map_or(KECCAK256_EMPTY, B256::from) };
            prop_assert_eq!(Account::decode(&account.encode()).unwrap(), account);
        }

        #[test]
        fn strange_rows_are_errors_and_not_panics(row: Vec<u8>) {
            let _ = Account::decode(&row);
        }
    }

    #[test]
    fn a_plain_account_is_small() {
        let account = Account { nonce: 7, balance: U256::from(10u64).pow(U256::from(18)), ..Account::default() };
        assert_eq!(account.encode().len(), 1 + 1 + 8);
    }
}
