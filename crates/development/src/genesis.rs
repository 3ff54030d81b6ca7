//! The first state of the Ethereum ledger, in the format of geth's `genesis.json`.
//!
//! The default starts at Osaka, with base-layer contracts that the protocol calls by address (EIP-2935, 4788, 7002, 7251) and
//! 10,000 ETH in each of the ten accounts. What a genesis means is the Ethereum adapter's business; here only the chain id is read.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// What a network gets that was given no genesis.
pub const DEFAULT_GENESIS: &str = include_str!("genesis.json");

/// The chain id in a genesis; `path` is where it came from, for the error.
pub fn chain_id(genesis: &[u8], path: &Path) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Genesis {
        config: Config,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        chain_id: u64,
    }
    match serde_json::from_slice::<Genesis>(genesis) {
        Ok(genesis) => Ok(genesis.config.chain_id),
        Err(e) => Err(Error::content(path, format!("this is not a genesis in geth's format: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ACCOUNTS;

    #[test]
    fn the_default_funds_every_account_with_10_000_eth() {
        assert_eq!(chain_id(DEFAULT_GENESIS.as_bytes(), Path::new("genesis.json")).unwrap(), 1337);
        let genesis: serde_json::Value = serde_json::from_str(DEFAULT_GENESIS).unwrap();
        for account in ACCOUNTS {
            let balance = genesis["alloc"][account.address.to_lowercase()]["balance"].as_str().unwrap();
            assert_eq!(
                u128::from_str_radix(&balance[2..], 16).unwrap(),
                10_000 * 10u128.pow(18),
                "{}",
                account.address
            );
        }
    }

    #[test]
    fn a_file_that_is_no_genesis_is_named_with_what_it_lacks() {
        let error = chain_id(br#"{"config":{}}"#, Path::new("g.json")).unwrap_err().to_string();
        assert!(error.starts_with("g.json: ") && error.contains("chainId"), "{error}");
    }
}
