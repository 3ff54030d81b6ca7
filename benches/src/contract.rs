//! A token as Solidity makes it, standing in the genesis: the contract of the client suites, without its constructor.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::Value;

const ARTIFACT: &str = include_str!("../../clients/contracts/artifacts/Token.json");
/// What ends the constructor and begins the contract itself: `return`, `invalid`, and the first words of every contract.
const SEAM: [u8; 7] = [0xf3, 0xfe, 0x60, 0x80, 0x60, 0x40, 0x52];
/// Where `balanceOf` stands in the contract.
const BALANCES: u64 = 3;

pub(crate) const ADDRESS: Address = Address::repeat_byte(0x70);
/// Gas that a transfer may use.
pub(crate) const GAS: u64 = 60_000;

/// The code that stands at [`ADDRESS`].
pub(crate) fn code() -> Bytes {
    let artifact: Value = serde_json::from_str(ARTIFACT).unwrap();
    let creation: Bytes = artifact["bytecode"].as_str().unwrap().parse().unwrap();
    let seam = creation.windows(SEAM.len()).position(|bytes| bytes == SEAM).unwrap();
    creation.slice(seam + 2..)
}

/// The slot of an account's balance.
pub(crate) fn slot(owner: Address) -> B256 {
    keccak256([owner.into_word(), B256::from(U256::from(BALANCES))].concat())
}

/// The input of a transfer.
pub(crate) fn transfer(to: Address, amount: U256) -> Bytes {
    let selector = &keccak256("transfer(address,uint256)")[..4];
    [selector, to.into_word().as_slice(), &amount.to_be_bytes::<32>()].concat().into()
}
