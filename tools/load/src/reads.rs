//! One measurement of what is asked of an Ethereum ledger, newest version, on every node in turns.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::book::Measured;
use crate::calls::{Caller, run_calls};
use crate::http::Wire;
use crate::pace::Pace;
use crate::{Endpoint, Error, Rpc};

const DEADLINE: Duration = Duration::from_secs(60);

/// What is asked about one account after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// `eth_getBalance`.
    Balance,
    /// `eth_call` of a token's `balanceOf`: code runs.
    Call { token: Address },
    /// `eth_getLogs` of all blocks, for the tokens that the account ever got.
    Logs { token: Address },
}

/// Connections take turns with the nodes, and go through the accounts. An answer is wrong if an account has nothing: each
/// was given something. `progress` hears how many calls were answered.
pub async fn run_reads(
    nodes: &[Endpoint],
    connections: usize,
    (read, accounts): (Read, Arc<Vec<Address>>),
    total: Option<usize>,
    pace: Pace,
    progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    let mut readers = Vec::new();
    for node in nodes.iter().cycle().take(connections) {
        let mut rpc = Rpc::new(node.clone(), DEADLINE);
        rpc.connect().await?;
        readers.push(Reader { rpc, read, accounts: accounts.clone() });
    }
    run_calls(readers, total, pace, progress).await
}

struct Reader {
    rpc: Rpc,
    read: Read,
    accounts: Arc<Vec<Address>>,
}

impl Reader {
    /// Whether the account has something.
    async fn ask(&mut self, account: Address) -> Result<bool, Error> {
        match self.read {
            Read::Balance => {
                let balance: U256 = self.rpc.call("eth_getBalance", (account, "latest")).await?;
                Ok(!balance.is_zero())
            }
            Read::Call { token } => {
                let balance: Bytes = self.rpc.call("eth_call", (balance_of(token, account), "latest")).await?;
                Ok(balance.iter().any(|byte| *byte != 0))
            }
            Read::Logs { token } => {
                let found: Vec<Log> = self.rpc.call("eth_getLogs", [received(token, account)]).await?;
                Ok(!found.is_empty())
            }
        }
    }
}

/// Nothing is looked at but that it is there.
#[derive(Deserialize)]
struct Log {
    #[serde(rename = "transactionHash")]
    _transaction: IgnoredAny,
}

impl Caller for Reader {
    async fn call(&mut self, number: usize) -> Result<Option<bool>, Error> {
        let account = self.accounts[number % self.accounts.len()];
        match self.ask(account).await {
            Ok(well) => Ok(Some(well)),
            Err(Error::Refused { refusal, .. }) if refusal.passes() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn wire(&self) -> Wire {
        self.rpc.wire()
    }
}

/// A call of `balanceOf(address)`.
fn balance_of(token: Address, account: Address) -> serde_json::Value {
    let input: Bytes = [&keccak256("balanceOf(address)")[..4], &account.into_word()[..]].concat().into();
    serde_json::json!({ "to": token, "input": input })
}

/// A filter for `Transfer(address,address,uint256)` to the account.
fn received(token: Address, account: Address) -> serde_json::Value {
    let transfer: B256 = keccak256("Transfer(address,address,uint256)");
    let topics = (transfer, (), account.into_word());
    serde_json::json!({ "address": token, "topics": topics, "fromBlock": "earliest", "toBlock": "latest" })
}
